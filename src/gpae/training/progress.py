"""What a training shows while it runs: a bar on a terminal, a line at every evaluation point in a log."""

import time
from pathlib import Path
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from tensorboardX import SummaryWriter

from gpae.plan import Job

RECENT = 20  # updates whose episodes the shown score is the mean of


class Progress:
    """Context manager; `show` takes the metrics of each update.

    tensorboard: folder for event files, one subfolder a seed, or None
    """

    def __init__(self, job: Job, update: int, tensorboard: Path | None):
        self.job, self.first, self.began = job, update, time.monotonic()
        self.recent: list[dict[str, np.ndarray]] = []
        self.console = Console(stderr=True)
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
        self.writers = {
            seed: SummaryWriter(str(tensorboard / job.method_name / job.task_name / f"seed-{seed}"))
            for seed in (job.seeds if tensorboard else ())
        }

    def __enter__(self) -> "Progress":
        self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()
        for writer in self.writers.values():
            writer.close()

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
        for i, writer in enumerate(self.writers.values()):
            for name, values in metrics.items():
                writer.add_scalar(name, values[i], steps)

    def _score(self) -> str:
        episodes = sum(row["episodes"].sum() for row in self.recent)
        if not episodes:
            return "no episode ended yet"
        if self.job.score == "win_rate_percent":
            return f"win rate {100 * sum(row['episode_won'].sum() for row in self.recent) / episodes:.1f}%"
        return f"return {sum(row['episode_return'].sum() for row in self.recent) / episodes:.2f}"
