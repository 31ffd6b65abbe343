"""Q-learning in pure functions: schedule, double estimator and one-step target.

T steps, B environments, A actions; M values learned side by side, one an agent or one of the team.
"""

import jax
import jax.numpy as jnp

from gpae.advantages.taken import taken
from gpae.networks.policies import UNAVAILABLE


def annealed(update: jax.Array, span: float, start: float, finish: float) -> jax.Array:
    """Linear from `start` at update 0 to `finish` at update `span`, then constant; update: int32 []."""
    progress = jnp.minimum(update / span, 1.0) if span else 1.0
    return jnp.float32(start + (finish - start) * progress)


def double_q(q: jax.Array, target_q: jax.Array, available: jax.Array) -> jax.Array:
    """The target network's value of the action that is greedy by the online one (van Hasselt et al. 2016, Eq. 4).

    q, target_q: float32 [..., A]; available: bool [..., A]
    Returns [...].
    """
    greedy = jnp.argmax(jnp.where(available, q, UNAVAILABLE), axis=-1)
    return taken(target_q, greedy)


def td_target(reward: jax.Array, done: jax.Array, next_value: jax.Array, gamma: float) -> jax.Array:
    """r_t + gamma (1 - d_t) Q(s_{t+1}, .).

    reward: float32 [T, B]; done: bool [T, B], step t ends the episode; next_value: float32 [T, M, B]
    Returns [T, M, B].
    """
    return reward[:, None] + gamma * jnp.where(done[:, None], 0.0, next_value)
