"""How the process computes: threads, XLA's flags, the compilation cache. Set before jax is imported.

The bits of a result depend on the number of threads, so a job states it and gets it on any machine: XLA sizes its
thread pool by NPROC, whatever the number of cores. LAPACK, which initialises networks and adapts CMA-ES on a CPU, is
scipy's OpenBLAS with a pool of its own, kept at one thread. Settings that only a new process takes are given to one by
replacing this process with itself. Variables that would change bits beside these are refused.
"""

import ctypes
import glob
import os
import re
import sys
import warnings
import zlib
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from itertools import product
from pathlib import Path

# glibc gives large blocks back to the system and faults them in again at every update; kept, and in large pages,
# training is faster.
ALLOCATOR = ":".join(
    f"glibc.malloc.{setting}"
    for setting in ("mmap_threshold=4294967296", "trim_threshold=4294967296", "arena_max=1", "hugetlb=1")
)
# The pools of the BLAS libraries: as many threads as there are cores unless set, and with them other bits.
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "BLIS")}
# Options of jax that leave every number alone, as jax names them: what is shown, what is cached, which device is taken
# (its name is recorded). Any other is refused as a variable and recorded as a value, those of later versions too.
HARMLESS = re.compile(
    r"jax_("
    r"(array_garbage_collection_guard|backend_target|platforms|platform_name|xla_backend|\w+_visible_devices)"
    r"|(debug_log_modules|logging_level|log_\w+|explain_\w+|compiler_detailed_logging_\w+|distributed_debug)"
    r"|(dump_ir_\w+|include_\w+|pprint_\w+|trace\w*back_\w+|tracer_error_\w+|hlo_source_file_\w+)"
    r"|((compilation_cache|persistent_cache|share_binary)_\w+|enable_compilation_cache|raise_persistent_cache_errors)"
    r"|(check_tracer_leaks|transfer_guard\w*|cpu_enable_async_dispatch)"
    r")"
)
# Variables of the libraries beneath jax, by how they begin: refused, or else recorded where they are set.
_REFUSED = re.compile(r"(JAX2?\w*_|XLA_|OPENBLAS_|GOTO_|EAGER_CONSTANT_FOLDING|MOCK_NUM_GPU)")
_ALLOWED = re.compile(r"(XLA_PYTHON_CLIENT_\w+|OPENBLAS_(CORETYPE|VERBOSE|MAIN_FREE|THREAD_TIMEOUT)|GOTO_NUM_THREADS)")
_RECORDED = re.compile(
    r"OPENBLAS_CORETYPE|NVIDIA_TF32_OVERRIDE|(CUBLAS|CUDNN)_\w+|TF_(XLA|CUDNN|GPU|ENABLE|DISABLE|DETERMINISTIC)_\w+"
)
_RESTARTED = "GPAE_RESTARTED"  # the process, and its number of threads, that has been replaced with itself


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def settings(cores: int) -> dict[str, str]:
    """The environment variables of a job that computes with `cores` threads."""
    flags = ["--xla_gpu_deterministic_ops=true"]
    if tuple(int(part) for part in version("jaxlib").split(".")[:2]) < (0, 5):
        flags.append("--xla_cpu_use_thunk_runtime=false")  # a fifth faster there; later versions lack the choice
    return ONE_THREAD | {
        "NPROC": str(cores),
        "XLA_FLAGS": " ".join(flags),
        "GLIBC_TUNABLES": ALLOCATOR,
        # the default differs between jax versions, and with it every random number
        "JAX_THREEFRY_PARTITIONABLE": "true",
        # a program is found again under this very path: jax 0.4.38 makes it a part of the program's key
        "JAX_COMPILATION_CACHE_DIR": str(Path(".cache/jax").resolve()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1",
    }


def recorded() -> dict[str, str]:
    """The variables of this process that bits depend on: those of `settings`, and what is set beside them."""
    own = ("NPROC", "XLA_FLAGS", "JAX_THREEFRY_PARTITIONABLE")
    found = sorted(name for name in os.environ if _RECORDED.fullmatch(name))
    return {name: os.environ.get(name, "") for name in (*own, *found)}


def options() -> dict[str, str]:
    """jax's options in force that bits depend on, without those that are off, whoever has set them."""
    import jax

    values = jax.config.values
    return {name: str(values[name]) for name in sorted(values) if values[name] and not HARMLESS.fullmatch(name)}


def prepare(cores: int) -> None:
    """Goes on under `settings(cores)`, as a new process image where they are not in force yet.

    Raises ConfigError for variables beside them that change bits, and where something sets one of them anew whenever
    Python starts.
    """
    wanted = settings(cores)
    _refuse(wanted)
    other = {name: value for name, value in wanted.items() if os.environ.get(name) != value}
    mark = f"{os.getpid()}:{cores}"
    if other:
        if os.environ.get(_RESTARTED) == mark:
            name, value = next(iter(other.items()))
            raise _error(
                f"{name}: {os.environ.get(name)!r} is set whenever Python starts (by a sitecustomize or .pth file?); "
                f"allowed: {value!r}"
            )
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | wanted | {_RESTARTED: mark})
    use()
    _replace_damaged_programs(Path(wanted["JAX_COMPILATION_CACHE_DIR"]))


def use() -> None:
    """What no variable sets in every version, for this process: threads of libraries already loaded, jax's options."""
    pin_blas()
    import jax

    # a program computes in the thread that calls it, so that two threads compute two at a time
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    jax.config.update("jax_threefry_partitionable", True)


def _replace_damaged_programs(cache: Path) -> None:
    """Takes what jax cannot read out of the compilation cache: it warns and compiles, but replaces no entry."""
    show = warnings.showwarning
    warnings.filterwarnings("always", message="Error reading persistent compilation cache")

    def shown(message, *where, **more) -> None:
        damaged = re.match(r"Error reading persistent compilation cache entry for '([\w.<>-]+)'", str(message))
        if not damaged:
            return show(message, *where, **more)
        entries = list(cache.glob(f"{glob.escape(damaged[1])}-*-cache"))
        for entry in [entry for entry in entries if not _unpacks(entry)] or entries:
            entry.unlink(missing_ok=True)
        print(f"{cache}: {damaged[1]} is damaged; compiled anew", file=sys.stderr, flush=True)

    warnings.showwarning = shown


def _unpacks(entry: Path) -> bool:
    """Whether an entry of jax's cache is one whole stream of zlib."""
    try:
        return bool(zlib.decompress(entry.read_bytes()))
    except (OSError, zlib.error):
        return False


def _refuse(wanted: dict[str, str]) -> None:
    for name, value in sorted(os.environ.items()):
        harmless = name in wanted or _ALLOWED.fullmatch(name) or HARMLESS.fullmatch(name.lower())
        if _REFUSED.match(name) and not harmless:
            raise _error(f"{name}: {value!r} in the environment is not allowed: results depend on it; unset it")


def _error(message: str) -> Exception:
    from gpae.config import ConfigError  # imports much

    return ConfigError(message)


def pin_blas() -> None:
    """One thread for OpenBLAS: libraries that are loaded, and by its variable those that will be."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for library in _openblas():
        library("set_num_threads")(1)


def blas() -> str:
    """The OpenBLAS under jax's LAPACK: version, the kernels that it chose for this processor, threads."""
    import scipy.linalg.cython_lapack  # noqa: F401  what jaxlib calls

    for library in _openblas():
        if "USE64BITINT" not in (tell := library("get_config", ctypes.c_char_p)().decode()):  # that is numpy's own
            words = [word for word in tell.split() if "=" not in word]
            return f"{' '.join(words)}, threads {library('get_num_threads')()}"
    return "unknown"


def _openblas() -> list[Callable]:
    """Of each OpenBLAS that this process has loaded, what gives its functions by name and type of result."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for path in sorted({line.split(maxsplit=5)[5] for line in lines if "openblas" in line}):
        library = ctypes.CDLL(path)
        for before, after in product(("", "scipy_"), ("", "64_")):
            if hasattr(library, f"{before}openblas_get_config{after}"):
                found.append(partial(_function, library, f"{before}openblas_{{}}{after}"))
    return found


def _function(library: ctypes.CDLL, pattern: str, name: str, result: type = ctypes.c_int) -> Callable:
    function = library[pattern.format(name)]
    function.restype = result
    return function
