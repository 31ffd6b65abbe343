"""Figure 1: how strongly an estimator blames the agent whose action was replaced by "stop", and the win rate.

The advantage gap (Section 3.1) is the mean of the other agents' advantages minus that of the agent who was stopped,
before normalisation. In units of the reward it depends on how large the critic's values are by then; divided by the
standard deviation of all advantages of the update it is what the policy's gradient sees of it. The same quantity at
steps where nothing was replaced, for an agent drawn there, should be near 0 (Appendix B).
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.results import aggregate
from gpae.results.figures import curves
from gpae.results.figures.panels import Panel

GAP, ELSEWHERE, DEVIATION = "advantage_gap", "advantage_gap_elsewhere", "advantage_std"


def _dimensionless(rows: pd.DataFrame) -> pd.DataFrame:
    """DIAGNOSTICS' rows of each seed's and point's gap over the standard deviation of the advantages there."""
    key = ["task", "method", "seed", "evaluation", "env_steps"]
    wide = rows.pivot_table(index=key, columns="quantity", values="value").reindex(columns=[GAP, DEVIATION])
    return (wide[GAP] / wide[DEVIATION]).dropna().rename("value").reset_index().assign(quantity=GAP)


def _references(params: Params, task: str) -> list[tuple[str, float]]:
    """Appendix B's number as the paper has it, and a stop; nothing for teams that it does not speak of."""
    from gpae.results.gap_reference import reference  # imports jax, which no other figure needs

    try:
        found = reference(params, task)
    except ConfigError:
        return []
    return [("Appendix B, all stops of an episode", found.total), ("Appendix B, one stop", found.total_a_stop)]


def shown(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """Four panels a task with stops: the gap, the gap where nothing was replaced, the gap in deviations, the score."""
    rows, _ = aggregate.read_diagnostics(params, profile, root)
    raw = aggregate.over_seeds(rows)
    kinds = (
        ("gap where replaced", "advantage gap", raw[raw["quantity"] == GAP]),
        ("gap elsewhere", "advantage gap", raw[raw["quantity"] == ELSEWHERE]),
        ("gap in deviations", "gap / std of advantages", aggregate.over_seeds(_dimensionless(rows))),
    )
    tasks = [
        name
        for name in plan.selection(params, profile, experiment)[0]
        if plan.environment(params, name).get("stop_probability")
    ]
    found = curves.after_diagnostics(params, profile, experiment, root, kinds, tasks)
    for number, task in enumerate(tasks):
        first = 4 * number
        found[first] = replace(found[first], references=_references(params, task), scale=task)
        found[first + 1] = replace(found[first + 1], scale=task)
    return found


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "(a) Advantage gap: the mean advantage of the other agents minus that of the agent whose action was replaced by"
        " “stop”, before normalisation, in units of the reward; a higher gap blames that agent more. Broken lines: a"
        " magnitude to compare with, from the environment's constants (Appendix B, docs/advantage-gap.md), with the"
        " loss of wins by all stops of an episode, as the paper has it, and by one. (b) The same where nothing was"
        " replaced, for an agent drawn there; near 0 is expected. (c) The first divided by the standard deviation of"
        " all advantages, which is what the policy's gradient sees. (d) Learning curve. Gaps are means over the updates"
        " since the last evaluation, then over seeds; standard error shaded."
    )
