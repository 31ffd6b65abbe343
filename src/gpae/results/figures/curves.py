"""Learning curves: a panel a task (Figure 6), and a family's tasks in one (Figure 4).

Both show the policy that the tables report: the mean over seeds, and its standard error shaded. The paper says that
Figure 4 combines all tasks of a family and not how. Here win rates are averaged as they are; returns of different tasks
have different scales, so each is first divided by the best mean that the paper prints for its task. Tasks count alike,
and are held fixed: the standard error of their mean is sqrt(sum of squared standard errors) / tasks. Only tasks that
every shown method has been run on enter, so that all curves of a panel are means over the same tasks.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pandas as pd

from gpae import plan
from gpae.config import Params
from gpae.results import aggregate, paper, tables
from gpae.results.figures import panels
from gpae.results.figures.panels import Curve, Panel
from gpae.results.layout import UNITS


def by_task(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """A panel a task that the profile runs of the experiment."""
    rows = aggregate.reported(aggregate.read_summary(params, profile, root)[0], paper.policy(params, experiment))
    values, protocol = paper.of_experiment(params, experiment)
    names = panels.labels(params, profile, experiment)
    jobs = plan.jobs(params, profile, experiment)
    found = []
    for name in plan.selection(params, profile, experiment)[0]:
        task = params.task(name)
        score = params.family(task.family).score
        printed = {v.method: v.mean for v in values if v.task in (name, task.label) and v.metric == score}
        planned = [job for job in jobs if job.task_name == name]
        same = protocol is not None and task.family not in protocol.analogues
        reached = same and all(job.total_steps >= protocol.length(name, task.label) for job in planned)
        curves = panels.curves(rows, name, names)
        found.append(
            Panel(
                title=task.label,
                unit=UNITS[score],
                curves=curves,
                absent=[m for m in panels.absent(curves, names) if any(job.method_name == m for job in planned)],
                marks=[(c.method, printed[names[c.method]]) for c in curves if reached and names[c.method] in printed],
                tasks=(name,),
            )
        )
    return found


def _combined(method: str, curves: list[Curve], scales: list[float]) -> Curve:
    """The mean over tasks of curves divided by their scales; see the module's docstring for its standard error."""
    mean = np.mean([curve.mean / scale for curve, scale in zip(curves, scales, strict=True)], axis=0)
    squares = np.sum([(curve.sem / scale) ** 2 for curve, scale in zip(curves, scales, strict=True)], axis=0)
    return Curve(method, curves[0].env_steps, mean, np.sqrt(squares) / len(curves))


def by_family(params: Params, profile: str, experiment: str, root: Path) -> list[Panel]:
    """A panel a family of tasks that the profile runs of the experiment."""
    tasks, _ = plan.selection(params, profile, experiment)
    of_task = dict(zip(tasks, by_task(params, profile, experiment, root), strict=True))
    values = paper.of_experiment(params, experiment)[0]
    found = []
    for family in dict.fromkeys(params.task(name).family for name in tasks):
        about = params.family(family)
        raw = about.score.endswith("_percent")
        members = {name: params.task(name) for name in tasks if params.task(name).family == family}
        printed = {
            name: [v.mean for v in values if v.task in (name, task.label) and v.metric == about.score]
            for name, task in members.items()
        }
        cells = {
            (name, curve.method): curve for name in members if raw or printed[name] for curve in of_task[name].curves
        }
        shown = list(dict.fromkeys(method for _, method in cells))
        common = [name for name in members if shown and all((name, method) in cells for method in shown)]
        scales = [1.0 if raw else max(printed[name]) / 100 for name in common]
        found.append(
            Panel(
                title=f"{about.label}: mean of {len(common)} of {len(members)} tasks",
                unit=UNITS[about.score] if raw else "% of the paper's best return",
                curves=[_combined(m, [cells[name, m] for name in common], scales) for m in shown if common],
                absent=list(dict.fromkeys(m for name in members for m in of_task[name].absent if m not in shown)),
                nothing="no task was run by all" if shown else "not run",
                tasks=tuple(common),
            )
        )
    return found


def after_diagnostics(
    params: Params,
    profile: str,
    experiment: str,
    root: Path,
    kinds: Sequence[tuple[str, str, pd.DataFrame]],
    tasks: Sequence[str] | None = None,
) -> list[Panel]:
    """Each task's panels of training quantities, (title, unit, rows of `aggregate.over_seeds`), then its scores'.

    tasks: those of the selection that are shown; None: all
    """
    names = panels.labels(params, profile, experiment)
    found, letters = [], iter(ascii_lowercase)
    for task, score in zip(
        plan.selection(params, profile, experiment)[0], by_task(params, profile, experiment, root), strict=True
    ):
        if tasks is not None and task not in tasks:
            continue
        for title, unit, rows in kinds:
            curves = panels.curves(rows, task, names)
            head = f"({next(letters)}) {score.title}: {title}"
            found.append(Panel(head, unit, curves, panels.absent(curves, names), tasks=(task,)))
        found.append(replace(score, title=f"({next(letters)}) {score.title}: score"))
    return found


def _shown(params: Params, profile: str, experiment: str) -> str:
    policy = tables.policy(params, profile, experiment).capitalize()
    episodes = params.profile(profile).evaluation_episodes
    return f"{policy}, {episodes} episodes an evaluation and seed; mean over seeds"


def caption_tasks(params: Params, profile: str, experiment: str) -> str:
    protocol = paper.of_experiment(params, experiment)[1]
    families = {params.task(name).family for name in plan.selection(params, profile, experiment)[0]}
    aside = ""
    if protocol and families - set(protocol.analogues):
        aside = f" Triangles on the right: the paper's means after {protocol.lengths} steps, where a run is as long."
    return f"Learning curves by task. {_shown(params, profile, experiment)}, standard error shaded.{aside}"


def caption_families(params: Params, profile: str, experiment: str) -> str:
    return (
        "Learning curves by family, the mean over the tasks that every shown method was run on."
        f" {_shown(params, profile, experiment)}, standard error of the mean over tasks shaded. Win rates as they are;"
        " returns in percent of the best mean that the paper prints for the task, since their scales differ."
    )
