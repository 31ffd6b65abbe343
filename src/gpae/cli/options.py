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
    return plan.job(PARAMS, profile_named(profile), method, task, seeds_named(seeds))


def say_built(paths: list[Path]) -> None:
    for path in paths:
        print(path)
