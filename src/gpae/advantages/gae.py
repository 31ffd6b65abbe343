"""Generalized advantage estimation (GAE), the same advantage for all agents: MAPPO's."""

import chex
import jax
import jax.numpy as jnp


def advantage(
    reward: jax.Array, done: jax.Array, value: jax.Array, bootstrap: jax.Array, gamma: float, lam: float
) -> jax.Array:
    """GAE(lambda) ("High-Dimensional Continuous Control Using Generalized Advantage Estimation", Eq. 16).

        delta_t = r_t + gamma (1 - d_t) V(s_{t+1}) - V(s_t)
        A_t     = delta_t + gamma (1 - d_t) lambda A_{t+1}

    reward, value: [T, B]
    done: [T, B], bool; the episode ended with step t, so nothing flows back over it
    bootstrap: [B], V(s_T) of the state after the last step
    gamma, lam: discount a step and decay of the trace
    Returns A_t, [T, B].
    """
    chex.assert_rank(reward, 2)
    chex.assert_equal_shape((reward, done, value))
    chex.assert_shape(bootstrap, reward.shape[1:])
    discount = jnp.where(done, 0.0, gamma).astype(value.dtype)
    next_value = jnp.concatenate([value[1:], bootstrap[None]])
    delta = reward + discount * next_value - value

    def backward(later, step):
        delta, decay = step
        now = delta + decay * later
        return now, now

    return jax.lax.scan(backward, jnp.zeros_like(delta[0]), (delta, discount * lam), reverse=True)[1]
