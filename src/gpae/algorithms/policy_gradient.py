"""One clipped policy-gradient learner for every estimator, on- and off-policy (GPAE paper, section 4.4 and Appendix D).

MAPPO, GPAE (on) and GPAE (off) are this learner with another critic, trace weight and number of replay windows. An
update freezes what it needs of the networks it starts from, estimates advantages and targets, then takes several
epochs of gradient steps. The gradient is added up over tiles of environments, because on a CPU a tile's activations
stay in the cache; the sum is the same.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gpae.advantages import gpae, ratios, traces
from gpae.algorithms.base import Act
from gpae.algorithms.window import (
    ENVIRONMENT_AXIS,
    FROZEN_ENVIRONMENT_AXIS,
    Frozen,
    Replay,
    Rollout,
    Window,
    empty_replay,
    gather,
    push,
    tiles,
)
from gpae.config import Learner, Network, PolicyGradientMethod
from gpae.environments.base import Environment
from gpae.networks.actor_critic import Actor, CounterfactualCritic, ValueCritic, marginalised
from gpae.networks.policies import action_features

CRITICS = {"gae": ValueCritic, "gpae": CounterfactualCritic}
TRACES = {"dt": traces.dt, "st": traces.st, "it": traces.it, "none": traces.none}
# Agents x environments of a tile: their activations fit the cache. docs/performance.md compares 16 to 640.
CPU_TILE_ROWS = 64


class Trained(NamedTuple):
    """Parameters of one network with its optimiser's state."""

    params: Any
    optimiser: Any


class LearnerState(NamedTuple):
    """updates: int32; replay: the last B windows, None on-policy."""

    actor: Trained
    critic: Trained
    replay: Replay | None
    updates: jax.Array


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
        self.critic = CRITICS[method.estimator](spec, network)
        self.trace = partial(traces.dt, eta=method.eta) if method.trace == "dt" else TRACES[method.trace]
        steps = learner.epochs * learner.minibatches

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
        actor_key, critic_key = jax.random.split(key)
        hidden = jnp.zeros((agents, 1, self.hidden_size), jnp.float32)
        begins = jnp.ones((1, 1), bool)
        observation = jnp.zeros((1, agents, 1, spec.observation_size), jnp.float32)
        available = jnp.ones((1, agents, 1, spec.actions.size), bool)
        state = jnp.zeros((1, 1, spec.state_size), jnp.float32)
        joint = jnp.zeros((1, agents, 1, agents * spec.actions.size), jnp.float32)
        actor = self.actor.init(actor_key, hidden, observation, available, begins)
        critic = self.critic.init(critic_key, hidden, state, joint, begins)
        return LearnerState(
            actor=Trained(actor, self.optimiser.init(actor)),
            critic=Trained(critic, self.optimiser.init(critic)),
            replay=None,
            updates=jnp.zeros((), jnp.int32),
        )

    def with_replay(self, state: LearnerState, rollout: Rollout) -> LearnerState:
        """`state` with an empty replay for windows like this one (arrays or their shapes)."""
        places = self.method.replay_windows
        return state._replace(replay=empty_replay(rollout.window, places)) if places > 1 else state

    def networks(self, state: LearnerState) -> dict[str, Any]:
        return {"actor": state.actor.params, "critic": state.critic.params}

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

    def _joint(self, window: Window, policy: jax.Array, beyond: jax.Array | None = None) -> jax.Array | None:
        """What the EQ critic sees of actions; beyond: [1, N, B, ...], the action after the window's last step."""
        if self.method.estimator != "gpae":
            return None
        action = window.action if beyond is None else jnp.concatenate([window.action, beyond])
        available = window.view.available[: len(action)]
        return marginalised(action_features(action, available), policy)

    # -------------------------------------------------------------------------------------------------- what is frozen

    def _freeze(self, key, actor, critic, window: Window, policies):
        """(log pi [T, N, B], policy features [T, N, B, A], values [T + 1, N, B], critic hidden after T steps).

        The action after the last step is drawn from the policy and never executed: EQ needs the others' action there.
        """
        if policies is None:
            policies = self._policies(actor, window, slice(None))
        taken = jax.tree.map(lambda leaf: leaf[:-1], policies)
        last = jax.tree.map(lambda leaf: leaf[-1:], policies)
        features = policies.features()
        joint = self._joint(window, features, beyond=last.sample(key))
        value, hidden = self.critic.apply(critic, window.critic_hidden, window.view.state, joint, window.begins)
        return taken.log_prob(window.action), features[:-1], value, hidden[-2]

    def _estimate(self, window: Window, log_prob, policy, value, filled) -> tuple[Frozen, dict[str, jax.Array]]:
        """Advantages (Eqs. 5 and 7; with V for EQ this is GAE, Eq. 1) and targets (Eq. 11) for the whole batch."""
        learner = self.learner
        weight = filled.astype(value.dtype)
        log_ratio = log_prob - window.log_prob
        trace = self.trace(log_ratio, learner.lam)
        raw = gpae.advantage(window.reward, window.done, value[:-1], value[-1], trace, learner.gamma)
        target = gpae.value_target(raw, value[:-1], log_ratio)
        mean = jnp.average(raw.mean((0, 1)), weights=weight)
        variance = jnp.average(((raw - mean) ** 2).mean((0, 1)), weights=weight)
        advantage = (raw - mean) / (jnp.sqrt(variance) + 1e-8)
        error = jnp.average(((target - value[:-1]) ** 2).mean((0, 1)), weights=weight)
        spread = jnp.average(jnp.std(raw, axis=1).mean(0), weights=weight)
        samples = jnp.broadcast_to(weight, window.reward.shape)
        metrics = {
            "advantage_mean": mean,
            "advantage_std": jnp.sqrt(variance),
            "advantage_spread_between_agents": spread,
            "value_mean": jnp.average(value[:-1].mean((0, 1)), weights=weight),
            "value_error": error,
            "trace_mean": jnp.average(trace.mean((0, 1)), weights=weight),
            "individual_distance": ratios.individual_distance(trace, log_ratio, learner.lam, samples),
            "joint_distance": ratios.joint_distance(trace, log_ratio, learner.lam, samples),
            "truncation_gap": ratios.truncation_gap(trace, log_ratio, learner.lam, samples),
        }
        return Frozen(log_prob, policy, value[:-1], advantage, target, weight), metrics

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
                return optax.huber_loss(value, frozen.target, learner.huber_delta)
            return (value - frozen.target) ** 2

        loss = 0.5 * jnp.sum(jnp.maximum(error(value), error(near)) * frozen.weight) / samples
        return learner.value_coefficient * loss, {"value_loss": loss}

    def _descend(self, loss, trained: Trained, batch, samples) -> tuple[Trained, dict[str, jax.Array]]:
        """One gradient step on a loss that is a sum over tiles; batch: (Window, Frozen) with a leading tile axis."""
        gradient = jax.value_and_grad(loss, has_aux=True)
        first = jax.tree.map(lambda leaf: leaf[0], batch)
        shapes = jax.eval_shape(lambda tile: gradient(trained.params, *tile, samples), first)
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

        def add(total, tile):
            return jax.tree.map(jnp.add, total, gradient(trained.params, *tile, samples)), None

        ((_, metrics), gradients), _ = jax.lax.scan(add, zeros, batch)
        updates, optimiser = self.optimiser.update(gradients, trained.optimiser, trained.params)
        return Trained(optax.apply_updates(trained.params, updates), optimiser), metrics | {
            "gradient_norm": optax.global_norm(gradients)
        }

    # ---------------------------------------------------------------------------------------------------------- update

    def tile_count(self, environments: int) -> int:
        """Tiles of a minibatch: one on an accelerator, small ones on a CPU."""
        if jax.default_backend() != "cpu":
            return 1
        most = max(1, CPU_TILE_ROWS // len(self.spec.agents))
        size = max(size for size in range(1, most + 1) if environments % size == 0)
        return environments // size

    def learn(self, key: jax.Array, state: LearnerState, rollout: Rollout) -> tuple[LearnerState, jax.Array, dict]:
        """One update from a fresh rollout.

        Returns the new state, the critic's hidden state after the rollout [N, B, H], and scalar metrics.
        """
        freeze_key, epoch_key = jax.random.split(key)
        window, policies, replay = rollout.window, rollout.policies, state.replay
        batch = window.reward.shape[1]
        filled, newest = jnp.ones(batch, bool), 0
        if replay is not None:
            newest = replay.written % self.method.replay_windows
            replay = push(replay, window)
            window, filled = gather(replay)
            policies = None  # those of older windows are out of date
        log_prob, policy, value, hidden = self._freeze(
            freeze_key, state.actor.params, state.critic.params, window, policies
        )
        frozen, metrics = self._estimate(window, log_prob, policy, value, filled)
        (actor, critic), seen = self._epochs(epoch_key, (state.actor, state.critic), window, frozen)
        hidden = jax.lax.dynamic_slice_in_dim(hidden, newest * batch, batch, axis=1)
        return LearnerState(actor, critic, replay, state.updates + 1), hidden, metrics | seen

    def _epochs(self, key, networks: tuple[Trained, Trained], window: Window, frozen: Frozen):
        """The gradient steps of an update; returns the two networks and the mean of what the steps saw."""
        minibatches, environments = self.learner.minibatches, window.reward.shape[1]
        count = self.tile_count(environments // minibatches)
        axes = (ENVIRONMENT_AXIS, FROZEN_ENVIRONMENT_AXIS)
        time, agents, _ = window.log_prob.shape
        samples = jnp.sum(frozen.weight) * (time * agents) / minibatches

        def cut(batch):
            """Leaves [minibatch, tile, ...]."""
            parts = tiles(batch, axes, minibatches * count)
            return jax.tree.map(lambda leaf: leaf.reshape(minibatches, count, *leaf.shape[1:]), parts)

        whole = cut((window, frozen)) if minibatches == 1 else None

        def shuffled(key):
            order = jax.random.permutation(key, environments)
            return cut(jax.tree.map(lambda leaf, axis: jnp.take(leaf, order, axis=axis), (window, frozen), axes))

        def step(networks, part):
            actor, of_actor = self._descend(self._actor_loss, networks[0], part, samples)
            critic, of_critic = self._descend(self._critic_loss, networks[1], part, samples)
            norms = {
                "actor_gradient_norm": of_actor.pop("gradient_norm"),
                "critic_gradient_norm": of_critic.pop("gradient_norm"),
            }
            return (actor, critic), of_actor | of_critic | norms

        def epoch(networks, key):
            return jax.lax.scan(step, networks, shuffled(key) if whole is None else whole)

        networks, seen = jax.lax.scan(epoch, networks, jax.random.split(key, self.learner.epochs))
        return networks, jax.tree.map(jnp.mean, seen)
