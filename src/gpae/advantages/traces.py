"""Trace weights: how much of the next step's advantage flows back into this one when the data is off-policy.

Each function maps log_ratio[t] = log pi^i(a^i_t | o^i_t) - log mu^i(a^i_t | o^i_t), [T, N, B] (time, agent,
environment; pi the current policy, mu the one that collected the data), to weights of the same shape and dtype in
[0, lam] (`uncut`: from 0 on, without a bound), lambda inside ("Generalized Per-Agent Advantage Estimation", section 4.3
and Eq. 8). Ratios are multiplied as sums of logs and truncated before the exponential, so nothing overflows; -inf (an
action that pi never takes) gives weight 0. A finite log_ratio of any size is safe as long as its sum over the agents is
finite.
"""

import chex
import jax
import jax.numpy as jnp


def _truncated(log_weight: jax.Array, lam: float) -> jax.Array:
    """lam min(1, exp(log_weight))."""
    return lam * jnp.exp(jnp.minimum(0.0, log_weight))


def dt(log_ratio: jax.Array, lam: float, eta: float) -> jax.Array:
    """Double truncation (DT-ISR, Eq. 8): c^i = lam min(1, rho^i min(eta, rho^{-i})), rho^{-i} = prod_{j != i} rho^j.

    eta: upper limit of the others' joint ratio, 0 <= eta <= inf; infinity gives `st`, 0 gives weights of 0.
    """
    chex.assert_rank(log_ratio, 3)
    own = jnp.eye(log_ratio.shape[1], dtype=bool)[:, :, None]
    # The others are summed without agent i, since joint minus own is not a number where the own ratio is 0.
    others = jnp.sum(jnp.where(own, 0.0, log_ratio[:, None]), axis=2)
    return _truncated(log_ratio + jnp.minimum(jnp.log(eta), others), lam)


def st(log_ratio: jax.Array, lam: float) -> jax.Array:
    """Single truncation (ST-ISR) of the joint ratio, equal for all agents: c^i = lam min(1, prod_j rho^j)."""
    chex.assert_rank(log_ratio, 3)
    joint = jnp.sum(log_ratio, axis=1, keepdims=True)
    return jnp.broadcast_to(_truncated(joint, lam), log_ratio.shape)


def it(log_ratio: jax.Array, lam: float) -> jax.Array:
    """Individual truncation (IT-ISR) of the agent's own ratio: c^i = lam min(1, rho^i)."""
    chex.assert_rank(log_ratio, 3)
    return _truncated(log_ratio, lam)


def uncut(log_ratio: jax.Array, lam: float) -> jax.Array:
    """The agent's own ratio, not truncated: c^i = lam rho^i. In no paper; the fifth of the GPAE authors' release
    (gpae_rnn_smax.py, CORRECTION "true"). It has no bound: infinite in float32 from a log ratio of 89 on."""
    chex.assert_rank(log_ratio, 3)
    return lam * jnp.exp(log_ratio)


def none(log_ratio: jax.Array, lam: float) -> jax.Array:
    """No correction, also what every trace above is on-policy (for `dt` if eta >= 1): c^i = lam."""
    chex.assert_rank(log_ratio, 3)
    return jnp.full_like(log_ratio, lam)
