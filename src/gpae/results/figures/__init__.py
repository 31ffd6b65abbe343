"""The figures that an experiment's YAML names, as PDF and PNG: of the scores and training quantities, nothing else."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from gpae.config import Params
from gpae.results import schema
from gpae.results.figures import curves, gap, noise, panels, profiles, ratios, scores, style, teams
from gpae.results.figures.panels import Panel


class Kind(NamedTuple):
    """draw, panels: (params, profile, experiment, root) -> the figure, its curves; caption: what it shows."""

    draw: Callable[[Params, str, str, Path], Figure]
    panels: Callable[[Params, str, str, Path], list[Panel]]
    caption: Callable[[Params, str, str], str]


def _curves(panels_of: Callable[[Params, str, str, Path], list[Panel]], columns: int, caption: Callable) -> Kind:
    return Kind(partial(panels.drawn, panels_of, columns), panels_of, caption)


KINDS = {
    "tasks": _curves(curves.by_task, 3, curves.caption_tasks),
    "families": _curves(curves.by_family, 2, curves.caption_families),
    "gap": _curves(gap.shown, 2, gap.caption),
    "ratios": _curves(ratios.shown, 2, ratios.caption),
    "teams": _curves(teams.shown, 3, teams.caption),
    "noise": _curves(noise.shown, 2, noise.caption),
    "profiles": Kind(profiles.draw, curves.by_task, profiles.caption),
    "scores": Kind(scores.draw, curves.by_task, scores.caption),
}


def captions(params: Params, profile: str, experiment: str) -> dict[str, str]:
    """{a figure's file name without its ending: what it shows}."""
    kinds = params.experiment(experiment).figures
    return {f"{experiment}-{kind}": KINDS[kind].caption(params, profile, experiment) for kind in kinds}


def place(profile: str, name: str, ending: str) -> Path:
    return Path("artifacts", profile, "figures", f"{name}.{ending}")


def build(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes figures/<experiment>-<kind>.pdf and .png of the profile's experiments."""
    written = []
    for experiment in params.profile(profile).experiments:
        for kind in params.experiment(experiment).figures:
            with matplotlib.rc_context(style.SETTINGS):
                figure = KINDS[kind].draw(params, profile, experiment, root)
                for ending in ("pdf", "png"):
                    path = root / place(profile, f"{experiment}-{kind}", ending)
                    written.append(schema.write_whole(path, style.file(figure, ending)))
    return written
