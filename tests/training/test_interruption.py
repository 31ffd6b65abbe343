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


@pytest.mark.slow  # tests/faults has shorter trainings killed
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


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "there",
    [
        (),
        pytest.param(("checkpoints",), marks=SLOW),
        pytest.param(("metrics",), marks=SLOW),
        pytest.param(("checkpoints", "metrics"), marks=SLOW),
    ],
)
def test_an_end_interrupted_between_its_files_is_ended(workspace, there):
    """Both wait in the unfinished folder until both have their names; somebody may have removed either."""
    space = workspace()
    assert space.run("train")[0] == 0
    job = space.job
    job.unfinished.mkdir(parents=True)
    shutil.copytree(job.checkpoints, job.unfinished / "points")
    shutil.copy(job.metrics, job.unfinished_metrics)
    before = pd.read_parquet(job.metrics)
    if "checkpoints" not in there:
        shutil.rmtree(job.checkpoints)
    if "metrics" not in there:
        job.metrics.unlink()
    assert space.run("train")[0] == 0
    kept = {path.name for path in job.checkpoints.iterdir()}
    assert kept == {str(update) for update in job.evaluation_updates} and final_parameters(job)
    pd.testing.assert_frame_equal(pd.read_parquet(job.metrics), before, check_exact=True)
    assert not job.unfinished.exists() or len(there) == 2


@pytest.mark.slow
def test_lost_checkpoints_are_made_again(workspace):
    space = workspace()
    assert space.run("train")[0] == 0
    before = leaves(final_parameters(space.job))
    shutil.rmtree(space.job.checkpoints / str(space.job.evaluation_updates[1]))
    assert space.run("train")[0] == 0
    for made, whole in zip(leaves(final_parameters(space.job)), before, strict=True):
        np.testing.assert_array_equal(made, whole)


@pytest.mark.slow
def test_lost_metrics_are_made_again(workspace):
    space = workspace()
    assert space.run("train")[0] == 0
    before = pd.read_parquet(space.job.metrics)
    space.job.metrics.unlink()
    assert space.run("train")[0] == 0
    pd.testing.assert_frame_equal(pd.read_parquet(space.job.metrics), before, check_exact=True)


@pytest.mark.slow  # tests/faults has a second one wait for the first to end
def test_one_process_at_a_time(workspace):
    """The other waits, and goes on where the first was killed."""
    space = workspace(updates=1200, points=30)
    first = space.start("train")
    second = None
    try:
        while not space.states():
            time.sleep(0.02)
        second = space.start("train")
        assert "another process trains this job; waiting for its end" in second.stderr.readline()
        reached = int(space.states()[-1])
        first.kill()
        first.communicate()
        assert second.poll() is None
        assert second.communicate(timeout=300) is not None and second.returncode == 0
        assert reached and len(pd.read_parquet(space.job.metrics)) == 2 * 1200
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()
