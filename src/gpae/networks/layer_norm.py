"""LayerNorm with a gradient written for it; flax.linen.LayerNorm's function and parameters.

XLA's CPU backend sums rows one entry after the other and columns with a stride. Here a row is summed sixteen lanes at a
time and the columns of the parameters' gradients by a product with ones; docs/performance.md has the effect.
"""

import flax.linen as nn
import jax

from gpae.networks.rows import column_sums

EPSILON = 1e-6
LANES = 16


def _mean(x: jax.Array) -> jax.Array:
    """Over the last axis, kept."""
    size = x.shape[-1]
    whole = size - size % LANES
    parts = [x[..., at : at + LANES] for at in range(0, whole, LANES)]
    total = sum(parts[1:], parts[0]).sum(-1, keepdims=True) if parts else 0.0
    if whole < size:
        total = total + x[..., whole:].sum(-1, keepdims=True)
    return total / size


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
