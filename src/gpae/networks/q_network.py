"""The agents' action values Q^i(o^i, a), recurrent where the network is (IQL, VDN and QMIX)."""

import flax.linen as nn
import jax

from gpae.config import Network
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Body, Linear, activation, kernel_init, with_agent_id
from gpae.networks.input_layer import InputLayer


class QNetwork(nn.Module):
    """Q^i(o^i, .), for all agents at once; orthogonal initialisation, in HARL's style with its gains.

    One set of weights serves all agents; with `network.agent_id` a one-hot id follows the observation.
    """

    spec: Spec
    network: Network

    @nn.compact
    def __call__(self, hidden: jax.Array, observation: jax.Array, begins: jax.Array) -> tuple[jax.Array, jax.Array]:
        """hidden: [N, B, H]; observation: [T, N, B, O]; begins: bool [T, B].

        Returns the values [T, N, B, A] and the hidden states after every step [T, N, B, H].
        """
        orthogonal = nn.initializers.orthogonal()
        init = kernel_init(self.network) if self.network.style == "harl" else orthogonal
        x = with_agent_id(observation) if self.network.agent_id else observation
        first = InputLayer(x.shape[-1], self.network.width, self.network.layer_norm, init)
        x = activation(self.network)(first(x))
        x, states = Body(self.network, init)(hidden, x, begins)
        return Linear(self.spec.actions.size, kernel_init=orthogonal)(x), states
