"""Which missing jobs to run first: those that answer the most questions for the time that they take.

A question (`results.questions`) is answered when its last job is done. From what is unfinished on, the next jobs are
always those that one open question still needs, of the question by which most questions an hour are answered.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from gpae import plan, status
from gpae.config import Params
from gpae.plan import Job
from gpae.results import questions
from gpae.results.questions import Question

TRY_AGAIN = 75  # of `gpae train`: its time is over


@dataclass(frozen=True)
class Item:
    """A job that is to run.

    hours: of a device, what is left of its training; NaN where nothing was timed
    guessed: whether its speed is that of other tasks
    answered: the questions that are answered once this job and those before it are done
    """

    job: Job
    state: status.State
    hours: float
    guessed: bool
    answered: tuple[str, ...]


class _Costs:
    """Hours that the rest of a job takes: measured of its like, else by the work at the median speed of what was timed,
    by this profile's jobs or by the benchmarks. Where nothing was timed all costs are the work itself, which orders
    jobs and says no time."""

    def __init__(self, found: list[status.Progress], root: Path) -> None:
        self.hours = {one.job.evaluation: status.hours_left(one, found, root) for one in found}
        took = [one.hours / (status.work(one.job) * len(one.job.seeds)) for one in found if one.hours is not None]
        left = [(self.hours[one.job.evaluation], _work_left(one)) for one in found]
        rates = took or [hours / work for hours, work in left if hours is not None and work > 0]
        self.known = bool(rates)
        self.rate = median(rates) if rates else 1.0

    def __call__(self, one: status.Progress) -> tuple[float, bool]:
        """(hours, or work where none are known, and whether guessed)"""
        hours = self.hours[one.job.evaluation]
        return (_work_left(one) * self.rate, True) if hours is None else (hours, False)


def _work_left(one: status.Progress) -> float:
    """Work of the training that is still to be done, all seeds together."""
    if one.state in ("done", "trained"):
        return 0.0
    return status.work(one.job) * len(one.job.seeds) * (1 - one.updates / one.job.updates)


def order(params: Params, profile: str, hours: float, root: Path = Path(".")) -> list[Item]:
    """All jobs that are to run, first those of the best use of so many device-hours, then the rest likewise."""
    found = [status.progress(job, root) for job in plan.jobs(params, profile)]
    costs = _Costs(found, root)
    left = {i: costs(one)[0] for i, one in enumerate(found) if one.state in ("missing", "stopped", "trained")}
    blocked = {i for i, one in enumerate(found) if one.state in ("running", "damaged")}
    needed = []
    for question in questions.read(params, profile, root):
        jobs = {i for i, one in enumerate(found) if (one.job.method_name, one.job.task_name) in question.runs}
        if jobs & left.keys() and not jobs & blocked:
            needed.append((question, frozenset(jobs & left.keys())))
    begun = sorted((i for i in left if found[i].state != "missing"), key=left.get)
    hours = hours if costs.known else float("inf")  # which no work could be held against
    sequence = begun + _greedy([jobs for _, jobs in needed], left, begun, hours - sum(left[i] for i in begun))
    items, done = [], set()
    for i in sequence:
        told = _answered(needed, done, i)
        done.add(i)
        cost, guessed = costs(found[i])
        items.append(Item(found[i].job, found[i].state, cost if costs.known else float("nan"), guessed, told))
    return items


def _answered(needed: list[tuple[Question, frozenset[int]]], done: set[int], last: int) -> tuple[str, ...]:
    return tuple(question.name for question, jobs in needed if last in jobs and jobs <= done | {last})


def _greedy(needed: list[frozenset[int]], cost: dict[int, float], begun: Iterable[int], hours: float) -> list[int]:
    """The jobs of `cost` that are not begun, in the order of answers an hour; those that fit into `hours` first."""
    chosen: list[int] = []
    done = set(begun)
    while rest := [jobs - done for jobs in needed if jobs - done]:
        bundles = {jobs: sum(cost[i] for i in jobs) for jobs in rest}
        fitting = {jobs: total for jobs, total in bundles.items() if total <= hours} or bundles
        # of the same worth the smaller one: it answers earlier
        best = min(fitting, key=lambda jobs: (-sum(o <= jobs for o in rest) / (fitting[jobs] or 1e-9), fitting[jobs]))
        chosen += sorted(best, key=lambda i: (cost[i], i))
        done |= best
        hours -= bundles[best]
    return chosen + [i for i in cost if i not in done]


def share(items: list[Item], part: int, parts: int) -> list[Item]:
    """What one of several machines runs of the list, part 1 to `parts`."""
    return items[part - 1 :: parts]


def told(items: list[Item], hours: float) -> tuple[Table, list[str]]:
    """A row a job as far as the hours go, and what is to be said of all of them."""
    table = Table("method", "task", "seeds", "state", "hours", "sum", "answers", "by then")
    table.columns[0].no_wrap = True
    spent, answers, shown = 0.0, 0, 0
    for item in items:
        spent += item.hours
        if spent > hours and shown:
            break
        shown, answers = shown + 1, answers + len(item.answered)
        cells = (item.job.method_name, item.job.task_name, item.job.block.removeprefix("seeds-"), item.state)
        times = ("?", "?") if spent != spent else (f"{'~' * item.guessed}{item.hours:.2f}", f"{spent:.2f}")
        table.add_row(*cells, *times, str(len(item.answered)), str(answers))
    rest = items[shown:]
    lines = [f"{shown} of {len(items)} missing jobs, {answers} questions answered by them"]
    if rest:
        total = sum(item.hours for item in rest)
        more = sum(len(item.answered) for item in rest)
        lines.append(f"then {len(rest)} more: {more} questions, {total:.1f} hours of a device")
    if any(item.guessed for item in items):
        lines.append("~ or ?: nothing like it was timed on any machine whose results are here")
    return table, lines


def work_off(
    params: Params, profile: str, hours: float, part: tuple[int, int], say: Callable[[str], Any], root: Path = Path(".")
) -> bool:
    """Trains and evaluates in that order until the time is over, one job at a time; whether every job went well.

    The order is made anew after each job, by what has been measured since. What the time cuts short goes on next time.
    """
    deadline, failed = time.monotonic() + 3600 * hours, set()
    while True:
        left = (deadline - time.monotonic()) / 3600
        items = [item for item in share(order(params, profile, left, root), *part) if item.job.evaluation not in failed]
        if not items or left <= 0:
            break
        job = items[0].job
        say(f"{job.method_name} on {job.task_name}, {job.block}: {60 * left:.0f} minutes left")
        code = _run("train", *job.selector.split(), "--minutes", f"{60 * left:.2f}", root=root)
        if code == TRY_AGAIN:
            break
        if code or _run("evaluate", *job.selector.split(), root=root):
            failed.add(job.evaluation)
    say(f"{len(items)} jobs left" + (f", {len(failed)} failed" if failed else ""))
    return not failed


def _run(*command: str, root: Path) -> int:
    """A command of gpae; who tells this process to stop tells that one, which saves its state first."""
    process = subprocess.Popen([sys.executable, "-m", "gpae", *command], cwd=root)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells it too
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
