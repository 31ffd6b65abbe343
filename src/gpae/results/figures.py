"""Learning curves: a panel a task (Figure 6's layout), and a family's tasks in one (Figure 4), as PDF and PNG.

Both show the sampled policy: the mean over seeds, and its standard error shaded. The paper says that Figure 4 combines
all tasks of a family and not how. Here win rates are averaged as they are; returns of different tasks have different
scales, so each is first divided by the best mean that the paper prints for its task. Tasks count alike, and are held
fixed: the standard error of their mean is sqrt(sum of squared standard errors) / tasks. Only tasks that every shown
method has been run on enter, so that all curves of a panel are means over the same tasks.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from gpae import plan
from gpae.config import Params
from gpae.results import aggregate, paper, schema

# Okabe and Ito's colours, which the colour-blind tell apart too, and a marker each for print without colour
STYLES = {
    "GPAE (off)": ("#D55E00", "o"),
    "GPAE (on)": ("#0072B2", "s"),
    "MAPPO": ("#009E73", "^"),
    "DAE": ("#CC79A7", "D"),
    "COMA": ("#E69F00", "v"),
    "QMIX": ("#56B4E9", "P"),
    "VDN": ("#595959", "X"),
}
UNITS = {"win_rate_percent": "win rate (%)", "episode_return": "return"}
_COLUMNS = 3


def style(label: str) -> dict[str, str]:
    """A method's colour and marker, the same in every figure; a dashed line for labels that are not in Table 2."""
    if label in STYLES:
        colour, marker = STYLES[label]
        return {"color": colour, "marker": marker, "linestyle": "-"}
    place = int(hashlib.sha256(label.encode()).hexdigest(), 16)
    colours, markers = zip(*STYLES.values(), strict=True)
    return {"color": colours[place % 7], "marker": markers[place // 7 % 7], "linestyle": (0, (4, 1.5))}


@dataclass(frozen=True)
class Curve:
    """A method's curve: env_steps, mean and sem are [evaluation]; sem is NaN for one seed."""

    label: str
    env_steps: np.ndarray
    mean: np.ndarray
    sem: np.ndarray


@dataclass(frozen=True)
class Panel:
    """One set of axes; marks: (label, the paper's final mean) where the budget is the paper's."""

    title: str
    unit: str
    curves: list[Curve]
    absent: list[str]
    marks: list[tuple[str, float]]


def _curve(label: str, rows: pd.DataFrame) -> Curve:
    rows = rows.sort_values("evaluation")
    return Curve(label, *(rows[name].to_numpy() for name in ("env_steps", "mean", "sem")))


def _combined(label: str, curves: list[Curve], scales: list[float]) -> Curve:
    """The mean over tasks of curves divided by their scales; see the module's docstring for its standard error."""
    mean = np.mean([curve.mean / scale for curve, scale in zip(curves, scales, strict=True)], axis=0)
    squares = np.sum([(curve.sem / scale) ** 2 for curve, scale in zip(curves, scales, strict=True)], axis=0)
    return Curve(label, curves[0].env_steps, mean, np.sqrt(squares) / len(curves))


def panels(params: Params, profile: str, experiment: str, root: Path) -> tuple[list[Panel], list[Panel]]:
    """(a panel a task, a panel a family) of what the profile runs of the experiment."""
    rows, _ = aggregate.read_summary(params, profile, root)
    rows = aggregate.reported(rows)
    values, protocol = paper.of_experiment(params, experiment)
    tasks, methods = plan.selection(params, profile, experiment)
    chosen = params.experiment(experiment).labels
    labels = {name: chosen.get(name, params.method(name).label) for name in methods}
    budgets = {job.task_name: job.total_steps for job in plan.jobs(params, profile, experiment)}
    found, best, by_task = {}, {}, []
    for name in tasks:
        task = params.task(name)
        score = params.family(task.family).score
        printed = {v.method: v.mean for v in values if v.task in (name, task.label) and v.metric == score}
        if printed:
            best[name] = max(printed.values())
        cells = {method: rows[(rows["task"] == name) & (rows["method"] == method)] for method in methods}
        found[name] = {method: _curve(labels[method], part) for method, part in cells.items() if len(part)}
        curves = list(found[name].values())
        absent = [labels[method] for method in methods if method not in found[name]]
        reached = protocol is not None and budgets[name] >= protocol.steps
        marks = [(curve.label, printed[curve.label]) for curve in curves if reached and curve.label in printed]
        by_task.append(Panel(task.label, UNITS[score], curves, absent, marks))
    by_family = []
    for family in dict.fromkeys(params.task(name).family for name in tasks):
        about = params.family(family)
        raw = about.score == "win_rate_percent"
        whole = [name for name in tasks if params.task(name).family == family and (raw or name in best)]
        shown = [method for method in methods if any(method in found[name] for name in whole)]
        common = [name for name in whole if shown and all(method in found[name] for method in shown)]
        scales = [1.0 if raw else best[name] / 100 for name in common]
        curves = [
            _combined(labels[method], [found[name][method] for name in common], scales) for method in shown if common
        ]
        absent = [labels[method] for method in methods if method not in shown or not common]
        unit = UNITS[about.score] if raw else "return (% of the paper's best)"
        title = f"{about.label}: mean of {len(common)} of {sum(params.task(n).family == family for n in tasks)} tasks"
        by_family.append(Panel(title, unit, curves, absent, []))
    return by_task, by_family


def _draw(axes: Axes, panel: Panel) -> None:
    for curve in panel.curves:
        look = style(curve.label)
        last = len(curve.mean) - 1
        marked = list(range(last, -1, -max(1, last // 8)))
        axes.plot(curve.env_steps, curve.mean, label=curve.label, markevery=marked, **look)
        axes.fill_between(
            curve.env_steps, curve.mean - curve.sem, curve.mean + curve.sem, color=look["color"], alpha=0.2, linewidth=0
        )
    for label, value in panel.marks:
        look = style(label) | {"marker": "<", "linestyle": "none"}
        axes.plot(1.03, value, transform=axes.get_yaxis_transform(), clip_on=False, markersize=5, **look)
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    if panel.unit == UNITS["win_rate_percent"]:
        axes.set_ylim(-4, 104)
        axes.set_yticks([0, 25, 50, 75, 100])
    absent = f"\nnot run: {', '.join(panel.absent)}" if panel.absent else ""
    axes.set_xlabel(f"environment steps{absent}")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    if not panel.curves:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", va="center", color="0.35")
        axes.set_xticks([])
        axes.set_yticks([])


def _figure(shown: list[Panel], footnote: str) -> Figure:
    columns = min(_COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    height = 1.85 * lines + 0.75
    figure = Figure(figsize=(2.35 * max(columns, 2), height), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0.2 / height, 1, 1 - 0.55 / height))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, panel in zip(grid, shown, strict=False):
        _draw(axes, panel)
    for axes in grid[len(shown) :]:
        axes.remove()
    handles = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if handles:
        figure.legend(handles.values(), handles, loc="upper center", ncols=len(handles), frameon=False)
    if any(panel.marks for panel in shown):
        footnote += " · triangles: the paper's means"
    figure.text(0.5, 0.06 / height, footnote, ha="center", va="bottom", fontsize=6, color="0.35")
    sns.despine(fig=figure)
    return figure


def _bytes(figure: Figure, kind: str) -> bytes:
    """The file without the time of its making, which alone would differ between two builds."""
    sink = io.BytesIO()
    figure.savefig(sink, format=kind, dpi=200, metadata={"CreationDate": None} if kind == "pdf" else {"Software": None})
    return sink.getvalue()


_LOOK = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "lines.markersize": 3.5,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.5,
    "pdf.fonttype": 42,
    "svg.hashsalt": "gpae",
}


def captions(params: Params, profile: str, experiment: str) -> dict[str, str]:
    """{a figure's file name without its ending: what it shows}."""
    budget, protocol = params.profile(profile), paper.of_experiment(params, experiment)[1]
    shown = f"Sampled policy, {budget.evaluation_episodes} episodes an evaluation and seed; mean over seeds"
    aside = ""
    if protocol:
        aside = f" Triangles on the right: the paper's means after {protocol.steps:,} steps, where a run is as long."
    return {
        f"{experiment}-tasks": f"Learning curves by task. {shown}, standard error shaded.{aside}",
        f"{experiment}-families": (
            f"Learning curves by family, the mean over the tasks that every shown method was run on. {shown}, standard"
            " error of the mean over tasks shaded. Win rates as they are; returns in percent of the best mean that the"
            " paper prints for the task, since their scales differ."
        ),
    }


def place(profile: str, name: str, kind: str) -> Path:
    return Path("artifacts", profile, "figures", f"{name}.{kind}")


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes figures/<experiment>-tasks and -families, each as .pdf and .png."""
    written = []
    look = sns.axes_style("whitegrid") | sns.plotting_context("paper") | _LOOK
    footnote = f"profile {profile} · sampled policy · mean over seeds, standard error shaded"
    for experiment in params.profile(profile).experiments:
        names = captions(params, profile, experiment)
        for name, shown in zip(names, panels(params, profile, experiment, root), strict=True):
            with matplotlib.rc_context(look):
                figure = _figure(shown, footnote)
                for kind in ("pdf", "png"):
                    written.append(schema.write_whole(root / place(profile, name, kind), _bytes(figure, kind)))
    return written
