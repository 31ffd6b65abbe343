"""Final scores of every method, seed by seed and with an interval, beside the learning curves: the controls' figure."""

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpae import plan
from gpae.config import Params
from gpae.results import aggregate, paper, statistics, tables
from gpae.results.figures import curves, panels, style
from gpae.results.layout import RATES


def _finals(axes: Axes, scores: pd.DataFrame, looks: dict, names: dict[str, str], unit: str) -> None:
    """A line a method: its seeds, their mean, and the mean's 95% interval where two seeds or more were run."""
    bounded = unit in RATES
    for place, method in enumerate(names):
        values = scores.loc[scores["method"] == method, "score"].to_numpy()
        if not len(values):
            axes.text(0.03, place, "not run", transform=axes.get_yaxis_transform(), va="center", color="0.35")
            continue
        found, colour = statistics.moments(values), looks[method]["color"]
        test = statistics.against_constant(float(found.mean), float(found.std), found.seeds, 0.0)
        if not math.isnan(test.low):
            ends = (max(test.low, 0), min(test.high, 100)) if bounded else (test.low, test.high)
            axes.plot(ends, (place, place), color=colour, alpha=0.45, linewidth=3, solid_capstyle="butt")
        axes.plot(values, [place] * len(values), "o", markersize=3, markerfacecolor="none", color=colour)
        axes.plot(found.mean, place, marker="|", markersize=11, markeredgewidth=2, color=colour)
    axes.set_yticks(range(len(names)), names.values())
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(f"final {unit}")
    axes.grid(visible=False, axis="y")
    if bounded:
        axes.set_xlim(-4, 104)


def draw(params: Params, profile: str, experiment: str, root: Path) -> Figure:
    names = panels.labels(params, profile, experiment)
    looks = style.looks(names)
    scores = aggregate.final(aggregate.read_scores(params, profile, root)[0], paper.policy(params, experiment))
    tasks = plan.selection(params, profile, experiment)[0]
    footnote = f"profile {profile} · left: seeds, mean and its 95% interval · right: mean over seeds, standard error"
    line = max(2.1, 0.55 + 0.2 * len(names))
    figure, grid = panels.page(len(tasks), 2, line, looks, names, footnote)
    for (left, right), name, panel in zip(grid, tasks, curves.by_task(params, profile, experiment, root), strict=True):
        _finals(left, scores[scores["task"] == name], looks, names, panel.unit)
        left.set_title(f"{panel.title}: final scores")
        panels.draw(right, replace(panel, marks=[]), looks, names)
    sns.despine(fig=figure)
    return figure


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "Left: the score after training, seed by seed (circles), their mean (bar) and its 95% interval by Student's t"
        " (band; none for one seed, and for two it is wide). Right: learning curves, mean over seeds, standard error"
        f" shaded. {params.profile(profile).evaluation_episodes} episodes an evaluation and seed,"
        f" {tables.policy(params, profile, experiment)}."
    )
