"""A real job with its first checkpoint, in a folder of its own."""

import shutil
from pathlib import Path

import jax.numpy as jnp
import pytest

from gpae import plan
from gpae.config import Params
from gpae.rendering.render import Source, record
from gpae.training import checkpoint
from gpae.training.update import Trainer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rendering")
    shutil.copytree(ROOT / "params", folder / "params")
    (ROOT / ".cache").mkdir(exist_ok=True)
    (folder / ".cache").symlink_to(ROOT / ".cache")
    return folder


@pytest.fixture(scope="session")
def fresh():
    """(job, folder) -> its first checkpoint there, before it has learnt anything."""

    def save(job: plan.Job, folder: Path) -> Source:
        trainer = Trainer(job)
        networks = trainer.algorithm.networks(trainer.init(jnp.asarray(job.seeds)).learner)
        checkpoint.save(folder / job.checkpoints / "0", job, networks)
        return Source(job, 0, folder / job.checkpoints)

    return save


@pytest.fixture(scope="session")
def source(folder, fresh):
    """The smoke profile's GPAE (off) on 3m."""
    return fresh(plan.job(Params(ROOT / "params"), "smoke", "gpae_off", "3m", (0,)), folder)


@pytest.fixture(scope="session")
def recording(source):
    return record(source)
