"""An experiment's table as cells: a task, a method, what was measured there and what the paper says."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gpae import plan
from gpae.config import Override, Params
from gpae.results import aggregate, costs, paper, statistics
from gpae.results.paper import Value, of_experiment

NOT_RUN, NOT_SELECTED, NOT_HERE = "not run", "not in this profile", "method not in this project"
NOT_FOR_IT = "the method cannot run on such tasks"
NOT_MEASURED = "run, but there is no such quantity"
SCORE, CURVE = "score", "curve_score"  # at the last evaluation; mean of the learning curve
SIGNIFICANCE = 0.05
OF_EVALUATIONS = (SCORE, CURVE, plan.NOISE, *costs.QUANTITIES)  # the others stand in metrics files


@dataclass(frozen=True)
class Cell:
    """One task, method and quantity.

    family, task, method: labels; task_name, method_name: in params/, the latter empty for a method of the paper alone
    metric: as in params/claims: the family's score, its learning curve's mean, or a training quantity of the metrics
    budget, planned_seeds: what the profile asks for, environment steps and seeds; 0 where it asks for nothing
    env_steps, seeds, mean .. high: of a score as in schema.SUMMARY, the last evaluation of the reported policy; of a
        curve or a training quantity the means over the training, without IQM; NaN where nothing was measured
    missing: why nothing was measured, empty where it was
    changed: the profile's changes of the paper's learner and network
    best, best_in_paper: whether its mean, or the paper's, is the best of the task's or not significantly below it,
        where the layout asks for it
    reconstructed: what was taken for the method's definition, where its paper leaves it open
    sources: the evaluation Parquets of scores, the metrics Parquets of a training quantity
    """

    experiment: str
    family: str
    task: str
    task_name: str
    method: str
    method_name: str
    metric: str
    budget: int = 0
    planned_seeds: int = 0
    env_steps: int = 0
    seeds: int = 0
    mean: float = math.nan
    std: float = math.nan
    iqm: float = math.nan
    low: float = math.nan
    high: float = math.nan
    paper: Value | None = None
    missing: str = ""
    changed: str = ""
    best: bool = False
    best_in_paper: bool = False
    reconstructed: str = ""
    sources: tuple[str, ...] = ()


_MEASURED = ["env_steps", "seeds", "mean", "std", "iqm", "low", "high"]


class _Results:
    """What was measured in a profile."""

    def __init__(self, params: Params, profile: str, experiment: str, root: Path) -> None:
        summary, evaluations = aggregate.read_summary(params, profile, root)
        diagnostics, metrics = aggregate.read_diagnostics(params, profile, root)
        policy = paper.policy(params, experiment)
        self.scores = aggregate.final(summary, policy)
        scores, origins = aggregate.read_scores(params, profile, root)
        self.curves = aggregate.over_curve(scores, policy)
        self.diagnostics = aggregate.over_training(diagnostics)
        self.costs = costs.of_jobs(plan.jobs(params, profile), origins)
        if costs.PARAMETERS in params.experiment(experiment).layout.quantities:
            critics = costs.of_critics(plan.jobs(params, profile, experiment))
            self.costs = pd.concat([self.costs, critics]) if len(self.costs) else critics
        self.sources = {*evaluations, *metrics}

    def of(self, task: str, method: str, quantity: str) -> dict[str, Any]:
        """The cell's _MEASURED, or nothing."""
        others = self.costs if quantity in costs.QUANTITIES else self.diagnostics
        rows = {SCORE: self.scores, CURVE: self.curves}.get(quantity, others)
        rows = rows[(rows["task"] == task) & (rows["method"] == method)]
        if quantity == SCORE:
            return next(iter(rows[_MEASURED].to_dict("records")), {})
        rows = rows[rows["quantity"] == quantity]
        found = _over_seeds(rows) if len(rows) else {}
        # seeds of a job share what it took
        return found | {"std": math.nan} if found and quantity in costs.QUANTITIES else found


def _over_seeds(rows: pd.DataFrame) -> dict[str, Any]:
    found = statistics.moments(rows["value"].to_numpy())
    mean, std = float(found.mean), float(found.std)
    return {"env_steps": int(rows["env_steps"].max()), "seeds": found.seeds, "mean": mean, "std": std}


def task_names(params: Params, profile: str, experiment: str) -> list[str]:
    """The experiment's tasks and then the profile's others, by family."""
    names = dict.fromkeys((*params.experiment(experiment).tasks, *plan.selection(params, profile, experiment)[0]))
    families = list(dict.fromkeys(params.task(name).family for name in names))
    return sorted(names, key=lambda name: families.index(params.task(name).family))


def _missing(method: str, fits: bool, planned: bool, run: bool) -> str:
    if not method:
        return NOT_HERE
    if not fits:
        return NOT_FOR_IT
    if run:
        return NOT_MEASURED
    return NOT_RUN if planned else NOT_SELECTED


def read(params: Params, profile: str, experiment: str, root: Path) -> list[Cell]:
    """The whole table, task by task: the experiment's methods, the profile's others, then the paper's others; each
    with the quantities of the experiment's layout."""
    about = params.experiment(experiment)
    methods = dict.fromkeys((*about.methods, *plan.selection(params, profile, experiment)[1]))
    values, _ = of_experiment(params, experiment)
    columns = {about.labels.get(name, params.method(name).label): name for name in methods}
    columns |= {value.method: "" for value in values if value.method not in columns}
    jobs = plan.jobs(params, profile, experiment)
    results = _Results(params, profile, experiment, root)
    protocol = paper.protocol(params, experiment)
    reconstructed = protocol.reconstructed
    table = []
    for name in task_names(params, profile, experiment):
        task = params.task(name)
        family = params.family(task.family)
        override = params.profile(profile).overrides.get(task.family, Override())
        claims = {(v.method, v.metric): v for v in values if v.task in (name, task.label)}
        for label, method in columns.items():
            changed = override.of(params.method(method).algorithm) if method else {}
            fits = not method or task.family in params.method(method).families
            planned = [job for job in jobs if (job.task_name, job.method_name) == (name, method)]
            for quantity in about.layout.quantities:
                metric = family.score if quantity == SCORE else quantity
                places = [job.evaluation if quantity in OF_EVALUATIONS else job.metrics for job in planned]
                sources = tuple(path.as_posix() for path in places if path.as_posix() in results.sources)
                measured = results.of(name, method, quantity)
                table.append(
                    Cell(
                        experiment=experiment,
                        family=family.label,
                        task=task.label,
                        task_name=name,
                        method=label,
                        method_name=method,
                        metric=metric,
                        budget=planned[0].total_steps if planned else 0,
                        planned_seeds=sum(len(job.seeds) for job in planned),
                        paper=claims.get((label, metric)),
                        missing="" if measured else _missing(method, fits, bool(planned), bool(sources)),
                        reconstructed=reconstructed.get(method, ""),
                        changed=", ".join(f"{key} {value}" for key, value in changed.items()),
                        sources=sources,
                        **measured,
                    )
                )
    return _with_the_best(table, protocol.seeds or 1) if about.layout.best else table


def best(samples: Sequence[statistics.Sample]) -> list[bool]:
    """Which means are the best or not significantly below it: MACA's two-sample t-test at 0.05 between the maximum and
    each of the others (its Section 5.2), here Welch's; a sample whose mean is NaN is none."""
    there = [sample for sample in samples if not math.isnan(sample.mean)]
    if not there:
        return [False] * len(samples)
    top = max(there, key=lambda sample: sample.mean)
    tests = [statistics.contrast([top, sample], [1, -1]) for sample in samples]
    return [test.difference == 0 or test.p >= SIGNIFICANCE for test in tests]


def _with_the_best(table: list[Cell], runs: int) -> list[Cell]:
    """runs: the paper's number of seeds."""
    found = list(table)
    for place in {(cell.task_name, cell.metric) for cell in table}:
        row = [number for number, cell in enumerate(table) if (cell.task_name, cell.metric) == place]
        here = best([statistics.Sample(table[n].mean, table[n].std, table[n].seeds) for n in row])
        nothing = statistics.Sample(math.nan, math.nan, 0)
        printed = [table[n].paper for n in row]
        there = best([statistics.Sample(v.mean, v.std, runs) if v else nothing for v in printed])
        for number, ours, theirs in zip(row, here, there, strict=True):
            found[number] = replace(table[number], best=ours, best_in_paper=theirs)
    return found
