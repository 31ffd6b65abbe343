"""The actor and the two critics: V(s) of MAPPO and EQ^i(s, a^{-i}) of GPAE (Appendix D.1 of the GPAE paper).

One set of weights serves all agents. A recurrent network carries a hidden state [agent, environment, width]; a
feed-forward one carries the same array with no features, so that both are called alike.
"""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.linear import default_kernel_init

from gpae.config import Network
from gpae.environments.base import Discrete, Spec
from gpae.networks.gru import GRU
from gpae.networks.input_layer import InputLayer
from gpae.networks.layer_norm import LayerNorm
from gpae.networks.policies import Categorical, Gaussian, Policy
from gpae.networks.rows import LANES, by_rows, narrow, shifted


def kernel_init(network: Network, gain: float = 2**0.5) -> nn.initializers.Initializer:
    """Of a dense layer's weights; gain: of the orthogonal initialisation, by default what relu asks for."""
    return default_kernel_init if network.initialisation == "lecun" else nn.initializers.orthogonal(gain)


class Dense(nn.Module):
    """A dense layer of the network's width and what follows it."""

    network: Network
    kernel_init: nn.initializers.Initializer = default_kernel_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return activation(self.network)(Linear(self.network.width, kernel_init=self.kernel_init)(x))


class Linear(nn.Module):
    """flax's dense layer, in the form of `rows`."""

    features: int
    kernel_init: nn.initializers.Initializer = default_kernel_init

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        product = narrow if self.features < LANES else by_rows
        return shifted(product(x, kernel), self.param("bias", nn.initializers.zeros, (self.features,)))


class Activation(nn.Module):
    """relu, and LayerNorm where asked for: before it, or `after` it."""

    layer_norm: bool
    after: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        if not self.layer_norm:
            return nn.relu(x)
        return LayerNorm()(nn.relu(x)) if self.after else nn.relu(LayerNorm()(x))


def activation(network: Network, **about) -> Activation:
    return Activation(network.layer_norm, network.style == "harl", **about)


class Body(nn.Module):
    """What follows the first layer: dense layers, the GRU (and in HARL's style LayerNorm), dense layers of the head.

    kernel_init: of all dense layers
    """

    network: Network
    kernel_init: nn.initializers.Initializer = default_kernel_init

    def setup(self):
        network, before = self.network, self.network.layers - 1
        dense, harl = partial(Dense, network, self.kernel_init), network.style == "harl"
        layers = [dense(name=f"Dense_{i}") for i in range(before + network.head_layers)]
        self.before, self.after = layers[:before], layers[before:]
        if network.recurrent:
            self.unit = GRU(network.width, harl, name="GRU_0")
        self.norm = LayerNorm(name="LayerNorm_0") if network.recurrent and network.layer_norm and harl else None

    def enter(self, x: jax.Array) -> jax.Array:
        """What the GRU is given, of the first layer's."""
        for layer in self.before:
            x = layer(x)
        return x

    def leave(self, x: jax.Array) -> jax.Array:
        """The features, of the GRU's states."""
        x = x if self.norm is None else self.norm(x)
        for layer in self.after:
            x = layer(x)
        return x

    def __call__(self, hidden: jax.Array, x: jax.Array, begins: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x: [T, N, B, width], the first layer's. Returns features [T, N, B, width] and the hidden states after every
        step [T, N, B, H]."""
        x = self.enter(x)
        states = jnp.zeros((*x.shape[:-1], 0), x.dtype)
        if self.network.recurrent:
            x = states = self.unit(hidden, x, begins)
        return self.leave(x), states


class Actor(nn.Module):
    """pi^i(. | o^i), for all agents at once."""

    spec: Spec
    network: Network

    def setup(self):
        network, size, init = self.network, self.spec.actions.size, kernel_init(self.network)
        self.first = InputLayer(
            self.spec.observation_size, network.width, network.layer_norm, init, name="InputLayer_0"
        )
        self.activation = activation(network, name="Activation_0")
        self.body = Body(network, init, name="Body_0")
        self.last = Linear(size, kernel_init=kernel_init(network, gain=0.01), name="Linear_0")
        if not isinstance(self.spec.actions, Discrete):
            harl = network.style == "harl"
            x = self.param("log_std", nn.initializers.ones if harl else nn.initializers.zeros, (size,))
            self.log_std = nn.log_sigmoid(x) - jnp.log(2.0) if harl else x

    def enter(self, observation: jax.Array) -> jax.Array:
        """What the GRU is given; observation: [..., O]."""
        return self.body.enter(self.activation(self.first(observation)))

    def leave(self, states: jax.Array, available: jax.Array) -> Policy:
        """The policies, of the GRU's states [..., H]; available: bool [..., A]."""
        return self._policies(self.body.leave(states), available)

    def _policies(self, features: jax.Array, available: jax.Array) -> Policy:
        out = self.last(features)
        if not isinstance(self.spec.actions, Discrete):
            return Gaussian(out, jnp.broadcast_to(self.log_std, out.shape), available)
        policies = Categorical.masked(out, available)
        return policies if self.spec.interruption is None else policies.interrupted(self.spec.interruption)

    def __call__(
        self, hidden: jax.Array, observation: jax.Array, available: jax.Array, begins: jax.Array
    ) -> tuple[Policy, jax.Array]:
        """hidden: [N, B, H]; observation: [T, N, B, O]; available: bool [T, N, B, A]; begins: bool [T, B].

        Returns the policies [T, N, B] and the hidden states after every step [T, N, B, H].
        """
        features, states = self.body(hidden, self.activation(self.first(observation)), begins)
        return self._policies(features, available), states


class SeparateActors:
    """Actors with weights of their own, one an agent, called like Actor; parameters have a leading axis of agents."""

    def __init__(self, actor: Actor):
        self.actor, self.agents = actor, len(actor.spec.agents)

    def init(self, key: jax.Array, *seen: jax.Array):
        """seen: as of Actor, of all agents."""
        return jax.vmap(lambda key: self.actor.init(key, *seen))(jax.random.split(key, self.agents))

    def apply(self, params, hidden, observation, available, begins) -> tuple[Policy, jax.Array]:
        """As Actor's."""

        def of_agent(params, hidden, observation, available):
            policies, states = self.actor.apply(params, hidden[None], observation[:, None], available[:, None], begins)
            return jax.tree.map(lambda leaf: leaf[:, 0], (policies, states))

        return jax.vmap(of_agent, in_axes=(0, 0, 1, 1), out_axes=1)(params, hidden, observation, available)


def with_agent_id(x: jax.Array) -> jax.Array:
    """[T, N, B, F] -> [T, N, B, F + N]: after its features each agent's one-hot id."""
    time, agents, batch, _ = x.shape
    identity = jnp.broadcast_to(jnp.eye(agents, dtype=x.dtype)[:, None], (time, agents, batch, agents))
    return jnp.concatenate([x, identity], axis=-1)


def of_state(network: Network, width: int, state: jax.Array, agents: int) -> jax.Array:
    """[T, B, S] -> the first layer [T, N, B, width]; its input ends with the agent's id where the network has one."""
    size, norm, init = state.shape[-1], network.layer_norm, kernel_init(network)
    if network.agent_id:
        x = InputLayer(size + agents, width, norm, init).with_id(state, agents)
    else:
        alike = InputLayer(size, width, norm, init)(state[:, None])
        x = jnp.broadcast_to(alike, (len(state), agents, *alike.shape[2:]))
    return activation(network)(x)


class ValueCritic(nn.Module):
    """V(s); with the agent's id in the state, JaxMARL's way, the agents' values differ slightly. Without it they are
    one value, which is computed once, from the first agent's hidden state."""

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, state: jax.Array, joint: object, begins: jax.Array):
        """state: [T, B, S]; joint is not looked at. Returns V [T, N, B] and hidden states [T, N, B, H]."""
        agents = len(self.spec.agents)
        own = agents if self.network.agent_id else 1
        x = of_state(self.network, self.network.width, state, own)
        x, states = Body(self.network, kernel_init(self.network))(hidden[:own], x, begins)
        value = Linear(1, kernel_init=kernel_init(self.network, gain=1.0))(x)[..., 0]
        return tuple(jnp.broadcast_to(each, (len(state), agents, *each.shape[2:])) for each in (value, states))


class Joint(NamedTuple):
    """The joint action of which EQ^i sees all parts, agent i's own averaged out (Appendix D.1).

    action, policy: float32 [T, N, B, A], features of the actions taken and of the policies that took them
    """

    action: jax.Array
    policy: jax.Array


class CounterfactualCritic(nn.Module):
    """EQ^i(s, a^{-i}): two first layers of half the width, for the state and for the marginalised joint action."""

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, state: jax.Array, joint: Joint, begins: jax.Array):
        """state: [T, B, S]. Returns EQ [T, N, B] and hidden states [T, N, B, H]."""
        init, half, norm = kernel_init(self.network), self.network.width // 2, self.network.layer_norm
        agents, actions = len(self.spec.agents), self.spec.actions.size
        from_state = of_state(self.network, half, state, agents)
        first = InputLayer(agents * actions, half, norm, init)
        from_action = activation(self.network)(first.exchanged(joint.action, joint.policy))
        x, states = Body(self.network, init)(hidden, jnp.concatenate([from_state, from_action], axis=-1), begins)
        return Linear(1, kernel_init=kernel_init(self.network, gain=1.0))(x)[..., 0], states
