"""QMIX on SMAX-3m through the command line: its state, buffer and all, survives an interruption; it plays greedily."""

import shutil
import signal

import jax
import numpy as np
import pandas as pd
import pytest

from gpae.results import schema
from gpae.training import checkpoint, loop
from gpae.training.update import Trainer


@pytest.mark.slow
def test_an_interrupted_training_ends_with_the_same_bits_and_is_evaluated_greedily(workspace):
    space = workspace(updates=600, points=3, method="qmix")
    assert space.run("train")[0] == 0
    job = space.job
    like = loop.parameters(Trainer(job))

    def networks(update):
        return checkpoint.restore(job.checkpoints / str(update), job, like)

    whole, metrics = networks(job.updates), schema.read(job.metrics, schema.METRICS)[0]
    assert set(whole) == {"actor", "critic"} and jax.tree.leaves(whole["critic"])
    shutil.rmtree(job.checkpoints)
    job.metrics.unlink()

    code = space.interrupt(signal.SIGTERM, after=0.3)
    stopped = int(space.states()[-1])
    assert code == 75 and 2 < stopped < job.updates  # something has been learned and is in the buffer
    assert space.run("train")[0] == 0
    for broken, unbroken in zip(jax.tree.leaves(networks(job.updates)), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(broken, unbroken)
    pd.testing.assert_frame_equal(schema.read(job.metrics, schema.METRICS)[0], metrics, check_exact=True)
    assert metrics.groupby("update").learning.first().tolist()[:3] == [0, 1, 1]
    first, last = (jax.tree.leaves(networks(update)) for update in (0, job.updates))
    assert all(np.any(a != b) for a, b in zip(first, last, strict=True) if a.size > 8)

    assert space.run("evaluate")[0] == 0
    rows, _ = schema.read(job.evaluation, schema.EVALUATION)
    assert set(rows.policy) == {"greedy"}
    assert (rows.groupby(["seed", "evaluation"]).size() == job.evaluation_episodes).all()
    assert rows.evaluation.nunique() == 4 and (rows.length <= 101).all()
