"""Counterfactual advantages: COMA's, from a critic of every own action and from a TD error."""

import chex
import jax
import jax.numpy as jnp

from gpae.advantages.taken import taken


def advantage(
    reward: jax.Array,
    done: jax.Array,
    value: jax.Array,
    bootstrap: jax.Array,
    gamma: float,
    truncated: jax.Array | None = None,
) -> jax.Array:
    """One-step counterfactual advantage (COMA; "Generalized Per-Agent Advantage Estimation", Eq. 2).

        A^i = Q(s, a) - E_{a^i ~ pi^i}[Q(s, a^i, a^{-i})]

    With EQ^i for the baseline and one step for Q, which also serves continuous actions, that is the TD error

        A^i_t = r_t + gamma (1 - d_t) EQ^i(s_{t+1}, a^{-i}_{t+1}) - EQ^i(s_t, a^{-i}_t)

    reward: [T, B], shared by the agents
    done: [T, B], bool; the episode ended with step t
    value: [T, N, B], EQ^i(s_t, a^{-i}_t)
    bootstrap: [N, B], EQ^i(s_T, a^{-i}_T) of the state after the last step
    gamma: discount a step
    truncated: [T, B], bool; as of `gpae.advantage`
    Returns A^i_t, [T, N, B].
    """
    chex.assert_equal_shape((reward, done))
    chex.assert_shape(value, (len(reward), len(bootstrap), reward.shape[1]))
    discount = jnp.where(done, 0.0, gamma).astype(value.dtype)[:, None]
    delta = reward[:, None] + discount * jnp.concatenate([value[1:], bootstrap[None]]) - value
    return delta if truncated is None else jnp.where(truncated[:, None], 0.0, delta)


def counterfactual(q: jax.Array, policy: jax.Array, action: jax.Array) -> jax.Array:
    """Counterfactual advantage of discrete actions ("Counterfactual Multi-Agent Policy Gradients", Eq. 4; Eq. 1 of
    ASAE's paper; with Q^i(o^i, .) for Q, PPO-Sum's and PPO-Mix's in Table 1 of MACA's).

        A^i_t = Q(s_t, a_t) - sum_{a^i} pi^i(a^i | o^i_t) Q(s_t, a^i, a^{-i}_t)

    q: [..., T, N, B, A], the value of every own action, the others' being what they are
    policy: [T, N, B, A], probabilities
    action: int [T, N, B], the own action taken
    Returns A^i_t, [..., T, N, B].
    """
    chex.assert_rank(policy, 4)
    chex.assert_shape(q, (..., *policy.shape))
    chex.assert_shape(action, policy.shape[:-1])
    return taken(q, action) - (policy * q).sum(-1)
