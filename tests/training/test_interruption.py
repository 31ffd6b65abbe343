"""A training that is stopped at any moment and started again ends with the bits of one that never was."""

import random
import shutil
import signal
import time

import numpy as np
import pandas as pd
import pytest

from gpae.training import checkpoint, loop
from gpae.training.update import Trainer


def final_parameters(job):
    trainer = Trainer(job)
    return checkpoint.restore(job.checkpoints / str(job.updates), job, loop.parameters(trainer))


def leaves(tree):
    import jax

    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def test_five_kills_leave_no_trace(workspace, tmp_path):
    space = workspace(updates=1200, points=30)
    assert space.run("train")[0] == 0
    job = space.job
    unbroken, metrics = leaves(final_parameters(job)), pd.read_parquet(job.metrics)
    shutil.rmtree(job.checkpoints)
    job.metrics.unlink()

    rng, killed, seen = random.Random(time.time_ns()), 0, []
    while killed < 5:
        code = space.interrupt(signal.SIGKILL, after=rng.uniform(0, 0.6))
        if code == 0:
            pytest.fail(f"the training ended before {killed + 1} kills; give it more updates")
        assert code == -signal.SIGKILL
        killed += 1
        seen.append(space.states())
        assert not job.checkpoints.exists() and not job.metrics.exists()
    assert len({tuple(states) for states in seen}) > 1  # it went on in between
    assert space.run("train")[0] == 0
    for broken, whole in zip(leaves(final_parameters(job)), unbroken, strict=True):
        np.testing.assert_array_equal(broken, whole)
    pd.testing.assert_frame_equal(pd.read_parquet(job.metrics), metrics, check_exact=True)
    assert not list(job.unfinished.parent.glob("*/"))


def test_told_to_stop_it_saves_and_asks_to_be_started_again(workspace):
    space = workspace(updates=1200, points=30)
    first = 0
    while first % 40 == 0:  # it may stop at an evaluation point by chance, but not for ever
        assert space.interrupt(signal.SIGTERM, after=0.2) == 75
        first = int(space.states()[-1])
    code, error = space.run("train", "--minutes", "0")
    assert code == 75 and "the same command goes on" in error
    assert int(space.states()[-1]) >= first and not space.job.metrics.exists()


def test_an_end_interrupted_between_its_renames_is_ended(workspace):
    """The metrics wait in the unfinished folder until the checkpoints have their name."""
    space = workspace()
    assert space.run("train")[0] == 0
    job = space.job
    job.unfinished.mkdir(parents=True)
    job.metrics.rename(job.unfinished / loop.METRICS)
    assert space.run("train")[0] == 0
    assert job.metrics.exists() and job.checkpoints.exists() and not job.unfinished.exists()


def test_lost_metrics_are_made_again(workspace):
    space = workspace()
    assert space.run("train")[0] == 0
    before = pd.read_parquet(space.job.metrics)
    space.job.metrics.unlink()
    assert space.run("train")[0] == 0
    pd.testing.assert_frame_equal(pd.read_parquet(space.job.metrics), before, check_exact=True)


def test_one_process_at_a_time(workspace):
    space = workspace(updates=1200, points=30)
    process = space.start("train")
    try:
        while not space.states():
            time.sleep(0.02)
        code, error = space.run("train")
        assert code == 2 and "another process trains this job" in error
    finally:
        process.kill()
        process.communicate()
