"""What a paper says: its numbers and how it made them, read from params/claims/<paper>.csv and .yaml."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from gpae.config import ConfigError, Count, Family, Name, OptionalText, Params, Text, printable
from gpae.results import costs

MARGIN = {
    "win_rate_percent": lambda mean: 5.0,
    "episode_return": lambda mean: 0.1 * abs(mean),
    "truncation_gap": lambda mean: 0.001,
    "critic_parameters": lambda mean: 0.0,
    "training_hours": lambda mean: 0.1 * mean,
}
"""What counts as the paper's number, by metric. Of the truncation gap it is 0.001, less than half of what the paper's
gaps at eta 1.0 and 1.05 are apart."""

COLUMNS = ("paper", "table", "task", "metric", "method", "mean", "std", "note")


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Protocol:
    """params/claims/<paper>.yaml.

    steps: environment steps of a run; steps_of: of those tasks, by the paper's names, that have others
    seeds: runs of each method on each task; None: the paper does not say
    policy: which one is evaluated, as the code that the paper was made with does it; of a method that has no such
        evaluations the one that it has
    own: the first word of the labels of the methods that the paper proposes
    title: how the page names the paper; empty: by the file's name
    analogues: families whose tasks only resemble the paper's: orderings are tested, numbers stand beside each other
    not_portable: tasks of the paper that have no analogue here, and why
    reconstructed: methods of params/methods whose definition the paper leaves open, and what was taken
    """

    steps: Count
    seeds: Count | None
    policy: Literal["sampled", "greedy"]
    own: Text
    title: OptionalText = ""
    steps_of: dict[Text, Count] = field(default_factory=dict)
    analogues: tuple[Family, ...] = ()
    not_portable: dict[Text, Text] = field(default_factory=dict)
    reconstructed: dict[Name, Text] = field(default_factory=dict)

    def length(self, *names: str) -> int:
        """Environment steps of a run on a task that is called one of these names."""
        return next((self.steps_of[name] for name in names if name in self.steps_of), self.steps)

    @property
    def lengths(self) -> str:
        """Environment steps of a run, in words."""
        others = [
            f"{steps:,} on {', '.join(task for task, own in self.steps_of.items() if own == steps)}"
            for steps in dict.fromkeys(self.steps_of.values())
        ]
        return f"{self.steps:,}" + (f" ({'; '.join(others)})" if others else "")


@dataclass(frozen=True)
class Value:
    """A row of params/claims/<paper>.csv; std is NaN where the paper prints none."""

    paper: str
    table: str
    task: str
    metric: str
    method: str
    mean: float
    std: float

    @property
    def key(self) -> tuple[str, ...]:
        return self.paper, self.table, self.task, self.metric, self.method


def bound(value: Value) -> str:
    """`floor` or `ceiling` where a policy that never wins, or always, is within the margin of a printed win rate."""
    if not value.metric.endswith("_percent"):
        return ""
    margin = MARGIN[value.metric](value.mean)
    return "floor" if value.mean <= margin else "ceiling" if value.mean >= 100 - margin else ""


def repeats(values: Sequence[Value]) -> dict[tuple[str, ...], Value]:
    """{key of a number that an earlier table has printed: that number}; values in the order of the tables.

    It is one number where the mean is the same, the deviations are not different, and one of the labels is the other
    with more to it ("GPAE (off)", "GPAE (off), DT-ISR"); one of a table at most.
    """
    found: dict[tuple[str, ...], Value] = {}
    taken = set()
    for place, value in enumerate(values):
        for first in values[:place]:
            labels = {value.method.split(", ")[0], first.method.split(", ")[0]}
            both = (value.paper, value.task, value.metric) == (first.paper, first.task, first.metric)
            both = both and value.mean == first.mean
            plain = value.method == first.method or {value.method, first.method} & labels
            other = value.table != first.table and (first.key, value.table) not in taken
            if both and other and plain and len(labels) == 1 and not abs(value.std - first.std) > 0:
                found[value.key] = first
                taken.add((first.key, value.table))
                break
    return found


def ordered(better: Value, worse: Value, protocol: Protocol) -> bool:
    """Whether the paper has one of its own methods above or below another: numbers of one task and metric, of which
    more is better."""
    alike = (better.task, better.metric) == (worse.task, worse.metric)
    own = protocol.own in (better.method.split()[0], worse.method.split()[0])
    return alike and own and better.mean > worse.mean and better.metric not in costs.QUANTITIES


def read(folder: Path, paper: str) -> list[Value]:
    """The rows of params/claims/<paper>.csv; ConfigError names the file, the line and what is allowed."""
    path = folder / "claims" / f"{paper}.csv"
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: not CSV: {' '.join(str(error).split())}") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ConfigError(f"{path}: first line: {','.join(rows[0]) if rows else ''}; allowed: {','.join(COLUMNS)}")
    values = []
    for number, row in enumerate(rows[1:], 2):
        try:
            *names, mean, std, _ = row
            names = [printable(name) for name in names]
            values.append(Value(*names, float(mean), float(std) if std else math.nan))
            if values[-1].metric not in MARGIN or not math.isfinite(values[-1].mean):
                raise ValueError
        except (ValueError, TypeError):
            wanted = f"{len(COLUMNS)} entries, metric {', '.join(MARGIN)}, mean a number, std a number or empty;"
            wanted += " names without signs of TeX, HTML or formulas"
            raise ConfigError(f"{path}: line {number}: {' '.join(','.join(row).split())}; allowed: {wanted}") from None
    return values


def of_experiment(params: Params, experiment: str) -> tuple[list[Value], Protocol | None]:
    """The numbers of the table that an experiment rebuilds, and their protocol; ([], None) where it rebuilds none."""
    claims = params.experiment(experiment).claims
    if claims is None:
        return [], None
    values = [value for value in read(params.folder, claims.paper) if value.table == claims.table]
    return values, params.load(Protocol, "claims", claims.paper)


def protocol(params: Params, experiment: str) -> Protocol:
    """That of the paper whose numbers an experiment rebuilds, or whose protocol it follows."""
    about = params.experiment(experiment)
    return params.load(Protocol, "claims", about.claims.paper if about.claims else about.paper)


def policy(params: Params, experiment: str) -> Literal["sampled", "greedy"]:
    """Which policy's evaluations the tables, curves and figures of an experiment show: its paper's."""
    return protocol(params, experiment).policy
