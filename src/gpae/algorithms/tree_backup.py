"""The target of DOP's critic from other policies' data: the tree backup of a few steps.

T steps, B environments.
"""

import chex
import jax
import jax.numpy as jnp


def target(
    reward: jax.Array,
    done: jax.Array,
    value: jax.Array,
    expected: jax.Array,
    chance: jax.Array,
    gamma: float,
    lam: float,
    steps: int,
) -> jax.Array:
    """Tree backup ("Off-Policy Multi-Agent Decomposed Policy Gradients", Eq. 11; Precup et al. 2000).

        delta_t = r_t + gamma (1 - d_t) E_pi[Q(s_{t+1}, .)] - Q(s_t, a_t)
        y_t     = Q(s_t, a_t) + sum_{j < n} (prod_{l = 1..j} gamma lambda pi(a_{t+l} | s_{t+l})) delta_{t+j}

    Its fixed point is Q^pi whatever policy made the data, and no ratio of policies is in it.

    reward: [T, B]; done: bool [T, B], the episode ended with step t, so nothing flows back over it
    value: [T, B], Q(s_t, a_t); expected: [T, B], E_pi[Q(s_{t+1}, .)]
    chance: [T, B], pi(a_t | s_t) of the joint action taken, by the policy that is judged
    steps: n, at the window's end fewer
    Returns y_t, [T, B].
    """
    chex.assert_rank(reward, 2)
    chex.assert_equal_shape((reward, done, value, expected, chance))
    goes_on = jnp.where(done, 0.0, gamma).astype(value.dtype)
    error = reward + goes_on * expected - value
    weight = goes_on * lam * jnp.concatenate([chance[1:], jnp.zeros_like(chance[:1])])

    def longer(total, _):
        return error + weight * jnp.concatenate([total[1:], jnp.zeros_like(total[:1])]), None

    total, _ = jax.lax.scan(longer, error, length=steps - 1)
    return value + total
