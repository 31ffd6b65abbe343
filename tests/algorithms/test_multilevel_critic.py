"""MACA's critic in the learner: its baselines are expectations of its own Q, what is fitted, what an update keeps."""

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_windows

from gpae import plan
from gpae.algorithms import critics, losses
from gpae.algorithms.base import learn
from gpae.algorithms.estimation import estimate
from gpae.algorithms.judgement import Levels, Outputs
from gpae.algorithms.window import Frozen, empty_window
from gpae.config import Network, Params
from gpae.environments.base import Continuous, Discrete, Spec
from gpae.networks.policies import Categorical, Gaussian, action_features
from gpae.training.loop import parameters
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")
T, N, B, A = 4, 3, 2, 2
SPEC = Spec("three", ("a", "b", "c"), 5, 4, actions=Discrete(A), horizon=9, has_winner=False)
ROBOT = replace(SPEC, actions=Continuous(A))


def method(name="maca", **changes):
    return replace(PARAMS.method(name), state_embedding=16, **changes)


@cache
def judged(name="maca", spec=SPEC, **changes):
    """(critic, its parameters, window, policies, what it says)"""
    critic = critics.make(method(name, **changes), spec, Network(width=8, layers=2, recurrent=True))
    params = jax.jit(critic.init)(jax.random.PRNGKey(0), empty_window(spec, 8, 8))
    # as after some learning: agents attend to some more than to others
    params = jax.tree.map(lambda leaf: leaf * leaf.ndim, params)
    window = random_windows.window(SPEC, T, B, 8)
    rng = np.random.default_rng(1)
    logits = jnp.asarray(rng.normal(size=(T + 1, N, B, A)), jnp.float32)
    if isinstance(spec.actions, Discrete):
        policies = Categorical.masked(logits, jnp.ones(logits.shape, bool))
    else:
        view = window.view._replace(available=jnp.ones(logits.shape, bool))
        window = window._replace(view=view, action=jnp.asarray(rng.normal(size=(T, N, B, A)), jnp.float32))
        policies = Gaussian(logits, jnp.zeros_like(logits), jnp.ones(logits.shape, bool))
    return critic, params, window, policies, jax.jit(critic.judge)(jax.random.PRNGKey(2), params, window, policies)


def q(critic, params, window, distribution):
    seen = window.critic_hidden, window.view.observation[:-1], window.begins[:-1]
    encoded, _ = critic.module.apply(params, *seen, method="encode")
    return critic.module.apply(params, encoded, distribution, method="value")


def test_baselines_are_the_exact_means_of_q_over_their_sets():
    critic, params, window, policies, found = judged()
    probability = np.asarray(policies.features())[:-1]
    of_joint = jax.jit(lambda actions: q(critic, params, window, actions))
    correlated = np.asarray(found.levels.attention) >= 1 / N
    correlated |= np.eye(N, dtype=bool)[:, :, None]
    assert 0 < correlated.mean() < 1 and (correlated.sum(2) > 1).any()
    np.testing.assert_array_equal(found.levels.correlated, correlated)
    everyone = np.ones((T, N, N, B), bool)
    alone = np.broadcast_to(np.eye(N, dtype=bool)[:, :, None], everyone.shape)
    expected = np.zeros((3, T, N, B))
    for joint in product(range(A), repeat=N):
        actions = jnp.asarray(joint)
        chance = np.stack([probability[:, j, :, a] for j, a in enumerate(joint)], axis=1)  # [T, N, B]
        did = np.asarray(window.action) == np.asarray(joint)[None, :, None]
        value = np.asarray(of_joint(jnp.broadcast_to(jnp.eye(A)[actions][None, :, None], (T, N, B, A))))
        for level, members in enumerate((everyone, alone, correlated)):
            # the members draw, the others do what they did
            counts = np.where(members, chance[:, None], did[:, None]).prod(2)
            expected[level] += counts * value[:, None]
    np.testing.assert_allclose(found.levels.baselines, expected, atol=5e-6)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 and np.abs(expected[1] - expected[2]).max() > 1e-2


def test_no_baseline_sees_the_own_action():
    critic, params, window, policies, found = judged()
    for agent in range(N):
        other = window._replace(action=window.action.at[:, agent].set(1 - window.action[:, agent]))
        again = jax.jit(critic.judge)(jax.random.PRNGKey(2), params, other, policies).levels
        np.testing.assert_allclose(again.baselines[:, :, agent], found.levels.baselines[:, :, agent], atol=1e-6)
        assert (np.abs(again.action_value - found.levels.action_value)[:-1] > 1e-5).all()


@pytest.mark.parametrize("name", ["maca", pytest.param("maca_dec", marks=pytest.mark.slow)])
def test_what_is_fitted_is_what_was_judged(name):
    critic, params, window, policies, found = judged(name)
    assert found.value.shape == (T + 1, N, B) and found.states.shape == (T + 1, N, B, 8)
    again = jax.jit(critic.fitted)(params, window, policies.features()[:-1])
    np.testing.assert_allclose(again.value, found.fitted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.action_value, found.levels.action_value[:-1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.state_value, found.levels.state_value[:-1], rtol=1e-5, atol=1e-6)
    assert np.abs(again.state_value - again.value).max() > 1e-2  # V is a head of its own
    np.testing.assert_array_equal(found.fitted, found.value[:-1])
    taken = action_features(window.action, window.view.available[:-1])
    np.testing.assert_allclose(again.action_value[:, 1], q(critic, params, window, taken), rtol=1e-5, atol=1e-6)


def test_continuous_actions_are_averaged_out_by_their_policys_mean():
    critic, params, window, policies, found = judged(spec=ROBOT)
    np.testing.assert_allclose(found.value[:-1, 0], q(critic, params, window, policies.mean[:-1]), rtol=1e-4, atol=1e-4)
    draws = jax.vmap(policies.sample)(jax.random.split(jax.random.PRNGKey(3), 4000))[:, :-1]
    own = jax.vmap(lambda draw: q(critic, params, window, window.action.at[:, 0].set(draw[:, 0])))(draws)
    error = 5 * own.std(0) / np.sqrt(len(own)) + 1e-5
    assert (np.abs(own.mean(0) - found.levels.baselines[1, :, 0]) < error).all()


@pytest.mark.slow
def test_the_threshold_and_the_rollout_say_who_is_correlated():
    _, _, _, _, wide = judged(sigma=0.0)
    _, _, _, _, narrow = judged(sigma=1.0)
    _, _, _, _, none = judged(sigma=float(N) + 1)
    assert wide.levels.correlated.all() and (none.levels.correlated.sum(2) == 1).all()
    members = (np.asarray(narrow.levels.attention) >= 1 / N) | np.eye(N, dtype=bool)[:, :, None]  # oneself always
    assert not members.all() and (members.sum(2) > 1).any()
    np.testing.assert_array_equal(narrow.levels.correlated, members)
    np.testing.assert_allclose(wide.levels.baselines[2], wide.levels.baselines[0], atol=1e-6)
    np.testing.assert_allclose(none.levels.baselines[2], none.levels.baselines[1], atol=1e-6)


def test_three_errors_count_with_their_coefficients():
    """EQ's 1, Q's 0.5 and V's 1."""
    learner = replace(plan.job(PARAMS, "smoke", "maca", "3m", (0,)).learner, value_coefficient=2.0)
    rng = np.random.default_rng(0)
    before, targets, after = (jnp.asarray(rng.normal(size=(3, T, N, B)), jnp.float32) for _ in range(3))
    held = dict(zip(("value", "action_value", "state_value"), before, strict=True))
    held |= dict(zip(("target", "action_target", "state_target"), targets, strict=True))
    frozen, samples = Frozen(None, None, advantage=None, weight=jnp.ones((T, 1, B)), **held), jnp.float32(T * N * B)
    expected, action, state = (
        float(losses.value_error(learner, value, frozen._replace(value=start, target=target), samples)[0])
        for value, start, target in zip(after, before, targets, strict=True)
    )
    found, metrics = losses.outputs_error(learner, Outputs(*after), frozen, samples)
    assert found == pytest.approx(expected + 0.5 * action + state, rel=1e-6)
    assert metrics["action_value_loss"] == pytest.approx(action / 2, rel=1e-6)
    assert metrics["state_value_loss"] == pytest.approx(state / 2, rel=1e-6)


def test_targets_go_on_from_eq_from_q_and_from_v():
    """Lambda-returns by hand, each from its own values; gamma 0.5, lambda 0.5."""
    rng = np.random.default_rng(0)
    window = random_windows.window(SPEC, T, B, 0)
    value, action_value, state_value = (rng.normal(size=(T + 1, N, B)).astype(np.float32) for _ in range(3))
    baselines, weights = rng.normal(size=(3, T, N, B)), rng.dirichlet(np.ones(3), size=(T, B))
    levels = Levels(action_value, state_value, baselines, None, jnp.ones((T, N, N, B), bool), None)
    beside = {"levels": levels, "weights": jnp.moveaxis(jnp.asarray(weights), -1, 0)[:, :, None]}
    found, metrics = estimate(
        method(), 0.5, 0.5, window, window.log_prob, jnp.asarray(value), jnp.ones((T, 1, B)), None, beside
    )
    reward, on = np.asarray(window.reward)[:, None], 0.5 * (1 - np.asarray(window.done, float))[:, None]
    pairs = (value, found.target), (action_value, found.action_target), (state_value, found.state_target)
    for each, target in pairs:
        expected, later = np.zeros((T, N, B)), each[-1]
        for t in reversed(range(T)):
            later = reward[t] + on[t] * (0.5 * each[t + 1] + 0.5 * later)
            expected[t] = later
        np.testing.assert_allclose(target, expected, atol=1e-5)
    baseline = np.einsum("tbk,ktnb->tnb", weights, baselines)
    np.testing.assert_allclose(found.raw, found.target - baseline, atol=1e-5)
    assert metrics["weight_individual"] == pytest.approx(weights[..., 1].mean(), rel=1e-4)


@cache
def updated(name="maca"):
    """A learner on SMAX-3m's shapes, its state before and after updates with random rollouts, and the metrics."""
    job = plan.job(PARAMS, "smoke", name, "3m", (0,))
    job = replace(job, method=replace(job.method, state_embedding=8))
    algorithm = Trainer(job).algorithm
    state = first = jax.jit(algorithm.init)(jax.random.PRNGKey(0))
    update, seen = jax.jit(lambda *given: learn(algorithm, *given)), []
    for number in range(3):
        rollout = random_windows.rollout(algorithm, state.actor.params, 16, 4, seed=number)
        state, _, metrics = update(jax.random.PRNGKey(number), state, rollout)
        seen.append((rollout, metrics))
    return algorithm, first, state, seen


def test_an_update_moves_both_networks_and_tries_a_candidate():
    algorithm, before, after, seen = updated()
    for name in ("actor", "critic"):
        pairs = zip(*(jax.tree.leaves(getattr(each, name).params) for each in (before, after)), strict=True)
        assert all(np.isfinite(b).all() for _, b in pairs)
    assert after.search.tried == 2
    returns = [float(rollout.episodes["episode_return"] / rollout.episodes["episodes"]) for rollout, _ in seen]
    np.testing.assert_allclose(after.search.fitness[:2], np.diff(returns), rtol=1e-4)
    for _, metrics in seen:
        assert sum(metrics[f"weight_{level}"] for level in ("joint", "individual", "correlated")) == pytest.approx(1)
        assert 1 <= metrics["correlated_agents"] <= 3 and metrics["action_value_loss"] > 0


def test_the_kept_networks_judge_as_the_update_did():
    algorithm, _, state, seen = updated()
    networks = algorithm.networks(state)
    assert set(networks) == {"actor", "critic", "scale", "weights"}
    rollout = seen[-1][0]
    advantage = jax.jit(algorithm.advantages)(jax.random.PRNGKey(0), networks, rollout)
    flat = networks | {"weights": jnp.zeros_like(networks["weights"])}
    even = jax.jit(algorithm.advantages)(jax.random.PRNGKey(0), flat, rollout)
    assert advantage.shape == rollout.window.log_prob.shape and np.abs(advantage - even).max() > 1e-5


def test_what_an_evaluation_point_keeps_has_its_seeds_in_front():
    job = plan.job(PARAMS, "smoke", "maca", "3m", (0, 1))
    kept = parameters(Trainer(job))
    assert {leaf.shape[0] for leaf in jax.tree.leaves(kept)} == {2} and kept["weights"].shape == (2, 257, 3)


def test_every_output_has_a_scale_of_its_own():
    _, before, after, seen = updated()
    assert set(after.scale) == {"value", "action_value", "state_value"}
    moments = {name: tuple(map(float, scale.moments())) for name, scale in after.scale.items()}
    assert len(set(moments.values())) == 3 and all(float(scale.weight) > 0 for scale in after.scale.values())
    assert all(float(scale.weight) == 0 for scale in before.scale.values())


def test_weights_may_be_those_of_the_attention():
    algorithm = Trainer(plan.job(PARAMS, "smoke", "maca_attention", "3m", (0,))).algorithm
    state = jax.eval_shape(algorithm.init, jax.random.PRNGKey(0))
    assert state.search is None and set(algorithm.networks(state)) == {"actor", "critic", "scale"}
    levels = judged()[-1].levels
    own = np.einsum("tiib->tib", levels.attention)
    others = np.where(levels.correlated, levels.attention, 0).sum(2) - own
    expected = [1 - 0.3 * own - 0.3 * others, 0.3 * own, 0.3 * others]
    np.testing.assert_allclose(algorithm._weights({}, levels), expected, atol=1e-6)
