"""The noise of the policy's gradient: by hand, of numbers whose variance is known, and against the learner's own."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from random_windows import rollout

from gpae import plan
from gpae.algorithms.base import learn
from gpae.algorithms.gradient_noise import gradients, part_count, share
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.algorithms.window import ENVIRONMENT_AXIS
from gpae.config import Params
from gpae.environments.base import Discrete, Spec
from gpae.training import evaluation
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
SPEC = Spec("game", ("a", "b", "c"), 5, 6, Discrete(4), 20, False)
STEPS, BATCH = 6, 8


def test_share_by_hand():
    """Two parts, (1, 0 | 2) and (3, 0 | 4): mean (2, 0 | 3), squared norm 13; apart by 4, over 2 x 1: 2 / 13."""
    found = share([jnp.array([[1.0, 0.0], [3.0, 0.0]]), jnp.array([[2.0], [4.0]])])
    assert float(found) == pytest.approx(2 / 13)
    assert float(share([jnp.ones((3, 2))])) == 0.0 and float(share([jnp.zeros((3, 2))])) == 0.0


def test_share_is_the_variance_of_the_mean_over_its_expected_square():
    """20 entries around 0.5 with deviation 2 in 8 parts: the mean's variance is 20 x 4 / 8 = 10, its square in the mean
    10 + 20 x 0.25 = 15."""
    parts = jax.random.normal(jax.random.PRNGKey(0), (4000, 8, 20)) * 2 + 0.5
    square = jnp.sum(parts.mean(1) ** 2, axis=-1)
    found = jax.vmap(lambda part: share([part]))(parts)
    assert float((found * square).mean()) == pytest.approx(10, rel=0.02) and float(square.mean()) == pytest.approx(
        15, rel=0.02
    )
    assert float(jnp.median(found)) == pytest.approx(10 / 15, rel=0.1)


def test_parts_divide_the_environments():
    assert [part_count(count) for count in (128, 32, 6, 9, 7, 11)] == [8, 8, 6, 3, 7, 1]


def made(method):
    job = plan.job(PARAMS, "smoke", method, "3m", (0,))
    learner = replace(job.learner, environments=BATCH, epochs=1, minibatches=1, max_gradient_norm=1e9)
    algorithm = PolicyGradient(type("Game", (), {"spec": SPEC}), job.method, learner, job.network, 1)
    state = jax.jit(algorithm.init)(jax.random.PRNGKey(0))
    return algorithm, state, rollout(algorithm, state.actor.params, STEPS, BATCH)


@pytest.mark.slow
def test_the_parts_sum_is_the_gradient_of_the_first_epoch():
    algorithm, state, seen = made("gpae_on")
    key = jax.random.PRNGKey(1)
    found = jax.jit(lambda: gradients(algorithm, key, algorithm.networks(state), seen))()
    whole = np.sqrt(sum(float((leaf.sum(0) ** 2).sum()) for leaf in found)) / (STEPS * 3 * BATCH)
    metrics = jax.jit(lambda: learn(algorithm, key, state, seen))()[2]
    assert whole == pytest.approx(float(metrics["actor_gradient_norm"]), rel=1e-4)
    assert 0.1 < float(share(found)) < 3  # random advantages are noise


def test_parts_that_have_the_same_windows_have_no_noise():
    """Of MAPPO, which draws nothing."""
    algorithm, state, seen = made("mappo")

    def alike(leaf, axis):
        first = jax.lax.slice_in_dim(leaf, 0, 1, axis=axis)
        return jnp.repeat(first, BATCH, axis=axis)

    window = jax.tree.map(alike, seen.window, ENVIRONMENT_AXIS)
    policies = jax.tree.map(lambda leaf: alike(leaf, 2), seen.policies)
    same = seen._replace(window=window, policies=policies)
    found = jax.jit(lambda: gradients(algorithm, jax.random.PRNGKey(1), algorithm.networks(state), same))()
    assert all(len(leaf) == BATCH for leaf in found)
    assert float(share(found)) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["gpae_off", "dae", "coma", "credit_asae", "credit_ippo", "credit_happo", "credit_maca"]
)
def test_it_is_measured_of_every_estimator_on_a_real_task(method):
    """Alike for all seeds and points, and the same when measured again."""
    job = plan.job(PARAMS, "smoke", method, "3m_stop", (0, 1))
    trainer = Trainer(job)
    state = trainer.init(jnp.arange(2, dtype=jnp.int32))
    networks = jax.tree.map(lambda leaf: leaf[None], trainer.algorithm.networks(state.learner))
    found = evaluation.noise(trainer, networks)
    assert found.shape == (1, 2) and (found > 0).all() and (found < 10).all() and found[0, 0] != found[0, 1]
    np.testing.assert_array_equal(found, evaluation.noise(trainer, networks))
