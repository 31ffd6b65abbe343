"""The comparisons that an experiment is for: the difference of two methods' final scores on each task, with a test.

Welch's t-test of the means over seeds; the p-values of an experiment's comparisons and tasks are adjusted together
(Holm), since many questions asked of the same runs find something by chance.
"""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.results import cells, layout, statistics
from gpae.results.cells import Cell
from gpae.results.grid import Grid, Text

SIGNIFICANCE = 0.05
SHOWN = "*"


@dataclass(frozen=True)
class Difference:
    """method minus other on a task; adjusted: p after Holm's adjustment, NaN for one seed or no spread."""

    question: str
    method: Cell
    other: Cell
    test: statistics.Comparison
    adjusted: float = math.nan

    @property
    def missing(self) -> str:
        """Why there is no difference; empty where there is one."""
        return next((f"{cell.method}: {cell.missing}" for cell in (self.method, self.other) if cell.missing), "")

    @property
    def shown(self) -> bool:
        return self.adjusted < SIGNIFICANCE


def read(params: Params, profile: str, experiment: str, root: Path) -> list[Difference]:
    """Every comparison on every task that the profile runs; ConfigError where one names a method that is not in it."""
    about = params.experiment(experiment)
    for number, comparison in enumerate(about.comparisons):
        for key in ("method", "other"):
            if (name := getattr(comparison, key)) not in about.methods:
                source = params.folder / "experiments" / f"{experiment}.yaml"
                allowed = ", ".join(about.methods)
                raise ConfigError(f"{source}: comparisons.{number}.{key}: {name!r} is not allowed: {allowed}")
    table = cells.read(params, profile, experiment, root)
    scored = {(cell.task_name, cell.method_name): cell for cell in table if cell.metric in layout.UNITS}
    found = []
    for comparison in about.comparisons:
        for task in plan.selection(params, profile, experiment)[0]:
            pair = scored[task, comparison.method], scored[task, comparison.other]
            test = statistics.welch(*(value for cell in pair for value in (cell.mean, cell.std, cell.seeds)))
            found.append(Difference(comparison.question, *pair, test))
    adjusted = statistics.holm([difference.test.p for difference in found])
    return [replace(difference, adjusted=p) for difference, p in zip(found, adjusted, strict=True)]


def _text(difference: Difference) -> Text:
    if difference.missing:
        return Text("—", difference.missing)
    test = difference.test
    decimals = 1 if difference.method.metric.endswith("_percent") or abs(test.difference) < 100 else 0
    value, low, high = (f"{number:+.{decimals}f}".replace("-", "−") for number in test[:3])
    if math.isnan(test.p):
        few = min(difference.method.seeds, difference.other.seeds) < 2
        return Text(value, f"{'one seed' if few else 'no spread'}, no test")
    p = "p < 0.001" if difference.adjusted < 0.001 else f"p {difference.adjusted:.3f}"
    return Text(value, f"{low} to {high}, {p}", SHOWN if difference.shown else "")


def _notes(params: Params, profile: str, found: list[Difference]) -> Iterator[str]:
    budgets = sorted({cell.budget for difference in found for cell in (difference.method, difference.other)} - {0})
    seeds = params.profile(profile).seeds
    tests = sum(not math.isnan(difference.test.p) for difference in found)
    steps = " and ".join(f"{budget:,}" for budget in budgets) or "no"
    yield (
        f"The first method's final score minus the second's, after {steps} environment steps and {seeds}"
        f" seed{'s' * (seeds != 1)}: points of win rate, or return. Beside it the 95% interval and p of Welch's t-test,"
        f" p adjusted for the {tests} tests of this table (Holm)."
    )
    yield (
        "A difference without the mark answers nothing: with few seeds only large ones can be shown, and what holds at"
        " this budget need not hold at another."
    )


def name(experiment: str) -> str:
    """Of the files."""
    return f"{experiment}-comparisons"


def grid(params: Params, profile: str, experiment: str, found: list[Difference]) -> Grid:
    """A row a question, a column a task."""
    tasks = {difference.method.task: layout.unit(difference.method.metric) for difference in found}
    rows: dict[tuple[str, str], dict[str, Text]] = {}
    for difference in found:
        pair = f"{difference.method.method} − {difference.other.method}"
        rows.setdefault((difference.question, pair), {})[difference.method.task] = _text(difference)
    return Grid(
        name=name(experiment),
        title=f"{params.experiment(experiment).title} What the differences say",
        columns=("Question", "Difference", *(f"{task}: {unit}" for task, unit in tasks.items())),
        rows=tuple((*heads, *(row[task] for task in tasks)) for heads, row in rows.items()),
        notes=tuple(_notes(params, profile, found)),
        marks={SHOWN: f"p below {SIGNIFICANCE}"} if any(difference.shown for difference in found) else {},
        left=2,
    )


def data(found: list[Difference]) -> str:
    """A line a comparison and task, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    numbers = ("difference", "low", "high", "p", "adjusted_p")
    writer.writerow(["question", "task", "method", "other", "metric", *numbers, "seeds", "other_seeds", "missing"])
    for difference in found:
        method, other = difference.method, difference.other
        values = [*difference.test, difference.adjusted]
        printed = ["" if math.isnan(value) else f"{value:.6g}" for value in values]
        heads = [difference.question, method.task, method.method, other.method, method.metric]
        writer.writerow([*heads, *printed, method.seeds, other.seeds, difference.missing])
    return text.getvalue()


def build(params: Params, profile: str, experiment: str, folder: Path, root: Path) -> list[Path]:
    """Writes <experiment>-comparisons.csv, .md and .tex; nothing where the experiment compares nothing."""
    found = read(params, profile, experiment, root)
    return grid(params, profile, experiment, found).write(folder, data(found)) if found else []
