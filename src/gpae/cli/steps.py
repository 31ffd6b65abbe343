"""The steps from params/ to the report, one command each."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from gpae import faults, runtime
from gpae import plan as planning
from gpae.cli.options import (
    PARAMS,
    TRY_AGAIN,
    MethodOption,
    ProfileOption,
    SeedsOption,
    TaskOption,
    job_named,
    profile_named,
    say_built,
    unplanned,
)
from gpae.config import ConfigError
from gpae.results.files import whole_folder

TABLE_CORES = 1  # of what a table computes itself


def train(
    method: MethodOption,
    task: TaskOption,
    seeds: SeedsOption,
    profile: ProfileOption = None,
    threads: Annotated[int | None, typer.Option(help="To compute with; else one a core. No bit depends on it.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after this time; the same command goes on.")] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard event files.")] = None,
) -> None:
    """Train one job; started again after any interruption it goes on."""
    job = job_named(profile, method, task, seeds)
    if minutes is not None and not minutes >= 0:
        raise ConfigError(f"--minutes: {minutes} is not allowed: 0 or more")
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads: {threads} is not allowed: 1 or more")
    runtime.prepare(job.cores)
    if said := unplanned(job):
        print("gpae:", said, file=sys.stderr)
    from gpae.training import loop

    try:
        with faults.training(job):
            loop.train(job, threads or runtime.cores(), minutes, tensorboard)
    except loop.Stopped as stop:
        print(stop, file=sys.stderr)
        raise typer.Exit(TRY_AGAIN) from None
    except loop.Diverged as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


def evaluate(
    method: MethodOption,
    task: TaskOption,
    seeds: SeedsOption,
    profile: ProfileOption = None,
) -> None:
    """Play every checkpoint of one job for fresh episodes."""
    job = job_named(profile, method, task, seeds)
    runtime.prepare(job.cores)
    from gpae.training import evaluation

    with faults.evaluation(job):
        evaluation.evaluate(job, planning.noise_asked(PARAMS, job))


def render(
    method: MethodOption,
    task: TaskOption,
    out: Annotated[Path, typer.Option(help="A name that ends with .gif, or with .html for a robot.")],
    seeds: Annotated[str | None, typer.Option(help="The job's block; else the one with --seed.")] = None,
    seed: Annotated[int | None, typer.Option(help="One of the block; else the first.")] = None,
    profile: ProfileOption = None,
    checkpoint: Annotated[Path | None, typer.Option(help="A folder of <update>/; else the finished job's.")] = None,
    update: Annotated[str, typer.Option(help="The checkpoint: last, or its number.")] = "last",
    episode: Annotated[int, typer.Option(help="Which of the seed's episodes.")] = 0,
    greedy: Annotated[bool, typer.Option(help="The policy's mode in place of a sample.")] = False,
    beside: Annotated[list[str] | None, typer.Option(help="A method whose estimator judges it too.")] = None,
) -> None:
    """Film an episode of a trained policy, with every agent's advantage beside it."""
    if update != "last" and not update.isdecimal():
        raise ConfigError(f"--update: {update!r} is not allowed: last, or the number of a checkpoint")
    blocks = planning.blocks(PARAMS.profile(profile_named(profile)))
    own = next((block for block in blocks if seed in block), blocks[0])
    block = seeds or f"{own[0]}-{own[-1]}"
    job, *others = (job_named(profile, name, task, block) for name in (method, *(beside or ())))
    runtime.prepare(job.cores)
    from gpae.rendering.render import Source, render

    seed = job.seeds[0] if seed is None else seed
    source = Source(job, seed, checkpoint or job.checkpoints, None if update == "last" else int(update))
    say_built([render(source, out, [Source(other, seed, other.checkpoints) for other in others], episode, greedy)])


def frames(profile: ProfileOption = None) -> None:
    """Draw Figure 3, a frame of each environment, from the profile's finished checkpoints."""
    name = profile_named(profile)
    runtime.prepare(PARAMS.profile(name).cores)
    from gpae.rendering.frames import build_frames

    with whole_folder(Path("artifacts", name, "frames")):
        paths = build_frames(PARAMS, name)
    say_built(paths)


def aggregate(profile: ProfileOption = None) -> None:
    """Score and summarise the evaluations that are there."""
    from gpae.results import aggregate

    say_built(aggregate.build(PARAMS, profile_named(profile)))


def tables(profile: ProfileOption = None) -> None:
    """Lay out each experiment's table, and those that need no training, as CSV, Markdown and LaTeX."""
    name = profile_named(profile)
    runtime.prepare(TABLE_CORES)
    from gpae.results import tables, untrained

    with whole_folder(Path("artifacts", name, "tables")):
        paths = tables.build(PARAMS, name) + untrained.build(PARAMS, name)
    say_built(paths)


def plot(profile: ProfileOption = None) -> None:
    """Draw the learning curves as PDF and PNG."""
    from gpae.results import figures

    name = profile_named(profile)
    with whole_folder(Path("artifacts", name, "figures")):
        paths = figures.build(PARAMS, name)
    say_built(paths)


def verify(profile: ProfileOption = None) -> None:
    """Hold every claim against what was measured."""
    from gpae.results import claims

    name = profile_named(profile)
    paths = claims.build(PARAMS, name)
    for line in claims.lines(PARAMS, name):
        print(line)
    say_built(paths)


def report(profile: ProfileOption = None) -> None:
    """Put tables, figures, verdicts and their provenance on one page."""
    from gpae.results import report

    say_built(report.build(PARAMS, profile_named(profile)))


def check(profile: ProfileOption = None) -> None:
    """Hold every file and checkpoint against the manifest; exit code 1 where one is not as it says."""
    from gpae.results.report.check import check

    wrong, lines = check(PARAMS, profile_named(profile))
    print(*wrong, *lines, sep="\n")
    raise typer.Exit(1 if wrong else 0)


def rebuild(profile: ProfileOption = None) -> None:
    """Build results anew from the evaluations that are there, and compare every file with the one that is kept."""
    from gpae.results import kept

    name = profile_named(profile)
    kept.refuse_another_format(name)
    before = kept.kept(name)
    command = ["snakemake", "--cores", "all", "--config", f"profile={name}", "jobs=finished", "--forcerun", "aggregate"]
    if code := subprocess.run([sys.executable, "-m", *command]).returncode:
        raise typer.Exit(code)
    same, lines = kept.compare(before, name)
    print(*lines, sep="\n")
    raise typer.Exit(0 if same else 1)
