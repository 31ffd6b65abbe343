"""DOP's critic: a sum of the agents' values whose weights and bias the state makes."""

from dataclasses import replace
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Activation, Body, Linear, kernel_init, of_state
from gpae.networks.input_layer import InputLayer
from gpae.networks.mixers import Hypernetwork


class Decomposed(NamedTuple):
    """Q(s, a) = sum_i k^i(s) Q^i(s, o^i, a^i) + b(s).

    values: [T, N, B, A], Q^i of every own action; weights: [T, N, B], k^i >= 0; bias: [T, B]
    """

    values: jax.Array
    weights: jax.Array
    bias: jax.Array

    def team(self, own: jax.Array) -> jax.Array:
        """The team's value [T, B] from a value an agent, [T, N, B]: of actions taken, or means over the policies, of
        which the result is then the exact mean over all joint actions."""
        return jnp.sum(self.weights * own, axis=1) + self.bias


class DecomposedCritic(nn.Module):
    """ "Off-Policy Multi-Agent Decomposed Policy Gradients" (Wang et al. 2021, Eq. 5), feed-forward.

    embedding: units of the hypernetworks' hidden layer
    """

    spec: Spec
    network: Network
    embedding: int

    @nn.compact
    def __call__(self, observation: jax.Array, state: jax.Array) -> Decomposed:
        """observation: [T, N, B, O]; state: [T, B, S]."""
        init, norm, half = kernel_init(self.network), self.network.layer_norm, self.network.width // 2
        agents = len(self.spec.agents)
        own = Activation(norm)(InputLayer(observation.shape[-1], half, norm, init)(observation))
        x = jnp.concatenate([of_state(self.network, half, state, agents), own], axis=-1)
        begins = jnp.ones(state.shape[:2], bool)
        x, _ = Body(replace(self.network, recurrent=False), init)(jnp.zeros((*x.shape[1:3], 0)), x, begins)
        values = Linear(self.spec.actions.size, kernel_init=kernel_init(self.network, gain=1.0))(x)
        weights = jnp.abs(Hypernetwork((self.embedding, agents), 1.0, name="weights")(state))
        bias = Hypernetwork((self.embedding, 1), 1.0, name="bias")(state)
        return Decomposed(values, jnp.moveaxis(weights, -1, 1), bias[..., 0])
