"""A gated recurrent unit over a whole sequence, with a gradient written for it.

The equations are flax.linen.GRUCell's:
    r = sigmoid(x W_ir + b_ir + h W_hr)        z = sigmoid(x W_iz + b_iz + h W_hz)
    n = tanh(x W_in + b_in + r (h W_hn + b_hn))        h' = (1 - z) n + z h
with h set to zero before a step that begins an episode; `torch` adds biases of h to r and z as well. The input products
of all steps are one matrix product a gate before the loop, over whose results the loop writes the gates for the way
back. On that way the weights' gradients are products over many steps: over all of them on an accelerator, on a CPU over
as few as let what is multiplied stay in the cache. Differentiating a scan of cells instead adds them up step by step.
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


def weights_of(params: dict[str, jax.Array]) -> Weights:
    """Of a GRU's parameters, in which a bias [3, H] of h stands for all three gates: for r and z it is one more bias of
    the input."""
    bias = params["recurrent_bias"]
    if bias.ndim == 1:
        return Weights(**params)
    of_input = params["input_bias"] + bias.at[2].set(0.0)
    return Weights(params["input"], of_input, params["recurrent"], bias[2])


def beside(kernels: jax.Array) -> jax.Array:
    """[3, D, H] -> [D, 3 H]."""
    return jnp.concatenate(list(kernels), axis=-1)


def at(leaf: jax.Array, step: jax.Array) -> jax.Array:
    return jax.lax.dynamic_index_in_dim(leaf, step, keepdims=False)


def put(leaf: jax.Array, step: jax.Array, *parts: jax.Array) -> jax.Array:
    """leaf: [T, R, F], of which a step is written, one part beside the other; XLA does it in place."""
    for i, part in enumerate(parts):
        leaf = jax.lax.dynamic_update_slice(leaf, part[None], (step, 0, i * part.shape[-1]))
    return leaf


class Saved(NamedTuple):
    """What the way back needs of a step, each [..., R, H]: start, the state before it; r, z, n; and what r gates."""

    start: jax.Array
    gated: jax.Array
    r: jax.Array
    z: jax.Array
    n: jax.Array


def step_forth(recurrent: jax.Array, bias: jax.Array, start: jax.Array, gates) -> tuple[Saved, jax.Array]:
    """A step from the state `start`, and the state after it [R, H].

    recurrent: [H, 3 H]; bias: [H], of n; gates: three input products [R, H]
    """
    of_r, of_z, of_n = jnp.split(start @ recurrent, 3, axis=-1)
    r, z = jax.nn.sigmoid(gates[0] + of_r), jax.nn.sigmoid(gates[1] + of_z)
    gated = of_n + bias
    n = jnp.tanh(gates[2] + r * gated)
    return Saved(start, gated, r, z, n), n + z * (start - n)


def input_products(weights: Weights, x: jax.Array) -> list[jax.Array]:
    return [by_rows(x, kernel) + bias for kernel, bias in zip(weights.input, weights.input_bias, strict=True)]


@jax.custom_vjp
def gru(weights: Weights, hidden: jax.Array, x: jax.Array, keep: jax.Array) -> jax.Array:
    """Hidden states after every step.

    hidden: [R, H], before the first step; x: [T, R, D]; keep: [T, R], 0 where a step begins an episode, else 1
    Returns [T, R, H].
    """
    recurrent = beside(weights.recurrent)

    def body(hidden, step):
        keep, *gates = step
        after = step_forth(recurrent, weights.recurrent_bias, hidden * keep[:, None], gates)[1]
        return after, after

    return jax.lax.scan(body, hidden, (keep, *input_products(weights, x)))[1]


def _forward(weights, hidden, x, keep):
    recurrent = beside(weights.recurrent)

    def body(step, carry):
        hidden, states, saved = carry
        gates = [at(leaf, step) for leaf in (saved.r, saved.z, saved.n)]
        found, hidden = step_forth(recurrent, weights.recurrent_bias, hidden * at(keep, step)[:, None], gates)
        saved = jax.tree.map(lambda leaf, row: put(leaf, step, row), saved, found)
        return hidden, put(states, step, hidden), saved

    none = jnp.zeros((len(x), *hidden.shape), x.dtype)
    start = hidden, none, Saved(none, none, *input_products(weights, x))
    _, states, saved = jax.lax.fori_loop(0, len(x), body, start)
    return states, (weights, x, keep, saved)


def chunk_steps(steps: int) -> int:
    """Steps whose gradients of the gates are multiplied together on the way back, a divisor of `steps`."""
    return steps if jax.default_backend() != "cpu" else divisor(steps, CPU_CHUNK_STEPS)


def divisor(number: int, most: int) -> int:
    """The greatest up to `most`."""
    return max(size for size in range(1, most + 1) if number % size == 0)


class Sums(NamedTuple):
    """Gradients that are added up over chunks, those of r, z, n beside each other.

    input: [D, 3 H]; recurrent: [H, 3 H]; input_bias, recurrent_bias: [3 H]
    """

    input: jax.Array
    recurrent: jax.Array
    input_bias: jax.Array
    recurrent_bias: jax.Array

    @classmethod
    def none(cls, weights: Weights) -> "Sums":
        features, width = weights.input.shape[1:]
        zeros = (jnp.zeros(shape) for shape in ((features, 3 * width), (width, 3 * width), 3 * width, 3 * width))
        return cls(*(each.astype(weights.input.dtype) for each in zeros))

    def of_weights(self) -> Weights:
        width = len(self.recurrent)
        return Weights(
            input=jnp.stack(jnp.split(self.input, 3, axis=-1)),
            input_bias=jnp.stack(jnp.split(self.input_bias, 3)),
            recurrent=jnp.stack(jnp.split(self.recurrent, 3, axis=-1)),
            recurrent_bias=self.recurrent_bias[2 * width :],
        )


class Back(NamedTuple):
    """Where the way back stands: the gradient of the state before the steps gone through [R, H], and the sums; and two
    arrays that every chunk writes anew, [steps of a chunk, R, 3 H]."""

    later: jax.Array
    sums: Sums
    of_input: jax.Array
    of_recurrent: jax.Array


def back_from(weights: Weights, size: int, rows: int) -> Back:
    """After the last step; size: steps of a chunk; rows: R."""
    dtype, width = weights.input.dtype, weights.recurrent.shape[-1]
    none = jnp.zeros((size, rows, 3 * width), dtype)
    return Back(jnp.zeros((rows, width), dtype), Sums.none(weights), none, none)


def way_back(weights: Weights, keep: jax.Array, saved: Saved, gradient: jax.Array):
    """The gradients of a chunk of steps; keep: [T, R]; saved, gradient: [T, R, H], the latter of the states.

    Returns a function of a Back, the chunk's first step and its inputs [steps, R, D], that gives the next Back and the
    gradient of these inputs.
    """
    to_start, to_x = (
        jnp.concatenate([kernel.T for kernel in kernels]) for kernels in (weights.recurrent, weights.input)
    )

    def chunk(back: Back, first: jax.Array, x: jax.Array) -> tuple[Back, jax.Array]:
        size = len(x)

        def body(i, carry):
            later, of_input, of_recurrent = carry  # of the input products and of the recurrent ones
            place = size - 1 - i
            step = first + place
            start, gated, r, z, n = (at(leaf, step) for leaf in saved)
            d_after = later + at(gradient, step)
            d_n = d_after * (1 - z) * (1 - n * n)
            d_z = d_after * (start - n) * z * (1 - z)
            d_r = d_n * gated * r * (1 - r)
            of_input, of_recurrent = put(of_input, place, d_r, d_z, d_n), put(of_recurrent, place, d_r, d_z, d_n * r)
            d_start = d_after * z + at(of_recurrent, place) @ to_start
            return d_start * at(keep, step)[:, None], of_input, of_recurrent

        later, of_input, of_recurrent = jax.lax.fori_loop(0, size, body, (back.later, *back[2:]))
        start = flat(jax.lax.dynamic_slice_in_dim(saved.start, first, size))
        found = Sums(
            input=flat(x).T @ flat(of_input),
            recurrent=start.T @ flat(of_recurrent),
            input_bias=column_sums(of_input),
            recurrent_bias=column_sums(of_recurrent),
        )
        d_x = (flat(of_input) @ to_x).reshape(x.shape)
        return Back(later, jax.tree.map(jnp.add, back.sums, found), of_input, of_recurrent), d_x

    return chunk


def _backward(residuals, gradient):
    weights, x, keep, saved = residuals
    size = chunk_steps(len(x))
    chunk = way_back(weights, keep, saved, gradient)

    def body(back, first):
        return chunk(back, first, jax.lax.dynamic_slice_in_dim(x, first, size))

    firsts = jnp.arange(0, len(x), size)
    back, d_x = jax.lax.scan(body, back_from(weights, size, x.shape[1]), firsts, reverse=True)
    return back.sums.of_weights(), back.later, d_x.reshape(x.shape), jnp.zeros_like(keep)


gru.defvjp(_forward, _backward)


def _of_all_gates(key: jax.Array, shape: tuple[int, int, int]) -> jax.Array:
    """[3, D, H], orthogonal as one matrix of all three gates."""
    gates, features, width = shape
    whole = nn.initializers.orthogonal()(key, (gates * width, features))
    return jnp.swapaxes(whole.reshape(gates, width, features), 1, 2)


class GRU(nn.Module):
    """The unit with its weights, initialised as flax's cell.

    width: units H
    torch: the parameters of torch.nn.GRU, with a second bias for each gate, and matrices orthogonal as HARL makes them
    """

    width: int
    torch: bool = False

    @nn.compact
    def __call__(self, hidden: jax.Array, x: jax.Array, begins: jax.Array) -> jax.Array:
        """hidden: [N, B, H]; x: [T, N, B, D]; begins: bool [T, B], the step begins an episode. Returns [T, N, B, H]."""
        time, agents, batch, features = x.shape
        lecun = nn.initializers.lecun_normal(batch_axis=(0,))
        orthogonal = jax.vmap(nn.initializers.orthogonal(), in_axes=(0, None))
        width, zeros = self.width, nn.initializers.zeros

        def of_each_gate(key, shape):
            return orthogonal(jax.random.split(key, 3), shape[1:])

        params = {
            "input": self.param("input", _of_all_gates if self.torch else lecun, (3, features, width)),
            "input_bias": self.param("input_bias", zeros, (3, width)),
            "recurrent": self.param("recurrent", _of_all_gates if self.torch else of_each_gate, (3, width, width)),
            "recurrent_bias": self.param("recurrent_bias", zeros, (3, width) if self.torch else (width,)),
        }
        weights = weights_of(params)
        rows = agents * batch
        keep = jnp.broadcast_to(~begins[:, None], (time, agents, batch)).reshape(time, rows).astype(x.dtype)
        after = gru(weights, hidden.reshape(rows, -1), x.reshape(time, rows, features), keep)
        return after.reshape(time, agents, batch, self.width)
