"""Marginal advantage (MAE): what an agent's action is worth whatever the others do; ASAE's."""

import jax
import jax.numpy as jnp

from gpae.advantages import coma


def advantage(q: jax.Array, policy: jax.Array, action: jax.Array) -> jax.Array:
    """Marginal advantage ("Approximatively Synchronous Advantage Estimation in Multi-Agent Systems", Eqs. 7, 8 and 10).

        A^i_cf(s, a)    = Q(s, a) - sum_{a^i} pi^i(a^i | o^i) Q(s, a^i, a^{-i})
        A^i_mar(s, a^i) = E_{a^{-i} ~ pi^{-i}}[A^i_cf(s, a^i, a^{-i})]  ~  1/m sum_{k=1..m} A^i_cf(s, a^i, a^{-i}_k)

    With one sample, the others' actions taken, it is COMA's. It depends on the own action alone; for the true Q its
    policy gradient is the exact one.

    q: [M, T, N, B, A], Q(s_t, a^i, a^{-i}_k): the value of every own action beside the others' in the k-th of m samples
    policy: [T, N, B, A], probabilities of the own actions
    action: int [T, N, B], the own action taken
    Returns A^i_t, [T, N, B].
    """
    return jnp.mean(coma.counterfactual(q, policy, action), axis=0)
