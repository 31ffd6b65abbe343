"""Products and sums over flat rows.

XLA's CPU backend is slow in contracting several axes of one product and in products with few columns, sums columns with
a stride and rows one entry after the other; docs/performance.md has the effect of what is here.
"""

import jax
import jax.numpy as jnp

LANES = 16  # entries of a row that are added at a time


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


def row_sums(x: jax.Array) -> jax.Array:
    """The sum over the last axis, kept; x: [..., F]. Returns [..., 1]."""
    size = x.shape[-1]
    whole = size - size % LANES
    parts = [x[..., at : at + LANES] for at in range(0, whole, LANES)]
    total = sum(parts[1:], parts[0]).sum(-1, keepdims=True) if parts else 0.0
    return total + x[..., whole:].sum(-1, keepdims=True) if whole < size else total


@jax.custom_vjp
def narrow(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """`by_rows` for a kernel of few columns, with a gradient written for it; x: [..., F], kernel: [F, W]."""
    return row_sums(x * kernel[:, 0]) if kernel.shape[-1] == 1 else by_rows(x, kernel)


def _narrow_backward(residuals, gradient):
    x, kernel = residuals
    return by_rows(gradient, kernel.T), (flat(gradient).T @ flat(x)).T


narrow.defvjp(lambda x, kernel: (narrow(x, kernel), (x, kernel)), _narrow_backward)


@jax.custom_vjp
def shifted(x: jax.Array, bias: jax.Array) -> jax.Array:
    """x + bias; x: [..., F], bias: [F]."""
    return x + bias


def _forward(x, bias):
    return x + bias, None


def _backward(_, gradient):
    return gradient, column_sums(gradient)


shifted.defvjp(_forward, _backward)
