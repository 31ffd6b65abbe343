"""What the critics see, and the policies' numbers worked by hand."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.config import Network, Params
from gpae.environments.base import Continuous, Discrete, Spec
from gpae.networks.actor_critic import Actor, Body, CounterfactualCritic, Dense, Joint, ValueCritic
from gpae.networks.policies import Categorical, Gaussian, action_features

SPEC = Spec("pair", ("a", "b"), observation_size=3, state_size=4, actions=Discrete(2), horizon=5, has_winner=False)
NETWORK = Network(width=8, layers=2, recurrent=True)


def values(critic, joint, key=0):
    state = jnp.asarray(np.random.default_rng(0).normal(size=(3, 1, 4)), jnp.float32)
    hidden, begins = jnp.zeros((2, 1, 8)), jnp.zeros((3, 1), bool)
    params = critic.init(jax.random.PRNGKey(key), hidden, state, joint, begins)
    return critic.apply(params, hidden, state, joint, begins)[0]


def test_eq_critic_does_not_see_the_own_action_but_sees_the_others():
    rng = np.random.default_rng(1)
    policy = jnp.asarray(rng.dirichlet([1, 1], size=(3, 2, 1)), jnp.float32)
    available = jnp.ones((3, 2, 1, 2), bool)
    first = action_features(jnp.zeros((3, 2, 1), jnp.int32), available)
    second = first.at[:, 0].set(first[:, 0, :, ::-1])  # agent 0 acts otherwise
    critic = CounterfactualCritic(SPEC, NETWORK)
    before, after = values(critic, Joint(first, policy)), values(critic, Joint(second, policy))
    np.testing.assert_allclose(before[:, 0], after[:, 0], atol=1e-6)
    assert np.all(np.abs(before[:, 1] - after[:, 1]) > 1e-4)


def test_value_critic_tells_agents_apart_only_by_their_id():
    with_id = values(ValueCritic(SPEC, NETWORK), None)
    without = values(ValueCritic(SPEC, Network(width=8, layers=2, recurrent=True, agent_id=False)), None)
    assert np.all(with_id[:, 0] != with_id[:, 1])
    np.testing.assert_array_equal(without[:, 0], without[:, 1])


@pytest.mark.parametrize("style", ["gpae", "harl"])
def test_where_layer_norm_stands(style):
    """Before relu, and none after the GRU; in HARL's style after both: of its first layers, which it begins with."""
    network = Network(width=8, layers=2, recurrent=True, style=style)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 2, 4, 8)), jnp.float32)
    given = jnp.zeros((2, 4, 8)), x, jnp.zeros((3, 4), bool)
    features, states = Body(network).init_with_output(jax.random.PRNGKey(0), *given)[0]
    dense = Dense(network).init_with_output(jax.random.PRNGKey(0), x)[0]
    if style == "harl":
        for each in (dense, features):
            np.testing.assert_allclose(each.mean(-1), 0, atol=1e-5)
            np.testing.assert_allclose(each.std(-1), 1, atol=1e-2)
    else:
        assert (dense >= 0).all()
        np.testing.assert_array_equal(features, states)


def test_mabraxs_critic_is_not_told_the_agent():
    """As in the authors' release: so MAPPO's values, and its advantages, are the same for all agents there."""
    params = Params(Path(__file__).parents[2] / "params")
    networks = {task: plan.job(params, "paper", "mappo", task, (0,)).network for task in ("hopper_3x1", "5m_vs_6m")}
    assert {task: network.agent_id for task, network in networks.items()} == {"hopper_3x1": False, "5m_vs_6m": True}


@pytest.mark.parametrize(("style", "first"), [("gpae", 1.0), ("harl", 0.5 / (1 + np.exp(-1)))])
def test_the_first_deviation_of_a_continuous_policy(style, first):
    spec = Spec(
        "pair", ("a", "b"), observation_size=3, state_size=4, actions=Continuous(2), horizon=5, has_winner=False
    )
    actor = Actor(spec, Network(width=8, layers=1, recurrent=False, style=style))
    seen = jnp.zeros((2, 1, 0)), jnp.ones((3, 2, 1, 3)), jnp.ones((3, 2, 1, 2), bool), jnp.zeros((3, 1), bool)
    policies, _ = actor.apply(actor.init(jax.random.PRNGKey(0), *seen), *seen)
    np.testing.assert_allclose(np.exp(policies.log_std), first, rtol=1e-5)


def test_masked_categorical():
    policy = Categorical.masked(jnp.asarray([0.0, jnp.log(3.0), 9.0]), jnp.asarray([True, True, False]))
    np.testing.assert_allclose(policy.features(), [0.25, 0.75, 0.0], atol=1e-7)
    np.testing.assert_allclose(policy.log_prob(jnp.asarray(1)), np.log(0.75), rtol=1e-6)
    np.testing.assert_allclose(policy.entropy(), -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), rtol=1e-6)
    assert policy.mode() == 1
    drawn = jax.vmap(policy.sample)(jax.random.split(jax.random.PRNGKey(0), 4000))
    assert set(np.unique(drawn)) == {0, 1} and abs(float(np.mean(drawn)) - 0.75) < 0.03


def test_gaussian_counts_only_the_entries_that_the_agent_has():
    policy = Gaussian(jnp.asarray([1.0, 5.0]), jnp.asarray([0.0, 2.0]), jnp.asarray([True, False]))
    expected = -0.5 * 4.0 - 0.5 * np.log(2 * np.pi)  # standard normal, two deviations off
    np.testing.assert_allclose(policy.log_prob(jnp.asarray([3.0, -7.0])), expected, rtol=1e-6)
    np.testing.assert_allclose(policy.entropy(), 0.5 * np.log(2 * np.pi * np.e), rtol=1e-6)
    np.testing.assert_allclose(policy.features(), [1.0, 0.0])
    np.testing.assert_allclose(action_features(jnp.asarray([3.0, -7.0]), policy.has), [3.0, 0.0])
