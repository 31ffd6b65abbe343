"""A gated recurrent unit over a whole sequence, with a gradient written for it.

The equations are flax.linen.GRUCell's:
    r = sigmoid(x W_ir + b_ir + h W_hr)        z = sigmoid(x W_iz + b_iz + h W_hz)
    n = tanh(x W_in + b_in + r (h W_hn + b_hn))        h' = (1 - z) n + z h
with h set to zero before a step that begins an episode. The input products of all steps are one matrix product before
the scan and the weights' gradients one after it; the scan itself keeps the gates for the way back. Differentiating a
scan of cells instead adds up the weights' gradients step by step.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp


class Weights(NamedTuple):
    """input: [3, D, H]; input_bias: [3, H]; recurrent: [3, H, H] (each for r, z, n); recurrent_bias: [H], of n."""

    input: jax.Array
    input_bias: jax.Array
    recurrent: jax.Array
    recurrent_bias: jax.Array


def _step(weights: Weights, hidden, gates):
    """One step from gates (the input products) and the hidden state; also what the way back needs."""
    r = jax.nn.sigmoid(gates[0] + hidden @ weights.recurrent[0])
    z = jax.nn.sigmoid(gates[1] + hidden @ weights.recurrent[1])
    candidate = hidden @ weights.recurrent[2] + weights.recurrent_bias
    n = jnp.tanh(gates[2] + r * candidate)
    return n + z * (hidden - n), (r, z, n, candidate)


def _input_products(weights: Weights, x):
    return tuple(x @ weights.input[gate] + weights.input_bias[gate] for gate in range(3))


@jax.custom_vjp
def gru(weights: Weights, hidden: jax.Array, x: jax.Array, keep: jax.Array) -> jax.Array:
    """Hidden states after every step.

    hidden: [R, H], before the first step; x: [T, R, D]; keep: [T, R], 0 where a step begins an episode, else 1
    Returns [T, R, H].
    """
    return _forward(weights, hidden, x, keep)[0]


def _forward(weights, hidden, x, keep):
    def body(hidden, step):
        keep, *gates = step
        start = hidden * keep[:, None]
        after, saved = _step(weights, start, gates)
        return after, (after, (start, *saved))

    _, (after, saved) = jax.lax.scan(body, hidden, (keep, *_input_products(weights, x)))
    return after, (weights, x, keep, saved)


def _backward(residuals, gradient):
    weights, x, keep, saved = residuals
    back = jnp.concatenate([gate.T for gate in weights.recurrent])  # [3 H, H], one product a step for three

    def body(later, step):
        gradient, keep, start, r, z, n, candidate = step
        d_hidden = later + gradient
        d_n = d_hidden * (1 - z) * (1 - n * n)
        d_z = d_hidden * (start - n) * z * (1 - z)
        d_r = d_n * candidate * r * (1 - r)
        d_candidate = d_n * r
        d_start = d_hidden * z + jnp.concatenate([d_r, d_z, d_candidate], axis=-1) @ back
        return d_start * keep[:, None], (d_r, d_z, d_n, d_candidate)

    d_hidden, (d_r, d_z, d_n, d_candidate) = jax.lax.scan(
        body, jnp.zeros_like(gradient[0]), (gradient, keep, *saved), reverse=True
    )
    start = saved[0]

    def product(a, b):
        """The sum over all rows; on flat rows, because XLA's CPU backend is slow in contracting several axes."""
        return a.reshape(-1, a.shape[-1]).T @ b.reshape(-1, b.shape[-1])

    d_weights = Weights(
        input=jnp.stack([product(x, d) for d in (d_r, d_z, d_n)]),
        input_bias=jnp.stack([d.sum((0, 1)) for d in (d_r, d_z, d_n)]),
        recurrent=jnp.stack([product(start, d) for d in (d_r, d_z, d_candidate)]),
        recurrent_bias=d_candidate.sum((0, 1)),
    )
    d_x = sum(d @ weights.input[gate].T for gate, d in enumerate((d_r, d_z, d_n)))
    return d_weights, d_hidden, d_x, jnp.zeros_like(keep)


gru.defvjp(_forward, _backward)


class GRU(nn.Module):
    """The unit with its weights, initialised as flax's cell.

    width: units H
    """

    width: int

    @nn.compact
    def __call__(self, hidden: jax.Array, x: jax.Array, begins: jax.Array) -> jax.Array:
        """hidden: [N, B, H]; x: [T, N, B, D]; begins: bool [T, B], the step begins an episode. Returns [T, N, B, H]."""
        time, agents, batch, features = x.shape
        lecun = nn.initializers.lecun_normal(batch_axis=(0,))
        orthogonal = jax.vmap(nn.initializers.orthogonal(), in_axes=(0, None))
        weights = Weights(
            input=self.param("input", lecun, (3, features, self.width)),
            input_bias=self.param("input_bias", nn.initializers.zeros, (3, self.width)),
            recurrent=self.param(
                "recurrent", lambda key, shape: orthogonal(jax.random.split(key, 3), shape), (self.width, self.width)
            ),
            recurrent_bias=self.param("recurrent_bias", nn.initializers.zeros, (self.width,)),
        )
        rows = agents * batch
        keep = jnp.broadcast_to(~begins[:, None], (time, agents, batch)).reshape(time, rows).astype(x.dtype)
        after = gru(weights, hidden.reshape(rows, -1), x.reshape(time, rows, features), keep)
        return after.reshape(time, agents, batch, self.width)
