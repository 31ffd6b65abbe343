"""Curves over training with their standard errors, in panels under one legend."""

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, MaxNLocator

from gpae import plan
from gpae.config import Params
from gpae.results.figures import style
from gpae.results.layout import RATES

WIDTH = 7.05  # inches, of a page's text
_LEGEND_CHARACTERS = 100  # that fit in a line of the legend, a handle counting as 7
_LEGEND_LINE = 0.17  # inches


@dataclass(frozen=True)
class Curve:
    """A method's curve: env_steps, mean and sem are [evaluation]; sem is NaN for one seed."""

    method: str
    env_steps: np.ndarray
    mean: np.ndarray
    sem: np.ndarray


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    absent: methods without a result; marks: (method, the paper's final mean) where the budget is the paper's
    references: (what it is, a value that does not depend on training)
    scale: panels of a figure with the same word have the same vertical axis
    nothing: what is said where there is no curve
    tasks: names in params/ of the tasks that the curves were measured on
    """

    title: str
    unit: str
    curves: list[Curve]
    absent: list[str] = field(default_factory=list)
    marks: list[tuple[str, float]] = field(default_factory=list)
    references: list[tuple[str, float]] = field(default_factory=list)
    scale: str = ""
    nothing: str = "not run"
    tasks: tuple[str, ...] = ()


def labels(params: Params, profile: str, experiment: str) -> dict[str, str]:
    """{method: the name that the experiment prints}, of the methods that the profile runs."""
    chosen = params.experiment(experiment).labels
    return {
        name: chosen.get(name, params.method(name).label) for name in plan.selection(params, profile, experiment)[1]
    }


def curves(rows: pd.DataFrame, task: str, methods: Iterable[str]) -> list[Curve]:
    """The curves of the methods that `rows` (task, method, evaluation, env_steps, mean, sem) know on a task."""
    found = []
    for method in methods:
        part = rows[(rows["task"] == task) & (rows["method"] == method)].sort_values("evaluation")
        if len(part):
            found.append(Curve(method, *(part[name].to_numpy() for name in ("env_steps", "mean", "sem"))))
    return found


def absent(shown: list[Curve], methods: Iterable[str]) -> list[str]:
    there = {curve.method for curve in shown}
    return [method for method in methods if method not in there]


def draw(axes: Axes, panel: Panel, looks: Mapping[str, Any], names: Mapping[str, str], lowest: bool = True) -> None:
    """Draws a panel; looks, names: {method: ...} of `style.looks` and `labels`; lowest: no panel stands below it."""
    for curve in panel.curves:
        look = looks[curve.method]
        last = len(curve.mean) - 1
        marked = list(range(last, -1, -max(1, last // 8)))
        axes.plot(curve.env_steps, curve.mean, markevery=marked, **look)
        low, high = curve.mean - curve.sem, curve.mean + curve.sem
        axes.fill_between(curve.env_steps, low, high, color=look["color"], alpha=0.15, linewidth=0)
    for method, value in panel.marks:
        look = {"color": looks[method]["color"], "marker": "<", "linestyle": "none", "markersize": 5}
        axes.plot(1.02, value, transform=axes.get_yaxis_transform(), clip_on=False, **look)
    for text, value in panel.references:
        axes.axhline(value, color="0.25", linewidth=0.9, linestyle=(0, (6, 2)), zorder=1)
        place = {"xy": (0.5, value), "xycoords": axes.get_yaxis_transform(), "textcoords": "offset points"}
        axes.annotate(text, xytext=(0, -2), ha="center", va="top", fontsize=6.5, color="0.25", **place)
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    if panel.unit in RATES:
        axes.set_ylim(-4, 104)
        axes.set_yticks([0, 25, 50, 75, 100])
    without = f"not run: {', '.join(names[method] for method in panel.absent)}" if panel.absent else ""
    axes.set_xlabel("\n".join(filter(None, ("environment steps" if lowest else "", *textwrap.wrap(without, 45)))))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if panel.curves:
        end = max(curve.env_steps[-1] for curve in panel.curves)
        axes.set_xlim(-0.04 * end, 1.04 * end)
    if not panel.curves:
        empty(axes, panel.nothing)


def empty(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="0.35")
    axes.set_xticks([])
    axes.set_yticks([])


def page(
    lines: int, columns: int, line: float, looks: Mapping[str, Any], names: Mapping[str, str], footnote: str
) -> tuple[Figure, np.ndarray]:
    """(a figure with a legend of the methods in `names` above and a footnote below, its axes [lines, columns]).

    line: the height of a line of panels, in inches
    """
    handles = [Line2D([], [], label=name, **looks[method]) for method, name in names.items()]
    widths = np.array([len(name) + 7 for name in names.values()])
    fitting = [
        count
        for count in range(1, len(widths) + 1)
        if sum(part.max() for part in np.array_split(widths, count)) <= _LEGEND_CHARACTERS
    ]
    legend_lines = -(-len(widths) // max(fitting, default=1))
    legend = _LEGEND_LINE * legend_lines + 0.12
    height = line * lines + legend + 0.3
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0.2 / height, 0.99, 1 - (0.2 + legend) / height))
    if handles:
        in_line = -(-len(handles) // legend_lines)
        figure.legend(handles=handles, loc="upper center", ncols=in_line, frameon=False, columnspacing=1.4)
    figure.text(0.5, 0.06 / height, footnote, ha="center", va="bottom", fontsize=6, color="0.35")
    return figure, figure.subplots(lines, columns, squeeze=False)


def drawn(
    panels_of: Callable[[Params, str, str, Path], list[Panel]],
    columns: int,
    params: Params,
    profile: str,
    experiment: str,
    root: Path,
) -> Figure:
    """The panels of an experiment in lines of `columns`, under a legend of the methods that they show."""
    shown, names = panels_of(params, profile, experiment, root), labels(params, profile, experiment)
    looks = style.looks(names)
    there = {curve.method for panel in shown for curve in panel.curves}
    footnote = f"profile {profile} · mean over seeds, standard error shaded"
    if any(panel.marks for panel in shown):
        footnote += " · triangles: the paper's means"
    columns = min(columns, len(shown))
    lines, legend = -(-len(shown) // columns), {method: name for method, name in names.items() if method in there}
    figure, grid = page(lines, columns, 2.1 if lines == 1 else 1.8, looks, legend, footnote)
    for place, (axes, panel) in enumerate(zip(grid.ravel(), shown, strict=False)):
        draw(axes, panel, looks, names, lowest=place + columns >= len(shown))
    for axes in grid.ravel()[len(shown) :]:
        axes.remove()
    for scale in {panel.scale for panel in shown if panel.scale and panel.curves}:
        same = [a for a, p in zip(grid.ravel(), shown, strict=False) if p.scale == scale and p.curves]
        ends = [axes.get_ylim() for axes in same]
        for axes in same:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))
    sns.despine(fig=figure)
    return figure
