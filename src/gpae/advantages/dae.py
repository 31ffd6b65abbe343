"""Difference advantage estimation (DAE): GAE without what an agent's own action is expected to earn."""

import chex
import jax
import jax.numpy as jnp


def advantage(
    gae: jax.Array, expected_reward: jax.Array, done: jax.Array, ratio: jax.Array, gamma: float, beta: float
) -> jax.Array:
    """GAE with difference rewards ("Generalized Per-Agent Advantage Estimation", Eq. 3, which its text dump lost;
    reconstructed: the exponentially weighted average of the k-step advantages of difference rewards).

        A^i_t = GAE_t - D^i_t
        D^i_t = e^i_t + gamma beta (1 - d_t) rho^i_{t+1} D^i_{t+1},  e^i_t = E_{a^i ~ pi^i}[r(s_t, a^i, a^{-i}_t)]

    On-policy D^i_t = sum_l (gamma beta)^{l-t} e^i_l, up to the end of the episode or of the window. beta = 0 takes
    away e^i_t alone, which does not depend on the agent's action: no bias. beta = 1 is the full difference reward.

    gae: [T, N, B], sum_l gamma^{l-t} (prod c^i) delta_l of V(s), whatever its trace c
    expected_reward: [T, N, B], e^i_t
    done: [T, B], bool; the episode ended with step t, so nothing flows back over it
    ratio: [T, N, B], c^i_t / lambda, the truncated ratio by which later terms are corrected off-policy (ours; the paper
        does not say how it corrects DAE); 1 on-policy. ratio[0] is not used
    gamma, beta: discount a step and reach of the difference
    Returns A^i_t, [T, N, B].
    """
    chex.assert_rank(gae, 3)
    chex.assert_equal_shape((gae, expected_reward, ratio))
    chex.assert_shape(done, (gae.shape[0], gae.shape[2]))
    decay = jnp.where(done, 0.0, gamma * beta).astype(gae.dtype)[:, None]
    next_ratio = jnp.concatenate([ratio[1:], jnp.zeros_like(ratio[:1])])

    def backward(later, step):
        expected, decay = step
        now = expected + decay * later
        return now, now

    difference = jax.lax.scan(backward, jnp.zeros_like(gae[0]), (expected_reward, decay * next_ratio), reverse=True)[1]
    return gae - difference
