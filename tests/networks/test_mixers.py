"""The mixers on random weights and states: monotonic whatever the weights, and equal to their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks.mixers import Monotonic, Separate, Sum

TIME, AGENTS, BATCH, STATE = 3, 4, 5, 6


def draw(seed):
    """Q values [T, N, B], of both signs, and states [T, B, S]."""
    q, state = jax.random.split(jax.random.PRNGKey(seed))
    return 5 * jax.random.normal(q, (TIME, AGENTS, BATCH)), jax.random.normal(state, (TIME, BATCH, STATE))


def monotonic(seed):
    """A mixer with all weights and biases drawn, of both signs."""
    mixer = Monotonic(embedding=8, width=16, scale=0.001)
    shapes = jax.eval_shape(mixer.init, jax.random.PRNGKey(0), *draw(0))
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.PRNGKey(seed), len(leaves))
    drawn = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    return mixer, jax.tree.unflatten(structure, drawn)


@pytest.mark.parametrize("seed", range(5))
def test_no_agents_value_lowers_the_teams(seed):
    mixer, params = monotonic(seed)
    q, state = draw(seed)
    slope = jax.grad(lambda q: mixer.apply(params, q, state).sum())(q)
    assert slope.shape == q.shape and float(slope.min()) >= 0 and float(slope.max()) > 0.1
    assert bool(jnp.all(jnp.abs(slope).sum((0, 2)) > 0))  # every agent counts


def test_the_bias_may_be_negative_and_depends_on_the_state():
    mixer, params = monotonic(0)
    q, state = draw(0)
    value = mixer.apply(params, jnp.zeros_like(q), state)
    assert float(value.min()) < 0 < float(value.max())


def test_qmix_is_its_formula():
    mixer, params = monotonic(1)
    q, state = (np.asarray(array, np.float64) for array in draw(1))
    layers = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params["params"])

    def network(name, x):
        for layer in range(len(layers[name])):
            x = np.maximum(x, 0) if layer else x
            x = x @ layers[name][f"Dense_{layer}"]["kernel"] + layers[name][f"Dense_{layer}"]["bias"]
        return x

    found = mixer.apply(params, *draw(1))
    assert found.shape == (TIME, 1, BATCH)
    for t in range(TIME):
        for b in range(BATCH):
            s = state[t, b]
            first = np.abs(network("first_weights", s)).reshape(AGENTS, 8)
            hidden = q[t, :, b] @ first + network("first_bias", s)
            hidden = np.where(hidden > 0, hidden, np.expm1(np.minimum(hidden, 0)))
            total = hidden @ np.abs(network("second_weights", s)) + network("second_bias", s)[0]
            np.testing.assert_allclose(found[t, 0, b], total, rtol=2e-5, atol=1e-4)


def test_vdn_is_the_sum_and_iql_mixes_nothing():
    q, state = draw(2)
    np.testing.assert_allclose(Sum().apply({}, q, state), np.asarray(q).sum(1, keepdims=True), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(Separate().apply({}, q, state), q)


def test_the_first_weights_are_small():
    """Hypernetworks start at `scale`, so that an untrained mixer gives values near 0 whatever the agents say."""
    mixer = Monotonic(embedding=8, width=16, scale=0.001)
    q, state = draw(3)
    value = mixer.apply(mixer.init(jax.random.PRNGKey(0), q, state), q, state)
    assert 0 < float(jnp.abs(value).max()) < 1e-4
