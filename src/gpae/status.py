"""What of a profile is done, running, unfinished or missing, and how long the rest takes by what was measured."""

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple, get_args

from rich.table import Table

from gpae import locks, plan
from gpae.config import ConfigError, DopLearner, Params, ValueLearner
from gpae.plan import Job
from gpae.results import evidence, provenance, validation
from gpae.results.files import leftovers

GROUPS = ("checkpoints", "metrics", "evaluations", "unfinished")  # of artifacts/<profile>/, a folder a job
_OURS = re.compile(r"seeds-[0-9]+(-[0-9]+)?-[0-9a-f]{8}(\.parquet|\.lock)?")  # Job.block and a hash
State = Literal["done", "trained", "running", "stopped", "missing", "damaged"]


@dataclass(frozen=True)
class Progress:
    """A job, and how far it is.

    updates: done and saved; hours: that its training took on `shape`, None where no file says so
    problem: the line that names what is damaged
    """

    job: Job
    state: State
    updates: int
    hours: float | None = None
    shape: str = ""
    problem: str = ""


class Speed(NamedTuple):
    """Hours that a unit of `work` takes, and where that was measured."""

    hours: float
    source: str


def work(job: Job) -> int:
    """Steps that a seed's training passes through its gradient steps: nearly all of the time goes there."""
    if job.teams:  # each learns by a method of its own, from the same steps
        return sum(work(team) for team in job.teams)
    learner, method = job.learner, job.method
    if isinstance(learner, DopLearner):  # the critic's windows, and the actor's
        return job.updates * (learner.batch_size + 2 * learner.on_policy_batch_size) * learner.rollout_steps
    if isinstance(learner, ValueLearner):
        return job.updates * learner.batch_size * learner.rollout_steps * learner.epochs
    return job.updates * job.steps_per_update * method.replay_windows * learner.epochs * method.epochs_factor


def _held(lock: Path) -> bool:
    """Whether a process has the lock, which the system takes back however the process ends."""
    try:
        with open(lock, encoding="utf-8") as file:
            return not locks.take(file, shared=True)
    except FileNotFoundError:
        return False


def running(job: Job, root: Path = Path(".")) -> bool:
    """Whether a process trains the job."""
    return _held((root / job.unfinished).with_suffix(".lock"))


def progress(job: Job, root: Path = Path(".")) -> Progress:
    """How far a job is, by its files; a damaged one is a state of its own."""
    if (root / job.metrics).exists():
        try:
            about = validation.read_metrics(job, root)[1]
            if (root / job.evaluation).exists():
                validation.read(job, root)
        except ConfigError as error:
            return Progress(job, "damaged", 0, problem=str(error))
        state: State = "done" if (root / job.evaluation).exists() else "trained"
        return Progress(job, state, job.updates, about["wall_seconds"] / 3600, str(provenance.shape(about)))
    saved = [int(path.name) for path in (root / job.unfinished / "state").glob("*") if path.name.isdecimal()]
    if (root / job.unfinished_metrics).exists():  # at its end, between two renames
        saved.append(job.updates)
    state = "running" if running(job, root) else "stopped" if saved else "missing"
    return Progress(job, state, max(saved, default=0))


def speed(job: Job, found: Iterable[Progress], root: Path = Path(".")) -> Speed | None:
    """From finished jobs of this profile, of the same method and task or of the same learner and task; else from the
    benchmarks, where they have this task at these settings. None where nothing like it was measured.
    """
    timed = [one for one in found if one.hours is not None and one.job.task_name == job.task_name]
    kin = [one for one in timed if one.job.method.algorithm == job.method.algorithm]
    for near in ([one for one in kin if one.job.method_name == job.method_name], kin):
        if near:
            each = [one.hours / (work(one.job) * len(one.job.seeds)) for one in near]
            names = ", ".join(sorted({one.job.method_name for one in near}))
            shapes = " and ".join(sorted({one.shape for one in near}))
            return Speed(median(each), f"{names} on {job.task_name} here: {shapes}")
    return _benchmark(job, root)


def _benchmark(job: Job, root: Path) -> Speed | None:
    """From `python -m benchmarks estimators`, which trains one seed of GPAE (on) at the paper profile's settings."""
    for file, rows in evidence.benchmarks(root, "estimators").items():
        for row in rows:
            like = plan.job(Params(root / "params"), "paper", "gpae_on", row["task"], (0,))
            same = (like.task_name, like.learner, like.network) == (job.task_name, job.learner, job.network)
            if same and row["benchmark"].endswith(", steps/s"):
                steps = like.updates * like.steps_per_update
                return Speed(steps / float(row["ours"]) / 3600 / work(like), f"{file}: {row['device']}")
    return None


def hours_left(one: Progress, found: Iterable[Progress], root: Path = Path(".")) -> float | None:
    """Of the training; None where it is not known."""
    if one.state in ("done", "trained"):
        return 0.0
    measured = speed(one.job, found, root)
    rest = 1 - one.updates / one.job.updates
    return measured and measured.hours * work(one.job) * len(one.job.seeds) * rest


def side_by_side(jobs: list[Job]) -> int:
    """How many jobs this machine computes at the same time: one on its accelerator, or what its cores hold."""
    accelerator = shutil.which("nvidia-smi") is not None
    return 1 if accelerator else max(1, len(os.sched_getaffinity(0)) // max(job.cores for job in jobs))


def stale(params: Params, profile: str, root: Path = Path("."), method: str | None = None) -> list[Path]:
    """What no planned job of the profile reads or goes on from, and what killed processes left; of a method alone."""
    jobs = plan.jobs(params, profile)
    wanted = {root / place for job in jobs for place in (job.checkpoints, job.metrics, job.evaluation)}
    for job in jobs:  # what a finished training goes on from is of no more use
        if not ((root / job.checkpoints).exists() and (root / job.metrics).exists()):
            wanted.add(root / job.unfinished)
    locks = {(root / job.unfinished).with_suffix(".lock") for job in jobs}
    top = root / "artifacts" / profile
    found = [path for group in GROUPS for path in sorted(top.glob(f"{group}/*/*/seeds-*"))]
    stale = [path for path in found if _OURS.fullmatch(path.name) and path not in wanted | locks] + leftovers(top)
    # a folder may lie elsewhere as a whole; what a link within it leads to is not its own
    return [path for path in stale if method in (None, *path.relative_to(top).parts[1:2]) and _within(path, top)]


def _within(path: Path, top: Path) -> bool:
    return path.parent.resolve() == top.resolve() / path.parent.relative_to(top)


def told(params: Params, profile: str, root: Path = Path(".")) -> tuple[Table, list[str]]:
    """A row a job, and what is to be said of all of them."""
    found = [progress(job, root) for job in plan.jobs(params, profile)]
    table = Table("method", "task", "seeds", "state", "updates", "hours left")
    table.columns[0].no_wrap = True
    for one in found:
        job, left = one.job, hours_left(one, found, root)
        cells = (job.method_name, job.task_name, job.block.removeprefix("seeds-"), one.state)
        table.add_row(*cells, f"{one.updates}/{job.updates}", "unknown" if left is None else f"{left:.2f}")
    lines = _lines(found, root)
    if old := stale(params, profile, root):
        lines.append(
            f"stale: {len(old)} files and folders that nothing planned reads; see gpae prune --profile {profile}"
        )
    return table, lines


def _lines(found: list[Progress], root: Path) -> list[str]:
    counts = Counter(one.state for one in found)
    said = ["jobs: " + ", ".join(f"{counts[state]} {state}" for state in get_args(State) if counts[state])]
    took = [one.hours for one in found if one.hours is not None]
    said.append(
        f"trained so far: {_hours(sum(took))} of a device" if took else "trained so far: nothing that says how long"
    )
    left = [(one, hours_left(one, found, root)) for one in found if one.state not in ("done", "trained")]
    known = [hours for _, hours in left if hours is not None]
    if known:
        slots = side_by_side([one.job for one, _ in left])
        here = max(sum(known) / slots, max(known))
        said.append(
            f"left to train: {_hours(sum(known))} of a device; {_hours(here)} on this machine, {slots} at a time"
        )
    if unknown := [one.job for one, hours in left if hours is None]:
        said.append(
            f"left to train: unknown for {len(unknown)} jobs, as {unknown[0].selector}: nothing like it was timed"
        )
    sources = {speed(one.job, found, root).source for one, hours in left if hours is not None}
    return (
        said + [f"measured by {source}" for source in sorted(sources)] + [one.problem for one in found if one.problem]
    )


def _hours(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def prune(paths: Iterable[Path]) -> list[Path]:
    """Removes them, but for what a process trains meanwhile; gives what was removed."""
    removed = []
    for path in paths:
        if not _held(path.with_suffix(".lock")):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            removed.append(path)
    return removed
