"""The scale on which a critic learns: targets less their running mean, by their running deviation (ValueNorm).

"The Surprising Effectiveness of PPO in Cooperative Multi-Agent Games" (Yu et al. 2022), after PopArt, but without its
rescaling of the last layer.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

DECAY = 0.99999  # of what the moments remember, an update
LEAST_VARIANCE = 0.01
LEAST_WEIGHT = 1e-5


class Scale(NamedTuple):
    """Running sums, float32 []: of the targets, of their squares, and of the weights of both."""

    total: jax.Array
    squares: jax.Array
    weight: jax.Array

    def moments(self) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation; 0 and 0.1 before the first update."""
        weight = jnp.maximum(self.weight, LEAST_WEIGHT)
        mean = self.total / weight
        return mean, jnp.sqrt(jnp.maximum(self.squares / weight - mean**2, LEAST_VARIANCE))

    def normalised(self, value: jax.Array) -> jax.Array:
        mean, deviation = self.moments()
        return (value - mean) / deviation

    def original(self, normalised: jax.Array) -> jax.Array:
        """Of what the critic says, in units of the reward."""
        mean, deviation = self.moments()
        return mean + deviation * normalised


def fresh() -> Scale:
    return Scale(*(jnp.zeros((), jnp.float32) for _ in Scale._fields))


def updated(scale: Scale, target: jax.Array, weight: jax.Array) -> Scale:
    """target: [T, N, B]; weight: [T, 1, B], what a sample counts."""

    def mean(x):
        return jnp.average(x, weights=jnp.broadcast_to(weight, x.shape))

    seen = Scale(mean(target), mean(target**2), jnp.ones((), jnp.float32))
    return jax.tree.map(lambda old, new: DECAY * old + (1 - DECAY) * new, scale, seen)
