"""Products and sums over flat rows.

XLA's CPU backend is slow in contracting several axes of one product, and sums columns with a stride;
docs/performance.md has the effect of what is here.
"""

import jax
import jax.numpy as jnp


def flat(x: jax.Array) -> jax.Array:
    """x: [..., F], as [rows, F]."""
    return x.reshape(-1, x.shape[-1])


def column_sums(x: jax.Array) -> jax.Array:
    """The sum over all axes but the last; x: [..., F]. Returns [F]."""
    rows = flat(x)
    return (jnp.ones((1, len(rows)), x.dtype) @ rows)[0]


def by_rows(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x @ kernel; x: [..., F], kernel: [F, W]. Returns [..., W]."""
    return (flat(x) @ kernel).reshape(*x.shape[:-1], -1)


@jax.custom_vjp
def shifted(x: jax.Array, bias: jax.Array) -> jax.Array:
    """x + bias; x: [..., F], bias: [F]."""
    return x + bias


def _forward(x, bias):
    return x + bias, None


def _backward(_, gradient):
    return gradient, column_sums(gradient)


shifted.defvjp(_forward, _backward)
