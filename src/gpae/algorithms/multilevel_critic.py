"""MACA's critic as the learner calls it: V and Q of the team, and an agent's baselines at three levels."""

from typing import Any

import jax
import jax.numpy as jnp

from gpae.advantages import multilevel
from gpae.algorithms.judgement import Judged, Levels, Pair, beyond
from gpae.algorithms.window import Window
from gpae.config import Network, PolicyGradientMethod
from gpae.environments.base import Spec
from gpae.networks.actor_critic import Joint
from gpae.networks.attention import AttentionCritic, Encoded, rollout
from gpae.networks.policies import Policy, action_features


class MultilevelValues:
    """V(s) = Q(s, pi) and Q(s, a), the same for all agents, from one network without a hidden state."""

    def __init__(self, method: PolicyGradientMethod, spec: Spec, network: Network):
        sizes = method.encoder_blocks, method.state_embedding
        self.module = AttentionCritic(spec, network, *sizes, method.decoder)
        self.threshold, self.residual = method.sigma / len(spec.agents), method.attention_residual

    def init(self, key: jax.Array, window: Window) -> Any:
        actions = jnp.zeros(window.view.available.shape, jnp.float32)
        return self.module.init(key, window.view.observation, actions)

    def _values(self, params: Any, encoded: Encoded, joint: Joint) -> Pair:
        """V and Q [L, N, B]; joint: [L, N, B, A]."""
        each = [self.module.apply(params, encoded, own, method="value") for own in (joint.policy, joint.action)]
        return Pair(*(jnp.broadcast_to(value[:, None], joint.action.shape[:-1]) for value in each))

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        joint = Joint(action_features(beyond(key, window, policies), window.view.available), policies.features())
        encoded = self.module.apply(params, window.view.observation, method="encode")
        value, action_value = self._values(params, encoded, joint)
        seen, taken = jax.tree.map(lambda leaf: leaf[:-1], (encoded, joint))
        shares = rollout(seen.attention, self.residual)
        correlated = multilevel.correlated_sets(shares, self.threshold)
        alone = jnp.broadcast_to(jnp.eye(len(shares[0]), dtype=bool)[None, :, :, None], correlated.shape)

        def baseline(members):
            """[N, T, B], one agent after the other; members: bool [T, N, N, B]."""

            def of_agent(own):
                return self.module.apply(params, seen, multilevel.marginalised(*taken, own), method="value")

            return jnp.moveaxis(jax.lax.map(of_agent, jnp.moveaxis(members, 1, 0)), 0, 1)

        baselines = jnp.stack([value[:-1], baseline(alone), baseline(correlated)])
        levels = Levels(action_value, baselines, seen.embedding, correlated.sum(2), shares)
        states = jnp.zeros((*value.shape, window.critic_hidden.shape[-1]), value.dtype)
        return Judged(value, value[:-1], None, states, levels)

    def attention(self, params: Any, observation: jax.Array) -> jax.Array:
        """The attention rollout [L, N, N, B] of what is seen, [L, N, B, O]."""
        return rollout(self.module.apply(params, observation, method="encode").attention, self.residual)

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> Pair:
        available = window.view.available[:-1]
        encoded = self.module.apply(params, window.view.observation[:-1], method="encode")
        return self._values(params, encoded, Joint(action_features(window.action, available), policy))
