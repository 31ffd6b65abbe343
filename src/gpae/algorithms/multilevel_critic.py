"""MACA's critic as the learner calls it: V, Q and EQ of the team, and an agent's baselines at three levels."""

from typing import Any

import jax
import jax.numpy as jnp

from gpae.advantages import multilevel
from gpae.algorithms.judgement import Judged, Levels, Outputs, beyond
from gpae.algorithms.window import Window
from gpae.config import Network, PolicyGradientMethod
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Joint
from gpae.networks.attention import AttentionCritic, Encoded, rollout
from gpae.networks.policies import Policy, action_features


class MultilevelValues:
    """EQ(s) = Q(s, pi), Q(s, a) and V(s), the same for all agents, from one network."""

    def __init__(self, method: PolicyGradientMethod, spec: Spec, network: Network):
        self.module = AttentionCritic(spec, network, method.encoder_blocks, method.state_embedding, method.head)
        self.hidden_size = network.width if network.recurrent else 0
        self.threshold, self.residual = method.sigma / len(spec.agents), method.attention_residual

    def init(self, key: jax.Array, window: Window) -> Any:
        actions = jnp.zeros(window.view.available.shape, jnp.float32)
        return self.module.init(key, window.critic_hidden, window.view.observation, window.begins, actions)

    def _encoded(self, params: Any, window: Window, length: int) -> tuple[Encoded, jax.Array]:
        """The first L steps, and hidden states after each."""
        seen = window.view.observation[:length], window.begins[:length]
        return self.module.apply(params, window.critic_hidden, *seen, method="encode")

    def _outputs(self, params: Any, encoded: Encoded, joint: Joint) -> Outputs:
        """joint: [L, N, B, A]."""
        q = [self.module.apply(params, encoded, own, method="value") for own in (joint.policy, joint.action)]
        values = *q, self.module.apply(params, encoded, method="state_value")
        return Outputs(*(jnp.broadcast_to(value[:, None], joint.action.shape[:-1]) for value in values))

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        joint = Joint(action_features(beyond(key, window, policies), window.view.available), policies.features())
        encoded, states = self._encoded(params, window, len(joint.action))
        found = self._outputs(params, encoded, joint)
        seen, taken = jax.tree.map(lambda leaf: leaf[:-1], (encoded, joint))
        shares = rollout(seen.attention, self.residual)
        correlated = multilevel.correlated_sets(shares, self.threshold)
        alone = jnp.broadcast_to(jnp.eye(len(shares[0]), dtype=bool)[None, :, :, None], correlated.shape)

        def baseline(members):
            """[T, N, B], one agent after the other; members: bool [T, N, N, B]."""

            def of_agent(own):
                return self.module.apply(params, seen, multilevel.marginalised(*taken, own), method="value")

            return jnp.moveaxis(jax.lax.map(of_agent, jnp.moveaxis(members, 1, 0)), 0, 1)

        baselines = jnp.stack([found.value[:-1], baseline(alone), baseline(correlated)])
        levels = Levels(found.action_value, found.state_value, baselines, seen.embedding, correlated, shares)
        return Judged(found.value, found.value[:-1], None, states, levels)

    def attention(self, params: Any, observation: jax.Array) -> jax.Array:
        """The attention rollout [L, N, N, B] of what is seen in an episode from its first step on, [L, N, B, O]."""
        length, agents, batch, _ = observation.shape
        hidden, begins = jnp.zeros((agents, batch, self.hidden_size)), jnp.zeros((length, batch), bool)
        encoded, _ = self.module.apply(params, hidden, observation, begins, method="encode")
        return rollout(encoded.attention, self.residual)

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> Outputs:
        available = window.view.available[:-1]
        encoded, _ = self._encoded(params, window, len(window.action))
        return self._outputs(params, encoded, Joint(action_features(window.action, available), policy))
