"""Generalized per-agent advantage estimation (GPAE), on- and off-policy."""

import chex
import jax
import jax.numpy as jnp


def advantage(
    reward: jax.Array,
    done: jax.Array,
    value: jax.Array,
    bootstrap: jax.Array,
    trace: jax.Array,
    gamma: float,
    truncated: jax.Array | None = None,
) -> jax.Array:
    """Per-agent advantage ("Generalized Per-Agent Advantage Estimation", Eq. 5 on-policy, Eq. 7 off-policy).

        delta^i_t = r_t + gamma (1 - d_t) EQ^i(s_{t+1}, a^{-i}_{t+1}) - EQ^i(s_t, a^{-i}_t)
        A^i_t     = delta^i_t + gamma (1 - d_t) c^i_{t+1} A^i_{t+1}

    reward: [T, B], shared by the agents
    done: [T, B], bool; the episode ended with step t, so nothing flows back over it
    value: [T, N, B], EQ^i(s_t, a^{-i}_t): the agent's own action averaged out, the others' kept
    bootstrap: [N, B], EQ^i(s_T, a^{-i}_T) of the state after the last step
    trace: [T, N, B], c^i_t from `traces`, lambda inside; trace[t] weighs what flows back into step t - 1, so trace[0]
        is not used
    gamma: discount a step
    truncated: [T, B], bool, the time limit ended the episode: the step's own value stands for its return, so that its
        delta is 0 ("proper time limits" of HARL, harl/common/buffers); None: a time limit is an end like any other
    Returns A^i_t, [T, N, B].
    """
    chex.assert_equal_shape((reward, done))
    chex.assert_shape((value, trace), (len(reward), len(bootstrap), reward.shape[1]))
    chex.assert_shape(bootstrap, value.shape[1:])
    discount = jnp.where(done, 0.0, gamma).astype(value.dtype)[:, None]
    next_value = jnp.concatenate([value[1:], bootstrap[None]])
    next_trace = jnp.concatenate([trace[1:], jnp.zeros_like(trace[:1])])
    delta = reward[:, None] + discount * next_value - value
    if truncated is not None:
        delta = jnp.where(truncated[:, None], 0.0, delta)

    def backward(later, step):
        delta, decay = step
        now = delta + decay * later
        return now, now

    return jax.lax.scan(backward, jnp.zeros_like(delta[0]), (delta, discount * next_trace), reverse=True)[1]


def value_target(advantage: jax.Array, value: jax.Array, log_ratio: jax.Array) -> jax.Array:
    """Target of EQ^i (Eqs. 11 and 77): EQ^i(s_t, a^{-i}_t) + min(1, rho^i_t) A^i_t, with A^i and EQ^i held fixed.

    advantage, value, log_ratio: [T, N, B], as `advantage` returns and `advantage` and `traces` take them.
    Returns [T, N, B].
    """
    chex.assert_rank(value, 3)
    chex.assert_equal_shape((advantage, value, log_ratio))
    return value + jnp.exp(jnp.minimum(0.0, log_ratio)) * advantage
