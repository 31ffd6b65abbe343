"""The gradient of a loss of a recurrent network over rows of which only so many steps are asked for.

How many is known only when the program runs, so the loops are written by hand, over chunks of steps: forth through the
layers before the GRU, the GRU, the layers after it and their gradient, then back. It is the gradient that `jax.grad`
takes of the same network over the same steps.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gpae.networks.gru import Saved, Weights, at, back_from, beside, divisor, input_products, put, step_forth, way_back

CHUNK_STEPS = 8  # steps that are gone through together; docs/performance.md compares 4 to 16

# (parameters, a chunk's first step, its number of steps C) -> the GRU's inputs [C, R, D]
Enter = Callable[[Any, jax.Array, int], jax.Array]
# (parameters, states after the chunk's steps [C, R, H], first step) -> (a sum over the chunk, metrics made alike)
Leave = Callable[[Any, jax.Array, jax.Array], tuple[jax.Array, dict[str, jax.Array]]]


def ragged_gradient(
    enter: Enter, leave: Leave, params: Any, weights: Weights, hidden: jax.Array, keep: jax.Array, steps: jax.Array
):
    """The sums over the first `steps` steps, at least, and their gradients.

    params: of the layers around the GRU; weights: the GRU's
    hidden: [R, H], before the first step; keep: [T, R], 0 where a step begins an episode, else 1
    steps: int32, at most T; taken to the end of its chunk, so that what is no part of the sum must count nothing there
    Returns ((sum, metrics), gradient of params, gradient of weights).
    """
    (time, rows), width = keep.shape, hidden.shape[-1]
    size = divisor(time, CHUNK_STEPS)
    chunks = (steps + size - 1) // size
    recurrent, none = beside(weights.recurrent), jnp.zeros((time, rows, width), hidden.dtype)
    losses = jax.value_and_grad(leave, argnums=(0, 1), has_aux=True)

    def forth(i, carry):
        hidden, saved, gradient, d_params, sums = carry
        first = i * size
        gates = input_products(weights, enter(params, first, size))

        def body(place, carry):
            hidden, saved, states = carry
            step = first + place
            start = hidden * at(keep, step)[:, None]
            found, hidden = step_forth(recurrent, weights.recurrent_bias, start, [at(gate, place) for gate in gates])
            saved = jax.tree.map(lambda leaf, row: put(leaf, step, row), saved, found)
            return hidden, saved, put(states, place, hidden)

        hidden, saved, states = jax.lax.fori_loop(0, size, body, (hidden, saved, none[:size]))
        found, (of_params, of_states) = losses(params, states, first)
        gradient = jax.lax.dynamic_update_slice_in_dim(gradient, of_states, first, 0)
        d_params, sums = jax.tree.map(jnp.add, (d_params, sums), (of_params, found))
        return hidden, saved, gradient, d_params, sums

    shapes = jax.eval_shape(leave, params, none[:size], jnp.int32(0))
    sums = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    start = hidden, Saved(*[none] * 5), none, jax.tree.map(jnp.zeros_like, params), sums
    _, saved, gradient, d_params, sums = jax.lax.fori_loop(0, chunks, forth, start)
    chunk = way_back(weights, keep, saved, gradient)

    def back(i, carry):
        back, d_params = carry
        first = (chunks - 1 - i) * size
        x, pull = jax.vjp(lambda params: enter(params, first, size), params)
        back, d_x = chunk(back, first, x)
        return back, jax.tree.map(jnp.add, d_params, pull(d_x)[0])

    back, d_params = jax.lax.fori_loop(0, chunks, back, (back_from(weights, size, rows), d_params))
    return sums, d_params, back.sums.of_weights()
