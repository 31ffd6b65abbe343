"""The critics as the learner calls them: what each says of a window, and what of it is fitted to the targets.

Every critic's targets are Eq. 11 of the GPAE paper with the `value` that it says of a window. On-policy they are
lambda-returns: from V or EQ for V and EQ; from EQ for the Q of which EQ is the mean (expected Sarsa); from Q of the
actions taken (Sarsa) where it is a mixture of the agents', and where the advantage is of that return (`action_value`).
MACA's has three, of V, Q and EQ (`multilevel_critic`).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae.advantages.taken import taken
from gpae.algorithms.drawn_critics import DrawnMixture, DrawnValues
from gpae.algorithms.estimation import ESTIMATORS
from gpae.algorithms.judgement import Critic, Judged, Own, at_once, before, beyond, in_time
from gpae.algorithms.multilevel_critic import MultilevelValues
from gpae.algorithms.window import Window
from gpae.config import Network, PolicyGradientMethod
from gpae.environments.base import Discrete, Spec
from gpae.networks import mixers
from gpae.networks.actor_critic import CounterfactualCritic, Joint
from gpae.networks.critics import ActionCritic, LocalCritic
from gpae.networks.policies import Policy, action_features
from gpae.networks.q_network import QNetwork


class Values:
    """V(s), V(o^i) or EQ^i(s, a^{-i})."""

    def __init__(self, module: Any):
        self.module = module

    def _seen(self, window: Window, policy: jax.Array, action: jax.Array):
        """What the module is called with; policy, action: [L, N, B, ...], of the first L steps."""
        length, view, joint = len(policy), window.view, None
        if isinstance(self.module, CounterfactualCritic):
            joint = Joint(action_features(action, view.available[:length]), policy)
        seen = view.observation if isinstance(self.module, LocalCritic) else view.state
        return window.critic_hidden, seen[:length], joint, window.begins[:length]

    def init(self, key, window):
        features = jnp.zeros(window.view.available.shape, jnp.float32)[:-1]
        return self.module.init(key, *self._seen(window, features, window.action))

    def judge(self, key, params, window, policies):
        seen = self._seen(window, policies.features(), beyond(key, window, policies))
        value, states = self.module.apply(params, *seen)
        return Judged(value, value[:-1], None, states)

    def fitted(self, params, window, policy):
        return self.module.apply(params, *self._seen(window, policy, window.action))[0]


class ActionValues:
    """Q^i(s, ., a^{-i}); samples: joint actions of the others drawn from the policies, 0: those taken alone.

    sarsa: targets go on from Q of the own action taken, and not from its mean
    """

    def __init__(self, module: ActionCritic, samples: int, sarsa: bool = False):
        self.module, self.samples, self.sarsa = module, samples, sarsa

    def _q(self, params, window: Window, action: jax.Array):
        """Q [L, N, B, A] of the first L steps and hidden states; action: int32 [L, N, B]."""
        length, view = len(action), window.view
        features = action_features(action, view.available[:length])
        return self.module.apply(params, window.critic_hidden, view.state[:length], features, window.begins[:length])

    def init(self, key, window):
        view, features = window.view, jnp.zeros(window.view.available.shape, jnp.float32)
        return self.module.init(key, window.critic_hidden, view.state, features, window.begins)

    def judge(self, key, params, window, policies):
        beyond_key, sample_key = jax.random.split(key)
        action = beyond(beyond_key, window, policies)
        q, states = self._q(params, window, action)
        chances, values, did = policies.features(), q[None, :-1], taken(q, action)
        if self.samples:
            acting = jax.tree.map(lambda leaf: leaf[:-1], policies)
            values = self._sampled(sample_key, params, window, acting, before(window, states[:-1]))
        own = Own(values, chances[:-1], window.action)
        return Judged(did if self.sarsa else (chances * q).sum(-1), did[:-1], own, states)

    def _sampled(self, key, params, window: Window, policies: Policy, hidden: jax.Array) -> jax.Array:
        """Q [M, T, N, B, A] beside M draws of the others' actions; hidden: [T, N, B, H], before each step."""
        steps, available = len(window.action), window.view.available[:-1]
        hidden, state = at_once(hidden, 2)[0], at_once(window.view.state[:-1], 1)
        begins = window.begins[:-1].reshape(1, -1)

        def of_sample(key):
            features = at_once(action_features(policies.sample(key), available), 2)
            return in_time(self.module.apply(params, hidden, state, features, begins)[0], steps)

        return jax.lax.map(of_sample, jax.random.split(key, self.samples))

    def fitted(self, params, window, policy):
        return taken(self._q(params, window, window.action)[0], window.action)


class Mixed(NamedTuple):
    """Parameters of the agents' shared Q network and of the mixer."""

    agent: Any
    mixer: Any


class MixedValues:
    """Q^i(o^i, a^i), of which a mixer makes the team's Q(s, a); M = 1."""

    def __init__(self, module: QNetwork, mixer: Any):
        self.module, self.mixer = module, mixer

    def _q(self, params: Mixed, window: Window, action: jax.Array):
        """The own values [L, N, B, A] and the team's [L, N, B], the same for all agents, of the first L steps."""
        length, view = len(action), window.view
        hidden, begins = window.critic_hidden, window.begins[:length]
        q, states = self.module.apply(params.agent, hidden, view.observation[:length], begins)
        team = self.mixer.apply(params.mixer, taken(q, action), view.state[:length])
        return q, jnp.broadcast_to(team, action.shape), states

    def init(self, key, window):
        agent_key, mixer_key = jax.random.split(key)
        view, value = window.view, jnp.zeros(window.view.available.shape[:-1], jnp.float32)
        agent = self.module.init(agent_key, window.critic_hidden, view.observation, window.begins)
        return Mixed(agent, self.mixer.init(mixer_key, value, view.state))

    def judge(self, key, params, window, policies):
        q, team, states = self._q(params, window, beyond(key, window, policies))
        return Judged(team, team[:-1], Own(q[None, :-1], policies.features()[:-1], window.action), states)

    def fitted(self, params, window, policy):
        return self._q(params, window, window.action)[1]


def make(method: PolicyGradientMethod, spec: Spec, network: Network) -> Critic:
    """The critic of a method; raises ValueError where it needs discrete actions and the task has others."""
    estimator, discrete = method.estimator, isinstance(spec.actions, Discrete)
    if estimator == "multilevel":
        return MultilevelValues(method, spec, network)
    module = ESTIMATORS[estimator].critic(spec, network)
    if isinstance(module, ActionCritic):
        if estimator == "marginal" and not discrete:
            raise ValueError(f"{method.label} needs discrete actions; {spec.name} has continuous ones")
        samples = method.joint_samples if estimator == "marginal" else 0
        sarsa = method.action_value == "return"
        drawn = DrawnValues(CounterfactualCritic(spec, network), method.action_samples, sarsa)
        return ActionValues(module, samples, sarsa) if discrete else drawn
    if isinstance(module, QNetwork):
        monotonic = mixers.Monotonic(method.mixer_embedding, method.hypernet_width, method.mixer_init_scale)
        mixer = mixers.Sum() if estimator == "sum" else monotonic
        drawn = DrawnValues(LocalCritic(spec, network), method.action_samples)
        return MixedValues(module, mixer) if discrete else DrawnMixture(drawn, mixer)
    return Values(module)
