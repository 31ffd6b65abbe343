"""The bits of a result depend on nothing that a machine or a shell has and its file does not say."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from gpae import plan, runtime
from gpae.config import ConfigError, Params

HERE = Path(__file__).parent
# of every kind of learner, where matrices are large enough for OpenBLAS to split them
BEGINNINGS = ("qmix/5m_vs_6m", "vdn/smacv2_20_units", "maca/10m_vs_11m", "dop/3m", "asae_vs_coma/predators_2_prey_2")
POOLS = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_MAIN_FREE": "1"}
TWO_CORES = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores to tell")


def shell(**changes: str) -> dict[str, str]:
    """A user's environment: without the settings of this test's own process."""
    own = ("JAX_", "XLA_", "NPROC", "OPENBLAS_", "OMP_", "MKL_", "BLIS_", "GPAE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(own)} | changes


def beginnings(jobs: list[str]) -> list[list[str]]:
    """What processes print that see one core, and two with other settings of the pools."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    command = [sys.executable, str(HERE / "beginning.py"), *jobs]
    running = [
        subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, seen)), *command], env=shell(**more), stdout=subprocess.PIPE, text=True
        )
        for seen, more in ((cores[:1], {}), (cores, POOLS))
    ]
    return [process.communicate()[0].splitlines() for process in running]


@TWO_CORES
@pytest.mark.parametrize("jobs", [BEGINNINGS[:1], pytest.param(BEGINNINGS[1:], marks=pytest.mark.slow)])
def test_a_job_begins_with_the_same_bits_on_one_core_and_on_two(jobs):
    one, two = beginnings(list(jobs))
    assert one == two and len(one) == 1 + len(jobs)


@TWO_CORES
@pytest.mark.slow
def test_every_methods_first_update_has_the_same_bits_on_one_core_and_on_two():
    params = Params(HERE.parents[1] / "params")
    jobs = {}
    for profile in ("paper", "asae", "maca", "credit"):
        for job in plan.jobs(params, profile):
            jobs.setdefault(job.method_name, job.task_name)
    for method, task in sorted(jobs.items()):
        one, two = beginnings([f"{method}/{task}+"])
        assert one == two and len(one) == 2, method


@pytest.mark.parametrize("before", ["", "import numpy, scipy.linalg.cython_lapack"])
def test_whoever_imports_the_package_has_one_thread_for_lapack(before):
    program = f"{before}\nimport gpae\nfrom gpae import runtime\nprint(runtime.blas())"
    done = subprocess.run([sys.executable, "-c", program], env=shell(**POOLS), capture_output=True, text=True)
    assert done.stdout.startswith("OpenBLAS ") and done.stdout.endswith(", threads 1\n"), done


def variables() -> list[str]:
    """Of every option of jax the variable, but for those that are harmless or set."""
    kept = runtime.settings(1)
    names = {name.upper() for name in jax.config.values if not runtime.HARMLESS.fullmatch(name)} - set(kept)
    return sorted(names)


def test_a_variable_that_changes_bits_is_refused(monkeypatch):
    names = variables()
    assert len(names) > 40 and {"JAX_RANDOM_SEED_OFFSET", "JAX_DEFAULT_PRNG_IMPL", "JAX_ENABLE_X64"} <= set(names)
    for name, value in (runtime.settings(1)).items():
        monkeypatch.setenv(name, value)
    for name in (*names, "JAX_OF_A_LATER_VERSION", "XLA_OF_A_LATER_VERSION", "OPENBLAS_BLOCK_FACTOR"):
        with monkeypatch.context() as one:
            one.setenv(name, "7")
            with pytest.raises(ConfigError, match=f"^{name}: '7' in the environment is not allowed"):
                runtime.prepare(1)
    for name in ("JAX_LOG_COMPILES", "JAX_PLATFORMS", "JAX_TRACEBACK_FILTERING", "OPENBLAS_VERBOSE"):
        monkeypatch.setenv(name, "0")
    runtime._refuse(runtime.settings(1))


def test_a_variable_of_the_libraries_beneath_is_recorded(monkeypatch):
    before = runtime.recorded()
    for name in ("OPENBLAS_CORETYPE", "NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.setenv(name, "7")
        assert runtime.recorded()[name] == "7" and name not in before
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "7")  # Terraform's
    assert "TF_CLI_CONFIG_FILE" not in runtime.recorded()


def command(*arguments: str, **changes: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "gpae", *arguments],
        cwd=HERE.parents[1],
        env=shell(**changes),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_what_a_shell_or_a_site_module_sets_is_refused_in_one_line(tmp_path):
    job = ("train", "--profile", "smoke", "--method", "mappo", "--task", "3m", "--seeds", "0")
    code, error = command(*job, JAX_RANDOM_SEED_OFFSET="7")
    assert code == 2 and error == (
        "gpae: JAX_RANDOM_SEED_OFFSET: '7' in the environment is not allowed: results depend on it; unset it\n"
    )
    (tmp_path / "sitecustomize.py").write_text("import os\nos.environ['XLA_FLAGS'] = '--xla_dump_to=/nowhere'\n")
    code, error = command(*job, PYTHONPATH=str(tmp_path))
    assert code == 2 and error.count("\n") == 1, error
    assert error.startswith("gpae: XLA_FLAGS: '--xla_dump_to=/nowhere' is set whenever Python starts"), error


def test_a_damaged_program_of_the_compilation_cache_is_replaced(tmp_path):
    program = """
from pathlib import Path
from gpae import runtime
runtime.prepare(1)
import jax, jax.numpy as jnp
def slow(x):
    return jnp.sort(jnp.sin(x) @ x)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
def run():
    jax.clear_caches()
    return float(jax.jit(slow)(jnp.ones((4, 4))).sum())
whole = run()
(entry,) = Path(".cache/jax").glob("jit_slow-*-cache")
content, others = entry.read_bytes(), len(list(entry.parent.glob("*-cache")))
for damaged in (content[: len(content) // 2], b"", b"\\0" * 99, content[:500] + b"\\0" + content[501:]):
    entry.write_bytes(damaged)
    assert run() == run() == whole
    assert len(entry.read_bytes()) > 500 and len(list(entry.parent.glob("*-cache"))) == others
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=shell(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"{tmp_path}/.cache/jax: jit_slow is damaged; compiled anew"] * 4
