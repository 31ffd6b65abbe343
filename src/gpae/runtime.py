"""How the process computes: threads, XLA's flags, the compilation cache. Set before jax is imported.

The bits of a result depend on the number of threads, so a job states it and gets it on any machine: XLA sizes its
thread pool by NPROC, whatever the number of cores. Settings that only a new process takes are given to one by
replacing this process with itself.
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path

# glibc gives large blocks back to the system and faults them in again at every update; kept, and in large pages,
# training is faster.
ALLOCATOR = ":".join(
    f"glibc.malloc.{setting}"
    for setting in ("mmap_threshold=4294967296", "trim_threshold=4294967296", "arena_max=1", "hugetlb=1")
)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def settings(cores: int) -> dict[str, str]:
    """The environment variables of a job that computes with `cores` threads."""
    flags = ["--xla_gpu_deterministic_ops=true"]
    if tuple(int(part) for part in version("jaxlib").split(".")[:2]) < (0, 5):
        flags.append("--xla_cpu_use_thunk_runtime=false")  # a fifth faster there; later versions lack the choice
    return {
        "NPROC": str(cores),
        "XLA_FLAGS": " ".join(flags),
        "GLIBC_TUNABLES": ALLOCATOR,
        # the default differs between jax versions, and with it every random number
        "JAX_THREEFRY_PARTITIONABLE": "true",
        # a program is found again under this very path: jax 0.4.38 makes it a part of the program's key
        "JAX_COMPILATION_CACHE_DIR": str(Path(".cache/jax").resolve()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
    }


def prepare(cores: int) -> None:
    """Goes on under `settings(cores)`, as a new process image where they are not in force yet."""
    wanted = settings(cores)
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | wanted)
    import jax

    # a program computes in the thread that calls it, so that two threads compute two at a time; no variable sets this
    jax.config.update("jax_cpu_enable_async_dispatch", False)
