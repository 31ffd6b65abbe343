"""DOP on SMAX-3m through the command line: its state, buffer and all, survives an interruption; it plays both ways."""

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
def test_an_interrupted_training_ends_with_the_same_bits_and_is_evaluated(workspace):
    space = workspace(updates=400, points=2, method="dop")
    assert space.run("train")[0] == 0
    job = space.job
    like = loop.parameters(Trainer(job))

    def networks():
        return checkpoint.restore(job.checkpoints / str(job.updates), job, like)

    whole, metrics = networks(), schema.read(job.metrics, schema.METRICS)[0]
    assert set(whole) == {"actor", "critic"}
    shutil.rmtree(job.checkpoints)
    job.metrics.unlink()

    code = space.interrupt(signal.SIGTERM, after=0.3)
    assert code == 75 and 0 < int(space.states()[-1]) < job.updates
    assert space.run("train")[0] == 0
    for broken, unbroken in zip(jax.tree.leaves(networks()), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(broken, unbroken)
    pd.testing.assert_frame_equal(schema.read(job.metrics, schema.METRICS)[0], metrics, check_exact=True)

    assert space.run("evaluate")[0] == 0
    rows, about = schema.read(job.evaluation, schema.EVALUATION)
    assert set(rows.policy) == {"sampled", "greedy"} and rows.evaluation.nunique() == 3
    assert (rows.groupby(["seed", "evaluation", "policy"]).size() == job.evaluation_episodes).all()
    assert "gradient_noise" not in about and about["training"]["peak_memory_bytes"] > 10**8
