"""The learner on real rollouts of SMAX-3m: what must hold whatever is learned."""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.algorithms import descent
from gpae.algorithms.base import learn
from gpae.algorithms.window import Frozen, join
from gpae.config import Params
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")


def trainer(method, task="3m", **learner):
    job = plan.job(PARAMS, "smoke", method, task, (0,))
    return Trainer(replace(job, learner=replace(job.learner, **learner)))


@cache
def rollout(method):
    """A trainer, its state after some updates, and a fresh rollout."""
    made = trainer(method)
    state = made.init(jnp.zeros(1, jnp.int32))
    for _ in range(5):
        state, _ = made.update(state)
    state = jax.tree.map(lambda leaf: leaf[0], state)
    collected = made._collect(jax.random.PRNGKey(5), state.learner, state.runner)[1]
    return made, state.learner, collected


@pytest.mark.parametrize("method", ["mappo", "gpae_on"])
def test_on_policy_nothing_is_corrected(method):
    made, state, collected = rollout(method)
    _, _, metrics = jax.jit(partial(learn, made.algorithm))(jax.random.PRNGKey(1), state, collected)
    assert metrics["trace_mean"] == pytest.approx(made.job.learner.lam, abs=1e-7)
    assert metrics["joint_distance"] == metrics["individual_distance"] == 0


@pytest.mark.parametrize("method", ["mappo", "gpae_off"])
def test_tiles_change_nothing_but_rounding(method, monkeypatch):
    made, state, collected = rollout(method)
    learned = []
    for rows in (3, 10**6):
        monkeypatch.setattr(descent, "CPU_TILE_ROWS", rows)
        update = jax.jit(partial(learn, made.algorithm))
        learned.append(update(jax.random.PRNGKey(1), state, collected)[0])
    assert descent.tile_count(3, 8) == 1
    tiled, whole = (jax.tree.leaves((one.actor.params, one.critic.params)) for one in learned)
    for mine, other in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(mine, other, atol=2e-5)


def test_joined_windows_are_unrolled_from_the_oldest_ones_hidden_state():
    """With parameters that do not move, the recomputed policy of every step is the one that acted in it."""
    made = trainer("gpae_off", learning_rate=1e-30)
    state = made.init(jnp.zeros(1, jnp.int32))
    for update in range(6):
        state, metrics = made.update(state)
        assert metrics["individual_distance"][0] == pytest.approx(0, abs=2e-6), update
        assert metrics["trace_mean"][0] == pytest.approx(made.job.learner.lam, abs=1e-5)
    hidden = state.learner.replay.windows.actor_hidden
    assert float(jnp.abs(hidden).max()) > 0.01  # else zeros would have done as well


def test_replay_keeps_the_last_windows_and_counts_only_what_was_written():
    made = trainer("gpae_off")
    state = made.init(jnp.zeros(1, jnp.int32))
    written = []
    for update in range(1, 7):
        state, _ = made.update(state)
        replay = jax.tree.map(lambda leaf: leaf[0], state.learner.replay)
        written.append(jax.tree.map(lambda leaf: np.asarray(leaf[(update - 1) % 4]), replay.windows))  # noqa: B023
        window, weight = join(replay)
        steps = len(written[0].reward)
        np.testing.assert_array_equal(weight[:, 0, 0], np.arange(4 * steps) >= (4 - min(update, 4)) * steps)
    kept = written[2:]  # the fifth and sixth took the places of the first two
    for name in ("action", "log_prob", "reward", "done", "truncated"):
        np.testing.assert_array_equal(getattr(window, name), np.concatenate([getattr(one, name) for one in kept]))
    np.testing.assert_array_equal(window.actor_hidden, kept[0].actor_hidden)
    # a window's last view is the next one's first
    for place, one in enumerate(kept):
        seen = window.view.observation[place * steps : (place + 1) * steps + 1]
        np.testing.assert_array_equal(seen, one.view.observation)
        np.testing.assert_array_equal(window.begins[place * steps : (place + 1) * steps + 1], one.begins)


def test_advantages_run_through_the_joined_windows():
    """A reward more in the first step of the newest window is worth gamma lambda in the step before it, of an older
    window, and gamma lambda to the second power two steps before, where no episode ends in between (Eq. 7)."""
    made = trainer("gpae_off", learning_rate=1e-30)
    state = made.init(jnp.zeros(1, jnp.int32))
    for _ in range(4):
        state, _ = made.update(state)
    learner = jax.tree.map(lambda leaf: leaf[0], state.learner)
    window, weight = join(learner.replay)
    first = 3 * made.job.learner.rollout_steps
    networks, keys = made.algorithm.networks(learner), jax.random.split(jax.random.PRNGKey(0))

    @jax.jit
    def raw(reward):
        return made.algorithm._estimate(*keys, networks, window._replace(reward=reward), None, weight)[0].raw

    change = raw(window.reward.at[first].add(1.0)) - raw(window.reward)
    decay, goes_on = made.job.learner.gamma * made.job.learner.lam, ~np.asarray(window.done)
    assert goes_on[first - 1].any()
    for agent in range(change.shape[1]):
        np.testing.assert_allclose(change[first, agent], 1.0, rtol=1e-4)
        np.testing.assert_allclose(change[first - 1, agent], decay * goes_on[first - 1], rtol=1e-3, atol=1e-5)
        both = goes_on[first - 1] & goes_on[first - 2]
        np.testing.assert_allclose(change[first - 2, agent], decay**2 * both, rtol=1e-3, atol=1e-5)


def test_unfilled_windows_weigh_nothing():
    """An update with one window in four written is the update of that window alone."""
    made, _, _ = rollout("gpae_off")
    fresh = jax.tree.map(lambda leaf: leaf[0], made.init(jnp.zeros(1, jnp.int32)))
    _, collected, _ = made._collect(jax.random.PRNGKey(5), fresh.learner, fresh.runner)
    with_replay, _, seen = jax.jit(partial(learn, made.algorithm))(jax.random.PRNGKey(1), fresh.learner, collected)
    alone = fresh.learner._replace(replay=None)
    # the drawn last actions differ with the batch's shape, so only what they do not reach is compared
    without, _, expected = jax.jit(partial(learn, made.algorithm))(jax.random.PRNGKey(1), alone, collected)
    assert seen["entropy"] == pytest.approx(float(expected["entropy"]), rel=1e-3)
    assert seen["trace_mean"] == pytest.approx(float(expected["trace_mean"]), rel=1e-5)
    np.testing.assert_allclose(seen["value_mean"], expected["value_mean"], rtol=1e-4)


def test_surrogate_is_clipped_around_the_current_policy():
    """Eq. 78 recomputed in numpy from the learner's own log probabilities, off-policy, one tile."""
    made, state, collected = rollout("gpae_off")
    algorithm, clip = made.algorithm, made.job.learner.clip
    window, rng = collected.window, np.random.default_rng(0)
    shape = window.log_prob.shape
    window = window._replace(log_prob=window.log_prob + rng.normal(size=shape).astype(np.float32) * 0.3)
    policies = algorithm._unrolled(state.actor.params, window, slice(None, -1))[0]
    optimised = np.asarray(policies.log_prob(window.action), np.float64)
    current = optimised + rng.normal(size=shape) * 0.3
    advantage = rng.normal(size=shape)
    weight = np.ones((shape[0], 1, shape[-1]))
    frozen = Frozen(*(jnp.asarray(x, jnp.float32) for x in (current, current, current, advantage, advantage, weight)))
    loss, metrics = algorithm._actor_loss(state.actor.params, window, frozen, np.float32(np.prod(shape)))
    behaviour = np.asarray(window.log_prob, np.float64)
    w, w_current = np.exp(optimised - behaviour), np.exp(current - behaviour)
    clipped = np.clip(w, (1 - clip) * w_current, (1 + clip) * w_current)
    expected = -np.mean(np.minimum(w * advantage, clipped * advantage))
    assert metrics["policy_loss"] == pytest.approx(expected, rel=1e-4)
    assert metrics["clip_fraction"] == pytest.approx(np.mean(np.abs(np.exp(optimised - current) - 1) > clip), abs=0.01)
    assert loss == pytest.approx(expected - made.job.learner.entropy_coefficient * float(metrics["entropy"]), rel=1e-4)


def test_a_log_ratio_beyond_the_limit_has_a_finite_loss_and_no_gradient():
    """exp(100) is beyond float32; the release cuts log ratios on SMAX at 10."""
    made, state, collected = rollout("gpae_off")
    algorithm, limit = made.algorithm, made.job.learner.log_ratio_limit
    window = collected.window._replace(log_prob=collected.window.log_prob - 100.0)
    current = window.log_prob + limit + 5.0
    ones = jnp.ones_like(window.log_prob)
    frozen = Frozen(current, ones, ones, -ones, ones, jnp.ones((len(ones), 1, ones.shape[-1])))

    def loss(params):
        return algorithm._actor_loss(params, window, frozen, np.float32(ones.size))[1]["policy_loss"]

    value, gradients = jax.jit(jax.value_and_grad(loss))(state.actor.params)
    assert limit == 10 and value == pytest.approx(np.exp(limit), rel=1e-4)
    assert all(float(jnp.abs(leaf).max()) == 0 for leaf in jax.tree.leaves(gradients))


def test_minibatches_use_every_sample_once_an_epoch():
    """With a learning rate of nothing, the mean loss over minibatches is the loss of the whole batch."""
    whole, parts = (trainer("mappo", learning_rate=1e-30, minibatches=count) for count in (1, 4))
    seen = [made.update(made.init(jnp.zeros(1, jnp.int32)))[1] for made in (whole, parts)]
    for name in ("policy_loss", "value_loss", "entropy"):
        np.testing.assert_allclose(seen[0][name], seen[1][name], rtol=2e-4, atol=1e-6)


def test_the_learning_rate_falls_to_zero():
    made = trainer("mappo")
    state = jax.tree.map(lambda leaf: leaf[0], made.init(jnp.zeros(1, jnp.int32))).learner.actor
    gradients = jax.tree.map(jnp.ones_like, state.params)

    def step_at(update):
        count = jnp.asarray(update * made.job.learner.epochs, jnp.int32)
        optimiser = jax.tree.map(lambda leaf: count if leaf.dtype == jnp.int32 else leaf, state.optimiser)
        return float(optimiser_norm(made.algorithm.optimisers["actor"].update(gradients, optimiser, state.params)[0]))

    def optimiser_norm(tree):
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))

    assert step_at(made.job.updates) == 0
    assert 0 < step_at(made.job.updates - 1) < step_at(made.job.updates // 2)
