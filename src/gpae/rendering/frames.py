"""Figure 3: a frame of each environment from a trained policy, and the same with whose credit it was; and Figure 6 of
MACA's paper, to whom its critic attends."""

from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.plan import Job
from gpae.rendering import attention, movie
from gpae.rendering.choice import attending, candidates
from gpae.rendering.episode import Recording
from gpae.rendering.render import Source, film, record, scene
from gpae.results.figures import style
from gpae.results.schema import write_whole

_WIDTH = 7.05  # inches, of a page's text
_MOST_FRAMES = 60  # of a film: it is kept in git beside the page that shows it


def place(profile: str, name: str) -> Path:
    return Path("artifacts", profile, "frames", name)


def _trained(jobs: list[Job], root: Path) -> Source | None:
    """The last checkpoint of the first finished job."""
    finished = [job for job in jobs if (root / job.checkpoints).is_dir()]
    return Source(finished[0], finished[0].seeds[0], root / finished[0].checkpoints) if finished else None


def sources(params: Params, profile: str, root: Path) -> dict[str, Source]:
    """{family: whom Figure 3 shows}, and under `attention` whom Figure 6 does; raises ConfigError where there is none
    at all."""
    wanted = candidates(params, profile) | {"attention": attending(params, profile)}
    found = {name: source for name, jobs in wanted.items() if (source := _trained(jobs, root))}
    if not found:
        first = next(jobs for jobs in (*wanted.values(), plan.jobs(params, profile)) if jobs)[0]
        raise ConfigError(f"{first.checkpoints}: no checkpoint; make it with: gpae train {first.selector}")
    return found


def telling_step(job: Job, recording: Recording) -> int:
    """The step to show: of SMAX the first with most shots, of a robot the middle of the episode."""
    if job.task.family != "smax":
        return (recording.steps + 1) // 2
    from gpae.environments.smax import find
    from gpae.rendering import smax

    scenario = find(job.environment["scenario"])
    units = smax.units_of(recording, scenario)
    at = [type(units)(*(leaf[step] for leaf in units)) for step in range(recording.steps + 1)]
    number = [len(smax.shots(at[i], at[i + 1], len(scenario.allies))) for i in range(recording.steps)]
    return int(np.argmax(number)) + 1


def build_frames(params: Params, profile: str, root: Path = Path(".")) -> list[Path]:
    """Writes frames/{mabrax,smax}.png and .gif, a frame with its credit and the whole episode, and
    frames/figure3.{pdf,png}, the scenes side by side; and frames/attention.{pdf,png}.

    The policies are greedy, the episodes the same for the same checkpoints. Raises ConfigError where nothing is
    trained.
    """
    found, written = sources(params, profile, root), []
    attentive = found.pop("attention", None)
    with matplotlib.rc_context(style.SETTINGS):
        if attentive:
            drawn = attention.draw(attentive)
            for kind in ("pdf", "png"):
                written.append(write_whole(root / place(profile, f"attention.{kind}"), style.file(drawn, kind)))
        if not found:
            return written
        figure = Figure(figsize=(_WIDTH, 4.4))
        FigureCanvasAgg(figure)
        grid = figure.subplots(1, len(found), squeeze=False)[0]
        figure.subplots_adjust(left=0.01, right=0.99, bottom=0.14, top=0.9, wspace=0.03)
        for letter, (family, source), axes in zip("ab", found.items(), grid, strict=False):
            recording = record(source, greedy=True)
            step = telling_step(source.job, recording)
            setting = partial(scene, job=source.job, recording=recording)
            stage = movie.Stage(recording, f"{source.job.task.label}  {source.title(greedy=True)}", setting)
            stage.show(step)
            written.append(write_whole(root / place(profile, f"{family}.png"), style.file(stage.figure, "png")))
            written.append(write_whole(root / place(profile, f"{family}.gif"), film(stage, family, _MOST_FRAMES)))
            setting(axes).show(step)
            label = f"{params.family(family).label}: {source.job.task.label}, step {step} of {recording.steps}"
            axes.set_title(f"({letter}) {label}\n{source.title(greedy=True)}")
        for kind in ("pdf", "png"):
            written.append(write_whole(root / place(profile, f"figure3.{kind}"), style.file(figure, kind)))
    return written
