"""An experiment's table, comparisons and figures, each place with the jobs that it came from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.ticker import EngFormatter

from gpae.config import ConfigError, Experiment
from gpae.results import comparisons, figures, grid, layout, tables
from gpae.results.cells import Cell
from gpae.results.figures import panels
from gpae.results.grid import Grid
from gpae.results.layout import Row, Table
from gpae.results.report import charts
from gpae.results.report.context import Context, Link, link
from gpae.results.report.facets import slug
from gpae.results.report.verdicts import Number, Verdicts
from gpae.results.tables import Entry


def made(path: Path, read: Callable[[Path], Any], command: str) -> Any:
    """What a step before this one wrote; ConfigError names the step where it is not there."""
    try:
        return read(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; it is made by: {command}") from None


def table_file(context: Context, name: str) -> Grid:
    path = context.root / "artifacts" / context.profile / "tables" / f"{name}.md"
    return made(path, grid.read, f"gpae tables --profile {context.profile}")


@dataclass(frozen=True)
class Place:
    """A cell: what was measured, what the paper prints, what is said of the two, and where it came from."""

    marks: Markup
    measured: Entry
    iqm: str
    paper: Entry
    links: list[Link]
    number: Number | None


@dataclass(frozen=True)
class Line:
    row: Row
    steps: str
    places: list[Place | None]


@dataclass(frozen=True)
class Compared:
    """grid: as `gpae tables` wrote it; links: {(row, column): the jobs of both methods}"""

    grid: Grid
    links: dict[tuple[int, int], list[Link]]


@dataclass(frozen=True)
class Figure:
    """file: the PNG's place in the page's folder; links: the jobs that it was drawn from"""

    name: str
    file: str
    caption: str
    links: list[Link]


@dataclass(frozen=True)
class Section:
    """papers: whose numbers or sentences the experiment is for; notes: what must be known beside its numbers"""

    name: str
    about: Experiment
    papers: list[str]
    marks: Markup
    table: Table
    in_paper: bool
    lines: list[Line]
    notes: list[str]
    reasons: list[str]
    comparisons: Compared | None
    figures: list[Figure]


def _place(cell: Cell | None, verdicts: Verdicts, context: Context) -> Place | None:
    if cell is None:
        return None
    found = verdicts.cell(cell.experiment, cell.task, cell.metric, cell.method) if cell.paper else None
    marks = context.facets.mark(
        task=cell.task_name,
        method=cell.method_name or context.facets.method(cell.method, cell.experiment),
        verdict=[slug(found.verdict.verdict)] if found else [],
    )
    # a task that this experiment leaves out may have been run for another
    own = [job for job in context.jobs if (job.task_name, job.method_name) == (cell.task_name, cell.method_name)]
    links = [link(job) for job in own]
    return Place(marks, tables.measured(cell), tables.interquartile(cell), tables.printed(cell), links, found)


def _comparisons(context: Context, name: str) -> Compared | None:
    found = comparisons.read(context.params, context.profile, name, context.root)
    if not found:
        return None
    rows: dict[tuple[str, str, str], int] = {}
    columns: dict[str, int] = {}
    links = {}
    for it in found:
        row = rows.setdefault((it.question, it.method.method, it.other.method), len(rows))
        column = columns.setdefault(it.method.task, len(columns))
        links[row, column] = context.links((*it.method.sources, *it.other.sources))
    return Compared(table_file(context, comparisons.name(name)), links)


def _figures(context: Context, name: str, links: list[Link]) -> list[Figure]:
    captions = figures.captions(context.params, context.profile, name)
    return [Figure(stem, f"{stem}.png", caption, links) for stem, caption in captions.items()]


def section(context: Context, name: str, verdicts: Verdicts) -> Section:
    params, profile = context.params, context.profile
    table = layout.read(params, profile, name, context.root)
    lines = [
        Line(
            row,
            ", ".join(EngFormatter(sep="")(budget) for budget in row.budgets) or "—",
            [_place(cell, verdicts, context) for cell in row.cells],
        )
        for row in table.rows
    ]
    papers = context.facets.papers_of(name)
    return Section(
        name=name,
        about=params.experiment(name),
        papers=papers,
        marks=context.facets.mark(paper=papers, table=name),
        table=table,
        in_paper=tables.in_paper(table),
        lines=lines,
        notes=tables.notes(params, profile, name),
        reasons=tables.reasons(table),
        comparisons=_comparisons(context, name),
        figures=_figures(context, name, [link(job) for job in context.finished(context.experiments[name])]),
    )


def curves(context: Context, name: str) -> dict[str, Any]:
    """{figure: the data of its panels} for the page's own charts."""
    names = panels.labels(context.params, context.profile, name)
    found = {}
    for kind in context.params.experiment(name).figures:
        shown = figures.KINDS[kind].panels(context.params, context.profile, name, context.root)
        there = {curve.method for panel in shown for curve in panel.curves}
        looks = [look for look in charts.methods(names) if look["name"] in there]
        found[f"{name}-{kind}"] = {"methods": looks, "panels": [charts.panel(panel, names) for panel in shown]}
    return found


def pictures(context: Context, section: Section) -> dict[str, bytes]:
    """{place in the page's folder: the PNG that `gpae plot` drew}"""
    plot = f"gpae plot --profile {context.profile}"
    places = {it.file: context.root / figures.place(context.profile, it.name, "png") for it in section.figures}
    return {name: made(path, Path.read_bytes, plot) for name, path in places.items()}
