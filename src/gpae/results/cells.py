"""An experiment's table as cells: a task, a method, what was measured there and what the paper says."""

import math
from dataclasses import dataclass
from pathlib import Path

from gpae import plan
from gpae.config import Override, Params
from gpae.results import aggregate
from gpae.results.paper import Value, of_experiment

NOT_RUN, NOT_SELECTED, NOT_HERE = "not run", "not in this profile", "method not in this project"
NOT_FOR_IT = "the method cannot run on such tasks"


@dataclass(frozen=True)
class Cell:
    """One task and method.

    family, task, method: labels; task_name, method_name: in params/, the latter empty for a method of the paper alone
    budget, planned_seeds: what the profile asks for, environment steps and seeds; 0 where it asks for nothing
    env_steps, seeds, mean .. high: the final sampled policy, as in schema.SUMMARY; NaN where nothing was measured
    missing: why nothing was measured, empty where it was
    changed: the profile's changes of the paper's learner and network
    sources: the evaluation Parquets
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
    sources: tuple[str, ...] = ()


_MEASURED = ("env_steps", "seeds", "mean", "std", "iqm", "low", "high")


def task_names(params: Params, profile: str, experiment: str) -> list[str]:
    """The experiment's tasks and then the profile's others, by family."""
    names = dict.fromkeys((*params.experiment(experiment).tasks, *plan.selection(params, profile, experiment)[0]))
    families = list(dict.fromkeys(params.task(name).family for name in names))
    return sorted(names, key=lambda name: families.index(params.task(name).family))


def _missing(method: str, fits: bool, planned: bool) -> str:
    if not method:
        return NOT_HERE
    if not fits:
        return NOT_FOR_IT
    return NOT_RUN if planned else NOT_SELECTED


def read(params: Params, profile: str, experiment: str, root: Path) -> list[Cell]:
    """The whole table, task by task: the experiment's methods, the profile's others, then the paper's others."""
    methods = dict.fromkeys((*params.experiment(experiment).methods, *plan.selection(params, profile, experiment)[1]))
    values, _ = of_experiment(params, experiment)
    labels = params.experiment(experiment).labels
    columns = {labels.get(name, params.method(name).label): name for name in methods}
    columns |= {value.method: "" for value in values if value.method not in columns}
    jobs = plan.jobs(params, profile, experiment)
    rows, sources = aggregate.read_summary(params, profile, root)
    rows = aggregate.final(rows)
    table = []
    for name in task_names(params, profile, experiment):
        task = params.task(name)
        family = params.family(task.family)
        override = params.profile(profile).overrides.get(task.family, Override())
        claims = {v.method: v for v in values if v.task in (name, task.label) and v.metric == family.score}
        for label, method in columns.items():
            changed = override.of(params.method(method).algorithm) if method else {}
            fits = not method or task.family in params.method(method).families
            planned = [job for job in jobs if (job.task_name, job.method_name) == (name, method)]
            measured = rows.loc[(rows["task"] == name) & (rows["method"] == method), list(_MEASURED)].to_dict("records")
            table.append(
                Cell(
                    experiment=experiment,
                    family=family.label,
                    task=task.label,
                    task_name=name,
                    method=label,
                    method_name=method,
                    metric=family.score,
                    budget=planned[0].total_steps if planned else 0,
                    planned_seeds=sum(len(job.seeds) for job in planned),
                    paper=claims.get(label),
                    missing="" if measured else _missing(method, fits, bool(planned)),
                    changed=", ".join(f"{key} {value}" for key, value in changed.items()),
                    sources=tuple(job.evaluation.as_posix() for job in planned if job.evaluation.as_posix() in sources),
                    **(measured[0] if measured else {}),
                )
            )
    return table
