"""What a training shows while it runs: a bar on a terminal, a line at every evaluation point in a log."""

import os
import sys
import time
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

from gpae.plan import Job

RECENT = 20  # updates whose episodes the shown score is the mean of


class _Console(Console):
    """Standard error, on which nobody may read any more, as behind `| head -1`: a training goes on without."""

    def on_broken_pipe(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class _Events:
    """TensorBoard's event files, a folder a seed, written here and now.

    tensorboardX's own writer hands them to a thread, which a full disk ends, and then waits for it for ever.
    """

    def __init__(self, folders: list[Path]):
        self.folders, self.files = folders, []

    def add(self, steps: int, metrics: dict[str, np.ndarray]) -> None:
        """A file that cannot be written is told of once, and there are none from then on."""
        try:
            if not self.files:
                for folder in self.folders:
                    folder.mkdir(parents=True, exist_ok=True)
                    self.files.append(EventsWriter(str(folder / "events")))
            for i, file in enumerate(self.files):
                for name, values in metrics.items():
                    summary = scalar(name, values[i])
                    file.write_event(Event(summary=summary, step=steps, wall_time=time.time()))
                file.flush()
        except OSError as error:
            print(f"{self.folders[0]}: {error.strerror}; training goes on without TensorBoard", file=sys.stderr)
            self.folders, self.files = [], []


class Progress:
    """Context manager; `show` takes the metrics of each update.

    tensorboard: folder for event files, one subfolder a seed, or None
    """

    def __init__(self, job: Job, update: int, tensorboard: Path | None):
        self.job, self.first, self.began = job, update, time.monotonic()
        self.recent: list[dict[str, np.ndarray]] = []
        self.console = _Console(stderr=True)
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps  {task.fields[speed]}  {task.fields[score]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        name = f"{job.method.label} {job.task.label} {job.block}"
        steps = update * job.steps_per_update
        self.task = self.bar.add_task(
            name, total=job.updates * job.steps_per_update, completed=steps, speed="", score=""
        )
        self.name = name
        seeds = job.seeds if tensorboard else ()
        self.events = _Events([tensorboard / job.method_name / job.task_name / f"seed-{seed}" for seed in seeds])

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def show(self, update: int, metrics: dict[str, np.ndarray]) -> None:
        """metrics: float64 [seeds] by name, of update number `update`, counted from 1."""
        self.recent = [*self.recent[1 - RECENT :], metrics]
        steps = update * self.job.steps_per_update
        done = (update - self.first) * self.job.steps_per_update * len(self.job.seeds)
        speed = f"{done / (time.monotonic() - self.began):,.0f} steps/s"
        self.bar.update(self.task, completed=steps, speed=speed, score=self._score())
        if not self.console.is_terminal and update in self.job.evaluation_updates:
            line = f"{self.name}: {steps:,} steps, {speed}, {self._score()}"
            self.console.print(line, highlight=False, soft_wrap=True)
        self.events.add(steps, metrics)

    def _score(self) -> str:
        episodes = sum(row["episodes"].sum() for row in self.recent)
        if not episodes:
            return "no episode ended yet"
        if self.job.score == "win_rate_percent":
            return f"win rate {100 * sum(row['episode_won'].sum() for row in self.recent) / episodes:.1f}%"
        return f"return {sum(row['episode_return'].sum() for row in self.recent) / episodes:.2f}"
