"""The actor and the two critics: V(s) of MAPPO and EQ^i(s, a^{-i}) of GPAE (Appendix D.1 of the GPAE paper).

One set of weights serves all agents. A recurrent network carries a hidden state [agent, environment, width]; a
feed-forward one carries the same array with no features, so that both are called alike.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.linear import default_kernel_init

from gpae.config import Network
from gpae.environments.base import Discrete, Spec
from gpae.networks.gru import GRU
from gpae.networks.layer_norm import LayerNorm
from gpae.networks.policies import Categorical, Gaussian, Policy


class Dense(nn.Module):
    """A dense layer, LayerNorm where asked for, and relu."""

    width: int
    layer_norm: bool
    kernel_init: nn.initializers.Initializer = default_kernel_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.Dense(self.width, kernel_init=self.kernel_init)(x)
        return nn.relu(LayerNorm()(x) if self.layer_norm else x)


class Body(nn.Module):
    """What follows the first layer: dense layers, the GRU, dense layers of the head.

    layers: dense layers before the GRU; kernel_init: of all dense layers
    """

    network: Network
    layers: int
    kernel_init: nn.initializers.Initializer = default_kernel_init

    @nn.compact
    def __call__(self, hidden: jax.Array, x: jax.Array, begins: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Returns the features [T, N, B, width] and the hidden states after every step [T, N, B, H]."""
        for _ in range(self.layers):
            x = Dense(self.network.width, self.network.layer_norm, self.kernel_init)(x)
        states = jnp.zeros((*x.shape[:-1], 0), x.dtype)
        if self.network.recurrent:
            x = states = GRU(self.network.width)(hidden, x, begins)
        for _ in range(self.network.head_layers):
            x = Dense(self.network.width, self.network.layer_norm, self.kernel_init)(x)
        return x, states


def normalised(network: Network, x: jax.Array) -> jax.Array:
    return LayerNorm()(x) if network.layer_norm else x


class Actor(nn.Module):
    """pi^i(. | o^i), for all agents at once."""

    spec: Spec
    network: Network

    @nn.compact
    def __call__(
        self, hidden: jax.Array, observation: jax.Array, available: jax.Array, begins: jax.Array
    ) -> tuple[Policy, jax.Array]:
        """hidden: [N, B, H]; observation: [T, N, B, O]; available: bool [T, N, B, A]; begins: bool [T, B].

        Returns the policies [T, N, B] and the hidden states after every step [T, N, B, H].
        """
        x, states = Body(self.network, self.network.layers)(hidden, normalised(self.network, observation), begins)
        out = nn.Dense(self.spec.actions.size)(x)
        if isinstance(self.spec.actions, Discrete):
            return Categorical.masked(out, available), states
        log_std = self.param("log_std", nn.initializers.zeros, (self.spec.actions.size,))
        return Gaussian(out, jnp.broadcast_to(log_std, out.shape), available), states


def with_agent_id(x: jax.Array) -> jax.Array:
    """[T, N, B, F] -> [T, N, B, F + N]: after its features each agent's one-hot id."""
    time, agents, batch, _ = x.shape
    identity = jnp.broadcast_to(jnp.eye(agents, dtype=x.dtype)[:, None], (time, agents, batch, agents))
    return jnp.concatenate([x, identity], axis=-1)


def _for_each_agent(network: Network, agents: int, state: jax.Array) -> jax.Array:
    """[T, B, S] -> [T, N, B, S + N], or [T, N, B, S] where the critic is not told the agent."""
    time, batch, size = state.shape
    state = jnp.broadcast_to(state[:, None], (time, agents, batch, size))
    return with_agent_id(state) if network.agent_id else state


class ValueCritic(nn.Module):
    """V(s); with the agent's id in the state, the authors' and JaxMARL's way, the agents' values differ slightly."""

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, state: jax.Array, joint: jax.Array, begins: jax.Array):
        """state: [T, B, S]; joint is not looked at. Returns V [T, N, B] and hidden states [T, N, B, H]."""
        x = normalised(self.network, _for_each_agent(self.network, len(self.spec.agents), state))
        x, states = Body(self.network, self.network.layers)(hidden, x, begins)
        return nn.Dense(1)(x)[..., 0], states


class CounterfactualCritic(nn.Module):
    """EQ^i(s, a^{-i}): two first layers of half the width, for the state and for the marginalised joint action."""

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, state: jax.Array, joint: jax.Array, begins: jax.Array):
        """state: [T, B, S]; joint: [T, N, B, N * A]. Returns EQ [T, N, B] and hidden states [T, N, B, H]."""
        half, layer_norm = self.network.width // 2, self.network.layer_norm
        state = normalised(self.network, _for_each_agent(self.network, len(self.spec.agents), state))
        state = Dense(half, layer_norm)(state)
        action = Dense(half, layer_norm)(normalised(self.network, joint))
        x = jnp.concatenate([state, action], axis=-1)
        x, states = Body(self.network, self.network.layers - 1)(hidden, x, begins)
        return nn.Dense(1)(x)[..., 0], states


def marginalised(action: jax.Array, policy: jax.Array) -> jax.Array:
    """The joint action in which agent i's own part is its policy (Appendix D.1).

    action, policy: [T, N, B, A], features of the actions taken and of the policies that took them
    Returns [T, N, B, N * A]: for agent i the actions of all agents in order, its own replaced by its policy.
    """
    time, agents, batch, size = action.shape
    own = jnp.eye(agents, dtype=bool)[:, None, :, None]
    everyone = jnp.moveaxis(action, 1, 2)[:, None]  # [T, 1, B, N, A]
    joint = jnp.where(own, policy[:, :, :, None], everyone)
    return joint.reshape(time, agents, batch, agents * size)
