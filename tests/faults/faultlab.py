"""A folder in which the real pipeline runs at toy size, through its commands, and is looked at after every fault."""

import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml

from gpae import plan
from gpae.config import Params
from gpae.plan import Job
from gpae.results import schema
from gpae.training import checkpoint, loop
from gpae.training.update import Trainer

ROOT = Path(__file__).parents[2]
PROFILE = "toy"
TOY = {
    "description": "for the faults",
    "total_steps": 4096,
    "evaluation_interval": 1024,
    "evaluation_episodes": 4,
    "seeds": 2,
    "seed_block": 1,
    "cores": 1,
    "experiments": {"table2": {"tasks": ["3m"], "methods": ["mappo"]}},
    "overrides": {
        "smax": {
            "policy_gradient": {
                "learner": {"environments": 8, "rollout_steps": 16, "epochs": 2},
                "network": {"width": 16, "layers": 1},
            }
        }
    },
}
SUMMARIES = {"scores": schema.SCORES, "summary": schema.SUMMARY, "diagnostics": schema.DIAGNOSTICS}


@dataclass(frozen=True)
class Lab:
    """One folder; outputs of two jobs, a seed each."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, **changes: Any) -> "Lab":
        for name in ("params", "workflow", "profiles"):
            shutil.copytree(ROOT / name, folder / name, symlinks=True)
        shutil.copy(ROOT / "Snakefile", folder)
        (ROOT / ".cache").mkdir(exist_ok=True)
        (folder / ".cache").symlink_to(ROOT / ".cache")
        (folder / f"params/profiles/{PROFILE}.yaml").write_text(yaml.safe_dump(TOY | changes))
        (folder / "params/default.yaml").write_text(f"profile: {PROFILE}\n")
        return cls(folder)

    def copy(self, folder: Path) -> "Lab":
        shutil.copytree(self.folder, folder, symlinks=True)
        return Lab(folder)

    @property
    def params(self) -> Params:
        return Params(self.folder / "params")

    @property
    def jobs(self) -> list[Job]:
        return plan.jobs(self.params, PROFILE)

    @property
    def job(self) -> Job:
        return self.jobs[0]

    def at(self, place: Path | str) -> Path:
        return self.folder / place

    def command(self, step: str, job: Job | None = None) -> list[str]:
        """The command of a step; of the first job, where it is a job's."""
        if step == "snakemake":
            return ["snakemake", "--cores", "2", "--", "jobs"]
        options = (job or self.job).selector.split() if step in ("train", "evaluate") else ["--profile", PROFILE]
        return [sys.executable, "-m", "gpae", step, *options]

    def start(self, *command: str, prefix: tuple[str, ...] = (), **environment: str) -> subprocess.Popen:
        # a test process's own settings of jax are none of a user's
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_", "SNAKEMAKE"))}
        kept["PATH"] = f"{Path(sys.executable).parent}:{kept['PATH']}"
        return subprocess.Popen(
            [*prefix, *command],
            cwd=self.folder,
            env=kept | environment,
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *command: str, prefix: tuple[str, ...] = (), **environment: str) -> tuple[int, str]:
        """Exit code and standard error."""
        process = self.start(*command, prefix=prefix, **environment)
        try:
            error = process.communicate(timeout=300)[1]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, error

    def do(self, step: str, job: Job | None = None) -> None:
        code, error = self.run(*self.command(step, job))
        assert code == 0, error

    def finished(self) -> dict[str, tuple[int, int]]:
        """The results that are there, and which files they are; of a training both that it makes, or neither."""
        places = [Path(f"artifacts/{PROFILE}/{name}.parquet") for name in SUMMARIES]
        for job in self.jobs:
            places += [job.evaluation]
            if self.at(job.checkpoints).exists() and self.at(job.metrics).exists():
                places += [job.checkpoints, job.metrics]
        places = [place for place in places if self.at(place).exists()]
        # snakemake puts a time stamp into a folder that it knows to be whole
        found = {place.as_posix(): self.at(place).stat() for place in places}
        return {name: (is_.st_ino, is_.st_mtime_ns if self.at(name).is_file() else 0) for name, is_ in found.items()}

    def bits(self) -> dict[str, Any]:
        """Every number of what is there, each file read as the pipeline reads it: a damaged one raises."""
        found = {}
        for job in self.jobs:
            if self.at(job.checkpoints).exists():
                names = {path.name for path in self.at(job.checkpoints).iterdir()} - {".snakemake_timestamp"}
                assert names == {str(update) for update in job.evaluation_updates}
                like = _like(job)
                for update in job.evaluation_updates:
                    tree = checkpoint.restore(self.at(job.checkpoints) / str(update), job, like)
                    found[f"{job.block} {update}"] = [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]
            for place, kind in ((job.metrics, schema.METRICS), (job.evaluation, schema.EVALUATION)):
                if self.at(place).exists():
                    found[place.as_posix()] = schema.read(self.at(place), kind)[0].to_csv()
        for name, kind in SUMMARIES.items():
            path = self.at(f"artifacts/{PROFILE}/{name}.parquet")
            if path.exists():
                found[path.name] = schema.read(path, kind)[0].to_csv()
        return found

    def seen(self, pattern: str) -> set[str]:
        """What lies in the profile's folder now; glob passes over a folder that a running command takes away."""
        return set(glob.glob(pattern, root_dir=self.at(f"artifacts/{PROFILE}"), include_hidden=True))

    def leftovers(self) -> list[Path]:
        """Hidden files and folders of commands that were killed."""
        return list(self.at("artifacts").rglob(".*.part"))


_LIKE: dict[Job, Any] = {}


def _like(job: Job) -> Any:
    key = job.training_hash
    if key not in _LIKE:
        _LIKE[key] = loop.parameters(Trainer(job))
    return _LIKE[key]


MOMENTS = {
    "train": [
        "unfinished/*/*/*/*/writing-*",
        "unfinished/*/*/*/points/*",
        "unfinished/*/*/*/state/32",
        "unfinished/*/*/*/*.parquet",
        "unfinished/*/*/.*",
        "checkpoints/*/*/.*",
        "checkpoints/*/*/*",
        "metrics/*/*/*",
    ],
    "evaluate": ["evaluations/*/*/.*"],
    "aggregate": [".scores*", "scores*", "summary*", ".diag*"],
}
MOMENTS["snakemake"] = MOMENTS["train"] + MOMENTS["evaluate"]
"""What appears on the way of a step: moments in which a kill would hurt most, were it to hurt."""


def kill(lab: Lab, step: str, rng: random.Random, seconds: float) -> str:
    """Starts a step and kills it: at a moment, or at any time within `seconds`. How; empty where it ended before."""
    process, began = lab.start(*lab.command(step)), time.monotonic()
    moment = rng.choice(MOMENTS[step]) if rng.random() < 0.7 else ""
    before, until = lab.seen(moment), began + rng.uniform(0, seconds)
    while process.poll() is None and (not lab.seen(moment) - before if moment else time.monotonic() < until):
        time.sleep(0.0005)
    time.sleep(rng.uniform(0, 0.004))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    error = process.stderr.read()
    process.wait(timeout=300)
    process.stderr.close()
    if process.returncode == -signal.SIGKILL:
        return f"at {moment}" if moment else "at any time"
    assert process.returncode == 0, error
    return ""
