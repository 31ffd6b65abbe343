"""The scale on which a critic learns: targets less their running mean, by their running deviation (ValueNorm).

"The Surprising Effectiveness of PPO in Cooperative Multi-Agent Games" (Yu et al. 2022), after PopArt, but without its
rescaling of the last layer.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

DECAY = 0.99999  # of what the moments remember, a gradient step
LEAST_VARIANCE = 0.01


class Scale(NamedTuple):
    """Running mean and variance of the targets, and what they weigh in the next update; float32 [].

    HARL keeps means of the targets and of their squares; the variance is the same number, but where the mean is
    hundreds of deviations away, a difference of such means has no digits left.
    """

    mean: jax.Array
    variance: jax.Array
    weight: jax.Array

    def moments(self) -> tuple[jax.Array, jax.Array]:
        """Mean and standard deviation; 0 and 0.1 before the first update."""
        return self.mean, jnp.sqrt(jnp.maximum(self.variance, LEAST_VARIANCE))

    def normalised(self, value: jax.Array) -> jax.Array:
        mean, deviation = self.moments()
        return (value - mean) / deviation

    def original(self, normalised: jax.Array) -> jax.Array:
        """Of what the critic says, in units of the reward."""
        mean, deviation = self.moments()
        return mean + deviation * normalised


def fresh() -> Scale:
    return Scale(*(jnp.zeros((), jnp.float32) for _ in Scale._fields))


def updated(scale: Scale, target: jax.Array, weight: jax.Array, steps: int = 1) -> Scale:
    """With the targets of an update of so many gradient steps, each of which counts them once more.

        w' = b w + 1 - b,   a = (1 - b) / w',   b = DECAY^steps
        mean' = mean + a (m - mean),   variance' = (1 - a) variance + a v + a (1 - a) (m - mean)^2

    m and v the mean and the variance of the targets: the moments of means that decay by b and are divided by their
    weight.

    target: [T, N, B]; weight: [T, 1, B], what a sample counts
    """

    def average(x):
        return jnp.average(x, weights=jnp.broadcast_to(weight, x.shape))

    new = 1 - DECAY**steps
    mean = average(target)
    variance = average((target - mean) ** 2)
    total = (1 - new) * scale.weight + new
    share, change = new / total, mean - scale.mean
    spread = (1 - share) * scale.variance + share * variance + share * (1 - share) * change**2
    return Scale(scale.mean + share * change, spread, total)
