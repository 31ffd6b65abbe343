"""Which code and which machines computed a training, from its first update to its last.

A training that was taken away may go on on another kind of machine, as a cluster's queue has it: rounding differs from
there on, so every such part is recorded, and no audit asks for the same bits of the whole. It never goes on with other
code or other versions of the packages that compute: that would be the training of neither.
"""

from pathlib import Path
from typing import Any

from gpae.config import ConfigError
from gpae.plan import Job
from gpae.results import provenance


def first(job: Job) -> list[dict[str, Any]]:
    """The segments of a training that begins in this process."""
    return [provenance.machine() | {"cores": job.cores, "first_update": 1}]


def go_on(job: Job, path: Path, update: int, segments: Any) -> list[dict[str, Any]]:
    """The segments of a training that goes on in this process.

    path, update, segments: of the state that it goes on from. Raises ConfigError where other code saved it, or other
    versions of what computes.
    """
    (here,) = first(job)
    last = segments[-1] if isinstance(segments, list) and segments and isinstance(segments[-1], dict) else {}
    try:
        saved, ours = provenance.shape(last), provenance.shape(here)
    except (AttributeError, TypeError):
        raise ConfigError(f"{path}: damaged checkpoint: its segments are not provenances; remove it") from None
    remedy = f"remove {job.unfinished} and train again, or go on with commit {last.get('git_commit', 'unknown')}"
    if last.get("code") != here["code"]:
        raise ConfigError(f"{path}: saved by other code, {last.get('code')} and not {here['code']}; {remedy}")
    if saved.versions != ours.versions:
        what = ours._replace(versions=saved.versions).differs(ours)
        raise ConfigError(f"{path}: saved by other versions, {what}; {remedy} and its lock")
    return segments if saved == ours else [*segments, here | {"first_update": update + 1}]


def shapes(about: dict[str, Any]) -> list[provenance.Shape]:
    """Of the machines that a training ran on, by the provenance in its file."""
    return [provenance.shape(each) for each in about.get("segments") or [about]]
