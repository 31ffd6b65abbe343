"""How long the image takes to build and how large it is; how long a profile takes in it, and whether it makes the same.

`python -m benchmarks.container [build] [PROFILE ...]` adds its rows to artifacts/benchmarks/container.csv. A profile
runs by `snakemake --use-singularity` in a fresh clone of HEAD, with nothing compiled, in this checkout's image; its
metrics and evaluations are held to those of this checkout, row by row and bit by bit. BUILD has options of apptainer's.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from gpae import plan, runtime
from gpae.config import ConfigError, Params
from gpae.results import provenance, schema

IMAGE = Path("container/gpae.sif")
TABLE = Path("artifacts/benchmarks/container.csv")
TYPES = {"megabytes": "Int64", "files": "Int64", "same": "Int64"}


def timed(*command: str, folder: Path = Path(".")) -> int:
    """Seconds on the clock; what it prints goes to standard error."""
    began = time.monotonic()
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
    return round(time.monotonic() - began)


def same(here: Path, there: Path, kind) -> bool:
    """Whether two files of results have the same rows, to the last bit."""
    try:
        return schema.read(here, kind)[0].equals(schema.read(there, kind)[0])
    except ConfigError:
        return False


def inside(profile: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        clone = Path(name)
        subprocess.run(["git", "clone", "--quiet", ".", name], check=True)
        subprocess.run(["rm", "-rf", f"artifacts/{profile}"], cwd=clone, check=True)
        (clone / IMAGE).symlink_to(IMAGE.resolve())
        command = ("snakemake", "--cores", "all", "--use-singularity", "--config", f"profile={profile}")
        seconds = timed(*command, folder=clone)
        files = [
            (path, kind)
            for job in plan.jobs(Params(Path("params")), profile)
            for path, kind in ((job.metrics, schema.METRICS), (job.evaluation, schema.EVALUATION))
        ]
        equal = sum(same(clone / path, path, kind) for path, kind in files)
    return {"command": " ".join(command), "seconds": seconds, "files": len(files), "same": equal}


def build() -> dict[str, object]:
    command = ("make", "--always-make", "container")
    seconds = timed(*command)
    return {"command": " ".join(command), "seconds": seconds, "megabytes": round(IMAGE.stat().st_size / 1e6)}


def main(parts: list[str]) -> None:
    machine = provenance.machine()
    for part in parts:
        row = build() if part == "build" else inside(part)
        row |= {
            "processor": machine["processor"],
            "cores": runtime.cores(),
            "commit": machine["git_commit"],
        }
        known = pd.read_csv(TABLE, dtype=TYPES) if TABLE.exists() else pd.DataFrame(columns=["command"])
        table = pd.concat([known[known.command != row["command"]], pd.DataFrame([row])]).sort_values("command")
        names = ["command", "seconds", "megabytes", "files", "same", "processor", "cores", "commit"]
        table = table.reindex(columns=names).astype(TYPES | {"seconds": int, "cores": int})
        print(schema.write_whole(TABLE, table.to_csv(index=False).encode()))


if __name__ == "__main__":
    main(sys.argv[1:] or ["build", "smoke"])
