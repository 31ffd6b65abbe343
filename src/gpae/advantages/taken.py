"""The value of the action that was taken, by a sum: a gather's gradient is slow on a CPU."""

import jax
import jax.numpy as jnp


def taken(values: jax.Array, action: jax.Array) -> jax.Array:
    """values: [..., A], of every action; action: int [...]. Returns the actions' own values [...], to the bit."""
    return jnp.where(action[..., None] == jnp.arange(values.shape[-1]), values, 0.0).sum(-1)
