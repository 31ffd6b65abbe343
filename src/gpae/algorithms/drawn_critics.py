"""Q of continuous actions: a critic that is told the own action, and draws of it where its mean is asked for.

COMA, PPO-Sum and PPO-Mix as `critics` has them, with one value in the place of one for every action.
"""

from typing import Any

import jax
import jax.numpy as jnp

from gpae.algorithms.judgement import Judged, Own, at_once, before, beyond, in_time
from gpae.algorithms.window import Window
from gpae.networks.actor_critic import CounterfactualCritic, Joint
from gpae.networks.critics import LocalCritic
from gpae.networks.policies import Policy, action_features


class DrawnValues:
    """Q^i(s, a), or of the own observation Q^i(o^i, a^i); draws: of the own action, for its mean.

    module: EQ's critic, which has the own action in the place of the policy; or V(o^i)'s, which has it beside o^i
    sarsa: targets go on from Q of the own action taken, and not from its mean
    """

    def __init__(self, module: CounterfactualCritic | LocalCritic, draws: int, sarsa: bool = False):
        self.module, self.draws, self.sarsa = module, draws, sarsa

    def seen(self, window: Window, action: jax.Array, own: jax.Array):
        """What the module is called with on the first L steps, but for the hidden state: (state or observation, Joint).

        action, own: [L, N, B, A], the features of the actions taken and of those to put in the place of the own
        """
        view, length = window.view, len(action)
        if isinstance(self.module, CounterfactualCritic):
            return view.state[:length], Joint(action, own)
        return jnp.concatenate([view.observation[:length], own], axis=-1), None

    def init(self, key: jax.Array, window: Window) -> Any:
        action = action_features(window.action, window.view.available[:-1])
        return self.module.init(key, window.critic_hidden, *self.seen(window, action, action), window.begins[:-1])

    def q(self, params: Any, window: Window, action: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Q [L, N, B] of actions taken, [L, N, B, A], and hidden states."""
        features = action_features(action, window.view.available[: len(action)])
        begins = window.begins[: len(action)]
        return self.module.apply(params, window.critic_hidden, *self.seen(window, features, features), begins)

    def drawn(self, key: jax.Array, params: Any, window: Window, action: jax.Array, states, policies: Policy):
        """Q [K, L, N, B] with K draws from the policies in the place of the own action; states: after each step."""
        length, available = len(action), window.view.available[: len(action)]
        features = action_features(action, available)
        hidden, begins = at_once(before(window, states), 2)[0], window.begins[:length].reshape(1, -1)

        def of_draw(key):
            own = action_features(policies.sample(key), available)
            what, joint = self.seen(window, features, own)
            joint = joint and Joint(*(at_once(each, 2) for each in joint))
            value, _ = self.module.apply(params, hidden, at_once(what, what.ndim - 2), joint, begins)
            return in_time(value, length)

        return jax.lax.map(of_draw, jax.random.split(key, self.draws))

    def own(self, taken: jax.Array, drawn: jax.Array) -> Own:
        """taken: [T, N, B]; drawn: [K, T, N, B]. The first of K + 1 values is the one taken, which is in no mean."""
        values = jnp.moveaxis(jnp.concatenate([taken[None], drawn]), 0, -1)
        chances = jnp.full(values.shape, 1 / self.draws, values.dtype).at[..., 0].set(0.0)
        return Own(values[None], chances, jnp.zeros(taken.shape, jnp.int32))

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        beyond_key, draw_key = jax.random.split(key)
        action = beyond(beyond_key, window, policies)
        taken, states = self.q(params, window, action)
        drawn = self.drawn(draw_key, params, window, action, states, policies)
        value = taken if self.sarsa else drawn.mean(0)
        return Judged(value, taken[:-1], self.own(taken[:-1], drawn[:, :-1]), states)

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> jax.Array:
        return self.q(params, window, window.action)[0]


class DrawnMixture:
    """Q^i(o^i, a^i), of which a mixer makes the team's Q(s, a); parameters: (the agents', the mixer's)."""

    def __init__(self, agent: DrawnValues, mixer: Any):
        self.agent, self.mixer = agent, mixer

    def _team(self, params, window: Window, taken: jax.Array) -> jax.Array:
        return jnp.broadcast_to(self.mixer.apply(params[1], taken, window.view.state[: len(taken)]), taken.shape)

    def init(self, key: jax.Array, window: Window) -> Any:
        agent_key, mixer_key = jax.random.split(key)
        value = jnp.zeros(window.log_prob.shape, jnp.float32)
        return self.agent.init(agent_key, window), self.mixer.init(mixer_key, value, window.view.state[:-1])

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        beyond_key, draw_key = jax.random.split(key)
        action = beyond(beyond_key, window, policies)
        taken, states = self.agent.q(params[0], window, action)
        drawn = self.agent.drawn(draw_key, params[0], window, action, states, policies)[:, :-1]
        team = self._team(params, window, taken)
        return Judged(team, team[:-1], self.agent.own(taken[:-1], drawn), states)

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> jax.Array:
        return self._team(params, window, self.agent.q(params[0], window, window.action)[0])
