"""Figure 1: how strongly an estimator blames the agent whose action was replaced by "stop", and the win rate.

The advantage gap (Section 3.1) is the mean of the other agents' advantages minus that of the agent who was stopped,
before normalisation. In units of the reward it depends on how large the critic's values are by then; divided by the
standard deviation of all advantages of the update it is what the policy's gradient sees of it. The same quantity at
steps where nothing was replaced, for an agent drawn there, should be near 0 (Appendix B).
"""

from pathlib import Path

import pandas as pd

from gpae.config import Params
from gpae.results import aggregate
from gpae.results.figures import curves
from gpae.results.figures.panels import Panel

GAP, ELSEWHERE, DEVIATION = "advantage_gap", "advantage_gap_elsewhere", "advantage_std"


def _dimensionless(rows: pd.DataFrame) -> pd.DataFrame:
    """DIAGNOSTICS' rows of each seed's and point's gap over the standard deviation of the advantages there."""
    key = ["task", "method", "seed", "evaluation", "env_steps"]
    wide = rows.pivot_table(index=key, columns="quantity", values="value").reindex(columns=[GAP, DEVIATION])
    return (wide[GAP] / wide[DEVIATION]).dropna().rename("value").reset_index().assign(quantity=GAP)


def shown(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """Four panels a task: the gap, the gap where nothing was replaced, the gap in deviations, and the score."""
    rows, _ = aggregate.read_diagnostics(params, profile, root)
    raw = aggregate.over_seeds(rows)
    kinds = (
        ("gap where replaced", "advantage gap", raw[raw["quantity"] == GAP]),
        ("gap elsewhere", "advantage gap", raw[raw["quantity"] == ELSEWHERE]),
        ("gap in deviations", "gap / std of advantages", aggregate.over_seeds(_dimensionless(rows))),
    )
    return curves.after_diagnostics(params, profile, experiment, root, kinds)


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "Advantage gap: the mean advantage of the other agents minus that of the agent whose action was replaced by"
        " “stop”, before normalisation, in units of the reward; the same where nothing was replaced, for an agent drawn"
        " there (near 0 is expected); the first divided by the standard deviation of all advantages, which is what the"
        " policy's gradient sees; and the learning curve. Gaps: mean over the updates since the last evaluation, then"
        " mean over seeds, standard error shaded. A higher gap blames the stopped agent more."
    )
