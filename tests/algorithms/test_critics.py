"""The critics of values of actions: what they see, what is fitted, and what ASAE draws."""

from itertools import product
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import random_windows

from gpae.advantages import marginal
from gpae.algorithms import critics
from gpae.algorithms.window import Window, empty_window
from gpae.config import Network, Params
from gpae.environments.base import Continuous, Discrete, Spec
from gpae.networks.mixers import Monotonic
from gpae.networks.policies import Categorical

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
    return critic, critic.init(jax.random.PRNGKey(0), empty_window(SPEC, size, size))


METHODS = ["mappo", "gpae_on", "ippo", "asae", "maca_coma", "ppo_sum", "ppo_mix"]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_fitted_is_what_was_judged(method):
    critic, params = made(method)
    judged = critic.judge(jax.random.PRNGKey(1), params, window(), policies())
    assert judged.value.shape == (T + 1, N, B) and judged.states.shape == (T + 1, N, B, H)
    again = critic.fitted(params, window(), policies().features()[:-1])
    np.testing.assert_allclose(again, judged.fitted, atol=1e-6)


@pytest.mark.parametrize("method", ["asae", "maca_coma"])
def test_values_of_own_actions_do_not_see_the_own_action_but_the_others(method):
    critic, params = made(method)
    before = critic._q(params, window(), window().action)[0]
    changed = window().action.at[0, 0].set(1 - window().action[0, 0])  # agent 0 acts otherwise at the first step
    after = critic._q(params, window(), changed)[0]
    np.testing.assert_allclose(before[0, 0], after[0, 0], atol=1e-6)
    assert np.all(np.abs(before[0, 1:] - after[0, 1:]).max(axis=-1) > 1e-4)


def test_the_value_of_a_state_is_the_mean_over_the_own_action():
    critic, params = made("maca_coma")
    judged = critic.judge(jax.random.PRNGKey(1), params, window(), policies())
    mean = (policies().features()[:-1] * judged.own[0]).sum(-1)
    np.testing.assert_allclose(judged.value[:-1], mean, atol=1e-6)
    chosen = np.take_along_axis(np.asarray(judged.own[0]), np.asarray(window().action)[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(judged.fitted, chosen, atol=1e-6)


@pytest.mark.parametrize("recurrent", [True, False])
def test_a_sample_in_which_the_others_do_what_they_did_is_what_is_judged_of_it(recurrent):
    """Each step by itself, from the hidden state before it, is the step in the window."""
    network = Network(width=H, layers=2, recurrent=recurrent)
    critic, params = made("asae", network)
    seen = window() if recurrent else window()._replace(critic_hidden=jnp.zeros((N, B, 0)))
    last = jnp.zeros((1, N, B), jnp.int32)
    certain = jnp.where(jnp.concatenate([seen.action, last])[..., None] == jnp.arange(A), 0.0, -50.0)
    judged = critic.judge(jax.random.PRNGKey(1), params, seen, Categorical(certain))
    assert judged.own.shape == (10, T, N, B, A)
    expected = critic._q(params, seen, seen.action)[0]
    np.testing.assert_allclose(judged.own, np.broadcast_to(expected, judged.own.shape), atol=1e-5)


def test_many_samples_are_the_mean_over_everything_that_the_others_may_do():
    critic, params = made("asae")
    critic.samples = 1000
    seen, drawn = window(), policies()
    judged = critic.judge(jax.random.PRNGKey(1), params, seen, drawn)
    taken = critic._q(params, seen, seen.action)[1]
    before = np.concatenate([np.asarray(seen.critic_hidden)[None], np.asarray(taken)[:-1]])
    probability = np.asarray(drawn.features())
    exact = np.zeros((T, N, B, A))
    for step in range(T):
        here = seen._replace(
            view=jax.tree.map(lambda leaf: leaf[step : step + 1], seen.view),  # noqa: B023
            begins=seen.begins[step : step + 1],
            critic_hidden=jnp.asarray(before[step]),
        )
        for joint in product(range(A), repeat=N):
            action = jnp.broadcast_to(jnp.asarray(joint)[None, :, None], (1, N, B))
            q = np.asarray(critic._q(params, here, action)[0])[0]
            chances = np.stack([probability[step, i, :, joint[i]] for i in range(N)])
            for i in range(N):
                others = np.prod(np.delete(chances, i, axis=0), axis=0)  # [B]
                exact[step, i] += others[:, None] * q[i] / A  # the own action, which is not seen, A times
    spread = np.asarray(judged.own).std(axis=0) / np.sqrt(critic.samples)
    assert (np.abs(np.asarray(judged.own).mean(axis=0) - exact) <= 5 * spread + 1e-5).all()
    policy = drawn.features()[:-1]
    found = marginal.advantage(judged.own, policy, seen.action)
    truth = marginal.advantage(jnp.asarray(exact, jnp.float32)[None], policy, seen.action)
    np.testing.assert_allclose(found, truth, atol=0.05 * float(jnp.abs(truth).max()))


def test_the_local_critic_sees_the_agents_own_observation_alone():
    critic, params = made("ippo")
    judged = critic.judge(jax.random.PRNGKey(1), params, window(), policies())
    view = window().view
    blind = window()._replace(view=view._replace(state=jnp.zeros_like(view.state)))
    np.testing.assert_array_equal(judged.value, critic.judge(jax.random.PRNGKey(1), params, blind, policies()).value)
    other = window()._replace(view=view._replace(observation=view.observation.at[:, 1].add(1.0)))
    changed = critic.judge(jax.random.PRNGKey(1), params, other, policies()).value
    np.testing.assert_array_equal(judged.value[:, [0, 2]], changed[:, [0, 2]])
    assert np.all(np.abs(judged.value[:, 1] - changed[:, 1]) > 1e-5)


def test_the_teams_value_is_the_sum_of_the_own_ones():
    critic, params = made("ppo_sum")
    judged = critic.judge(jax.random.PRNGKey(1), params, window(), policies())
    own = np.take_along_axis(np.asarray(judged.own[0]), np.asarray(window().action)[..., None], axis=-1)[..., 0]
    for agent in range(N):
        np.testing.assert_allclose(judged.fitted[:, agent], own.sum(axis=1), atol=1e-5)


def test_the_mixed_value_grows_with_every_own_one():
    critic, params = made("ppo_mix")
    state, own = window().view.state, jnp.asarray(np.random.default_rng(3).normal(size=(T + 1, N, B)), jnp.float32)
    slope = jax.grad(lambda own: critic.mixer.apply(params.mixer, own, state).sum())(own)
    assert (slope >= 0).all() and (slope > 0).any()


def test_the_mixer_has_the_parameters_that_macas_table_6_counts():
    """PPO-Mix has 361,349 and PPO-Sum 134,148, which differ by the mixer; the state has 249 entries there."""
    method = PARAMS.method("ppo_mix")
    mixer = Monotonic(method.mixer_embedding, method.hypernet_width, method.mixer_init_scale)
    shapes = jax.eval_shape(mixer.init, jax.random.PRNGKey(0), jnp.zeros((1, 5, 1)), jnp.zeros((1, 1, 249)))
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == 361_349 - 134_148


@pytest.mark.parametrize("method", ["asae", "maca_coma", "ppo_sum", "ppo_mix"])
def test_a_task_with_continuous_actions_is_refused(method):
    spec = Spec("robot", ("a",), observation_size=5, state_size=4, actions=Continuous(2), horizon=9, has_winner=False)
    label = PARAMS.method(method).label
    with pytest.raises(ValueError, match=f"{label} needs discrete actions; robot has continuous ones"):
        critics.make(PARAMS.method(method), spec, NETWORK)
