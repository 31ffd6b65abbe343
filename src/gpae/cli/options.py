"""What the commands have in common: their options, and what the words given for them stand for."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gpae import plan
from gpae.config import MOST_SEEDS, ConfigError, Params
from gpae.plan import Job

PARAMS = Params(Path("params"))
TRY_AGAIN = 75
MOST_BLOCKS = 8  # that a line names

ProfileOption = Annotated[str | None, typer.Option(help="A name in params/profiles; else that of params/default.yaml.")]
ExperimentOption = Annotated[str | None, typer.Option(help="A name in params/experiments; else all of the profile.")]
MethodOption = Annotated[str, typer.Option(help="A name in params/methods.")]
TaskOption = Annotated[str, typer.Option(help="A name in params/tasks.")]
SeedsOption = Annotated[str, typer.Option(help="A seed or a block trained together: 3 or 0-4.")]


def profile_named(name: str | None) -> str:
    """Of a profile that can be read, so that no folder is made for one that is not there."""
    name = name or PARAMS.default_profile()
    PARAMS.profile(name)
    return name


def seeds_named(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", text, re.ASCII)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last < min(2**31, first + MOST_SEEDS):
        raise ConfigError(
            f"--seeds: {text!r} is not allowed: a seed, or the first and last of a block, as in 0-4;"
            f" below 2^31, at most {MOST_SEEDS} in a block"
        )
    return tuple(range(first, last + 1))


def job_named(profile: str | None, method: str, task: str, seeds: str) -> Job:
    """A job of one of the profile's blocks of seeds: no table would take another up, and `gpae prune` would list it."""
    name, chosen = profile_named(profile), seeds_named(seeds)
    blocks = plan.blocks(PARAMS.profile(name))
    if chosen not in blocks:
        every = [f"{block[0]}-{block[-1]}" if len(block) > 1 else f"{block[0]}" for block in blocks]
        shown = every if len(every) <= MOST_BLOCKS else [*every[: MOST_BLOCKS - 1], "...", every[-1]]
        raise ConfigError(
            f"--seeds: {seeds!r} is no block of profile {name}; allowed: {', '.join(shown)}. Other seeds are another"
            " profile's: first_seed, seeds and seed_block in params/profiles"
        )
    return plan.job(PARAMS, name, method, task, chosen)


def unplanned(job: Job) -> str:
    """What to say before a job is trained that no experiment of its profile asks for; empty where one does."""
    if job in plan.jobs(PARAMS, job.profile):
        return ""
    return (
        f"no experiment of profile {job.profile} has {job.method_name} on {job.task_name}: no table will show it, and"
        " gpae prune lists it"
    )


def say_built(paths: list[Path]) -> None:
    for path in paths:
        print(path)
