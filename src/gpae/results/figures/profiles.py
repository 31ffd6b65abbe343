"""Performance profiles, and the probability that a run of one method is above a run of another (rliable).

"Deep Reinforcement Learning at the Edge of the Statistical Precipice" (Agarwal et al. 2021, Sections 4.2 and 4.3). Only
tasks that every shown method has been run on enter. Rates are taken as they are; a return is put on the same scale by
what it is between the policies before training, 0, and the best method's mean after it, 1.
"""

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gpae import plan
from gpae.config import Params
from gpae.results import aggregate, paper, statistics
from gpae.results.figures import panels, style

POINTS = 101  # of a profile


def _scaled(params: Params, task: str, rows: pd.DataFrame, policy: str) -> pd.DataFrame:
    """Final scores of a task on the profile's scale; rows: every evaluation of the reported policy."""
    final = aggregate.final(rows, policy)
    if params.family(params.task(task).family).score.endswith("_percent"):
        return final.assign(score=final["score"] / 100)
    low, high = rows.loc[rows["evaluation"] == 0, "score"].mean(), final.groupby("method")["score"].mean().max()
    return final.assign(score=(final["score"] - low) / (high - low) if high > low else 0.0)


def scores(params: Params, profile: str, experiment: str, root: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """({method: scaled final scores [seed, task]}, the tasks), of the methods with results and the tasks they share."""
    policy = paper.policy(params, experiment)
    rows = aggregate.reported(aggregate.read_scores(params, profile, root)[0], policy)
    names = panels.labels(params, profile, experiment)
    parts = {}
    for task in plan.selection(params, profile, experiment)[0]:
        of_task = rows[(rows["task"] == task) & rows["method"].isin(list(names))]
        if len(of_task):
            parts[task] = _scaled(params, task, of_task, policy)
    shown = [name for name in names if any((part["method"] == name).any() for part in parts.values())]
    tables = {
        task: part.pivot_table(index="seed", columns="method", values="score").dropna()
        for task, part in parts.items()
        if set(shown) <= set(part["method"])
    }
    seeds = sorted(set.intersection(*(set(table.index) for table in tables.values()))) if tables else []
    if not seeds:
        return {}, []
    found = {name: np.stack([table.loc[seeds, name].to_numpy() for table in tables.values()], 1) for name in shown}
    return found, list(tables)


def _distribution(axes: Axes, found: dict[str, np.ndarray], looks: dict) -> None:
    everything = np.concatenate([values.ravel() for values in found.values()])
    taus = np.linspace(min(0.0, everything.min()), max(1.0, everything.max()), POINTS)
    for name, interval in statistics.performance_profiles(found, taus).items():
        look = {key: value for key, value in looks[name].items() if key != "marker"}
        axes.step(taus, interval.point, where="post", **look)
        if not np.isnan(interval.low).any():
            axes.fill_between(taus, interval.low, interval.high, step="post", color=look["color"], alpha=0.12, lw=0)
    axes.set_xlabel("scaled final score τ")
    axes.set_ylabel("share of runs above τ")
    axes.set_ylim(-0.03, 1.03)


def _improvement(axes: Axes, found: dict[str, np.ndarray], names: dict[str, str]) -> None:
    """A square a pair: the probability that the row's method is above the column's; a dot where 0.5 is excluded."""
    methods = list(found)
    table = np.full((len(methods), len(methods)), math.nan)
    for (i, row), (j, column) in combinations(enumerate(methods), 2):
        chance = statistics.probability_of_improvement(found[row], found[column])
        mark = "•" if chance.low > 0.5 or chance.high < 0.5 else ""
        ink = "w" if abs(chance.point - 0.5) > 0.35 else "k"
        for place, value in (((i, j), chance.point), ((j, i), 1 - chance.point)):
            table[place] = value
            axes.text(*place[::-1], f"{value:.2f}{mark}", ha="center", va="center", fontsize=5.5, color=ink)
    axes.imshow(table, cmap="PuOr", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(methods)), [names[name] for name in methods], rotation=45, ha="right")
    axes.set_yticks(range(len(methods)), [names[name] for name in methods])
    axes.grid(visible=False)
    axes.set_title("P(row's run above column's)")


def draw(params: Params, profile: str, experiment: str, root: Path) -> Figure:
    found, tasks = scores(params, profile, experiment, root)
    names = panels.labels(params, profile, experiment)
    looks = style.looks(names)
    count = f"{len(tasks)} task{'s' * (len(tasks) != 1)} that all were run on"
    footnote = f"profile {profile} · {count} · 95% intervals by stratified bootstrap · •: without 0.5"
    figure, grid = panels.page(1, 2, 3.2, looks, {name: names[name] for name in found}, footnote)
    if found:
        _distribution(grid[0, 0], found, looks)
        _improvement(grid[0, 1], found, names)
    else:
        for axes in grid.ravel():
            panels.empty(axes, "no task was run by all")
    sns.despine(fig=figure)
    return figure


def caption(params: Params, profile: str, experiment: str) -> str:
    return (
        "Left: performance profiles, the share of runs whose final score is above τ, over all tasks that every shown"
        " method was run on. Win rates are shares of 1; of a return 0 is the mean before training and 1 the best"
        " method's mean after it. Right: the probability that a run of the row's method ends above one of the column's,"
        " in the mean over tasks. Bands and dots by a stratified bootstrap over seeds, which few seeds make too"
        " certain. The curves on the page are the learning curves that these scores end."
    )
