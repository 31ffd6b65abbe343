"""What the MACA paper's learners do besides: the scale of values, masks, pieces, the critic's own rate and width."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_windows

from gpae import plan
from gpae.algorithms.window import has_choice
from gpae.config import Params
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
OFF = {"value_normalisation": False, "active_masks": False, "chunk_steps": 0, "critic_warmup": 0}


def algorithm_with(**learner):
    job = plan.job(PARAMS, "smoke", "maca_mappo", "3m", (0,))
    return Trainer(replace(job, learner=replace(job.learner, **(OFF | learner)))).algorithm


@cache
def held(reward_scale=1.0, **learner):
    """The algorithm, its state before and after, what an update holds, and the window that it is of."""
    algorithm = algorithm_with(**learner)
    state = jax.jit(algorithm.init)(jax.random.PRNGKey(0))
    rollout = random_windows.rollout(algorithm, state.actor.params, 20, 4)
    rollout = rollout._replace(window=rollout.window._replace(reward=rollout.window.reward * reward_scale))
    after, found, _, _ = jax.jit(algorithm.hold)(jax.random.PRNGKey(1), state, rollout)
    return algorithm, state, after, found, rollout.window


def entropy(algorithm, state, window) -> np.ndarray:
    """Of the actor's policies, [T, N, B]."""
    unrolled = jax.jit(lambda params: algorithm._unrolled(params, window, slice(None, -1))[0].entropy())
    return np.asarray(unrolled(state.actor.params))


def test_the_dead_count_neither_in_the_loss_nor_in_the_normalisation():
    algorithm, state, _, found, window = held(active_masks=True)
    active = np.asarray(has_choice(window))
    assert 0 < active.mean() < 1
    np.testing.assert_array_equal(found.frozen.active, active)
    advantage = np.asarray(found.frozen.advantage, np.float64)
    assert advantage[active].mean() == pytest.approx(0, abs=1e-3)
    assert advantage[active].std() == pytest.approx(1, abs=1e-3)
    samples = jnp.float32(active.sum())
    actor_loss = jax.jit(algorithm._actor_loss)
    loss, metrics = actor_loss(state.actor.params, found.window, found.frozen, samples)
    wild = found.frozen._replace(advantage=jnp.where(active, found.frozen.advantage, 1e3))
    again, _ = actor_loss(state.actor.params, found.window, wild, samples)
    assert loss == again
    assert metrics["entropy"] == pytest.approx(entropy(algorithm, state, window)[active].mean(), rel=1e-4)


def test_the_masked_loss_is_a_mean_over_all_tiles():
    """What an update reports of its first epoch, where nothing has moved yet, is the mean over those that count."""
    algorithm, state, _, found, window = held(active_masks=True, learning_rate=1e-30)
    _, seen = jax.jit(algorithm._fit_actor)(state, found)
    active = np.asarray(has_choice(window))
    assert seen["entropy"] == pytest.approx(entropy(algorithm, state, window)[active].mean(), rel=1e-4)


def test_the_critic_learns_targets_of_mean_0_and_deviation_1_and_says_them_in_rewards():
    algorithm, state, after, found, window = held(reward_scale=50.0, value_normalisation=True)
    targets = np.asarray(found.frozen.target)
    assert targets.mean() == pytest.approx(0, abs=1e-3) and targets.std() == pytest.approx(1, abs=1e-3)
    mean, deviation = after.scale["value"].moments()
    assert deviation > 10  # of targets in rewards
    # with what it says now, the critic is on the new scale: estimators get it in units of the reward
    weight = jnp.ones((len(window.reward), 1, window.reward.shape[1]))
    keys = jax.random.split(jax.random.PRNGKey(0))
    judged = jax.jit(lambda networks: algorithm._estimate(*keys, networks, window, None, weight)[1::2])
    frozen, metrics = judged(algorithm.networks(after))
    expected = float(mean + deviation * frozen.value.mean())
    assert metrics["value_mean"] == pytest.approx(expected, rel=1e-4)
    assert np.abs(frozen.value).max() < 10 < np.abs(frozen.target).max()


def test_larger_rewards_do_not_make_larger_losses():
    losses = []
    for scale in (1.0, 100.0):
        algorithm, state, _, found, _ = held(reward_scale=scale, value_normalisation=True)
        losses.append(float(jax.jit(algorithm._fit_critic)(state, found)[1]["value_loss"]))
    plain = [held(reward_scale=scale) for scale in (1.0, 100.0)]
    without = [float(jax.jit(each[0]._fit_critic)(each[1], each[3])[1]["value_loss"]) for each in plain]
    assert losses[1] < 2 * losses[0] and without[1] > 30 * without[0]


def test_pieces_have_the_losses_of_the_whole():
    """Before anything moves the networks say the same of the pieces, from their own hidden states."""
    whole, pieces = (held(chunk_steps=steps, learning_rate=1e-30) for steps in (0, 10))
    steps, environments = whole[3].window.reward.shape
    length = max(n for n in range(1, 11) if steps % n == 0)
    assert pieces[3].window.reward.shape == (length, environments * steps // length)
    for fit in ("_fit_actor", "_fit_critic"):
        seen = [jax.jit(getattr(algorithm, fit))(state, found)[1] for algorithm, state, _, found, _ in (whole, pieces)]
        for name in ("policy_loss", "entropy") if fit == "_fit_actor" else ("value_loss",):
            assert seen[0][name] == pytest.approx(float(seen[1][name]), rel=2e-4, abs=1e-6), name


def test_the_critics_own_rate_and_width():
    algorithm = algorithm_with(critic_learning_rate=5e-3)
    gradients = {"x": jnp.ones(3)}
    steps = [
        float(optimiser.update(gradients, optimiser.init(gradients))[0]["x"][0])
        for optimiser in (algorithm.optimisers["actor"], algorithm.optimisers["critic"])
    ]
    assert steps[1] == pytest.approx(steps[0] * 5e-3 / algorithm.learner.learning_rate, rel=1e-3)
    assert algorithm.critic_hidden_size == 2 * algorithm.hidden_size == 2 * algorithm.network.width


def test_orthogonal_layers_have_their_gains():
    params = held()[1].actor.params
    (policy,) = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim == 2 and leaf.shape[-1] == 8]  # 8 actions
    np.testing.assert_allclose(policy.T @ policy, 1e-4 * np.eye(8), atol=1e-7)
