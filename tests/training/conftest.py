"""A workspace of its own for a test: the committed params/, a small profile, the shared compilation cache."""

import glob
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from gpae import plan
from gpae.config import Params

ROOT = Path(__file__).parents[2]


class Workspace:
    """One job in a folder of its own, driven through the command line."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, updates: int, points: int, method: str):
        shutil.copytree(ROOT / "params", folder / "params")
        (folder / ".cache").symlink_to(ROOT / ".cache")
        whole = 101  # steps of an episode at most, which the windows of a buffer need
        steps = whole if method in ("qmix", "dop") else 64
        profile = {
            "description": "for one test",
            "total_steps": updates * steps,
            "evaluation_interval": updates // points * steps,
            "evaluation_episodes": 4,
            "seeds": 2,
            "seed_block": 2,
            "cores": 1,
            "experiments": {"table2": {"tasks": ["3m"], "methods": [method]}},
            "overrides": {
                "smax": {
                    "policy_gradient": {
                        "learner": {"environments": 16, "rollout_steps": 16, "epochs": 2},
                        "network": {"width": 16, "layers": 1},
                    },
                    "value_decomposition": {
                        "learner": {
                            "environments": 1,
                            "rollout_steps": whole,
                            "buffer_windows": 400,
                            "batch_size": 4,
                            "epochs": 1,
                            "learning_starts": 128,
                            "mixer_embedding": 8,
                            "hypernet_width": 16,
                        },
                        "network": {"width": 16},
                    },
                    "dop": {
                        "learner": {
                            "environments": 1,
                            "rollout_steps": whole,
                            "buffer_windows": 400,
                            "batch_size": 4,
                            "on_policy_windows": 4,
                            "on_policy_batch_size": 2,
                            "critic_slice": whole,
                            "target_update_interval": 100,
                            "mixer_embedding": 8,
                        },
                        "network": {"width": 16},
                    },
                }
            },
        }
        (folder / "params/profiles/small.yaml").write_text(yaml.safe_dump(profile))
        monkeypatch.chdir(folder)
        self.folder = folder

    @property
    def job(self) -> plan.Job:
        return plan.jobs(Params(Path("params")), "small")[0]

    def start(self, command: str, *options: str) -> subprocess.Popen:
        arguments = [sys.executable, "-m", "gpae", command, *self.job.selector.split(), *options]
        return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, command: str, *options: str) -> tuple[int, str]:
        """Exit code and standard error."""
        process = self.start(command, *options)
        error = process.communicate(timeout=300)[1]
        return process.returncode, error

    def interrupt(self, number: signal.Signals, after: float) -> int:
        """Trains, sends a signal `after` seconds from the first saved state on, and returns the exit code."""
        before = self.states()
        process = self.start("train")
        while process.poll() is None and self.states() == before:
            time.sleep(0.02)
        time.sleep(after)
        if process.poll() is None:
            os.kill(process.pid, number)
        process.communicate(timeout=300)
        return process.returncode

    def states(self) -> list[str]:
        return sorted(filter(str.isdigit, glob.glob("*", root_dir=self.job.unfinished / "state")))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (ROOT / ".cache").mkdir(exist_ok=True)
    return lambda updates=24, points=3, method="gpae_off": Workspace(tmp_path, monkeypatch, updates, points, method)
