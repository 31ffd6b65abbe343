"""The tables of a profile's experiments, with the paper's number under each of ours, and those that need no training.

A cell that was not measured shows a dash with the mark of its reason; nothing is filled in.
"""

import csv
import io
import math
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from gpae import plan
from gpae.config import Params
from gpae.plan import NOISE
from gpae.results import cells, comparisons, costs, layout, paper, statistics
from gpae.results.cells import Cell
from gpae.results.grid import Grid, Text
from gpae.results.layout import Table

NOT_IN_PAPER = "no such number in the paper"
REASONS = (cells.NOT_RUN, cells.NOT_SELECTED, cells.NOT_HERE, NOT_IN_PAPER, cells.NOT_FOR_IT, cells.NOT_MEASURED)
MARKS = dict(zip(REASONS, "abcdef", strict=True))
RECONSTRUCTED = "r"

MEANING = {
    "truncation_gap": "truncation gap, the joint distance minus the individual one (Eq. 9)",
    "individual_distance": "individual distance |c / λ − individual ratio|",
    "joint_distance": "joint distance |c / λ − joint ratio|",
    "gradient_noise": "noise of the policy's gradient, its variance over its squared norm, mean over evaluation points",
    "steps_per_second": "environment steps a second of the training, all seeds together, compile time included",
    "training_hours": "hours of the training, all seeds of a job together",
    "critic_parameters": "numbers that the critic learns, a mixer's among them",
    "peak_memory_gb": "the most memory of the training's process, or of its accelerator",
    "predators_reward": "the predators' mean reward a step",
    "prey_reward": "the prey's mean reward a step",
    "advantage_gap": "advantage gap, the others' mean advantage minus the stopped agent's at the replaced steps",
    "advantage_gap_elsewhere": "advantage gap elsewhere, the same of an agent drawn at steps without replacement",
}


@dataclass(frozen=True)
class Entry:
    """What stands in a place of the table: a mean, its deviation (empty for one seed) and seeds; or a dash's reason."""

    mean: str = ""
    std: str = ""
    seeds: str = ""
    missing: str = ""
    mark: str = ""
    bold: bool = False

    def text(self) -> Text:
        if self.missing:
            return Text("—", mark=MARKS[self.missing])
        return Text(f"{self.mean} ± {self.std}" if self.std else self.mean, self.seeds, self.mark, self.bold)


def _number(value: float, like: float, metric: str) -> str:
    """As the papers print: rates with one decimal, returns without, which would lose too much of small ones;
    training quantities with three digits of the mean that they are `like`."""
    if metric in layout.UNITS:
        decimals = 1 if metric.endswith("_percent") or abs(like) < 100 else 0
    else:
        decimals = max(2 - math.floor(math.log10(abs(like))), 0) if like else 2
    return f"{value:.{decimals}f}".replace("-", "−")


def _entry(mean: float, std: float, metric: str, seeds: str) -> Entry:
    return Entry(_number(mean, mean, metric), "" if math.isnan(std) else _number(std, mean, metric), seeds)


def measured(cell: Cell) -> Entry:
    if cell.missing:
        return Entry(missing=cell.missing)
    seeds = f"{cell.seeds} seed{'s' * (cell.seeds != 1)}"
    if cell.seeds < cell.planned_seeds:
        seeds = f"{cell.seeds} of {cell.planned_seeds} seeds"
    mark = RECONSTRUCTED if cell.reconstructed else ""
    return replace(_entry(cell.mean, cell.std, cell.metric, seeds), mark=mark, bold=cell.best)


def interquartile(cell: Cell) -> str:
    """`IQM [low, high]`; without an interval for one seed, empty where there is none."""
    if math.isnan(cell.iqm):
        return ""
    ends = [] if math.isnan(cell.low) else [_number(end, cell.iqm, cell.metric) for end in (cell.low, cell.high)]
    return _number(cell.iqm, cell.iqm, cell.metric) + (f" [{', '.join(ends)}]" if ends else "")


def printed(cell: Cell) -> Entry:
    """The paper's own number."""
    if cell.paper is None:
        return Entry(missing=NOT_IN_PAPER)
    return replace(_entry(cell.paper.mean, cell.paper.std, cell.metric, ""), bold=cell.best_in_paper)


def policy(params: Params, profile: str, experiment: str) -> str:
    """Which policy's evaluations are shown, in words."""
    shown = paper.policy(params, experiment)
    algorithms = {params.method(name).algorithm for name in plan.selection(params, profile, experiment)[1]}
    other = shown == "sampled" and "value_decomposition" in algorithms
    return f"{shown} policy" + " (the greedy one of learners of values)" * other


def notes(params: Params, profile: str, experiment: str) -> list[str]:
    """What a reader must know beside the numbers, a sentence each."""
    budget, protocol = params.profile(profile), paper.of_experiment(params, experiment)[1]
    methods = plan.selection(params, profile, experiment)[1]
    algorithms = {params.method(name).algorithm for name in methods}
    said = [
        f"Profile {profile}: {budget.description}.",
        "Here: mean ± standard deviation (n − 1) over seeds, after the last evaluation's"
        f" {budget.evaluation_episodes} episodes a seed with the {policy(params, profile, experiment)};"
        " win rates in percent.",
        "IQM: interquartile mean over seeds, with the 95% interval of a stratified bootstrap, which is too narrow for"
        f" few seeds: it holds the truth in {statistics.COVERAGE}.",
    ]
    quantities = [name for name in params.experiment(experiment).layout.quantities if name != cells.SCORE]
    others = [name for name in quantities if name in (NOISE, *costs.QUANTITIES)]
    for means, names in (
        (
            "Means over all updates of the training, then over seeds",
            [name for name in quantities if name not in others],
        ),
        ("Of whole trainings", others),
    ):
        if names:
            said.append(f"{means}: {'; '.join(MEANING.get(name, layout.unit(name)) for name in names)}.")
    if protocol:
        seeds = f"{protocol.seeds} seeds" if protocol.seeds else "on seeds that it does not count"
        said.append(f"Paper: its mean ± standard deviation after {protocol.lengths} environment steps, {seeds}.")
        families = {params.task(name).family for name in params.experiment(experiment).tasks}
        for family in sorted(families & set(protocol.analogues)):
            said.append(f"{params.family(family).label}'s tasks only resemble the paper's: numbers need not agree.")
    about, rebuilt = params.experiment(experiment), paper.protocol(params, experiment).reconstructed
    for why in dict.fromkeys(rebuilt[name] for name in methods if name in rebuilt):
        labels = [about.labels.get(name, params.method(name).label) for name in methods if rebuilt.get(name) == why]
        said.append(f"Reconstructed ({RECONSTRUCTED}): {', '.join(labels)}: {why}.")
    if about.layout.best:
        said.append("Bold: the best mean of a task, and those that Welch's t-test at 0.05 does not tell from it.")
    said += [f"{remark}." for remark in about.remarks]
    for family, override in budget.overrides.items():
        for algorithm, learner in (
            ("policy_gradient", ""),
            ("value_decomposition", ", learners of values,"),
            ("dop", ", DOP,"),
        ):
            if algorithm in algorithms and (changed := override.of(algorithm)):
                label = params.family(family).label
                said.append(f"{label}{learner} under other settings than the paper's: {paper_settings(changed)}.")
    return said


def paper_settings(changed: dict[str, object]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in changed.items())


def in_paper(table: Table) -> bool:
    """Whether the paper prints a number of the table at all; else its dashes are left out."""
    return any(cell.paper for cell in table.cells)


def reasons(table: Table) -> list[str]:
    """The reasons of the dashes that stand in a table."""
    used = {cell.missing for cell in table.cells}
    used |= {printed(cell).missing for cell in table.cells if in_paper(table)}
    return [reason for reason in MARKS if reason in used]


def _csv(found: list[Cell]) -> str:
    """A line a cell, whatever the table's layout."""
    text = io.StringIO()
    numbers = ("mean", "std", "seeds", "iqm", "low", "high", "paper_mean", "paper_std")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["domain", "task", "method", "metric", "steps", *numbers, "missing"])
    for cell in found:
        reported = (cell.paper.mean, cell.paper.std) if cell.paper else (math.nan, math.nan)
        values = [cell.mean, cell.std, cell.seeds, cell.iqm, cell.low, cell.high, *reported]
        line = [cell.family, cell.task, cell.method, cell.metric, cell.budget or ""]
        writer.writerow(line + ["" if math.isnan(value) else f"{value:.6g}" for value in values] + [cell.missing])
    return text.getvalue()


def grid(params: Params, profile: str, experiment: str, table: Table) -> Grid:
    """The table as it is printed: two or three lines a row, a group's name once."""
    lines, breaks = [], set()
    for group, rows in groupby(table.rows, key=lambda row: row.group):
        if lines:
            breaks.add(len(lines))
        for number, row in enumerate(rows):
            heads = ([group if number == 0 else ""] if table.group else []) + [row.label]
            empty, places = [""] * len(heads), row.cells
            steps = ", ".join(f"{budget:,}" for budget in row.budgets) or "—"
            lines.append((*heads, steps, "here", *(measured(cell).text() if cell else "" for cell in places)))
            ranges = [interquartile(cell) if cell else "" for cell in places]
            if any(ranges):
                lines.append((*empty, "", "IQM", *ranges))
            if in_paper(table):
                lines.append((*empty, "", "paper", *(printed(cell).text() if cell else "" for cell in places)))
    heads = ([table.group] if table.group else []) + [table.head, "Steps", ""]
    rebuilt = any(cell.reconstructed and not cell.missing for cell in table.cells)
    remade = {RECONSTRUCTED: "reconstructed, since the paper leaves the method's definition open"} if rebuilt else {}
    return Grid(
        experiment,
        params.experiment(experiment).title,
        (*heads, *table.columns),
        tuple(lines),
        tuple(notes(params, profile, experiment)),
        {MARKS[reason]: reason for reason in reasons(table)} | remade,
        len(heads),
        frozenset(breaks),
    )


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes tables/<experiment>.csv, .md and .tex of every experiment of the profile, and of what it compares."""
    written = []
    folder = root / "artifacts" / profile / "tables"
    for experiment in params.profile(profile).experiments:
        table = layout.read(params, profile, experiment, root)
        written += grid(params, profile, experiment, table).write(folder, _csv(table.cells))
        written += comparisons.build(params, profile, experiment, folder, root)
    return written
