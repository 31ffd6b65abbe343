"""LayerNorm with a gradient written for it; flax.linen.LayerNorm's function and parameters.

Rows and columns are summed in the form that XLA's CPU backend does fastest (`gpae.networks.rows`).
"""

import flax.linen as nn
import jax

from gpae.networks.rows import column_sums, row_sums

EPSILON = 1e-6


def _mean(x: jax.Array) -> jax.Array:
    """Over the last axis, kept."""
    return row_sums(x) / x.shape[-1]


@jax.custom_vjp
def layer_norm(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """(x - mean) / sqrt(variance + 1e-6) * scale + bias over the last axis; x: [..., F], scale and bias: [F]."""
    return _forward(x, scale, bias)[0]


def _forward(x, scale, bias):
    centred = x - _mean(x)
    inverse = jax.lax.rsqrt(_mean(centred * centred) + EPSILON)
    normal = centred * inverse
    return normal * scale + bias, (normal, inverse, scale)


def _backward(residuals, gradient):
    normal, inverse, scale = residuals
    scaled = gradient * scale
    d_x = inverse * (scaled - _mean(scaled) - normal * _mean(scaled * normal))
    return d_x, column_sums(gradient * normal), column_sums(gradient)


layer_norm.defvjp(_forward, _backward)


class LayerNorm(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        return layer_norm(x, scale, self.param("bias", nn.initializers.zeros, (x.shape[-1],)))
