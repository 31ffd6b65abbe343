"""A gated recurrent unit over a whole sequence, with a gradient written for it.

The equations are flax.linen.GRUCell's:
    r = sigmoid(x W_ir + b_ir + h W_hr)        z = sigmoid(x W_iz + b_iz + h W_hz)
    n = tanh(x W_in + b_in + r (h W_hn + b_hn))        h' = (1 - z) n + z h
with h set to zero before a step that begins an episode. The input products of all steps are one matrix product a gate
before the loop, over whose results the loop writes the gates for the way back. On that way the weights' gradients are
products over many steps: over all of them on an accelerator, on a CPU over as few as let what is multiplied stay in the
cache. Differentiating a scan of cells instead adds them up step by step.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.networks.rows import by_rows, column_sums, flat

CPU_CHUNK_STEPS = 16  # docs/performance.md compares 4 to all steps


class Weights(NamedTuple):
    """input: [3, D, H]; input_bias: [3, H]; recurrent: [3, H, H] (each for r, z, n); recurrent_bias: [H], of n."""

    input: jax.Array
    input_bias: jax.Array
    recurrent: jax.Array
    recurrent_bias: jax.Array


def _beside(kernels: jax.Array) -> jax.Array:
    """[3, D, H] -> [D, 3 H]."""
    return jnp.concatenate(list(kernels), axis=-1)


def _at(leaf: jax.Array, step: jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(leaf, step, keepdims=False)


def _put(leaf: jax.Array, step: jax.Array, *parts: jax.Array) -> jax.Array:
    """leaf: [T, R, F], of which a step is written, one part beside the other; XLA does it in place."""
    for i, part in enumerate(parts):
        leaf = jax.lax.dynamic_update_slice(leaf, part[None], (step, 0, i * part.shape[-1]))
    return leaf


def _step(recurrent: jax.Array, bias: jax.Array, start: jax.Array, gates):
    """The state after a step from `start`, the one before it; r, z, n; and what r gates.

    recurrent: [H, 3 H]; bias: [H], of n; gates: three input products [R, H]
    """
    of_r, of_z, of_n = jnp.split(start @ recurrent, 3, axis=-1)
    r, z = jax.nn.sigmoid(gates[0] + of_r), jax.nn.sigmoid(gates[1] + of_z)
    gated = of_n + bias
    n = jnp.tanh(gates[2] + r * gated)
    return n + z * (start - n), (r, z, n), gated


def _input_products(weights: Weights, x: jax.Array) -> list[jax.Array]:
    return [by_rows(x, kernel) + bias for kernel, bias in zip(weights.input, weights.input_bias, strict=True)]


@jax.custom_vjp
def gru(weights: Weights, hidden: jax.Array, x: jax.Array, keep: jax.Array) -> jax.Array:
    """Hidden states after every step.

    hidden: [R, H], before the first step; x: [T, R, D]; keep: [T, R], 0 where a step begins an episode, else 1
    Returns [T, R, H].
    """
    recurrent = _beside(weights.recurrent)

    def body(hidden, step):
        keep, *gates = step
        after = _step(recurrent, weights.recurrent_bias, hidden * keep[:, None], gates)[0]
        return after, after

    return jax.lax.scan(body, hidden, (keep, *_input_products(weights, x)))[1]


class Saved(NamedTuple):
    """What the way back needs of a step, each [T, R, H]: start, the state before it; r, z, n; and what r gates."""

    start: jax.Array
    gated: jax.Array
    r: jax.Array
    z: jax.Array
    n: jax.Array


def _forward(weights, hidden, x, keep):
    recurrent = _beside(weights.recurrent)

    def body(step, carry):
        hidden, states, saved = carry
        start = hidden * _at(keep, step)[:, None]
        gates = [_at(leaf, step) for leaf in (saved.r, saved.z, saved.n)]
        hidden, gates, gated = _step(recurrent, weights.recurrent_bias, start, gates)
        found = Saved(start, gated, *gates)
        saved = jax.tree.map(lambda leaf, row: _put(leaf, step, row), saved, found)
        return hidden, _put(states, step, hidden), saved

    none = jnp.zeros((len(x), *hidden.shape), x.dtype)
    start = hidden, none, Saved(none, none, *_input_products(weights, x))
    _, states, saved = jax.lax.fori_loop(0, len(x), body, start)
    return states, (weights, x, keep, saved)


def _chunk_steps(steps: int) -> int:
    """Steps whose gradients of the gates are multiplied together on the way back, a divisor of `steps`."""
    if jax.default_backend() != "cpu":
        return steps
    return max(size for size in range(1, CPU_CHUNK_STEPS + 1) if steps % size == 0)


class Sums(NamedTuple):
    """Gradients that are added up over chunks, those of r, z, n beside each other.

    input: [D, 3 H]; recurrent: [H, 3 H]; input_bias, recurrent_bias: [3 H]
    """

    input: jax.Array
    recurrent: jax.Array
    input_bias: jax.Array
    recurrent_bias: jax.Array


def _backward(residuals, gradient):
    weights, x, keep, saved = residuals
    steps, rows, width = gradient.shape
    size = _chunk_steps(steps)
    to_start, to_x = (
        jnp.concatenate([kernel.T for kernel in kernels]) for kernels in (weights.recurrent, weights.input)
    )

    def chunk(carry, first):
        later, sums, of_input, of_recurrent = carry

        def cut(leaf):
            return flat(jax.lax.dynamic_slice_in_dim(leaf, first, size))

        def body(back, carry):
            later, of_input, of_recurrent = carry  # of the input products and of the recurrent ones
            place = size - 1 - back
            step = first + place
            start, gated, r, z, n = (_at(leaf, step) for leaf in saved)
            d_hidden = later + _at(gradient, step)
            d_n = d_hidden * (1 - z) * (1 - n * n)
            d_z = d_hidden * (start - n) * z * (1 - z)
            d_r = d_n * gated * r * (1 - r)
            of_input, of_recurrent = _put(of_input, place, d_r, d_z, d_n), _put(of_recurrent, place, d_r, d_z, d_n * r)
            d_start = d_hidden * z + _at(of_recurrent, place) @ to_start
            return d_start * _at(keep, step)[:, None], of_input, of_recurrent

        later, of_input, of_recurrent = jax.lax.fori_loop(0, size, body, (later, of_input, of_recurrent))
        found = Sums(
            input=cut(x).T @ flat(of_input),
            recurrent=cut(saved.start).T @ flat(of_recurrent),
            input_bias=column_sums(of_input),
            recurrent_bias=column_sums(of_recurrent),
        )
        d_x = (flat(of_input) @ to_x).reshape(size, *x.shape[1:])
        return (later, jax.tree.map(jnp.add, sums, found), of_input, of_recurrent), d_x

    none, bias = jnp.zeros((size, rows, 3 * width), x.dtype), jnp.zeros(3 * width, x.dtype)
    sums = Sums(jnp.zeros((x.shape[-1], 3 * width), x.dtype), jnp.zeros((width, 3 * width), x.dtype), bias, bias)
    start = jnp.zeros_like(gradient[0]), sums, none, none
    (d_hidden, sums, *_), d_x = jax.lax.scan(chunk, start, jnp.arange(0, steps, size), reverse=True)
    d_weights = Weights(
        input=jnp.stack(jnp.split(sums.input, 3, axis=-1)),
        input_bias=jnp.stack(jnp.split(sums.input_bias, 3)),
        recurrent=jnp.stack(jnp.split(sums.recurrent, 3, axis=-1)),
        recurrent_bias=sums.recurrent_bias[2 * width :],
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
