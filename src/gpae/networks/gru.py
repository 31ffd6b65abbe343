"""A gated recurrent unit over a whole sequence, with a gradient written for it.

The equations are flax.linen.GRUCell's:
    r = sigmoid(x W_ir + b_ir + h W_hr)        z = sigmoid(x W_iz + b_iz + h W_hz)
    n = tanh(x W_in + b_in + r (h W_hn + b_hn))        h' = (1 - z) n + z h
with h set to zero before a step that begins an episode. The input products of all steps are one matrix product before
the scan, which keeps the gates for the way back. On that way the weights' gradients are products over many steps: over
all of them on an accelerator, on a CPU over as few as let what is multiplied stay in the cache. Differentiating a scan
of cells instead adds them up step by step.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.networks.rows import column_sums, flat

CPU_CHUNK_STEPS = 16  # docs/performance.md compares 8 to all steps


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
        after, saved = _step(weights, hidden * keep[:, None], gates)
        return after, (after, saved)

    _, (after, saved) = jax.lax.scan(body, hidden, (keep, *_input_products(weights, x)))
    return after, (weights, hidden, x, keep, after, saved)


def _chunk_steps(steps: int) -> int:
    """Steps whose gradients of the gates are multiplied together on the way back, a divisor of `steps`."""
    if jax.default_backend() != "cpu":
        return steps
    return max(size for size in range(1, CPU_CHUNK_STEPS + 1) if steps % size == 0)


def _backward(residuals, gradient):
    weights, hidden, x, keep, after, saved = residuals
    start = jnp.concatenate([hidden[None], after[:-1]]) * keep[..., None]
    width = hidden.shape[-1]
    back = jnp.concatenate([gate.T for gate in weights.recurrent])  # [3 H, H], one product a step for three

    def body(carry, step):
        later, (sum_gates, sum_n) = carry
        gradient, keep, start, (r, z, n, candidate) = step
        d_hidden = later + gradient
        d_n = d_hidden * (1 - z) * (1 - n * n)
        d_z = d_hidden * (start - n) * z * (1 - z)
        d_r = d_n * candidate * r * (1 - r)
        d_gates = jnp.concatenate([d_r, d_z, d_n * r], axis=-1)  # of the recurrent products
        d_start = d_hidden * z + d_gates @ back
        return (d_start * keep[:, None], (sum_gates + d_gates, sum_n + d_n)), (d_gates, d_n)

    def chunk(carry, steps):
        inner, total = carry
        x, *steps = steps
        inner, (d_gates, d_n) = jax.lax.scan(body, inner, tuple(steps), reverse=True)
        d_r, d_z, d_n = (flat(d) for d in (d_gates[..., :width], d_gates[..., width : 2 * width], d_n))
        products = [flat(x).T @ d for d in (d_r, d_z, d_n)], flat(steps[2]).T @ flat(d_gates)
        d_x = sum(d @ kernel.T for d, kernel in zip((d_r, d_z, d_n), weights.input, strict=True))
        return (inner, jax.tree.map(jnp.add, total, products)), d_x.reshape(x.shape)

    size = _chunk_steps(len(x))
    cut = jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), (x, gradient, keep, start, saved))
    none = jnp.zeros_like(hidden)
    sums = jnp.concatenate([none] * 3, axis=-1), none
    total = [jnp.zeros_like(kernel) for kernel in weights.input], jnp.zeros((width, 3 * width), x.dtype)
    ((d_hidden, sums), (d_input, d_recurrent)), d_x = jax.lax.scan(chunk, ((none, sums), total), cut, reverse=True)
    d_r, d_z, d_candidate = jnp.split(column_sums(sums[0]), 3)
    d_weights = Weights(
        input=jnp.stack(d_input),
        input_bias=jnp.stack([d_r, d_z, column_sums(sums[1])]),
        recurrent=jnp.stack(jnp.split(d_recurrent, 3, axis=-1)),
        recurrent_bias=d_candidate,
    )
    return d_weights, d_hidden, d_x.reshape(x.shape), jnp.zeros_like(keep)


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
