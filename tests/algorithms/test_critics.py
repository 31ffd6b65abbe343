"""The critics of values of actions: what they see, what is fitted, and what ASAE draws."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_windows

from gpae import plan
from gpae.advantages import coma, marginal
from gpae.algorithms import critics
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.algorithms.window import Window, empty_window
from gpae.config import Network, Params
from gpae.environments.base import Continuous, Discrete, Spec
from gpae.networks.policies import Categorical, Gaussian

PARAMS = Params(Path(__file__).parents[2] / "params")
T, N, B, A, H = 5, 3, 2, 2, 8
SPEC = Spec(
    "three", ("a", "b", "c"), observation_size=5, state_size=4, actions=Discrete(A), horizon=9, has_winner=False
)
NETWORK = Network(width=H, layers=2, recurrent=True)


def window() -> Window:
    return random_windows.window(SPEC, T, B, H)


def policies(seed=1) -> Categorical:
    logits = jnp.asarray(np.random.default_rng(seed).normal(size=(T + 1, N, B, A)), jnp.float32)
    return Categorical.masked(logits, jnp.ones(logits.shape, bool))


def made(method, network=NETWORK):
    critic = critics.make(PARAMS.method(method), SPEC, network)
    size = network.width if network.recurrent else 0
    return critic, jax.jit(critic.init)(jax.random.PRNGKey(0), empty_window(SPEC, size, size))


def judge(critic, params, seen, policies):
    return jax.jit(critic.judge)(jax.random.PRNGKey(1), params, seen, policies)


def q(critic, params, seen, action):
    return jax.jit(critic._q)(params, seen, action)


METHODS = ["mappo", "gpae_on", "ippo", "asae", "maca_coma", "ppo_sum", "ppo_mix"]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_fitted_is_what_was_judged(method):
    critic, params = made(method)
    judged = judge(critic, params, window(), policies())
    assert judged.value.shape == (T + 1, N, B) and judged.states.shape == (T + 1, N, B, H)
    again = jax.jit(critic.fitted)(params, window(), policies().features()[:-1])
    np.testing.assert_allclose(again, judged.fitted, atol=1e-6)


@pytest.mark.parametrize("method, style", [("asae", "gpae"), ("maca_coma", "harl")])
def test_values_of_own_actions_do_not_see_the_own_action_but_the_others(method, style):
    critic, params = made(method, replace(NETWORK, style=style, agent_id=style == "gpae"))
    before = q(critic, params, window(), window().action)[0]
    changed = window().action.at[0, 0].set(1 - window().action[0, 0])  # agent 0 acts otherwise at the first step
    after = q(critic, params, window(), changed)[0]
    np.testing.assert_allclose(before[0, 0], after[0, 0], atol=1e-6)
    assert np.all(np.abs(before[0, 1:] - after[0, 1:]).max(axis=-1) > 1e-4)


@pytest.mark.parametrize("method", ["asae_coma", "maca_coma"])
def test_targets_go_on_from_the_mean_over_the_own_action_or_from_the_one_taken(method):
    critic, params = made(method)
    judged = judge(critic, params, window(), policies())
    mean = (policies().features()[:-1] * judged.own.values[0]).sum(-1)
    goes_on = mean if method == "asae_coma" else judged.fitted
    np.testing.assert_allclose(judged.value[:-1], goes_on, atol=1e-6)
    assert np.abs(mean - judged.fitted).max() > 1e-2
    chosen = np.take_along_axis(np.asarray(judged.own.values[0]), np.asarray(window().action)[..., None], axis=-1)[
        ..., 0
    ]
    np.testing.assert_allclose(judged.fitted, chosen, atol=1e-6)


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_sample_in_which_the_others_do_what_they_did_is_what_is_judged_of_it(recurrent):
    """Each step by itself, from the hidden state before it, is the step in the window."""
    network = Network(width=H, layers=2, recurrent=recurrent)
    critic, params = made("asae", network)
    seen = window() if recurrent else window()._replace(critic_hidden=jnp.zeros((N, B, 0)))
    last = jnp.zeros((1, N, B), jnp.int32)
    certain = jnp.where(jnp.concatenate([seen.action, last])[..., None] == jnp.arange(A), 0.0, -50.0)
    judged = judge(critic, params, seen, Categorical(certain))
    assert judged.own.values.shape == (10, T, N, B, A)
    expected = q(critic, params, seen, seen.action)[0]
    np.testing.assert_allclose(judged.own.values, np.broadcast_to(expected, judged.own.values.shape), atol=1e-5)


def test_many_samples_are_the_mean_over_everything_that_the_others_may_do():
    critic, params = made("asae", Network(width=H, layers=2, recurrent=False))
    critic.samples = 3000
    seen, drawn = window()._replace(critic_hidden=jnp.zeros((N, B, 0))), policies()
    judged = judge(critic, params, seen, drawn)
    joint = jnp.asarray(list(product(range(A), repeat=N)))  # [J, N]
    every = jnp.broadcast_to(joint[:, None, :, None], (len(joint), T, N, B))
    values = np.asarray(jax.jit(jax.vmap(lambda action: critic._q(params, seen, action)[0]))(every))  # [J, T, N, B, A]
    probability = np.asarray(drawn.features())[:-1]
    exact = np.zeros((T, N, B, A))
    for actions, value in zip(np.asarray(joint), values, strict=True):
        chances = np.stack([probability[:, i, :, actions[i]] for i in range(N)])  # [N, T, B]
        for i in range(N):
            others = np.prod(np.delete(chances, i, axis=0), axis=0)
            exact[:, i] += others[..., None] * value[:, i] / A  # the own action, which is not seen, A times
    sampled = np.asarray(judged.own.values)
    error = 5 * sampled.std(axis=0) / np.sqrt(critic.samples) + 1e-5
    assert (np.abs(sampled.mean(axis=0) - exact) <= error).all() and error.max() < 0.1 * np.abs(exact).max()
    found = marginal.advantage(*judged.own)
    truth = marginal.advantage(jnp.asarray(exact, jnp.float32)[None], *judged.own[1:])
    np.testing.assert_allclose(found, truth, atol=0.1 * float(jnp.abs(truth).max()))


def test_the_local_critic_sees_the_agents_own_observation_alone():
    critic, params = made("ippo")
    judged = judge(critic, params, window(), policies())
    view = window().view
    blind = window()._replace(view=view._replace(state=jnp.zeros_like(view.state)))
    np.testing.assert_array_equal(judged.value, judge(critic, params, blind, policies()).value)
    other = window()._replace(view=view._replace(observation=view.observation.at[:, 1].add(1.0)))
    changed = judge(critic, params, other, policies()).value
    np.testing.assert_array_equal(judged.value[:, [0, 2]], changed[:, [0, 2]])
    assert np.all(np.abs(judged.value[:, 1] - changed[:, 1]) > 1e-5)


def test_the_teams_value_is_the_sum_of_the_own_ones():
    critic, params = made("ppo_sum")
    judged = judge(critic, params, window(), policies())
    own = np.take_along_axis(np.asarray(judged.own.values[0]), np.asarray(window().action)[..., None], axis=-1)[..., 0]
    for agent in range(N):
        np.testing.assert_allclose(judged.fitted[:, agent], own.sum(axis=1), atol=1e-5)


def test_the_mixed_value_grows_with_every_own_one():
    critic, params = made("ppo_mix")
    state, own = window().view.state, jnp.asarray(np.random.default_rng(3).normal(size=(T + 1, N, B)), jnp.float32)
    slope = jax.grad(lambda own: critic.mixer.apply(params.mixer, own, state).sum())(own)
    assert (slope >= 0).all() and (slope > 0).any()


TABLE_6 = {
    "maca_mappo": 165_747,
    "ippo": 149_497,
    "maca_coma": 174_966,
    "happo": 165_747,
    "ppo_mix": 361_349,
    "ppo_sum": 134_148,
    "maca": 239_674,
    "maca_attention": 239_674,
}


@pytest.mark.parametrize("method", TABLE_6)
def test_critics_have_the_parameters_of_macas_table_6(method):
    """On StarCraft II's 5m_vs_6m: five agents with 12 actions, a state of 249 entries and observations of 124."""
    settings = plan.job(PARAMS, "maca", method, "5m_vs_6m", (0,))
    spec = Spec("5m_vs_6m", tuple("abcde"), 124, 249, Discrete(12), horizon=70, has_winner=True)
    environment = SimpleNamespace(spec=spec)
    learner = PolicyGradient(environment, settings.method, settings.learner, settings.network, updates=10)
    state = jax.eval_shape(learner.init, jax.random.PRNGKey(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(state.critic.params)) == TABLE_6[method]


ROBOT = Spec("robot", ("a", "b", "c"), 5, 4, actions=Continuous(A), horizon=9, has_winner=False)


def continuous():
    """A window and policies of three agents with two continuous entries each."""
    action = jnp.asarray(np.random.default_rng(4).normal(size=(T, N, B, A)), jnp.float32)
    mean = jnp.asarray(np.random.default_rng(5).normal(size=(T + 1, N, B, A)), jnp.float32)
    return window()._replace(action=action), Gaussian(mean, jnp.zeros_like(mean), jnp.ones(mean.shape, bool))


@pytest.mark.parametrize("method", ["asae_coma", "maca_coma", "ppo_sum", "ppo_mix"])
def test_continuous_actions_are_drawn_for_the_mean_over_the_own_one(method):
    critic = critics.make(PARAMS.method(method), ROBOT, NETWORK)
    params = jax.jit(critic.init)(jax.random.PRNGKey(0), empty_window(ROBOT, H, H))
    seen, policies = continuous()
    judged = judge(critic, params, seen, policies)
    np.testing.assert_allclose(jax.jit(critic.fitted)(params, seen, policies.features()[:-1]), judged.fitted, atol=1e-6)
    assert judged.own.values.shape == (1, T, N, B, 9) and judged.value.shape == (T + 1, N, B)
    taken, drawn = judged.own.values[0, ..., 0], judged.own.values[0, ..., 1:]
    advantage = coma.counterfactual(judged.own.values[0], judged.own.chances, judged.own.chosen)
    np.testing.assert_allclose(advantage, taken - drawn.mean(-1), atol=1e-6)
    if method in ("asae_coma", "maca_coma"):
        goes_on = drawn.mean(-1) if method == "asae_coma" else taken
        np.testing.assert_allclose(judged.value[:-1], goes_on, atol=1e-6)
        np.testing.assert_allclose(judged.fitted, taken, atol=1e-6)
    if method == "ppo_sum":
        np.testing.assert_allclose(judged.fitted[:, 0], taken.sum(1), atol=1e-5)
    # a policy without spread draws the action taken: each step by itself is the step in the window
    last = jnp.zeros((1, N, B, A))
    certain = policies._replace(mean=jnp.concatenate([seen.action, last]), log_std=jnp.full_like(policies.mean, -50.0))
    again = judge(critic, params, seen, certain).own.values[0]
    np.testing.assert_allclose(again, np.broadcast_to(again[..., :1], again.shape), atol=1e-5)


@pytest.mark.parametrize("method", ["maca_coma", "ppo_sum"])
def test_a_continuous_actions_value_sees_it_and_comas_the_others_too(method):
    critic = critics.make(PARAMS.method(method), ROBOT, NETWORK)
    params = jax.jit(critic.init)(jax.random.PRNGKey(0), empty_window(ROBOT, H, H))
    seen, _ = continuous()
    agent = critic if method == "maca_coma" else critic.agent
    own = params if method == "maca_coma" else params[0]
    before = jax.jit(agent.q)(own, seen, seen.action)[0]
    after = jax.jit(agent.q)(own, seen, seen.action.at[0, 0].add(1.0))[0]
    moved = np.abs(before[0] - after[0]).max(axis=-1) > 1e-4
    assert moved.tolist() == ([True, True, True] if method == "maca_coma" else [True, False, False])


def test_asae_is_refused_continuous_actions():
    with pytest.raises(ValueError, match="ASAE needs discrete actions; robot has continuous ones"):
        critics.make(PARAMS.method("asae"), ROBOT, NETWORK)
