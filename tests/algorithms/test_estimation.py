"""Estimators inside the learner, on real rollouts of SMAX-3m."""

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_windows

from gpae import plan
from gpae.algorithms import estimation
from gpae.algorithms.judgement import Levels, Own
from gpae.algorithms.search import WeightSearch
from gpae.config import Params
from gpae.environments.base import Discrete, Disturbance, Spec
from gpae.environments.smax.rules import STOP
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
T, N, B, A, Z = 12, 3, 4, 2, 8
SPEC = Spec("three", ("a", "b", "c"), 5, 4, actions=Discrete(A), horizon=9, has_winner=False)


def normal(*shape, seed=0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def estimated(name, value, **beside):
    """Estimates of a method on random steps; value: [T + 1, N, B]."""
    window = random_windows.window(SPEC, T, B, 0)
    given = window, window.log_prob, value, jnp.ones((T, 1, B)), None, beside
    return window, jax.jit(partial(estimation.estimate, PARAMS.method(name), 0.99, 0.95))(*given)[0]


def test_maca_with_the_joint_baseline_alone_is_mappo():
    """For the same values, to the last bit: whatever the other two baselines are and whatever has been searched."""
    value = jnp.broadcast_to(normal(T + 1, 1, B), (T + 1, N, B))
    baselines = jnp.concatenate([value[None, :-1], normal(2, T, N, B, seed=1)])
    q, v = normal(2, T + 1, N, B, seed=2)
    levels = Levels(q, v, baselines, None, jnp.ones((T, N, N, B), bool), None)
    search = WeightSearch(replace(PARAMS.method("maca_jnt"), state_embedding=Z))
    weights = search.weights(normal(Z + 1, 3, seed=3), normal(T, B, Z, seed=4))[:, :, None]
    _, joint = estimated("maca_jnt", value, levels=levels, weights=weights)
    _, mappo = estimated("maca_mappo", value)
    np.testing.assert_array_equal(joint.raw, mappo.raw)
    np.testing.assert_array_equal(joint.advantage, mappo.advantage)
    np.testing.assert_array_equal(joint.target, mappo.target)
    _, every = estimated("maca", value, levels=levels, weights=weights.at[:2].set(0.5))
    assert np.abs(every.raw - mappo.raw).max() > 0.1


@pytest.mark.parametrize("returns", [True, False])
def test_comas_advantage_is_its_return_less_its_baseline(returns):
    """A(t) = R(t) - sum pi Q, R the lambda-return from Q of the actions taken; as a network says it, Q - sum pi Q."""
    q, chances = normal(T + 1, N, B, A), jax.nn.softmax(normal(T, N, B, A, seed=1))
    action = random_windows.window(SPEC, T, B, 0).action
    did = jnp.take_along_axis(q[:-1], action[..., None], axis=-1)[..., 0]
    value = jnp.concatenate([did, q[-1:, ..., 0]])
    window, found = estimated(
        "maca_coma" if returns else "maca_coma_network", value, own=Own(q[None, :-1], chances, action)
    )
    reward, on = (np.asarray(x, np.float64)[:, None] for x in (window.reward, 0.99 * (1 - window.done)))
    after, expected = np.asarray(value[1:], np.float64), np.zeros((T, N, B))
    later = after[-1]
    for t in reversed(range(T)):
        later = expected[t] = reward[t] + on[t] * (0.05 * after[t] + 0.95 * later)
    baseline = np.asarray((chances * q[:-1]).sum(-1))
    np.testing.assert_allclose(found.raw, (expected if returns else np.asarray(did)) - baseline, atol=2e-5)


@cache
def learned(method, task="3m", updates=3, **changes):
    """Metrics of some updates, [update]."""
    job = plan.job(PARAMS, "smoke", method, task, (0,))
    made = Trainer(replace(job, method=replace(job.method, **changes)))
    state, seen = made.init(jnp.zeros(1, jnp.int32)), []
    for _ in range(updates):
        state, metrics = made.update(state)
        seen.append({name: float(value[0]) for name, value in metrics.items()})
    assert all(np.isfinite(list(row.values())).all() for row in seen)
    return made, state, seen


def test_gap_by_hand():
    # one environment, three agents, four steps; agent 1 is drawn throughout and dead at the last step
    raw = jnp.array([[3.0, -1.0, 1.0], [0.0, 6.0, 2.0], [1.0, 1.0, 4.0], [9.0, 9.0, 9.0]])[..., None]
    available = jnp.ones((5, 3, 1, 2), bool).at[3, 1, 0, 0].set(False)
    window = SimpleNamespace(
        disturbance=Disturbance(jnp.ones((4, 1), jnp.int32), jnp.array([[True], [False], [True], [True]])),
        view=SimpleNamespace(available=available),
    )
    found = estimation.advantage_gaps(raw, window, jnp.ones(1))
    # replaced: (3 + 1) / 2 + 1 = 3 and (1 + 4) / 2 - 1 = 1.5; let be: (0 + 2) / 2 - 6 = -5
    assert found["advantage_gap"] == pytest.approx(2.25) and found["advantage_gap_elsewhere"] == pytest.approx(-5)
    assert estimation.advantage_gaps(raw, window, jnp.zeros(1))["advantage_gap"] == 0


def test_an_agent_without_others_has_no_gap():
    window = SimpleNamespace(
        disturbance=Disturbance(jnp.zeros((4, 1), jnp.int32), jnp.ones((4, 1), bool)),
        view=SimpleNamespace(available=jnp.ones((5, 1, 1, 2), bool)),
    )
    found = estimation.advantage_gaps(jnp.ones((4, 1, 1)), window, jnp.ones(1))
    assert found == {"advantage_gap": 0, "advantage_gap_elsewhere": 0}


def test_gap_is_a_metric_where_agents_are_disturbed_alone():
    row = learned("mappo", "3m_stop", updates=1)[2][-1]
    assert row["advantage_gap"] != 0 and row["advantage_gap_elsewhere"] != 0
    assert "advantage_gap" not in learned("gpae_on")[2][-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["dae", "coma", "credit_asae", "credit_ippo", "credit_happo", "maca", "credit_maca", "ppo_mix"]
)
def test_every_estimator_has_a_gap(method):
    """Of the comparison, and of papers' own settings with pieces of windows and masks."""
    row = learned(method, "3m_stop")[2][-1]
    assert row["advantage_gap"] != row["advantage_gap_elsewhere"]
    if method not in ("credit_happo", "credit_ippo"):  # whose advantages differ by the id or the observation alone
        assert abs(row["advantage_gap"] - row["advantage_gap_elsewhere"]) > 1e-4


def test_what_is_learned_from_is_what_was_executed():
    made, state, _ = learned("mappo", "3m_stop", updates=1)
    state = jax.tree.map(lambda leaf: leaf[0], state)
    window = made._collect(jax.random.PRNGKey(3), state.learner, state.runner)[1].window
    drawn = (jnp.arange(3)[:, None] == window.disturbance.agent[:, None]) & window.disturbance.replaced[:, None]
    assert drawn.any() and (window.action[drawn] == STOP).all()


def test_coma_has_gpaes_critic_and_a_shorter_advantage():
    made, _, coma = learned("gpae_on", estimator="coma")
    _, _, gpae = learned("gpae_on")
    assert type(made.algorithm.critic.module).__name__ == "CounterfactualCritic"
    assert coma[0]["value_error"] == gpae[0]["value_error"]  # the critic learns from the same target
    assert coma[0]["advantage_std"] < gpae[0]["advantage_std"]


def test_dae_tells_agents_apart_and_learns_rewards():
    made, state, seen = learned("mappo", updates=8, estimator="dae", beta=0.5)
    assert type(made.algorithm.critic.module).__name__ == "ValueCritic"
    assert seen[-1]["reward_model_loss"] < seen[0]["reward_model_loss"]
    assert set(made.algorithm.networks(state.learner)) == {"actor", "critic", "reward_model"}
    _, _, farther = learned("mappo", updates=2, estimator="dae", beta=1.0)
    assert farther[1]["advantage_std"] != seen[1]["advantage_std"]


def test_controls_take_more_epochs_or_fewer_environments():
    more = learned("mappo", updates=1, epochs_factor=4)[2][0]
    assert more["approximate_kl"] > learned("mappo", updates=1)[2][0]["approximate_kl"]
    job = plan.job(PARAMS, "smoke", "mappo", "3m", (0,))
    assert replace(job, method=replace(job.method, environments_divisor=4)).environments == job.environments // 4


@pytest.mark.slow
def test_dae_on_continuous_actions_draws_its_own():
    """MABrax compiles for a minute."""
    _, _, seen = learned("mappo", "hopper_3x1", updates=2, estimator="dae", beta=0.5)
    assert seen[-1]["reward_model_loss"] > 0
