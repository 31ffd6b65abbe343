"""Critics of the methods beside GPAE's: V(o^i) of IPPO, and the value of every own action of COMA and ASAE.

One set of weights serves all agents, and both are called as the critics of `actor_critic`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Body, Linear, activation, kernel_init, of_state, with_agent_id
from gpae.networks.input_layer import InputLayer


class LocalCritic(nn.Module):
    """V(o^i): what the agent itself sees, and with `network.agent_id` which one it is."""

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, observation: jax.Array, joint: object, begins: jax.Array):
        """observation: [T, N, B, O]; joint is not looked at. Returns V [T, N, B] and hidden states [T, N, B, H]."""
        init, norm = kernel_init(self.network), self.network.layer_norm
        x = with_agent_id(observation) if self.network.agent_id else observation
        x = activation(self.network)(InputLayer(x.shape[-1], self.network.width, norm, init)(x))
        x, states = Body(self.network, init)(hidden, x, begins)
        return Linear(1, kernel_init=kernel_init(self.network, gain=1.0))(x)[..., 0], states


class ActionCritic(nn.Module):
    """Q^i(s, ., a^{-i}): the value of each of the agent's own actions beside what the others do (Foerster et al. 2018).

    Two first layers of half the width, for the state and for the joint action, in which the own action is left out; in
    HARL's style one layer for both.
    """

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, state: jax.Array, actions: jax.Array, begins: jax.Array):
        """state: [T, B, S]; actions: float32 [T, N, B, A], one-hot.

        Returns Q [T, N, B, A] and hidden states [T, N, B, H].
        """
        network, init = self.network, kernel_init(self.network)
        agents, size = len(self.spec.agents), self.spec.actions.size
        if network.style == "harl":
            x = with_others(state, actions)
            x = with_agent_id(x) if network.agent_id else x
            x = activation(network)(InputLayer(x.shape[-1], network.width, network.layer_norm, init)(x))
        else:
            half = network.width // 2
            first = InputLayer(agents * size, half, network.layer_norm, init)
            others = activation(network)(first.exchanged(actions, jnp.zeros_like(actions)))
            x = jnp.concatenate([of_state(network, half, state, agents), others], axis=-1)
        x, states = Body(network, init)(hidden, x, begins)
        return Linear(size, kernel_init=kernel_init(self.network, gain=1.0))(x), states


def with_others(state: jax.Array, actions: jax.Array) -> jax.Array:
    """[T, B, S] and [T, N, B, A] -> [T, N, B, S + N A]: the state, then all actions in order, zeros for the own."""
    time, agents, batch, size = actions.shape
    others = jnp.where(jnp.eye(agents, dtype=bool)[:, None, :, None], 0.0, jnp.moveaxis(actions, 1, 2)[:, None])
    return jnp.concatenate(
        [jnp.broadcast_to(state[:, None], (time, agents, *state.shape[1:])), others.reshape(time, agents, batch, -1)],
        axis=-1,
    )
