"""LayerNorm and its hand-written gradient against flax's, in float64."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.networks.layer_norm import LayerNorm, layer_norm


@pytest.fixture
def double_precision():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize("features", [3, 16, 37])
def test_values_and_gradients_are_those_of_flax(features, double_precision):
    rng = np.random.default_rng(0)
    x, pull = (jnp.asarray(rng.normal(1, 2, (4, 5, features))) for _ in range(2))
    scale, bias = (jnp.asarray(rng.normal(size=features)) for _ in range(2))

    def theirs(x, scale, bias):
        return nn.LayerNorm().apply({"params": {"scale": scale, "bias": bias}}, x)

    def gradients(norm):
        return jax.grad(lambda *arguments: jnp.sum(pull * norm(*arguments)), argnums=(0, 1, 2))(x, scale, bias)

    np.testing.assert_allclose(layer_norm(x, scale, bias), theirs(x, scale, bias), rtol=1e-10, atol=1e-10)
    for mine, other in zip(gradients(layer_norm), gradients(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-10)


def test_parameters_are_those_of_flax():
    ours, theirs = (module.init(jax.random.PRNGKey(0), jnp.ones((2, 5))) for module in (LayerNorm(), nn.LayerNorm()))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
