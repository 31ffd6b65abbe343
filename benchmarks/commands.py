"""How long the README's commands take from nothing: each in a fresh clone of HEAD, with nothing compiled yet.

`python -m benchmarks.commands [COMMAND ...]` adds its rows to artifacts/benchmarks/commands.csv. Downloads that uv has
in its cache are not downloaded again. What `make reproduce` made takes the place of its profile's results here.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from gpae.config import Params
from gpae.results import provenance
from gpae.results.schema import write_whole

COMMANDS = ("make verify", "rm -rf artifacts/quick && make reproduce", "make test")
TABLE = Path("artifacts/benchmarks/commands.csv")


def seconds(command: str) -> float:
    """Wall clock of a shell command in a fresh clone; its output goes to standard error.

    The clone of a command that failed stays where it is, with what was made in it.
    """
    folder = tempfile.mkdtemp(prefix="gpae-command-")
    subprocess.run(["git", "clone", "--quiet", ".", folder], check=True)
    began = time.monotonic()
    if code := subprocess.run(["bash", "-c", command], cwd=folder, stdout=sys.stderr).returncode:
        sys.exit(f"benchmarks.commands: {command}: exit code {code}, in {folder}")
    took = time.monotonic() - began
    if "reproduce" in command:
        named = re.search(r"PROFILE=(\w+)", command)
        made = Path("artifacts", named[1] if named else Params(Path("params")).default_profile())
        shutil.rmtree(made, ignore_errors=True)
        shutil.copytree(Path(folder, made), made)
    shutil.rmtree(folder)
    return took


def main(commands: tuple[str, ...]) -> None:
    machine = provenance.machine()
    known = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=["command"])
    for command in commands:
        row = {
            "command": command,
            "seconds": round(seconds(command)),
            "processor": machine["processor"],
            "cores": len(os.sched_getaffinity(0)),
            "commit": machine["git_commit"],
        }
        known = pd.concat([known[known.command != command], pd.DataFrame([row])]).sort_values("command")
        print(write_whole(TABLE, known.astype({"seconds": int, "cores": int}).to_csv(index=False).encode()))


if __name__ == "__main__":
    main(tuple(sys.argv[1:]) or COMMANDS)
