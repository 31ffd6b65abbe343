"""The command line: one command a step from params/ to the report. Thin: parses, calls, prints.

Bad input ends a command with one line on standard error and exit code 2 before anything is touched; a training that is
told to stop ends with 75 ("try again"), one that diverges with 1, as does a lack of memory, of room or of a right.
"""

import io
import os
import sys

import typer

from gpae import faults
from gpae.cli import steps, upkeep
from gpae.config import ConfigError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__.split("\n")[0]
)
USAGE = typer.BadParameter.__base__  # of the click that typer brings
for command in (
    upkeep.plan,
    upkeep.evidence,
    upkeep.status,
    upkeep.prune,
    steps.train,
    steps.evaluate,
    upkeep.audit,
    upkeep.merge,
    steps.render,
    steps.frames,
    steps.aggregate,
    steps.tables,
    steps.plot,
    steps.verify,
    steps.report,
    steps.check,
    steps.rebuild,
):
    app.command()(command)


def main() -> None:
    # whatever a user's shell says of figures and of characters that its locale lacks
    os.environ["MPLBACKEND"] = "agg"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        sys.exit(app(standalone_mode=False))
    except BrokenPipeError:  # nobody reads on, as behind `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
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
