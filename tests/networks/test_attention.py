"""MACA's critic: what is linear in the actions, who attends to whom, T-Fixup's scale."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.config import Network
from gpae.environments.base import Discrete, Spec
from gpae.networks.attention import Attention, AttentionCritic, fixup, rollout

T, N, B, S, A, W = 4, 3, 2, 5, 3, 8
SPEC = Spec("three", ("a", "b", "c"), S, 4, actions=Discrete(A), horizon=9, has_winner=False)


def drawn(*shape, seed=0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


BEGINS = jnp.zeros((T, B), bool)


def made(head="linear", blocks=1, recurrent=True):
    module = AttentionCritic(SPEC, Network(W, 2, recurrent), blocks, 16, head)
    hidden = jnp.zeros((N, B, W if recurrent else 0))
    given = hidden, drawn(T, N, B, S), BEGINS
    return module, given, jax.jit(module.init)(jax.random.PRNGKey(0), *given, jnp.zeros((T, N, B, A)))


def critic(head="linear", blocks=1, recurrent=True):
    module, given, params = made(head, blocks, recurrent)
    # as after some learning: in a bilinear head at first no action is better than another
    params = jax.tree.map(lambda leaf: leaf * (100 if leaf.shape == (16, N * A) else 1), params)
    encoded = jax.jit(lambda: module.apply(params, *given, method="encode"))()[0]
    return params, encoded, jax.jit(lambda actions: module.apply(params, encoded, actions, method="value"))


def mean_and_value_of_mean(head):
    """E[Q(s, a)] over every joint action of independent agents, and Q(s, E[a]); [T, B] each."""
    _, _, value = critic(head)
    policy = np.asarray(jax.nn.softmax(drawn(T, N, B, A, seed=1)))
    mean = 0.0
    for joint in product(range(A), repeat=N):
        taken = jnp.broadcast_to(jnp.eye(A)[jnp.asarray(joint)][None, :, None], (T, N, B, A))
        mean = mean + np.prod([policy[:, i, :, a] for i, a in enumerate(joint)], axis=0) * np.asarray(value(taken))
    return mean, np.asarray(value(jnp.asarray(policy)))


@pytest.mark.parametrize("head", ["linear", "bilinear"])
def test_the_mean_of_q_is_q_of_the_mean(head):
    mean, of_mean = mean_and_value_of_mean(head)
    assert np.abs(mean).max() > 0.1
    np.testing.assert_allclose(of_mean, mean, atol=2e-6)


@pytest.mark.slow
def test_with_a_decoder_it_is_not():
    mean, of_mean = mean_and_value_of_mean("decoder")
    assert np.abs(of_mean - mean).max() > 1e-3


@pytest.mark.parametrize("head", ["linear", "bilinear", pytest.param("decoder", marks=pytest.mark.slow)])
def test_an_agents_action_is_worth_something_else_in_another_state_unless_the_head_is_linear(head):
    _, _, value = critic(head)
    taken = jnp.zeros((T, N, B, A)).at[..., 0].set(1.0)
    for agent in range(N):
        other = taken.at[:, agent].set(jnp.eye(A)[1])
        worth = np.asarray(value(other) - value(taken))
        assert np.abs(worth).min() > 1e-5
        assert np.ptp(worth) < 1e-5 if head == "linear" else np.ptp(worth) > 1e-2


def test_agents_attend_to_each_other_and_weights_sum_to_one():
    module, (hidden, observation, begins), params = made(blocks=2)
    encoded, states = module.apply(params, hidden, observation, begins, method="encode")
    assert states.shape == (T, N, B, W)
    assert encoded.attention.shape == (T, 2, N, N, B) and encoded.embedding.shape == (T, B, 16)
    np.testing.assert_allclose(encoded.attention.sum(3), 1.0, atol=1e-6)
    other = observation.at[:, 2].mul(-1.0)  # agent 2 sees something else
    tokens = module.apply(params, hidden, other, begins, method="encode")[0].tokens
    assert (np.abs(tokens - encoded.tokens).max((0, 2, 3)) > 1e-3).all()


def test_at_first_no_action_is_better_than_another():
    module, given, params = made("bilinear")
    actions = jnp.zeros((2, T, N, B, A)).at[0, ..., 0].set(1.0).at[1, ..., 1].set(1.0)
    one, other = (jax.jit(module.apply)(params, *given, each)[1] for each in actions)
    assert 0 < np.abs(one - other).max() < 0.2 * np.std(one)


def test_attention_by_hand():
    """Two agents, width 1, all weights 1: scores q k, shares by softmax, the values' mean by them."""
    module = Attention(1, *2 * [jax.nn.initializers.xavier_uniform()])
    x = jnp.asarray([1.0, 2.0]).reshape(1, 2, 1, 1)
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, leaf.ndim == 2), module.init(jax.random.PRNGKey(0), x, x))
    mixed, weights = module.apply(params, x, x)
    first = np.exp([1.0, 2.0]) / np.exp([1.0, 2.0]).sum()  # agent 0 asks 1 of the keys 1 and 2
    second = np.exp([2.0, 4.0]) / np.exp([2.0, 4.0]).sum()
    np.testing.assert_allclose(weights[0, :, :, 0], [first, second], rtol=1e-5)
    np.testing.assert_allclose(mixed.ravel(), [first @ [1, 2], second @ [1, 2]], rtol=1e-5)


def test_rollout_of_two_blocks_by_hand():
    one, two = [[0.8, 0.2], [0.4, 0.6]], [[0.5, 0.5], [0.1, 0.9]]
    attention = jnp.asarray([one, two])[None, ..., None]
    # halfway to the identity: [[.9, .1], [.2, .8]] and [[.75, .25], [.05, .95]]; the second from the left
    expected = [[0.75 * 0.9 + 0.25 * 0.2, 0.75 * 0.1 + 0.25 * 0.8], [0.05 * 0.9 + 0.95 * 0.2, 0.05 * 0.1 + 0.95 * 0.8]]
    np.testing.assert_allclose(rollout(attention, 0.5)[0, :, :, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(rollout(attention, 0.0)[0, :, :, 0], np.array(two) @ one, rtol=1e-6)
    np.testing.assert_allclose(rollout(attention[:, :1], 0.5)[0, :, :, 0], [[0.9, 0.1], [0.2, 0.8]], rtol=1e-6)


def test_fixup_scales_xavier():
    shape, key = (64, 256), jax.random.PRNGKey(0)
    xavier = jax.nn.initializers.xavier_uniform()(key, shape)
    np.testing.assert_allclose(fixup(1)(key, shape), 0.67 * xavier, rtol=1e-5)
    np.testing.assert_allclose(fixup(16)(key, shape), 0.67 / 2 * xavier, rtol=1e-5)
    np.testing.assert_allclose(fixup(1, decoder=True)(key, shape), 9**-0.25 * xavier, rtol=1e-5)
    np.testing.assert_allclose(fixup(1, values=True)(key, shape), 0.67 * 2**0.5 * xavier, rtol=1e-5)


def test_a_token_knows_the_steps_before_it_in_its_episode():
    module, (hidden, observation, begins), params = made()
    other = observation.at[0].mul(-1.0)

    def tokens(observation, begins):
        return module.apply(params, hidden, observation, begins, method="encode")[0].tokens

    assert (np.abs(tokens(observation, begins) - tokens(other, begins))[1:].max((1, 2, 3)) > 1e-3).all()
    begins = begins.at[2].set(True)
    np.testing.assert_array_equal(tokens(observation, begins)[2:], tokens(other, begins)[2:])
