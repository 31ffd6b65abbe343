"""The plan of the chosen profile, and how a rule finds the job whose files it makes."""

import os
import subprocess
from pathlib import Path

from snakemake.exceptions import WorkflowError

from gpae import locks, plan
from gpae.config import ConfigError, Params, check_workflow_profiles
from gpae.rendering.choice import attending, candidates

PARAMS = Params(Path("params"))
CONFIG = {"profile", "method", "jobs"}


def planned():
    """(profile, its jobs); a mistake in params/ or --config ends snakemake here, before any work."""
    try:
        if unknown := sorted(set(config) - CONFIG):
            raise ConfigError(f"--config: unknown key {unknown[0]!r}; allowed: {', '.join(sorted(CONFIG))}")
        if config.get("jobs", "all") not in ("all", "finished"):
            raise ConfigError(f"--config: jobs: {config['jobs']!r} is not allowed: all, finished")
        check_workflow_profiles(Path("workflow/profiles"))
        profile = str(config.get("profile") or PARAMS.default_profile())
        jobs = plan.jobs(PARAMS, profile)
        methods = sorted({job.method_name for job in jobs})
        if config.get("method", methods[0]) not in methods:
            raise ConfigError(f"--config: method: {config['method']!r} is not allowed: {', '.join(methods)}")
        return profile, jobs
    except ConfigError as error:
        raise WorkflowError(f"gpae: {error}") from None


def has_gpu():
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


PROFILE, JOBS = planned()
TRAINING = config.get("jobs", "all") == "all"
TRAINED = {job.checkpoints.as_posix(): job for job in JOBS}
EVALUATED = {job.evaluation.as_posix(): job for job in JOBS}
EVALUATIONS = [path for path in EVALUATED if TRAINING or Path(path).exists()]
METRICS = [path for path in (job.metrics.as_posix() for job in JOBS) if TRAINING or Path(path).exists()]
SHOWN = [*candidates(PARAMS, PROFILE).values(), attending(PARAMS, PROFILE)]
FILMED = [jobs[0].checkpoints.as_posix() for jobs in SHOWN if jobs]
PARAMETERS = sorted(path.as_posix() for path in Path("params").rglob("*") if path.suffix in (".yaml", ".csv"))
BENCHMARKS = sorted(path.as_posix() for path in Path("artifacts/benchmarks").glob("*/*.csv"))
GPUS = int(has_gpu())
if GPUS:
    os.environ.update(APPTAINER_NV="1")  # what --nv does, where a rule runs in the container


# What one run of snakemake makes, and another at the same time must not.
RUN = f"gpae-{PROFILE}-{'all' if TRAINING else 'finished'}"
LOCKS = []


def finished():
    return {path for path in (*TRAINED, *EVALUATED) if Path(path).exists()}


FINISHED = finished()


def alone():
    """Takes the lock of this run, which the system takes back however this process ends.

    A run that began while another made results would remove these and make them again: it did not know of them when
    it looked for what is missing.
    """
    place = Path("artifacts", PROFILE, f".{RUN}.lock")  # beside what it guards: two clones may share artifacts/
    place.parent.mkdir(parents=True, exist_ok=True)
    LOCKS.append(open(place, "w", encoding="utf-8"))
    try:
        free = locks.take(LOCKS[-1])
    except Fault as error:
        raise WorkflowError(f"gpae: {error}") from None
    if not free:
        raise WorkflowError(f"{RUN}: another snakemake is at it in this folder; wait for its end, or stop it")
    if finished() != FINISHED:
        raise WorkflowError(f"{RUN}: another snakemake has just finished some of it; give the same command again")


onstart:
    alone()


wildcard_constraints:
    profile=PROFILE,
    block="seeds-[0-9-]+-[0-9a-f]{8}",


def job_of(files, group, suffix=""):
    """A function of the wildcards that gives the planned job to whose `group` of files they belong."""

    def find(wildcards):
        cell = f"{wildcards.method}/{wildcards.task}/{wildcards.block}"
        path = f"artifacts/{wildcards.profile}/{group}/{cell}{suffix}"
        if path not in files:
            raise WorkflowError(f"{path}: no job of today's params/ makes it")
        return files[path]

    return find


trained = job_of(TRAINED, "checkpoints")
evaluated = job_of(EVALUATED, "evaluations", ".parquet")
