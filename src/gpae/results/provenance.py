"""Where a result came from: code, versions, machine. Written into the results' Parquet, never found out again later."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from gpae.plan import Job

PACKAGES = ("gpae", "jax", "jaxlib", "flax", "optax", "jaxmarl", "brax", "numpy")
PINNED = ("src", "params", "pyproject.toml", "uv.lock")  # what a result depends on; a new result is no local change


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def commit(source: Path) -> tuple[str, bool | None]:
    """(hash, whether code or parameters differ from it) of the checkout that tracks `source`, a file of the code.

    ('unknown', None) where none does: a copy installed inside some checkout is not that checkout's.
    """
    try:
        _git(source.parent, "ls-files", "--error-unmatch", source.name)
        top = Path(_git(source.parent, "rev-parse", "--show-toplevel"))
        return _git(top, "rev-parse", "HEAD"), bool(_git(top, "status", "--porcelain", "--", *PINNED))
    except (OSError, subprocess.SubprocessError):
        return "unknown", None


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _processor() -> str:
    """The processor's name; Linux tells it only in /proc."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> dict[str, Any]:
    """The code, the versions and the machine that this process computes with, as JSON can hold it."""
    revision, dirty = commit(Path(__file__))
    device = jax.devices()[0]
    return {
        "git_commit": revision,
        "git_dirty": dirty,
        "versions": {package: _version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "system": platform.platform(),
        "platform": device.platform,
        "device": device.device_kind,
        "processor": _processor(),
        "processors": os.cpu_count(),
    }


def collect(job: Job, wall_seconds: float, **more: Any) -> dict[str, Any]:
    """What is to be known of a job's files, as JSON can hold it.

    wall_seconds: of the step that writes the file, compile time included
    more: what only the caller knows (an evaluation passes its training's own provenance)
    """
    return (
        machine()
        | {
            "training_hash": job.training_hash,
            "evaluation_hash": job.evaluation_hash,
            "cores": job.cores,
            "wall_seconds": round(wall_seconds, 1),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        | more
    )
