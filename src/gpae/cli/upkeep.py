"""Commands that ask what there is, work it off, and keep it in order."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gpae import plan as planning
from gpae.cli.options import PARAMS, ExperimentOption, ProfileOption, profile_named, say_built
from gpae.config import ConfigError

HoursOption = Annotated[float | None, typer.Option(help="Put the missing jobs in order for so many device-hours.")]
PartOption = Annotated[str, typer.Option(help="Which share of the list, for several machines: 2/3 is every third job.")]


def _hours(hours: float) -> float:
    if not 0 < hours < float("inf"):
        raise ConfigError(f"--hours: {hours} is not allowed: a number above 0")
    return hours


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text, re.ASCII)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise ConfigError(f"--part: {text!r} is not allowed: a share of a whole, as 2/3")
    return part, parts


def plan(
    profile: ProfileOption = None,
    experiment: ExperimentOption = None,
    hours: HoursOption = None,
    part: PartOption = "1/1",
) -> None:
    """List the jobs of a profile, or with --hours its missing ones in the order of what they tell for their time."""
    name, share = profile_named(profile), _part(part)
    if hours is not None:
        if experiment is not None:
            raise ConfigError("--hours: not allowed beside --experiment: the order is that of the whole profile")
        from gpae import agenda

        table, lines = agenda.told(agenda.share(agenda.order(PARAMS, name, _hours(hours)), *share), hours)
        Console().print(table)
        print(*lines, sep="\n")
        return
    needed = {part: planning.jobs(PARAMS, name, part) for part in PARAMS.profile(name).experiments}
    table = Table("method", "task", "seeds", "steps", "updates", "trained", "evaluated", "for")
    table.columns[0].no_wrap = True
    jobs = planning.jobs(PARAMS, name, experiment)
    for job in jobs:
        there = ["yes" if path.exists() else "-" for path in (job.checkpoints, job.evaluation)]
        wanted = ", ".join(part for part, jobs in needed.items() if job in jobs)
        cells = (job.method_name, job.task_name, job.block.removeprefix("seeds-"))
        table.add_row(*cells, f"{job.total_steps:,}", f"{job.updates:,}", *there, wanted)
    Console().print(table)
    steps = sum(job.total_steps * len(job.seeds) for job in jobs)
    print(f"{len(jobs)} jobs, {steps / 1e6:,.6g}M environment steps")


def evidence(
    hours: Annotated[float, typer.Option(help="Of this machine; what they cut short goes on next time.")],
    profile: ProfileOption = None,
    part: PartOption = "1/1",
) -> None:
    """Train and evaluate the profile's missing jobs in the order of `gpae plan --hours` until the time is over."""
    name, share = profile_named(profile), _part(part)
    planning.jobs(PARAMS, name)
    from gpae import agenda

    if not agenda.work_off(PARAMS, name, _hours(hours), share, lambda line: print(line, flush=True)):
        raise typer.Exit(1)


def merge(
    folder: Annotated[Path, typer.Option("--from", help="Another checkout, or a copy of its artifacts/ in a folder.")],
    profile: ProfileOption = None,
) -> None:
    """Take over what another machine has finished of a profile."""
    from gpae.results import merge

    written, both = merge.merge(PARAMS, profile_named(profile), folder)
    say_built(written)
    print(*both, sep="\n", end="\n" if both else "")


def status(profile: ProfileOption = None) -> None:
    """Say what of a profile is done, running, unfinished, missing or stale, and how long the rest takes."""
    from gpae import status

    table, lines = status.told(PARAMS, profile_named(profile))
    Console().print(table)
    print(*lines, sep="\n")


def prune(
    profile: ProfileOption = None,
    method: Annotated[str | None, typer.Option(help="A name in params/methods; else all of the profile.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what else is listed only.")] = False,
) -> None:
    """List what no planned job reads and what killed processes left; with --yes remove it."""
    from gpae import status

    if method is not None:
        PARAMS.method(method)
    paths = status.stale(PARAMS, profile_named(profile), method=method)
    say_built(status.prune(paths) if yes else paths)


def audit(
    profile: ProfileOption = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many finished jobs to run again.")] = 1,
    seed: Annotated[int, typer.Option(help="Which: another seed draws others.")] = 0,
    write: Annotated[bool, typer.Option("--write", help="Keep the table in artifacts/<profile>/audit.csv.")] = False,
) -> None:
    """Run finished jobs again beside their results: the same bits on the same machine, or scores like them.

    Exit code 1 where they do not stand, 3 where so few seeds by other code or on another machine cannot decide.
    """
    from gpae import audit

    name = profile_named(profile)
    found = audit.audit(PARAMS, name, jobs, seed)
    table, outcome, lines = audit.told(found)
    Console().print(table)
    print(*lines, sep="\n")
    if write:
        say_built([audit.write(found, name)])
    raise typer.Exit(outcome)
