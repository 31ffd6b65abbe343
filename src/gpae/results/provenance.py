"""Where a result came from: code, versions, machine. Written into the results' Parquet, never found out again later."""

import hashlib
import os
import platform
import re
import resource
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gpae import runtime
from gpae.plan import FORMAT, Job

# Whose versions the bits depend on, those beneath jax and of CUDA too; "absent" where one is not installed.
COMPUTING = (
    *("jax", "jaxlib", "ml-dtypes", "opt-einsum", "numpy", "scipy"),
    *("flax", "optax", "distrax", "chex", "evosax", "flashbax", "tensorflow-probability"),
    *("jaxmarl", "brax", "jaxopt", "mujoco", "mujoco-mjx", "trimesh", "orbax-checkpoint", "PyYAML"),
    *("jax-cuda12-plugin", "jax-cuda12-pjrt", "nvidia-cublas-cu12", "nvidia-cuda-nvcc-cu12", "nvidia-cudnn-cu12"),
    *("nvidia-cusolver-cu12", "nvidia-cusparse-cu12", "nvidia-cufft-cu12"),
)
PACKAGES = ("gpae", *COMPUTING, "rich", "tensorboardX")  # these show what is computed
# Of the package what decides what is computed: the jobs' settings and their defaults, and what computes.
COMPUTE = (
    *("config.py", "plain_yaml.py", "plan.py", "runtime.py"),
    *("advantages", "algorithms", "environments", "networks", "training"),
)
PINNED = ("src", "params", "pyproject.toml", "uv.lock")  # what a result depends on; a new result is no local change


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True, timeout=60)
    return done.stdout.strip()


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
    """A digest of the package's files that decide what a training or an evaluation computes, however lines end."""
    package = Path(__file__).parents[1]
    files = [file for name in COMPUTE for file in (package / name, *(package / name).rglob("*"))]
    found = hashlib.sha256()
    for file in sorted(file for file in files if file.suffix in (".py", ".yaml")):
        text = file.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{file.relative_to(package).as_posix()} {hashlib.sha256(text).hexdigest()}\n".encode())
    return found.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _processor() -> dict[str, str]:
    """What Linux says of the first processor; empty where it does not."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    pairs = [line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line]
    return {name.strip(): value.strip() for name, value in pairs}


def _instructions(processor: dict[str, str]) -> str:
    """What compilers and libraries choose their instructions by: family, model and the sets for arithmetic.

    Virtual machines give processors with and without AVX-512 the same name.
    """
    kind = [processor.get(name, "") for name in ("cpu family", "model", "CPU implementer", "CPU part")]
    flags = (processor.get("flags") or processor.get("Features") or "").split()
    arithmetic = re.compile(r"(s?sse|avx|fma|amx|bmi|asimd|sve)\w*|pni|f16c|abm|fp|fphp|neon|sme\d?")
    sets = sorted(flag for flag in flags if arithmetic.fullmatch(flag))
    return " ".join([".".join(filter(None, kind)), *sets]) if sets else "unknown"


@cache
def _source() -> tuple[str, bool | None, str]:
    """Commit, whether it was changed, and digest of code when they were first asked for: before anything is computed,
    since what is edited later is not what this process runs."""
    return *commit(Path(__file__)), code()


def machine() -> dict[str, Any]:
    """The code, the versions and the machine that this process computes with, as JSON can hold it."""
    revision, dirty, digest = _source()
    device, processor = jax.devices()[0], _processor()
    return {
        "git_commit": revision,
        "git_dirty": dirty,
        "code": digest,
        "versions": {package: _version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "system": platform.platform(),
        "platform": device.platform,
        "device": device.device_kind,
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "instructions": _instructions(processor),
        "blas": runtime.blas(),
        "settings": runtime.recorded(),
        "options": runtime.options(),
    }


def _peak_of_machine() -> int:
    """KiB; of getrusage only where /proc does not say: there a process begins with the peak of the one it came from."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
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
    instructions, blas: sets of instructions and LAPACK, where the processor computed; else empty
    library: the C library and its version, or the system that has it; sine, cosine and the like are its
    cores: threads a program computes with
    settings, options, versions: (name, value) of variables, of jax's options and of the packages in COMPUTING
    """

    platform: str
    device: str
    instructions: str
    library: str
    blas: str
    cores: str
    settings: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        jax_version = dict(self.versions)["jax"]
        return f"{self.device}, {self.platform}, {self.library}, cores {self.cores}, jax {jax_version}"

    def differs(self, other: "Shape") -> str:
        """The first thing in which another shape differs; empty where it is the same and known."""
        one, two = self._facts(), other._facts()
        pairs = ((name, one.get(name, "absent"), two.get(name, "absent")) for name in one | two)
        return next((f"{name} {a}, not {b}" for name, a, b in pairs if a != b or a == "unknown"), "")

    def _facts(self) -> dict[str, str]:
        return dict((*zip(self._fields[:6], self[:6], strict=True), *self.settings, *self.options, *self.versions))


def shape(about: Mapping[str, Any]) -> Shape:
    """The shape on which a step ran, from the provenance in its file (`collect`)."""

    def named(key: str) -> tuple[tuple[str, str], ...]:
        values = about.get(key) or {"options of jax" if key == "options" else key: "unknown"}
        return tuple((str(name), str(value)) for name, value in sorted(values.items()))

    platform = str(about.get("platform", "unknown"))
    on_processor = platform not in ("gpu", "cuda", "rocm", "tpu")
    versions = about.get("versions") or {}
    return Shape(
        platform=platform,
        device=str(about.get("processor" if platform == "cpu" else "device", "unknown")),
        instructions=str(about.get("instructions", "unknown")) if on_processor else "",
        library=str(about.get("system", "unknown")).rpartition("-with-")[2],  # Linux-6.1-x86_64-with-glibc2.36
        blas=str(about.get("blas", "unknown")) if on_processor else "",
        cores=str(about.get("cores", "unknown")),
        settings=named("settings"),
        options=named("options"),
        versions=tuple((package, str(versions.get(package, "unknown"))) for package in COMPUTING),
    )


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
