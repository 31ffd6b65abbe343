"""What a sentence of a paper is held against: our runs, or the numbers that the paper itself prints."""

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from gpae import plan
from gpae.config import ConfigError, Override, Params
from gpae.plan import Job
from gpae.results import aggregate, cells, paper, statistics
from gpae.results.statistics import Sample

EARLY = 0.25
Quantity = Literal[
    "score",
    "early_score",
    "curve_score",
    "advantage_gap",
    "advantage_gap_elsewhere",
    "truncation_gap",
    "truncation_gap_size",
    "individual_distance",
    "joint_distance",
]
"""score: at the last evaluation; early_score, curve_score: the learning curve's mean (its area over its length) up to
a quarter of the budget and up to its end; the others are the learner's, mean over the updates of the training, and
truncation_gap_size the gap's absolute value, which says how balanced a weight is between the two ratios."""

UNPRINTED = "the paper prints no such number"


class Term(NamedTuple):
    """weight times a quantity of a method on a task; names of params/."""

    weight: float
    quantity: str
    method: str
    task: str


class Shortage(NamedTuple):
    """Why measured numbers cannot decide a claim: a verdict, and the reason for it."""

    verdict: str
    reason: str


@dataclass(frozen=True)
class Run:
    """A quantity of a method on a task.

    by_seed: empty where only mean and deviation are printed
    missing: why there is nothing, empty where there is; shortage: why it cannot decide, None where it can
    sources: files that it was made from
    """

    sample: Sample = Sample(math.nan, math.nan, 0)
    by_seed: tuple[tuple[int, float], ...] = ()
    missing: str = ""
    shortage: Shortage | None = None
    sources: tuple[str, ...] = ()


class Speed(NamedTuple):
    """A benchmark's row: the median ratio of its two sides' speeds, and (most - least) / median of it."""

    ratio: float = math.nan
    spread: float = math.nan
    missing: str = ""


def sample(values: list[float]) -> Sample:
    found = statistics.moments(np.asarray(values, float))
    return Sample(float(found.mean), float(found.std), found.seeds)


def shortage(steps: int, changed: str, seeds: int, wanted: int) -> Shortage | None:
    """None where measured numbers can decide a claim. steps, wanted: environment steps here and in the paper."""
    if steps < wanted:
        return Shortage("budget too small", f"{steps:,} of the paper's {wanted:,} steps")
    if changed:
        return Shortage("budget too small", f"the profile changes the paper's settings: {changed}")
    if seeds < 2:
        return Shortage("budget too small", "one seed")
    if steps > wanted:
        return Shortage("budget too large", f"{steps:,} steps, more than the paper's {wanted:,}")
    return None


def benchmarks(root: Path, part: str) -> dict[str, list[dict[str, str]]]:
    """{file relative to root: rows} of a part of the benchmarks, a file a device; ConfigError where one is damaged."""
    found = {}
    for path in sorted(root.glob(f"artifacts/benchmarks/*/{part}.csv")):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        wanted = ("benchmark", "task", "ratio", "spread", "device")
        if lacking := [name for name in wanted if not rows or name not in rows[0]]:
            raise ConfigError(f"{path}: no column {lacking[0]}, or no rows; allowed: what python -m benchmarks wrote")
        found[path.relative_to(root).as_posix()] = rows
    return found


class Measured:
    """The runs of a profile, and the benchmarks of every machine that has some."""

    def __init__(self, params: Params, profile: str, root: Path, protocol: paper.Protocol) -> None:
        self.root, self.protocol, self.overrides = root, protocol, params.profile(profile).overrides
        self.params = params
        self.jobs: dict[tuple[str, str], list[Job]] = {}
        for job in plan.jobs(params, profile):
            self.jobs.setdefault((job.method_name, job.task_name), []).append(job)
        scores, evaluations = aggregate.read_scores(params, profile, root)
        diagnostics, metrics = aggregate.read_diagnostics(params, profile, root)
        shown = aggregate.reported(scores, protocol.policy)
        self.scores = {key: rows for key, rows in shown.groupby(["method", "task"])}
        means = aggregate.over_training(diagnostics)
        self.diagnostics = {key: rows for key, rows in means.groupby(["method", "task", "quantity"])}
        self.sources = {*evaluations, *metrics}
        self.run = cache(self._run)

    def _scores(self, quantity: str, method: str, task: str, budget: int) -> dict[int, float]:
        rows = self.scores.get((method, task), pd.DataFrame({"seed": []}))
        values = {}
        for seed, part in rows.groupby("seed"):
            curve = part.sort_values("evaluation")
            end = budget * (EARLY if quantity == "early_score" else 1)
            whole = statistics.area(curve["env_steps"].to_numpy(float), curve["score"].to_numpy(float), end)
            values[int(seed)] = float(curve["score"].iloc[-1]) if quantity == "score" else whole
        return values

    def _diagnostics(self, quantity: str, method: str, task: str) -> dict[int, float]:
        key, absolute = (method, task, quantity.removesuffix("_size")), quantity.endswith("_size")
        rows = self.diagnostics.get(key, pd.DataFrame({"seed": [], "value": []}))
        pairs = zip(rows["seed"].tolist(), rows["value"].tolist(), strict=True)
        return {seed: abs(value) if absolute else value for seed, value in pairs}

    def _run(self, quantity: str, method: str, task: str) -> Run:
        jobs = self.jobs.get((method, task))
        if not jobs:
            return Run(missing=cells.NOT_SELECTED)
        if quantity.endswith("score"):
            values, files = self._scores(quantity, method, task, jobs[0].total_steps), [job.evaluation for job in jobs]
        else:
            values, files = self._diagnostics(quantity, method, task), [job.metrics for job in jobs]
        if not values:
            return Run(missing=cells.NOT_RUN)
        changes = self.overrides.get(jobs[0].task.family, Override()).of(jobs[0].method.algorithm)
        changed = ", ".join(f"{key} {value}" for key, value in changes.items())
        return Run(
            sample=sample(list(values.values())),
            by_seed=tuple(values.items()),
            shortage=shortage(
                jobs[0].total_steps, changed, len(values), self.protocol.length(task, jobs[0].task.label)
            ),
            sources=tuple(path.as_posix() for path in files if path.as_posix() in self.sources),
        )

    def resembles(self, terms: tuple[Term, ...]) -> bool:
        """Whether a task of the terms only resembles the paper's."""
        return any(self.params.task(term.task).family in self.protocol.analogues for term in terms)

    def speed(self, benchmark: str, task: str, file: str) -> Speed:
        part = Path(file).stem
        for row in benchmarks(self.root, part).get(file, []):
            if (row["benchmark"], row["task"]) == (benchmark, task):
                return Speed(float(row["ratio"]), float(row["spread"]))
        return Speed(missing=f"not measured: python -m benchmarks {part}")


class Printed:
    """The means and deviations that the paper's tables print, looked up under the labels of their experiments."""

    def __init__(self, params: Params, experiments: tuple[str, ...]) -> None:
        self.params = params
        self.tables = [(params.experiment(name), *paper.of_experiment(params, name)) for name in experiments]

    def run(self, quantity: str, method: str, task: str) -> Run:
        aim = self.params.task(task)
        metric = self.params.family(aim.family).score if quantity == "score" else quantity
        for experiment, values, protocol in self.tables:
            label = experiment.labels.get(method, self.params.method(method).label)
            for value in values:
                if (value.method, value.metric) == (label, metric) and value.task in (task, aim.label):
                    return Run(sample=Sample(value.mean, value.std, protocol.seeds or 1))
        return Run(missing=UNPRINTED)

    def speed(self, benchmark: str, task: str, file: str) -> Speed:
        return Speed(missing=UNPRINTED)
