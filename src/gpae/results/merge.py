"""Brings results of other machines together: a job's two Parquet files, which say themselves where they were made."""

import os
from pathlib import Path

from gpae import plan, status
from gpae.config import ConfigError, Params
from gpae.results.files import write_whole


def merge(params: Params, profile: str, folder: Path, root: Path = Path(".")) -> tuple[list[Path], list[str]]:
    """Copies what another checkout has finished of the profile and this one has not; what is here stays as it is.

    Returns what was written, and a line for each job that both have. Raises ConfigError, before anything is written,
    where `folder` is no such checkout or one of its files is damaged.
    """
    if not os.path.isdir(folder / "artifacts" / profile):  # also where no such name can be
        raise ConfigError(f"{folder}: no artifacts/{profile} in it; allowed: a folder that holds such results")
    theirs = [status.progress(job, folder) for job in plan.jobs(params, profile)]
    if damaged := next((one.problem for one in theirs if one.state == "damaged"), ""):
        raise ConfigError(damaged)
    written, both = [], []
    for job in (one.job for one in theirs if one.state == "done"):
        if status.progress(job, root).state == "done":
            both.append(f"kept as it is here: {job.evaluation}")
            continue
        for place in (job.metrics, job.evaluation):
            written.append(write_whole(root / place, (folder / place).read_bytes()))
    return written, both
