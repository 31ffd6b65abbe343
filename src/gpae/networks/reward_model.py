"""DAE's learned reward r(s, a), and what it expects of an agent's own action."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.layer_norm import LayerNorm


class RewardModel(nn.Module):
    """r(s, a) as a sum of what the state and every agent's action bring to the first layer, then a dense layer.

    The first layer is linear in the actions, so that one agent's can be exchanged without the others' being looked at
    again: an expectation over its own action costs one hidden layer an action.
    """

    spec: Spec
    network: Network

    def setup(self):
        width = self.network.width
        self.of_state = nn.Dense(width)
        self.of_actions = nn.Dense(width, use_bias=False)
        self.hidden = nn.Dense(width)
        self.out = nn.Dense(1)
        normalised = self.network.layer_norm
        self.norms = [LayerNorm() if normalised else (lambda x: x) for _ in range(3)]

    def _after(self, first: jax.Array) -> jax.Array:
        x = nn.relu(self.norms[1](first))
        return self.out(nn.relu(self.norms[2](self.hidden(x))))[..., 0]

    def _first(self, state: jax.Array, actions: jax.Array) -> jax.Array:
        """actions: [T, N, B, A] features."""
        time, agents, batch, size = actions.shape
        joint = jnp.moveaxis(actions, 1, 2).reshape(time, batch, agents * size)
        return self.of_state(self.norms[0](state)) + self.of_actions(joint)

    def __call__(self, state: jax.Array, actions: jax.Array) -> jax.Array:
        """state: [T, B, S]; actions: [T, N, B, A], features of the actions taken. Returns r [T, B]."""
        return self._after(self._first(state, actions))

    def exchanged(self, state: jax.Array, actions: jax.Array, own: jax.Array) -> jax.Array:
        """r with each agent's own action exchanged for others, one agent at a time.

        own: [K, T, N, B, A], features of K actions to put in the place of each agent's own
        Returns [K, T, N, B].
        """
        first = self._first(state, actions)
        agents, size = actions.shape[1], actions.shape[-1]
        kernel = self.of_actions.variables["params"]["kernel"].reshape(agents, size, -1)

        def of_agent(i):
            def of_action(features):
                return self._after(first + (features - actions[:, i]) @ kernel[i])

            return jax.lax.map(of_action, own[:, :, i])

        return jnp.moveaxis(jax.lax.map(of_agent, jnp.arange(agents)), 0, 2)
