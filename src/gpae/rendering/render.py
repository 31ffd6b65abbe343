"""From a job's checkpoint to a film of one episode."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import matplotlib
from matplotlib.axes import Axes

from gpae.config import ConfigError, PolicyGradientMethod
from gpae.plan import Job
from gpae.rendering import credit, movie
from gpae.rendering.episode import Recording, play
from gpae.results.figures.style import SETTINGS
from gpae.results.schema import write_whole
from gpae.training import checkpoint
from gpae.training.loop import parameters
from gpae.training.update import Trainer

STREAM = 1_000_007  # folded into a seed's key, so that these episodes are neither training's nor evaluation's
_MOST_FRAMES = 250
_MILLISECONDS = {"smax": 350, "mabrax": 40}  # that a frame is shown


class Source(NamedTuple):
    """Whose networks act or judge.

    seed: of the job's block; folder: of checkpoints `<update>/`; update: the number of one, None for the last
    """

    job: Job
    seed: int
    folder: Path
    update: int | None = None

    def check(self) -> None:
        """Raises ConfigError where there is nothing to be drawn of it."""
        job = self.job
        if self.seed not in job.seeds:
            raise ConfigError(
                f"--seed: {self.seed} is not allowed: one of the block {job.block.removeprefix('seeds-')}"
            )
        if job.task.family not in _MILLISECONDS:
            allowed = " and ".join(_MILLISECONDS)
            raise ConfigError(f"--task: {job.task_name} is of {job.task.family}; tasks of {allowed} are drawn")
        if job.environment.get("implementation", "fast") != "fast":
            raise ConfigError(f"--task: {job.task_name}: only SMAX's implementation 'fast' is drawn")
        updates = checkpoint.saved_updates(self.folder)
        if not updates:
            raise ConfigError(f"{self.folder}: no checkpoint; make it with: gpae train {job.selector}")
        if self.update is not None and self.update not in updates:
            known = ", ".join(map(str, updates))
            raise ConfigError(f"{self.folder}: no checkpoint {self.update}; there are: {known}")

    @property
    def number(self) -> int:
        """The update of the checkpoint."""
        return checkpoint.saved_updates(self.folder)[-1] if self.update is None else self.update

    def networks(self, trainer: Trainer) -> dict[str, Any]:
        every = checkpoint.restore(self.folder / str(self.number), self.job, parameters(trainer))
        return jax.tree.map(lambda leaf: leaf[self.job.seeds.index(self.seed)], every)

    def title(self, greedy: bool) -> str:
        way = "greedy" if greedy else "sampled"
        return f"{self.job.method.label}, seed {self.seed}, update {self.number}, {way} policy"

    @property
    def measure(self) -> str:
        """What its learner says of an action."""
        label = self.job.method.label
        return (
            f"{label}: advantage" if isinstance(self.job.method, PolicyGradientMethod) else f"{label}: Q less its mean"
        )


def record(source: Source, beside: Sequence[Source] = (), episode: int = 0, greedy: bool = False) -> Recording:
    """Plays the episode; beside: of the same task, whose estimators judge it too."""
    trainer = Trainer(source.job)
    networks = source.networks(trainer)
    judges = {source.measure: (trainer.algorithm, networks)}
    for other in beside:
        theirs = Trainer(other.job)
        judges[other.measure] = (theirs.algorithm, other.networks(theirs))
    key = jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(source.seed), STREAM), episode)
    return play(trainer, networks, key, greedy, judges)


def scene(axes: Axes, job: Job, recording: Recording) -> movie.Scene:
    """The scene of the job's family; its colours are the first estimator's, without the team's mean."""
    own = credit.own_part(next(iter(recording.advantages.values())), recording.acts)
    if job.task.family == "mabrax":
        from gpae.rendering import mabrax

        return mabrax.Scene(axes, recording, job.environment["task"], own, credit.scale([own]))
    from gpae.environments.smax import find
    from gpae.rendering import smax

    return smax.Scene(axes, recording, find(job.environment["scenario"]), own, credit.scale([own]))


def film(stage: movie.Stage, family: str, most: int = _MOST_FRAMES) -> bytes:
    """The episode as a GIF of at most about `most` frames, in the pace of its family."""
    last = stage.recording.steps
    steps = range(0, last + 1, -(-last // most))
    return movie.gif(stage, sorted({*steps, last}), _MILLISECONDS[family])


def render(source: Source, out: Path, beside: Sequence[Source] = (), episode: int = 0, greedy: bool = False) -> Path:
    """Writes a film of an episode, .gif, or of a robot Brax's own page, .html; another ending is a ConfigError."""
    family = source.job.task.family
    endings = (".gif", ".html") if family == "mabrax" else (".gif",)
    if out.suffix not in endings:
        raise ConfigError(f"--out: {out} is not allowed: a name that ends with {' or '.join(endings)}")
    if episode < 0:
        raise ConfigError(f"--episode: {episode} is not allowed: 0 or more")
    for each in (source, *beside):
        each.check()
    recording = record(source, beside, episode, greedy)
    if out.suffix == ".html":
        from gpae.rendering import mabrax

        return write_whole(out, mabrax.html(source.job.environment["task"], recording))
    with matplotlib.rc_context(SETTINGS):
        heading = f"{source.job.task.label}  {source.title(greedy)}"
        stage = movie.Stage(recording, heading, partial(scene, job=source.job, recording=recording))
        return write_whole(out, film(stage, family))
