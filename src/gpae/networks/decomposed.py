"""DOP's critic: a weighted mean of the agents' values and a bias; the state makes weights and bias."""

from dataclasses import replace
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Body, Linear, activation, kernel_init, of_state
from gpae.networks.input_layer import InputLayer
from gpae.networks.mixers import Hypernetwork


class Decomposed(NamedTuple):
    """Q(s, a) = sum_i k^i(s) Q^i(s, o^i, a^i) + b(s).

    values: [T, N, B, A], Q^i of every own action
    weights: [T, N, B], k^i >= 0, of which the agents' sum is 1
    bias: [T, B]
    """

    values: jax.Array
    weights: jax.Array
    bias: jax.Array

    def team(self, own: jax.Array) -> jax.Array:
        """The team's value [T, B] from a value an agent, [T, N, B]: of actions taken, or means over the policies, of
        which the result is then the exact mean over all joint actions."""
        return jnp.sum(self.weights * own, axis=1) + self.bias


def normalised(weights: jax.Array) -> jax.Array:
    """weights: [T, N, B], none negative, divided by the agents' sum; all of them 0 stay 0."""
    return weights / jnp.maximum(weights.sum(axis=1, keepdims=True), 1e-8)  # whose square a gradient divides by


class DecomposedCritic(nn.Module):
    """ "Off-Policy Multi-Agent Decomposed Policy Gradients" (Wang et al. 2021, Eq. 5), feed-forward.

    k^i(s) = |W_1(s)|_i . |w_2(s)|, divided by the sum over agents, with W_1 [N, E] and w_2 [E] linear in the state, as
    in its authors' code.

    embedding: E, also the units of the bias' hidden layer
    """

    spec: Spec
    network: Network
    embedding: int

    @nn.compact
    def __call__(self, observation: jax.Array, state: jax.Array) -> Decomposed:
        """observation: [T, N, B, O]; state: [T, B, S]."""
        init, norm, half = kernel_init(self.network), self.network.layer_norm, self.network.width // 2
        agents = len(self.spec.agents)
        own = activation(self.network)(InputLayer(observation.shape[-1], half, norm, init)(observation))
        x = jnp.concatenate([of_state(self.network, half, state, agents), own], axis=-1)
        begins = jnp.ones(state.shape[:2], bool)
        x, _ = Body(replace(self.network, recurrent=False), init)(jnp.zeros((*x.shape[1:3], 0)), x, begins)
        values = Linear(self.spec.actions.size, kernel_init=kernel_init(self.network, gain=1.0))(x)
        first = jnp.abs(Hypernetwork((agents * self.embedding,), 1.0, name="first_weights")(state))
        second = jnp.abs(Hypernetwork((self.embedding,), 1.0, name="second_weights")(state))
        first = first.reshape(*state.shape[:2], agents, self.embedding)
        weights = normalised(jnp.einsum("tbne,tbe->tnb", first, second))
        bias = Hypernetwork((self.embedding, 1), 1.0, name="bias")(state)
        return Decomposed(values, weights, bias[..., 0])
