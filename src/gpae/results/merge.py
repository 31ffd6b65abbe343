"""Brings results of other machines together: a job's two Parquet files, which say themselves where they were made."""

import os
from pathlib import Path

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.plan import Job
from gpae.results import validation
from gpae.results.files import read_regular, write_whole


def merge(params: Params, profile: str, folder: Path, root: Path = Path(".")) -> tuple[list[Path], list[str]]:
    """Copies what another checkout has finished of the profile and this one has not; what is here stays as it is.

    Returns what was written, and a line for each job of which this one has a file of its own. Raises ConfigError,
    before anything is written, where `folder` is no such checkout or one of its files is not what its job makes. Files
    are anybody's: only regular ones are read, no more of them than such a job has, and what is written was checked.
    """
    if not os.path.isdir(folder / "artifacts" / profile):  # also where no such name can be
        raise ConfigError(f"{folder}: no artifacts/{profile} in it; allowed: a folder that holds such results")
    taken, kept = {}, []
    for job in plan.jobs(params, profile):
        if files := _finished(job, folder):
            here = [root / place for place in files if os.path.lexists(root / place)]
            if any(read_regular(place) != files[place.relative_to(root)] for place in here):
                kept.append(f"kept as it is here: {job.evaluation}")
            elif len(here) == len(files):
                kept.append(f"the same here: {job.evaluation}")
            else:
                taken |= files
    return [write_whole(root / place, content) for place, content in taken.items()], kept


def _finished(job: Job, folder: Path) -> dict[Path, bytes]:
    """The bytes of a job's two files, checked; empty where `folder` has not both."""
    places = (job.metrics, job.evaluation)
    if not all(os.path.lexists(folder / place) for place in places):
        return {}
    most = validation.most_bytes(job)
    files = {place: read_regular(folder / place, most, links=False) for place in places}
    training = validation.metrics(job, files[job.metrics], folder / job.metrics)[1]
    about = validation.evaluation(job, files[job.evaluation], folder / job.evaluation)[1]
    validation.same_training(job, about, training, folder / job.evaluation)
    return files
