"""The critics as the learner calls them: what each says of a window, and what of it is fitted to the targets.

Every critic's targets are Eq. 11 of the GPAE paper with the `value` that it says of a window. On-policy they are
lambda-returns: from V or EQ for V and EQ; from EQ for the Q of which EQ is the mean (expected Sarsa); from the team's Q
of the actions taken where it is a mixture of the agents' (Sarsa).
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from gpae.algorithms.estimation import ESTIMATORS
from gpae.algorithms.window import Window
from gpae.config import Network, PolicyGradientMethod
from gpae.environments.base import Discrete, Spec
from gpae.networks import mixers
from gpae.networks.actor_critic import CounterfactualCritic, Joint
from gpae.networks.critics import ActionCritic, LocalCritic
from gpae.networks.policies import Policy, action_features
from gpae.networks.q_network import QNetwork


class Judged(NamedTuple):
    """What a critic says of a window of T steps.

    value: [T + 1, N, B], from which targets go on; fitted: [T, N, B], what is fitted to them
    own: [M, T, N, B, A], the values of every own action beside M joint actions of the others; None of V and EQ
    states: [T + 1, N, B, H], hidden states after each step
    """

    value: jax.Array
    fitted: jax.Array
    own: jax.Array | None
    states: jax.Array


class Critic(Protocol):
    """Pure functions of the critic's parameters."""

    def init(self, key: jax.Array, window: Window) -> Any:
        """Parameters, from a window (of any values) of the shapes that it is to see."""

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        """policies: [T + 1, N, B]; the action after the last step is drawn from them and never executed."""

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> jax.Array:
        """Judged.fitted once more, with a gradient; policy: [T, N, B, A], features."""


def _beyond(key: jax.Array, window: Window, policies: Policy) -> jax.Array:
    """The window's actions and one more, [T + 1, N, B, ...]."""
    last = jax.tree.map(lambda leaf: leaf[-1:], policies)
    return jnp.concatenate([window.action, last.sample(key)])


def _taken(values: jax.Array, action: jax.Array) -> jax.Array:
    """[..., A], int32 [...] -> [...]; a gather's gradient is slow on a CPU."""
    return jnp.where(action[..., None] == jnp.arange(values.shape[-1]), values, 0.0).sum(-1)


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
        seen = self._seen(window, policies.features(), _beyond(key, window, policies))
        value, states = self.module.apply(params, *seen)
        return Judged(value, value[:-1], None, states)

    def fitted(self, params, window, policy):
        return self.module.apply(params, *self._seen(window, policy, window.action))[0]


class ActionValues:
    """Q^i(s, ., a^{-i}); samples: joint actions of the others drawn from the policies, 0: those taken alone."""

    def __init__(self, module: ActionCritic, samples: int):
        self.module, self.samples = module, samples

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
        q, states = self._q(params, window, _beyond(beyond_key, window, policies))
        value, own = (policies.features() * q).sum(-1), q[None, :-1]
        if self.samples:
            before = jnp.concatenate([window.critic_hidden[None], states[:-2]])
            own = self._sampled(sample_key, params, window, jax.tree.map(lambda leaf: leaf[:-1], policies), before)
        return Judged(value, _taken(q[:-1], window.action), own, states)

    def _sampled(self, key, params, window: Window, policies: Policy, before: jax.Array) -> jax.Array:
        """Q [M, T, N, B, A] beside M draws of the others' actions, each step by itself.

        before: [T, N, B, H], hidden states before each step, in which the actions up to there were those taken
        """

        steps, agents, batch = window.action.shape

        def at_once(x, axis):
            """[T, ..., B, ...] with the environments in `axis` -> [..., T B, ...]."""
            x = jnp.moveaxis(x, 0, axis - 1)
            return x.reshape(*x.shape[: axis - 1], steps * batch, *x.shape[axis + 1 :])

        hidden, state = at_once(before, 2), at_once(window.view.state[:-1], 1)[None]
        begins, available = window.begins[:-1].reshape(1, -1), window.view.available[:-1]

        def of_sample(key):
            features = at_once(action_features(policies.sample(key), available), 2)[None]
            q, _ = self.module.apply(params, hidden, state, features, begins)
            return jnp.moveaxis(q.reshape(agents, steps, batch, -1), 1, 0)

        return jax.lax.map(of_sample, jax.random.split(key, self.samples))

    def fitted(self, params, window, policy):
        return _taken(self._q(params, window, window.action)[0], window.action)


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
        team = self.mixer.apply(params.mixer, _taken(q, action), view.state[:length])
        return q, jnp.broadcast_to(team, action.shape), states

    def init(self, key, window):
        agent_key, mixer_key = jax.random.split(key)
        view, value = window.view, jnp.zeros(window.view.available.shape[:-1], jnp.float32)
        agent = self.module.init(agent_key, window.critic_hidden, view.observation, window.begins)
        return Mixed(agent, self.mixer.init(mixer_key, value, view.state))

    def judge(self, key, params, window, policies):
        q, team, states = self._q(params, window, _beyond(key, window, policies))
        return Judged(team, team[:-1], q[None, :-1], states)

    def fitted(self, params, window, policy):
        return self._q(params, window, window.action)[1]


def make(method: PolicyGradientMethod, spec: Spec, network: Network) -> Critic:
    """The critic of a method; raises ValueError where it needs discrete actions and the task has others."""
    module = ESTIMATORS[method.estimator].critic(spec, network)
    if not isinstance(module, ActionCritic | QNetwork):
        return Values(module)
    if not isinstance(spec.actions, Discrete):
        raise ValueError(f"{method.label} needs discrete actions; {spec.name} has continuous ones")
    if isinstance(module, ActionCritic):
        return ActionValues(module, method.joint_samples if method.estimator == "marginal" else 0)
    monotonic = mixers.Monotonic(method.mixer_embedding, method.hypernet_width, method.mixer_init_scale)
    return MixedValues(module, mixers.Sum() if method.estimator == "sum" else monotonic)
