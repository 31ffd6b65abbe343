"""Where a result came from: code, versions, machine. Written into the results' Parquet, never found out again later."""

import hashlib
import os
import platform
import resource
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gpae.plan import FORMAT, Job

PACKAGES = ("gpae", "jax", "jaxlib", "flax", "optax", "jaxmarl", "brax", "numpy")
COMPUTING = PACKAGES[1:]
SETTINGS = ("XLA_FLAGS", "NPROC", "JAX_THREEFRY_PARTITIONABLE")  # of gpae.runtime, that bits depend on
COMPUTE = ("advantages", "algorithms", "environments", "networks", "training")  # of the package, and its runtime.py
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


def code() -> str:
    """A digest of the package's files that compute a training or an evaluation; others leave a result's bits alone."""
    package = Path(__file__).parents[1]
    files = [package / "runtime.py", *(file for name in COMPUTE for file in (package / name).rglob("*"))]
    found = hashlib.sha256()
    for file in sorted(file for file in files if file.suffix in (".py", ".yaml")):
        found.update(f"{file.relative_to(package)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:16]


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
        "code": code(),
        "versions": {package: _version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "system": platform.platform(),
        "platform": device.platform,
        "device": device.device_kind,
        "processor": _processor(),
        "processors": os.cpu_count(),
        "settings": {name: os.environ.get(name, "") for name in SETTINGS},
    }


def _peak_of_machine() -> int:
    """KiB; of getrusage only where /proc does not say: there a process begins with the peak of the one it came from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_memory() -> int:
    """The most bytes that this process has had: of its accelerator, or of the machine where its CPU computes."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return _peak_of_machine() * 1024
    return int((device.memory_stats() or {}).get("peak_bytes_in_use", 0))


class Shape(NamedTuple):
    """What the bits of a result depend on beside its code and parameters; "unknown" where its file does not say.

    device: the accelerator's name, or the processor's where that computed
    library: the C library and its version, or the system that has it; sine, cosine and the like are its
    cores: threads a program computes with
    versions: of the packages that compute, in the order of PACKAGES without gpae itself
    """

    platform: str
    device: str
    library: str
    cores: str
    versions: tuple[str, ...]

    def __str__(self) -> str:
        packages = dict(zip(COMPUTING, self.versions, strict=True))
        return f"{self.device}, {self.platform}, {self.library}, cores {self.cores}, jax {packages['jax']}"

    def differs(self, other: "Shape") -> str:
        """The first thing in which another shape differs; empty where it is the same and known."""
        names = (*self._fields[:-1], *COMPUTING)
        pairs = zip(names, (*self[:-1], *self.versions), (*other[:-1], *other.versions), strict=True)
        return next((f"{name} {a}, not {b}" for name, a, b in pairs if a != b or a == "unknown"), "")


def shape(about: Mapping[str, Any]) -> Shape:
    """The shape on which a step ran, from the provenance in its file (`collect`)."""
    platform = str(about.get("platform", "unknown"))
    device = about.get("processor" if platform == "cpu" else "device", "unknown")
    library = str(about.get("system", "unknown")).rpartition("-with-")[2]  # Linux-6.1-x86_64-with-glibc2.36
    versions = about.get("versions") or {}
    found = tuple(str(versions.get(package, "unknown")) for package in COMPUTING)
    return Shape(platform, str(device), library, str(about.get("cores", "unknown")), found)


def collect(job: Job, wall_seconds: float, **more: Any) -> dict[str, Any]:
    """What is to be known of a job's files, as JSON can hold it.

    wall_seconds: of the step that writes the file, compile time included
    more: what only the caller knows (an evaluation passes its training's own provenance)
    """
    return (
        machine()
        | {
            "format": FORMAT,
            "training_hash": job.training_hash,
            "evaluation_hash": job.evaluation_hash,
            "cores": job.cores,
            "wall_seconds": round(wall_seconds, 1),
            "peak_memory_bytes": peak_memory(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        | more
    )
