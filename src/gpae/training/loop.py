"""A job from its first update to its last, through any number of interruptions.

A training under way keeps `state/<update>/`, all that it goes on from, and `points/<update>/`, the parameters at each
evaluation point, in `job.unfinished`. When the last point and the metrics are written they appear under their names and
the folder goes. A restart goes on from the newest state and ends with the same bits as an unbroken run, where it is one
by the same code on the same kind of machine; other code is refused, another machine recorded.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gpae import locks
from gpae.plan import Job
from gpae.results import provenance, schema, validation
from gpae.results.files import copy_whole, remove_whole, write_whole
from gpae.training import checkpoint, segments
from gpae.training.progress import Progress
from gpae.training.update import Trainer, TrainState

SAVE_SECONDS = 300.0  # of training are lost at most to a kill
KEPT_STATES = 2


class Stopped(Exception):
    """The training was told to stop before its end; started again, it goes on."""


class Diverged(Exception):
    """A loss is no longer finite; told in one line."""


class History:
    """The metrics of all updates so far: arrays, as objects would take kilobytes an update.

    count: updates; rows: {name: float64 [updates of the job, seed]}
    """

    def __init__(self, job: Job):
        self.job, self.count = job, 0
        self.rows: dict[str, np.ndarray] = {}

    def append(self, metrics: dict[str, np.ndarray]) -> None:
        """metrics: float64 [seed] or, of several updates, [updates, seed] by name."""
        for name, values in metrics.items():
            values = values.reshape(-1, len(self.job.seeds))
            rows = self.rows.setdefault(name, np.empty((self.job.updates, len(self.job.seeds))))
            rows[self.count : self.count + len(values)] = values
        self.count += len(values)

    def so_far(self) -> dict[str, np.ndarray]:
        """{name: float64 [count, seed]}."""
        return {name: rows[: self.count] for name, rows in self.rows.items()}


def train(job: Job, threads: int = 1, minutes: float | None = None, tensorboard: Path | None = None) -> None:
    """Makes `job.checkpoints` and `job.metrics`.

    threads: programs that run at the same time; minutes: stop after this time; tensorboard: folder for event files
    Raises Stopped (time or SIGTERM), Diverged, and ConfigError for checkpoints that are not this job's.
    """
    if _finished(job):
        return
    with _alone(job), _told_to_stop() as told:
        if job.unfinished_metrics.exists():
            _publish(job)
        elif not _finished(job):  # by the process that was waited for
            deadline = None if minutes is None else time.monotonic() + 60 * minutes
            _train(Trainer(job, threads), told, deadline, tensorboard)


def _finished(job: Job) -> bool:
    """Whether all is there; ConfigError where some of it is damaged."""
    points = [job.checkpoints / str(update) for update in sorted(set(job.evaluation_updates))]
    if not (job.metrics.exists() and all(point.is_dir() for point in points)):
        return False
    validation.read_metrics(job)
    like = parameters(Trainer(job))
    for point in points:
        checkpoint.restore(point, job, like)
    return True


def parameters(trainer: Trainer) -> dict[str, Any]:
    """Shapes of what an evaluation point holds: actor's and critic's parameters, seeds leading."""
    return jax.eval_shape(lambda: _point(trainer, trainer.init(jnp.asarray(trainer.job.seeds, jnp.int32))))


def _point(trainer: Trainer, state: TrainState) -> dict[str, Any]:
    return trainer.algorithm.networks(state.learner)


def _train(trainer: Trainer, told: list[int], deadline: float | None, tensorboard: Path | None) -> None:
    job = trainer.job
    states, points = job.unfinished / "state", job.unfinished / "points"
    made = _segments(job, states)
    resumed = bool(checkpoint.saved_updates(states))
    state, history, seconds = _resume(job, trainer, states)
    saved = time.monotonic()
    began = saved - seconds
    update = started = history.count
    with Progress(job, update, tensorboard) as progress:
        while True:
            now = time.monotonic()
            at_point = update in job.evaluation_updates
            # what it started from is saved already, and saving it again would take it away for a moment
            new = update > started or not resumed
            if at_point and new:
                _save_point(job, points / str(update), _point(trainer, state), made)
            stopping = bool(told) or (deadline is not None and now >= deadline)
            if new and ((at_point and update) or stopping or now - saved >= SAVE_SECONDS):
                _save(job, states, state, history, now - began, made)
                saved = time.monotonic()
            if update == job.updates:
                break
            if stopping:
                raise Stopped(f"{job.unfinished}: at update {update} of {job.updates}; the same command goes on")
            state, metrics = trainer.update(state)
            metrics = {name: np.asarray(value, np.float64) for name, value in jax.device_get(metrics).items()}
            update += 1
            _refuse_divergence(job, update, metrics)
            history.append(metrics)
            progress.show(update, metrics)
    _write_metrics(job, history, time.monotonic() - began, made)
    _publish(job)


def _segments(job: Job, states: Path) -> list[dict[str, Any]]:
    """By what the training is computed, so far and from now on; ConfigError where that would be two codes."""
    done = checkpoint.saved_updates(states)
    if not done:
        return segments.first(job)
    newest = states / str(done[-1])
    before = checkpoint.read_about(newest, job).get("segments")
    made = segments.go_on(job, newest, done[-1], before)
    if len(made) > len(before):
        differs = provenance.shape(before[-1]).differs(provenance.shape(made[-1]))
        print(f"{newest}: goes on on another kind of machine, which its metrics say: {differs}", file=sys.stderr)
    return made


def _save_point(job: Job, path: Path, networks: Any, made: list[dict[str, Any]]) -> None:
    if bad := checkpoint.not_finite(checkpoint.named(networks)):
        raise Diverged(f"{job.method_name} on {job.task_name}: {bad} is not finite at update {path.name}")
    checkpoint.save(path, job, networks, made)


def _resume(job: Job, trainer: Trainer, states: Path) -> tuple[TrainState, History, float]:
    """The state to go on from, the metrics of its updates and the seconds they took."""
    seeds = jnp.asarray(job.seeds, jnp.int32)
    done = checkpoint.saved_updates(states)
    if not done:
        return trainer.init(seeds), History(job), 0.0
    like, names = trainer.shapes()
    rows = jax.ShapeDtypeStruct((done[-1], len(job.seeds)), np.float64)
    seconds = jax.ShapeDtypeStruct((1,), np.float64)
    saved = {"state": like, "metrics": {name: rows for name in names}, "seconds": seconds}
    found = checkpoint.restore(states / str(done[-1]), job, saved)
    history = History(job)
    if done[-1]:
        history.append({name: np.asarray(found["metrics"][name]) for name in names})
    # Copied by XLA: on a CPU jax may leave an array that numpy owns where it is, and an update, which takes over its
    # state's memory, would write to and free what is not its own.
    state = jax.jit(partial(jax.tree.map, jnp.copy))(found["state"])
    return state, history, float(found["seconds"][0])


def _save(
    job: Job, states: Path, state: TrainState, history: History, seconds: float, made: list[dict[str, Any]]
) -> None:
    tree = {"state": state, "metrics": history.so_far(), "seconds": np.array([seconds])}
    checkpoint.save(states / str(history.count), job, tree, made)
    checkpoint.keep_newest(states, KEPT_STATES)


def _write_metrics(job: Job, history: History, seconds: float, made: list[dict[str, Any]]) -> None:
    updates, seeds = history.count, len(job.seeds)
    columns = {
        "profile": job.profile,
        "task": job.task_name,
        "method": job.method_name,
        "seed": np.tile(np.asarray(job.seeds, np.int32), updates),
        "update": np.repeat(np.arange(1, updates + 1, dtype=np.int32), seeds),
    }
    columns["env_steps"] = columns["update"].astype(np.int64) * job.steps_per_update
    columns |= {name: rows.reshape(-1) for name, rows in sorted(history.so_far().items())}
    points = {str(update): job.unfinished / "points" / str(update) for update in job.evaluation_updates}
    more = {"checkpoints": {name: checkpoint.read_about(path, job)["digest"] for name, path in points.items()}}
    if len(made) > 1:
        more["segments"] = made
    about = provenance.collect(job, wall_seconds=seconds, **more)
    schema.write(columns, job.unfinished_metrics, schema.METRICS, about)


def _publish(job: Job) -> None:
    """Gives the finished files their names; told again after an interruption, it does so again.

    They stay here as well until both are there: whoever finds one without the other, as snakemake does after a kill,
    may remove it and ask for both.
    """
    copy_whole(job.unfinished / "points", job.checkpoints)
    write_whole(job.metrics, job.unfinished_metrics.read_bytes())
    remove_whole(job.unfinished)


def _refuse_divergence(job: Job, update: int, metrics: dict[str, np.ndarray]) -> None:
    for name, values in metrics.items():
        if not np.all(np.isfinite(values)):
            seed = job.seeds[int(np.argmin(np.isfinite(values)))]
            raise Diverged(
                f"{job.method_name} on {job.task_name}, seed {seed}: {name} is {values[job.seeds.index(seed)]}"
                f" at update {update} (step {update * job.steps_per_update})"
            )


@contextmanager
def _alone(job: Job) -> Iterator[None]:
    """Only one process at a time trains a job; the lock goes with the process, however it ends."""
    job.unfinished.mkdir(parents=True, exist_ok=True)
    with open(job.unfinished.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        if not locks.take(lock):
            print(
                f"{job.unfinished}: another process trains this job; waiting for its end", file=sys.stderr, flush=True
            )
            locks.take(lock, wait=True)
        yield


@contextmanager
def _told_to_stop() -> Iterator[list[int]]:
    """A list that is empty until SIGTERM or SIGINT comes; then the update under way is finished and saved."""
    told: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, lambda received, frame: told.append(received))
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
