"""The gradient over so many steps against `jax.grad` of the same network over them, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks import ragged
from gpae.networks.gru import Weights, gru


@pytest.fixture(autouse=True)
def double_precision():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize(("time", "steps"), [(24, 24), (24, 17), (24, 8), (24, 1), (24, 0), (9, 4), (7, 6), (17, 5)])
def test_sums_and_gradients_are_those_of_the_steps_that_count(time, steps):
    rows, features, width = 5, 3, 4
    rng = np.random.default_rng(0)
    draw = lambda *shape: jnp.asarray(rng.normal(size=shape))  # noqa: E731
    weights = Weights(draw(3, width, width), draw(3, width), draw(3, width, width), draw(width))
    params, x = {"in": draw(features, width), "out": draw(width)}, draw(time, rows, features)
    hidden, keep = draw(rows, width), jnp.asarray(rng.random((time, rows)) < 0.7, jnp.float64)
    count = jnp.asarray((np.arange(time) < steps)[:, None] * rng.random((time, rows)))

    def enter(params, first, size):
        return jnp.tanh(jax.lax.dynamic_slice_in_dim(x, first, size) @ params["in"])

    def leave(params, states, first):
        value = jnp.sin(states @ params["out"]) * jax.lax.dynamic_slice_in_dim(count, first, len(states))
        return jnp.sum(value), {"squares": jnp.sum(value**2)}

    def whole(params, weights):
        return leave(params, gru(weights, hidden, enter(params, 0, time), keep), 0)

    found = jax.jit(lambda steps: ragged.ragged_gradient(enter, leave, params, weights, hidden, keep, steps))(steps)
    sums, gradients = jax.value_and_grad(whole, argnums=(0, 1), has_aux=True)(params, weights)
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves((sums, *gradients)), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
