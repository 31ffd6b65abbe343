"""One clipped policy-gradient learner for every estimator, on- and off-policy (GPAE paper, section 4.4 and Appendix D).

MAPPO, COMA, DAE, GPAE (on) and GPAE (off) are this learner with another estimator, critic, trace weight and number of
replay windows. An update freezes what it needs of the networks it starts from, estimates advantages and targets, then
takes several epochs of gradient steps on the actor and on the critic.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gpae.algorithms.base import Act, Fit
from gpae.algorithms.descent import Loss, Trained, descend
from gpae.algorithms.estimation import ESTIMATORS, estimate
from gpae.algorithms.window import (
    Frozen,
    Replay,
    Rollout,
    Window,
    empty_replay,
    gather,
    push,
)
from gpae.config import Learner, Network, PolicyGradientMethod
from gpae.environments.base import Discrete, Environment
from gpae.networks.actor_critic import Actor, CounterfactualCritic, Joint
from gpae.networks.policies import Policy, action_features
from gpae.networks.reward_model import RewardModel


class LearnerState(NamedTuple):
    """updates: int32; reward_model: DAE's, else None; replay: the last B windows, None on-policy."""

    actor: Trained
    critic: Trained
    reward_model: Trained | None
    replay: Replay | None
    updates: jax.Array


class Held(NamedTuple):
    """key: of the epochs' order; window: as the estimator saw it, without what disturbed it"""

    key: jax.Array
    window: Window
    frozen: Frozen


class PolicyGradient:
    """The learner of one job; its methods are pure.

    updates: how many the learning rate takes to fall to 0
    """

    fresh_windows = False

    def __init__(
        self, environment: Environment, method: PolicyGradientMethod, learner: Learner, network: Network, updates: int
    ):
        spec = environment.spec
        self.spec, self.method, self.learner, self.network = spec, method, learner, network
        self.actor = Actor(spec, network)
        self.critic = ESTIMATORS[method.estimator].critic(spec, network)
        self.reward_model = RewardModel(spec, network) if ESTIMATORS[method.estimator].reward_model else None
        self.epochs = learner.epochs * method.epochs_factor
        steps = self.epochs * learner.minibatches

        def learning_rate(step):
            # constant within an update, falling to 0 over all of them
            fraction = 1.0 - (step // steps) / updates if learner.anneal_learning_rate else 1.0
            return learner.learning_rate * fraction

        self.optimiser = optax.chain(
            optax.clip_by_global_norm(learner.max_gradient_norm),
            optax.adam(learning_rate, eps=learner.adam_epsilon),
        )

    # ------------------------------------------------------------------------------------------------ the two networks

    @property
    def hidden_size(self) -> int:
        return self.network.width if self.network.recurrent else 0

    def init(self, key: jax.Array) -> LearnerState:
        """Fresh parameters; the replay is made with the first window's shapes by `with_replay`."""
        spec, agents = self.spec, len(self.spec.agents)
        actor_key, critic_key, reward_key = jax.random.split(key, 3)
        hidden = jnp.zeros((agents, 1, self.hidden_size), jnp.float32)
        begins = jnp.ones((1, 1), bool)
        observation = jnp.zeros((1, agents, 1, spec.observation_size), jnp.float32)
        available = jnp.ones((1, agents, 1, spec.actions.size), bool)
        state = jnp.zeros((1, 1, spec.state_size), jnp.float32)
        actions = jnp.zeros((1, agents, 1, spec.actions.size), jnp.float32)
        actor = self.actor.init(actor_key, hidden, observation, available, begins)
        critic = self.critic.init(critic_key, hidden, state, Joint(actions, actions), begins)
        reward_model = None
        if self.reward_model:
            model = self.reward_model.init(reward_key, state, actions)
            reward_model = Trained(model, self.optimiser.init(model))
        return LearnerState(
            actor=Trained(actor, self.optimiser.init(actor)),
            critic=Trained(critic, self.optimiser.init(critic)),
            reward_model=reward_model,
            replay=None,
            updates=jnp.zeros((), jnp.int32),
        )

    def with_replay(self, state: LearnerState, rollout: Rollout) -> LearnerState:
        """`state` with an empty replay for windows like this one (arrays or their shapes)."""
        places = self.method.replay_windows
        return state._replace(replay=empty_replay(rollout.window, places)) if places > 1 else state

    def networks(self, state: LearnerState) -> dict[str, Any]:
        model = {"reward_model": state.reward_model.params} if self.reward_model else {}
        return {"actor": state.actor.params, "critic": state.critic.params} | model

    def explore(self, state: LearnerState) -> Act:
        return self.act(state.actor.params)

    def act(self, actor: Any) -> Act:
        def act(hidden, view, begins):
            seen = (view.observation[None], view.available[None], begins[None])
            policies, states = self.actor.apply(actor, hidden, *seen)
            return jax.tree.map(lambda leaf: leaf[0], policies), states[0]

        return act

    def _policies(self, params, window: Window, steps: slice):
        view = window.view
        return self.actor.apply(
            params, window.actor_hidden, view.observation[steps], view.available[steps], window.begins[steps]
        )[0]

    def _joint(self, window: Window, policy: jax.Array, beyond: jax.Array | None = None) -> Joint | None:
        """What the EQ critic sees of actions; beyond: [1, N, B, ...], the action after the window's last step."""
        if not isinstance(self.critic, CounterfactualCritic):
            return None
        action = window.action if beyond is None else jnp.concatenate([window.action, beyond])
        available = window.view.available[: len(action)]
        return Joint(action_features(action, available), policy)

    # -------------------------------------------------------------------------------------------------- what is frozen

    def _freeze(self, key, actor, critic, window: Window, policies):
        """(policies [T, N, B], log pi [T, N, B], values [T + 1, N, B], critic hidden after T steps).

        The action after the last step is drawn from the policy and never executed: EQ needs the others' action there.
        """
        if policies is None:
            policies = self._policies(actor, window, slice(None))
        taken = jax.tree.map(lambda leaf: leaf[:-1], policies)
        last = jax.tree.map(lambda leaf: leaf[-1:], policies)
        features = policies.features()
        joint = self._joint(window, features, beyond=last.sample(key))
        value, hidden = self.critic.apply(critic, window.critic_hidden, window.view.state, joint, window.begins)
        return taken, taken.log_prob(window.action), value, hidden[-2]

    def _expected_reward(self, key, params, window: Window, policies: Policy) -> jax.Array | None:
        """E_{a^i ~ pi^i}[r(s, a^i, a^{-i})], [T, N, B]: exact for discrete actions, from draws for continuous ones."""
        if self.reward_model is None:
            return None
        agents, size = len(self.spec.agents), self.spec.actions.size
        state, available = window.view.state[:-1], window.view.available[:-1]
        if isinstance(self.spec.actions, Discrete):
            own = jnp.broadcast_to(jnp.eye(size)[:, None, None, None], (size, 1, agents, 1, size))
            weights = jnp.moveaxis(policies.features(), -1, 0)
        else:
            draws = jax.vmap(policies.sample)(jax.random.split(key, self.method.action_samples))
            own, weights = action_features(draws, available), jnp.float32(1 / self.method.action_samples)
        taken = action_features(window.action, available)
        rewards = self.reward_model.apply(params, state, taken, own, method=RewardModel.exchanged)
        return jnp.sum(weights * rewards, axis=0)

    # ---------------------------------------------------------------------------------------------------------- losses

    def _actor_loss(self, params, window: Window, frozen: Frozen, samples):
        """Eq. 78: the surrogate clipped around the current policy, on the behaviour policy's data; a sum / samples."""
        clip = self.learner.clip
        policies = self._policies(params, window, slice(None, -1))
        log_prob = policies.log_prob(window.action)
        weight = jnp.exp(log_prob - window.log_prob)
        current = jnp.exp(frozen.log_prob - window.log_prob)
        clipped = jnp.clip(weight, (1 - clip) * current, (1 + clip) * current)
        surrogate = jnp.minimum(weight * frozen.advantage, clipped * frozen.advantage)

        def mean(x):
            return jnp.sum(x * frozen.weight) / samples

        entropy = mean(policies.entropy())
        policy_loss = -mean(surrogate)
        log_step = log_prob - frozen.log_prob
        metrics = {
            "policy_loss": policy_loss,
            "entropy": entropy,
            "approximate_kl": mean(jnp.expm1(log_step) - log_step),
            "clip_fraction": mean((jnp.abs(jnp.expm1(log_step)) > clip).astype(jnp.float32)),
        }
        return policy_loss - self.learner.entropy_coefficient * entropy, metrics

    def _critic_loss(self, params, window: Window, frozen: Frozen, samples):
        """Eq. 10 with the target held fixed, clipped around the value before the update; a sum / samples."""
        learner = self.learner
        joint = self._joint(window, frozen.policy)
        value, _ = self.critic.apply(params, window.critic_hidden, window.view.state[:-1], joint, window.begins[:-1])
        near = frozen.value + jnp.clip(value - frozen.value, -learner.value_clip, learner.value_clip)

        def error(value):
            if learner.value_loss == "huber":
                return optax.huber_loss(value, frozen.target, delta=learner.huber_delta)
            return (value - frozen.target) ** 2

        loss = 0.5 * jnp.sum(jnp.maximum(error(value), error(near)) * frozen.weight) / samples
        return learner.value_coefficient * loss, {"value_loss": loss}

    # ---------------------------------------------------------------------------------------------------------- update

    @property
    def fits(self) -> dict[str, Fit]:
        reward_model = {"reward_model": self._fit_reward_model} if self.reward_model else {}
        return {
            "actor": partial(self._fit, "actor", self._actor_loss),
            "critic": partial(self._fit, "critic", self._critic_loss),
        } | reward_model

    def hold(self, key: jax.Array, state: LearnerState, rollout: Rollout):
        freeze_key, reward_key, epoch_key = jax.random.split(key, 3)
        window, policies, replay = rollout.window, rollout.policies, state.replay
        batch = window.reward.shape[1]
        filled, newest = jnp.ones(batch, bool), 0
        if replay is not None:
            newest = replay.written % self.method.replay_windows
            replay = push(replay, window)
            window, filled = gather(replay)
            policies = None  # those of older windows are out of date
        policies, log_prob, value, hidden = self._freeze(
            freeze_key, state.actor.params, state.critic.params, window, policies
        )
        reward_model = state.reward_model
        expected = self._expected_reward(reward_key, reward_model and reward_model.params, window, policies)
        learner = self.learner
        found, metrics = estimate(self.method, learner.gamma, learner.lam, window, log_prob, value, filled, expected)
        frozen = Frozen(log_prob, policies.features(), value[:-1], found.advantage, found.target, found.weight)
        hidden = jax.lax.dynamic_slice_in_dim(hidden, newest * batch, batch, axis=1)
        state = state._replace(replay=replay, updates=state.updates + 1)
        return state, Held(epoch_key, window._replace(disturbance=None), frozen), hidden, metrics

    def _fit(self, name: str, loss: Loss, state: LearnerState, held: Held):
        """The epochs of one of the two networks."""
        before, steps = getattr(state, name), (self.epochs, self.learner.minibatches)
        trained, seen = descend(loss, self.optimiser, before, held.key, (held.window, held.frozen), *steps)
        return {name: trained}, seen | {f"{name}_gradient_norm": seen.pop("gradient_norm")}

    def _fit_reward_model(self, state: LearnerState, held: Held):
        """As many gradient steps on the squared error as the critic takes, each on the whole batch."""
        window, weight = held.window, held.frozen.weight
        actions = action_features(window.action, window.view.available[:-1])

        def loss(params):
            error = self.reward_model.apply(params, window.view.state[:-1], actions) - window.reward
            return jnp.average(jnp.mean(error**2, axis=0), weights=weight)

        def step(trained, _):
            error, gradients = jax.value_and_grad(loss)(trained.params)
            updates, optimiser = self.optimiser.update(gradients, trained.optimiser, trained.params)
            return Trained(optax.apply_updates(trained.params, updates), optimiser), error

        trained, errors = jax.lax.scan(step, state.reward_model, length=self.epochs * self.learner.minibatches)
        return {"reward_model": trained}, {"reward_model_loss": jnp.mean(errors)}

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """Raw advantages [T, N, B] of a rollout, by the `networks` of any moment."""
        freeze_key, reward_key = jax.random.split(key)
        window, learner = rollout.window, self.learner
        policies, log_prob, value, _ = self._freeze(
            freeze_key, networks["actor"], networks["critic"], window, rollout.policies
        )
        expected = self._expected_reward(reward_key, networks.get("reward_model"), window, policies)
        filled = jnp.ones(window.reward.shape[1], bool)
        found, _ = estimate(self.method, learner.gamma, learner.lam, window, log_prob, value, filled, expected)
        return found.raw
