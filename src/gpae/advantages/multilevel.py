"""Multi-level advantage (MACA): what an agent's action is worth against baselines of one, of some and of all agents."""

import chex
import jax
import jax.numpy as jnp


def correlated_sets(attention: jax.Array, threshold: float) -> jax.Array:
    """CorrSets ("Multi-level Advantage Credit Assignment for Cooperative MARL", Section 4.2).

        C_i = {j : A~_ij >= sigma} and i itself, so that no baseline of agent i depends on its own action

    attention: [T, N, N, B], A~_ij at [:, i, j], the attention rollout
    threshold: sigma
    Returns bool [T, N, N, B], whether j is in C_i.
    """
    agents = attention.shape[1]
    chex.assert_shape(attention, (None, agents, agents, None))
    return (attention >= threshold) | jnp.eye(agents, dtype=bool)[:, :, None]


def marginalised(action: jax.Array, policy: jax.Array, members: jax.Array) -> jax.Array:
    """The joint action's distribution with some agents' actions averaged out (same paper, Section 4.2).

        pi_bar_G = E_{a_G}[a]:  pi^j for j in G, the action taken for the others

    action, policy: [T, N, B, A], a discrete action as one-hot and its policy's probabilities; a continuous action and
        its policy's mean
    members: bool [T, N, B], whether j is in G
    Returns [T, N, B, A].
    """
    chex.assert_equal_shape((action, policy))
    chex.assert_shape(members, action.shape[:-1])
    return jnp.where(members[..., None], policy, action)


def attention_weights(attention: jax.Array, correlated: jax.Array, share: float) -> jax.Array:
    """psi from the attention, as the authors' code has it where the paper searches for it (npnike10/MACA at 9907220).

        psi_ind = share A~_ii,   psi_cor = share sum_{j in C_i, j != i} A~_ij,   psi_jnt = 1 - psi_ind - psi_cor

    attention: [T, N, N, B], A~_ij at [:, i, j], which sums to 1 over j
    correlated: bool [T, N, N, B], as `correlated_sets` returns
    share: 0.3 there
    Returns [3, T, N, B]: of the joint, the individual and the correlated baseline.
    """
    agents = attention.shape[1]
    chex.assert_shape((attention, correlated), (None, agents, agents, None))
    own = jnp.eye(agents, dtype=bool)[:, :, None]
    individual = share * jnp.where(own, attention, 0.0).sum(2)
    others = share * jnp.where(correlated & ~own, attention, 0.0).sum(2)
    return jnp.stack([1.0 - individual - others, individual, others])


def advantage(q: jax.Array, baselines: jax.Array, weights: jax.Array) -> jax.Array:
    """Multi-level counterfactual advantage (same paper, Eqs. 2 to 4).

        A^i_t = Q(s_t, a_t) - sum_k psi_k(s_t) b^i_k(s_t, a_t),   b^i_k = E_{a_G}[Q(s_t, a)], i in G = G^i_k

    With all weight on the baseline of the own action, G = {i}, it is COMA's; on that of all agents, Q less V.

    q: [T, N, B], Q(s_t, a_t), the same for all agents
    baselines: [K, T, N, B], b^i_k
    weights: [K, T, N, B], psi_k, which sum to 1 over k; [K, T, 1, B] where all agents have the same
    Returns A^i_t, [T, N, B].
    """
    chex.assert_shape(baselines, (len(weights), *q.shape))
    chex.assert_shape(weights, (None, q.shape[0], {1, q.shape[1]}, q.shape[2]))
    return q - (weights * baselines).sum(0)
