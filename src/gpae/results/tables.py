"""Table 2's layout, with the paper's number under each of ours: CSV, Markdown and LaTeX.

A cell that was not measured shows a dash with the mark of its reason; nothing is filled in.
"""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from gpae import plan
from gpae.config import Params
from gpae.results import cells, paper, schema, statistics
from gpae.results.cells import Cell

NOT_IN_PAPER = "no such number in the paper"
MARKS = {cells.NOT_RUN: "a", cells.NOT_SELECTED: "b", cells.NOT_HERE: "c", NOT_IN_PAPER: "d", cells.NOT_FOR_IT: "e"}


@dataclass(frozen=True)
class Entry:
    """What stands in a place of the table: a mean, its deviation (empty for one seed) and seeds; or a dash's reason."""

    mean: str = ""
    std: str = ""
    seeds: str = ""
    missing: str = ""


def _entry(mean: float, std: float, metric: str, seeds: str) -> Entry:
    """As the paper prints: win rates with one decimal, returns without; small returns would lose too much by that."""
    decimals = 1 if metric == "win_rate_percent" or abs(mean) < 100 else 0
    return Entry(f"{mean:.{decimals}f}", "" if math.isnan(std) else f"{std:.{decimals}f}", seeds)


def measured(cell: Cell) -> Entry:
    if cell.missing:
        return Entry(missing=cell.missing)
    seeds = f"{cell.seeds} seed{'s' * (cell.seeds != 1)}"
    if cell.seeds < cell.planned_seeds:
        seeds = f"{cell.seeds} of {cell.planned_seeds} seeds"
    return _entry(cell.mean, cell.std, cell.metric, seeds)


def interquartile(cell: Cell) -> str:
    """`IQM [low, high]`; without an interval for one seed, empty where nothing was measured."""
    if cell.missing:
        return ""
    decimals = 1 if cell.metric == "win_rate_percent" or abs(cell.iqm) < 100 else 0
    interval = "" if math.isnan(cell.low) else f" [{cell.low:.{decimals}f}, {cell.high:.{decimals}f}]"
    return f"{cell.iqm:.{decimals}f}{interval}"


def printed(cell: Cell) -> Entry:
    """The paper's own number."""
    if cell.paper is None:
        return Entry(missing=NOT_IN_PAPER)
    return _entry(cell.paper.mean, cell.paper.std, cell.metric, "")


@dataclass(frozen=True)
class Row:
    """A task: its budgets in environment steps (none where the profile does not run it) and its cells."""

    family: str
    task: str
    budgets: list[int]
    cells: list[Cell]


def rows(table: list[Cell]) -> list[Row]:
    found = []
    for task, group in groupby(table, key=lambda cell: cell.task):
        part = list(group)
        budgets = sorted({cell.budget for cell in part if cell.budget})
        found.append(Row(part[0].family, task, budgets, part))
    return found


def notes(params: Params, profile: str, experiment: str) -> list[str]:
    """What a reader must know beside the numbers, a sentence each."""
    budget, protocol = params.profile(profile), paper.of_experiment(params, experiment)[1]
    methods = plan.selection(params, profile, experiment)[1]
    said = [
        f"Profile {profile}: {budget.description}.",
        "Here: mean ± standard deviation (n − 1) over seeds, after the last evaluation's"
        f" {budget.evaluation_episodes} episodes a seed with the sampled policy"
        " (the greedy one of QMIX, VDN and IQL); win rates in percent.",
        "IQM: interquartile mean over seeds, with the 95% interval of a stratified bootstrap, which is too narrow for"
        f" few seeds: it holds the truth in {statistics.COVERAGE}.",
    ]
    if protocol:
        said.append(
            f"Paper: its mean ± standard deviation after {protocol.steps:,} environment steps, {protocol.seeds} seeds."
        )
    for family, override in budget.overrides.items():
        for algorithm, learner in (("policy_gradient", ""), ("value_decomposition", ", learners of values,")):
            used = any(params.method(name).algorithm == algorithm for name in methods)
            if used and (changed := override.of(algorithm)):
                label = params.family(family).label
                said.append(f"{label}{learner} under other settings than the paper's: {paper_settings(changed)}.")
    return said


def paper_settings(changed: dict[str, object]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in changed.items())


def reasons(table: list[Cell]) -> list[str]:
    """The reasons of the dashes that stand in a table."""
    used = {cell.missing for cell in table} | {printed(cell).missing for cell in table}
    return [reason for reason in MARKS if reason in used]


def _csv(table: list[Cell]) -> str:
    text = io.StringIO()
    numbers = ("mean", "std", "seeds", "iqm", "low", "high", "paper_mean", "paper_std", "missing")
    names = list(dict.fromkeys(cell.method for cell in table))
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["domain", "task", "metric", "steps", *(f"{name} {key}" for name in names for key in numbers)])
    for row in rows(table):
        line = [row.family, row.task, row.cells[0].metric, " ".join(map(str, row.budgets))]
        for cell in row.cells:
            reported = (cell.paper.mean, cell.paper.std) if cell.paper else (math.nan, math.nan)
            values = [cell.mean, cell.std, cell.seeds, cell.iqm, cell.low, cell.high, *reported]
            line += ["" if math.isnan(value) else f"{value:.6g}" for value in values] + [cell.missing]
        writer.writerow(line)
    return text.getvalue()


def _lines(table: list[Cell]) -> Iterator[tuple[str, str, str, str, list[Entry]]]:
    """(family, task, budget, what the line says, entries), two or three lines a task, a family named once."""
    family = ""
    for row in rows(table):
        shown, family = (row.family if row.family != family else ""), row.family
        budget = ", ".join(f"{steps:,}" for steps in row.budgets) or "—"
        yield shown, row.task, budget, "here", [measured(cell) for cell in row.cells]
        if any(not cell.missing for cell in row.cells):
            yield "", "", "", "IQM", [Entry(mean=interquartile(cell)) for cell in row.cells]
        yield "", "", "", "paper", [printed(cell) for cell in row.cells]


def _markdown(title: str, table: list[Cell], said: list[str]) -> str:
    def text(entry: Entry) -> str:
        if entry.missing:
            return f"— <sup>{MARKS[entry.missing]}</sup>"
        spread = f" ± {entry.std}" if entry.std else ""
        return f"{entry.mean}{spread}" + (f" ({entry.seeds})" if entry.seeds else "")

    def line(parts: list[str]) -> str:
        return "| " + " | ".join(part.replace("|", r"\|") for part in parts) + " |"

    names = list(dict.fromkeys(cell.method for cell in table))
    lines = [f"# {title}", "", *said, "", line(["Domain", "Task", "Steps", "", *names])]
    lines.append(line([":--", ":--", "--:", ":--", *["--:"] * len(names)]))
    lines += [line([*head, *map(text, entries)]) for *head, entries in _lines(table)]
    lines += ["", *(f"— <sup>{MARKS[reason]}</sup> {reason}  " for reason in reasons(table))]
    return "\n".join(lines).rstrip() + "\n"


_TEX = {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "±": r"$\pm$", "—": "---", "−": "$-$", "|": r"$|$"}


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def _latex(title: str, experiment: str, table: list[Cell], said: list[str]) -> str:
    def text(entry: Entry) -> str:
        if entry.missing:
            return rf"---\textsuperscript{{{MARKS[entry.missing]}}}"
        spread = rf" $\pm$ {entry.std}" if entry.std else ""
        return f"{entry.mean}{spread}" + (rf" {{\tiny({entry.seeds})}}" if entry.seeds else "")

    names = list(dict.fromkeys(cell.method for cell in table))
    marks = " ".join(rf"\textsuperscript{{{MARKS[reason]}}}{reason}." for reason in reasons(table))
    caption = _tex(f"{title}. {' '.join(said)}") + f" {marks}"
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        r"\begin{table*}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{experiment}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{llrl{'r' * len(names)}}}",
        r"\toprule",
        " & ".join(["Domain", "Task", "Steps", "", *map(_tex, names)]) + r" \\",
    ]
    for family, task, budget, whose, entries in _lines(table):
        if family:
            lines.append(r"\midrule")
        elif task:
            lines.append(r"\addlinespace")
        lines.append(" & ".join([*map(_tex, (family, task, budget, whose)), *map(text, entries)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}"]) + "\n"


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes tables/<experiment>.csv, .md and .tex of every experiment of the profile."""
    written = []
    for experiment in params.profile(profile).experiments:
        table = cells.read(params, profile, experiment, root)
        title, said = params.experiment(experiment).title, notes(params, profile, experiment)
        place = root / "artifacts" / profile / "tables" / experiment
        contents = {
            ".csv": _csv(table),
            ".md": _markdown(title, table, said),
            ".tex": _latex(title, experiment, table, said),
        }
        written += [schema.write_whole(place.with_suffix(end), text.encode()) for end, text in contents.items()]
    return written
