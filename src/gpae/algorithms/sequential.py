"""HAPPO's update of the policies: each agent's own, one after the other, in a new random order each time.

"Trust Region Policy Optimisation in Multi-Agent Reinforcement Learning" (Kuba et al. 2022).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gpae.algorithms.descent import Trained
from gpae.algorithms.window import Frozen, Window

# (parameters, window) -> log pi(a | o), [T, N, B]
LogProb = Callable[[object, Window], jax.Array]
# (trained, key, (window, frozen)) -> trained after its epochs, and metrics
Descent = Callable[[Trained, jax.Array, tuple[Window, Frozen]], tuple[Trained, dict[str, jax.Array]]]


def of_agent(window: Window, frozen: Frozen, agent: jax.Array) -> tuple[Window, Frozen]:
    """What an update holds of one agent alone: every axis of agents has one entry."""

    def at(leaf, axis):
        return jax.lax.dynamic_slice_in_dim(leaf, agent, 1, axis)

    view = window.view._replace(observation=at(window.view.observation, 1), available=at(window.view.available, 1))
    alone = window._replace(
        view=view,
        action=at(window.action, 1),
        log_prob=at(window.log_prob, 1),
        actor_hidden=at(window.actor_hidden, 0),
        critic_hidden=at(window.critic_hidden, 0),
    )
    parts = jax.tree.map(lambda leaf: at(leaf, 1), frozen._replace(weight=None))  # one for all agents
    return alone, parts._replace(weight=frozen.weight)


def normalised(frozen: Frozen) -> Frozen:
    """With advantages of mean 0 and deviation 1 over one agent's own steps, as HARL has them before its turn."""
    counts = frozen.weight if frozen.active is None else frozen.weight * frozen.active
    counts = jnp.broadcast_to(counts, frozen.advantage.shape)
    total = jnp.maximum(counts.sum(), 1.0)
    mean = jnp.sum(frozen.advantage * counts) / total
    deviation = jnp.sqrt(jnp.sum((frozen.advantage - mean) ** 2 * counts) / total)
    return frozen._replace(advantage=(frozen.advantage - mean) / (deviation + 1e-5))


def descend_in_turn(
    descent: Descent,
    log_prob: LogProb,
    trained: Trained,
    key: jax.Array,
    batch: tuple[Window, Frozen],
) -> tuple[Trained, dict[str, jax.Array]]:
    """`descent` on the samples of one agent after the other.

    The advantage of the k-th agent, i_k, counts by what those before it have changed (MACA's paper, Table 1):

        A^{i_k} = A prod_{j < k} pi_new^{i_j}(a^{i_j} | o^{i_j}) / pi^{i_j}(a^{i_j} | o^{i_j})

    pi the policy at the start of the update, pi_new that at the end of the agent's own turn. As the factor is positive,
    the surrogate clipped with it is the clipped surrogate times it.

    trained: every agent's own weights and optimiser state, on a leading axis
    Returns what is trained and the mean of the turns' metrics.
    """
    window, frozen = batch
    order_key, turn_key = jax.random.split(key)
    agents = window.log_prob.shape[1]

    def turn(carry, step):
        trained, log_change = carry
        key, agent = step
        own_window, own = of_agent(window, frozen, agent)
        own = normalised(own)
        own = own._replace(advantage=own.advantage * jnp.exp(log_change))
        after, seen = descent(jax.tree.map(lambda leaf: leaf[agent], trained), key, (own_window, own))
        log_change = log_change + log_prob(after.params, own_window) - own.log_prob
        return (jax.tree.map(lambda every, one: every.at[agent].set(one), trained, after), log_change), seen

    order = jax.random.permutation(order_key, agents)
    start = trained, jnp.zeros_like(frozen.log_prob[:, :1])
    (trained, _), seen = jax.lax.scan(turn, start, (jax.random.split(turn_key, agents), order))
    return trained, jax.tree.map(jnp.mean, seen)
