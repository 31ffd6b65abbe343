"""The bits of a result depend on the threads that XLA splits an operation over, which a job states, and on nothing
else that a machine has more or less of."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.config import Params
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
PROGRAM = """
import hashlib, sys
from gpae import runtime
runtime.prepare(int(sys.argv[1]))
import jax, jax.numpy as jnp, numpy as np
x = jax.random.normal(jax.random.PRNGKey(0), (2048, 2048))
y = jax.jit(lambda x: (x @ x.T) @ x + jnp.sum(jnp.tanh(x)))(x)
print(hashlib.sha256(np.asarray(y).tobytes()).hexdigest())
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores to tell")
@pytest.mark.parametrize("threads", ["1", "2"])
def test_one_core_or_two_give_the_same_bits(threads):
    cores = sorted(os.sched_getaffinity(0))[:2]
    seen = {
        subprocess.run(
            ["taskset", "-c", ",".join(map(str, cores[:count])), sys.executable, "-c", PROGRAM, threads],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for count in (1, 2)
    }
    assert len(seen) == 1 and seen != {""}


def trained(job: plan.Job, threads: int, updates: int = 3):
    trainer = Trainer(job, threads)
    state = trainer.init(jnp.asarray(job.seeds, jnp.int32))
    for _ in range(updates):
        state, metrics = trainer.update(state)
    return state, metrics


@pytest.mark.parametrize("method", ["gpae_off", pytest.param("dae", marks=pytest.mark.slow)])
def test_seeds_and_fits_at_the_same_time_are_the_same_to_the_last_bit(method):
    job = plan.job(PARAMS, "smoke", method, "3m", (0, 1, 2))
    for one, other in zip(*(jax.tree.leaves(trained(job, threads)) for threads in (1, 4)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rollout_collected_ahead_is_that_of_the_state_it_goes_on_from():
    job = plan.job(PARAMS, "smoke", "mappo", "3m", (0, 1, 2))
    trainer = Trainer(job, 2)
    seeds = jnp.asarray(job.seeds, jnp.int32)
    state, _ = trainer.update(trainer.init(seeds))
    assert trainer._ahead[0] is state and 1 <= len(trainer._ahead[1]) <= 2
    other, _ = trainer.update(trainer.init(seeds + 3))
    alone = Trainer(job, 1)
    expected, _ = alone.update(trainer.init(seeds + 3))
    assert not alone._ahead[1]  # one thread always has something better to do
    for one, two in zip(jax.tree.leaves(other), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.slow
def test_a_seed_is_the_same_alone_and_in_a_block():
    job = plan.job(PARAMS, "smoke", "gpae_on", "3m", (0, 1))
    block, alone = (trained(replace(job, seeds=seeds), 2)[0] for seeds in ((0, 1), (1,)))
    for mine, other in zip(*(jax.tree.leaves(state) for state in (block, alone)), strict=True):
        np.testing.assert_array_equal(mine[1], other[0])
    first, second = (jax.tree.leaves(jax.tree.map(lambda leaf, i=i: leaf[i], block.learner.actor)) for i in (0, 1))
    assert any(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
