"""Critics of the methods beside GPAE's: V(o^i) of IPPO, and the value of every own action of COMA and ASAE.

One set of weights serves all agents, and both are called as the critics of `actor_critic`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Activation, Body, Linear, kernel_init, of_state, with_agent_id
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
        x = Activation(norm)(InputLayer(x.shape[-1], self.network.width, norm, init)(x))
        x, states = Body(self.network, init)(hidden, x, begins)
        return Linear(1, kernel_init=kernel_init(self.network, gain=1.0))(x)[..., 0], states


class ActionCritic(nn.Module):
    """Q^i(s, ., a^{-i}): the value of each of the agent's own actions beside what the others do (Foerster et al. 2018).

    Two first layers of half the width, for the state and for the joint action, in which the own action is left out.
    """

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, state: jax.Array, actions: jax.Array, begins: jax.Array):
        """state: [T, B, S]; actions: float32 [T, N, B, A], one-hot.

        Returns Q [T, N, B, A] and hidden states [T, N, B, H].
        """
        init, half, norm = kernel_init(self.network), self.network.width // 2, self.network.layer_norm
        agents, size = len(self.spec.agents), self.spec.actions.size
        from_state = of_state(self.network, half, state, agents)
        others = InputLayer(agents * size, half, norm, init).exchanged(actions, jnp.zeros_like(actions))
        x = jnp.concatenate([from_state, Activation(norm)(others)], axis=-1)
        x, states = Body(self.network, init)(hidden, x, begins)
        return Linear(size, kernel_init=kernel_init(self.network, gain=1.0))(x), states
