"""The command line: one command a step from params/ to the report. Thin: parses, calls, prints.

Bad input ends a command with one line on standard error and exit code 2 before anything is touched; a training that is
told to stop ends with 75 ("try again"), one that diverges with 1, as does a lack of memory, of room or of a right.
"""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gpae import faults, runtime
from gpae import plan as planning
from gpae.config import MOST_SEEDS, ConfigError, Params
from gpae.plan import Job
from gpae.results.files import whole_folder

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__.split("\n")[0]
)
PARAMS = Params(Path("params"))
TRY_AGAIN = 75
USAGE = typer.BadParameter.__base__  # of the click that typer brings
TABLE_CORES = 1  # of what a table computes itself

ProfileOption = Annotated[str | None, typer.Option(help="A name in params/profiles; else that of params/default.yaml.")]
ExperimentOption = Annotated[str | None, typer.Option(help="A name in params/experiments; else all of the profile.")]
MethodOption = Annotated[str, typer.Option(help="A name in params/methods.")]
TaskOption = Annotated[str, typer.Option(help="A name in params/tasks.")]
SeedsOption = Annotated[str, typer.Option(help="A seed or a block trained together: 3 or 0-4.")]


def _profile(name: str | None) -> str:
    return name or PARAMS.default_profile()


def _seeds(text: str) -> tuple[int, ...]:
    match = re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", text, re.ASCII)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if not first <= last < min(2**31, first + MOST_SEEDS):
        raise ConfigError(
            f"--seeds: {text!r} is not allowed: a seed, or the first and last of a block, as in 0-4;"
            f" below 2^31, at most {MOST_SEEDS} in a block"
        )
    return tuple(range(first, last + 1))


def _job(profile: str | None, method: str, task: str, seeds: str) -> Job:
    return planning.job(PARAMS, _profile(profile), method, task, _seeds(seeds))


@app.command()
def plan(profile: ProfileOption = None, experiment: ExperimentOption = None) -> None:
    """List the jobs of a profile, the experiments that need each, and what is there of it."""
    name = _profile(profile)
    needed = {part: planning.jobs(PARAMS, name, part) for part in PARAMS.profile(name).experiments}
    table = Table("method", "task", "seeds", "steps", "updates", "trained", "evaluated", "for")
    table.columns[0].no_wrap = True
    for job in planning.jobs(PARAMS, name, experiment):
        there = ["yes" if path.exists() else "-" for path in (job.checkpoints, job.evaluation)]
        wanted = ", ".join(part for part, jobs in needed.items() if job in jobs)
        cells = (job.method_name, job.task_name, job.block.removeprefix("seeds-"))
        table.add_row(*cells, f"{job.total_steps:,}", f"{job.updates:,}", *there, wanted)
    Console().print(table)


@app.command()
def status(profile: ProfileOption = None) -> None:
    """Say what of a profile is done, running, unfinished, missing or stale, and how long the rest takes."""
    from gpae import status

    table, lines = status.told(PARAMS, _profile(profile))
    Console().print(table)
    print(*lines, sep="\n")


@app.command()
def prune(
    profile: ProfileOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what else is listed only.")] = False,
) -> None:
    """List what no planned job reads and what killed processes left; with --yes remove it."""
    from gpae import status

    paths = status.stale(PARAMS, _profile(profile))
    _built(status.prune(paths) if yes else paths)


@app.command()
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
    job = _job(profile, method, task, seeds)
    if minutes is not None and not minutes >= 0:
        raise ConfigError(f"--minutes: {minutes} is not allowed: 0 or more")
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads: {threads} is not allowed: 1 or more")
    runtime.prepare(job.cores)
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


@app.command()
def evaluate(
    method: MethodOption,
    task: TaskOption,
    seeds: SeedsOption,
    profile: ProfileOption = None,
) -> None:
    """Play every checkpoint of one job for fresh episodes."""
    job = _job(profile, method, task, seeds)
    runtime.prepare(job.cores)
    from gpae.training import evaluation

    with faults.evaluation(job):
        evaluation.evaluate(job)


@app.command()
def audit(
    profile: ProfileOption = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many finished jobs to run again.")] = 1,
    seed: Annotated[int, typer.Option(help="Which: another seed draws others.")] = 0,
    write: Annotated[bool, typer.Option("--write", help="Keep the table in artifacts/<profile>/audit.csv.")] = False,
) -> None:
    """Run finished jobs again beside their results: the same bits on the same machine, or scores like them."""
    from gpae import audit

    name = _profile(profile)
    found = audit.audit(PARAMS, name, jobs, seed)
    table, stands, lines = audit.told(found)
    Console().print(table)
    print(*lines, sep="\n")
    if write:
        _built([audit.write(found, name)])
    raise typer.Exit(0 if stands else 1)


@app.command()
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
    blocks = planning.blocks(PARAMS.profile(_profile(profile)))
    own = next((block for block in blocks if seed in block), blocks[0])
    block = seeds or f"{own[0]}-{own[-1]}"
    job, *others = (_job(profile, name, task, block) for name in (method, *(beside or ())))
    runtime.prepare(job.cores)
    from gpae.rendering.render import Source, render

    seed = job.seeds[0] if seed is None else seed
    source = Source(job, seed, checkpoint or job.checkpoints, None if update == "last" else int(update))
    _built([render(source, out, [Source(other, seed, other.checkpoints) for other in others], episode, greedy)])


@app.command()
def frames(profile: ProfileOption = None) -> None:
    """Draw Figure 3, a frame of each environment, from the profile's finished checkpoints."""
    name = _profile(profile)
    runtime.prepare(PARAMS.profile(name).cores)
    from gpae.rendering.frames import build_frames

    with whole_folder(Path("artifacts", name, "frames")):
        paths = build_frames(PARAMS, name)
    _built(paths)


@app.command()
def aggregate(profile: ProfileOption = None) -> None:
    """Score and summarise the evaluations that are there."""
    from gpae.results import aggregate

    _built(aggregate.build(PARAMS, _profile(profile)))


@app.command()
def tables(profile: ProfileOption = None) -> None:
    """Lay out each experiment's table, and those that need no training, as CSV, Markdown and LaTeX."""
    name = _profile(profile)
    runtime.prepare(TABLE_CORES)
    from gpae.results import tables, untrained

    with whole_folder(Path("artifacts", name, "tables")):
        paths = tables.build(PARAMS, name) + untrained.build(PARAMS, name)
    _built(paths)


@app.command()
def plot(profile: ProfileOption = None) -> None:
    """Draw the learning curves as PDF and PNG."""
    from gpae.results import figures

    name = _profile(profile)
    with whole_folder(Path("artifacts", name, "figures")):
        paths = figures.build(PARAMS, name)
    _built(paths)


@app.command()
def verify(profile: ProfileOption = None) -> None:
    """Hold every claim against what was measured."""
    from gpae.results import claims

    name = _profile(profile)
    paths = claims.build(PARAMS, name)
    for line in claims.lines(PARAMS, name):
        print(line)
    _built(paths)


@app.command()
def report(profile: ProfileOption = None) -> None:
    """Put tables, figures, verdicts and their provenance on one page."""
    from gpae.results import report

    _built(report.build(PARAMS, _profile(profile)))


def _built(paths: list[Path]) -> None:
    for path in paths:
        print(path)


def main() -> None:
    try:
        sys.exit(app(standalone_mode=False))
    except (ConfigError, USAGE) as error:
        told, code = (_usage(error) if isinstance(error, USAGE) else str(error)), 2
    except Exception as error:
        told, code = faults.line(error), 1
        if told is None:
            raise
    if told:  # without a command typer has printed its help
        print("gpae:", told.replace("\n", " "), file=sys.stderr)
    sys.exit(code)


def _usage(error: Exception) -> str:
    """What typer says of an option, and where the options stand."""
    message, where = error.format_message().rstrip("."), error.ctx.command_path if error.ctx else "gpae"
    return message and f"{message}; see {where} --help"
