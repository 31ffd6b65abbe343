"""DOP: an actor-critic with a decomposed critic that learns from old windows too (Wang et al. 2021).

The critic is a weighted sum of the agents' values, so its mean over the policies of all agents needs no sum over joint
actions: targets from old windows are tree backups. An agent's policy follows its value's advantage times its weight, on
the newest windows alone. "Off-Policy Multi-Agent Decomposed Policy Gradients", arXiv:2007.12322, stochastic DOP; how
often which network steps, and on what, is as in its authors' code (TonghanWang/DOP at commit 2016199).
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from gpae.advantages import gae
from gpae.advantages.taken import taken
from gpae.algorithms.base import Act, Fit
from gpae.algorithms.descent import Trained
from gpae.algorithms.q_learning import annealed
from gpae.algorithms.tree_backup import target as tree_backup
from gpae.algorithms.window import Rollout, empty_window
from gpae.algorithms.window_buffer import Batch, WindowBuffer, beside
from gpae.config import DopLearner, DopMethod, Network
from gpae.environments.base import Discrete, View, Viewable
from gpae.networks.actor_critic import Actor
from gpae.networks.decomposed import Decomposed, DecomposedCritic
from gpae.networks.policies import Categorical


class DopState(NamedTuple):
    """target: the critic's parameters that targets are made with; buffer: a WindowBuffer's; updates: int32.

    critic_steps, copied_at: int32, gradient steps of the critic so far, and at its last copy into the target network
    """

    actor: Trained
    critic: Trained
    target: Any
    buffer: Any
    updates: jax.Array
    critic_steps: jax.Array
    copied_at: jax.Array


def softened(policies: Categorical, available: jax.Array, epsilon: jax.Array) -> Categorical:
    """(1 - epsilon) pi(a) + epsilon / A over all A actions, and of these the available ones, divided by their sum.

    policies: over all actions, whether available or not; available: bool [..., A]
    """
    mixed = (1 - epsilon) * jnp.exp(policies.log_probs) + epsilon / policies.log_probs.shape[-1]
    least = jnp.finfo(mixed.dtype).tiny  # the gradient of log 0 is not finite
    return Categorical.masked(jnp.log(jnp.maximum(mixed, least)), available)


def advantage(judged: Decomposed, chances: jax.Array, action: jax.Array) -> jax.Array:
    """k^i(s) (Q^i(a^i) - sum_a pi^i(a) Q^i(a)), [T, N, B], what weighs grad log pi^i(a^i) (Theorem 1 of DOP's paper).

    The baseline is ours, and changes nothing in the mean.

    chances: [T, N, B, A], pi^i; action: int32 [T, N, B]
    """
    return judged.weights * (taken(judged.values, action) - jnp.sum(chances * judged.values, axis=-1))


class Dop:
    """The learner of one job; its methods are pure.

    updates: of the whole training, over which epsilon falls
    Raises ValueError for a task with continuous actions.
    """

    # A sampled window is unrolled from an empty hidden state: right at the beginning of an episode only.
    fresh_windows = True
    acting = "networks"
    critic_hidden_size = 0

    def __init__(self, environment: Viewable, method: DopMethod, learner: DopLearner, network: Network, updates: int):
        self.spec = environment.spec
        if not isinstance(self.spec.actions, Discrete):
            raise ValueError(f"{method.label} needs discrete actions; {self.spec.name} has continuous ones")
        self.learner, self.updates = learner, updates
        self.hidden_size = network.width if network.recurrent else 0
        self.actor = Actor(self.spec, network)
        self.critic = self._critic_of(network)
        self.buffer = WindowBuffer(environment, learner.environments, learner.buffer_windows, learner.batch_size)
        self.optimisers = {
            "actor": self._optimiser(learner.learning_rate),
            "critic": self._optimiser(learner.critic_learning_rate),
        }

    def _optimiser(self, rate: float) -> optax.GradientTransformation:
        learner = self.learner
        return optax.chain(
            optax.clip_by_global_norm(learner.max_gradient_norm),
            optax.rmsprop(rate, decay=learner.rms_decay, eps=learner.rms_epsilon, eps_in_sqrt=False),
        )

    def _critic_of(self, network: Network) -> nn.Module:
        return DecomposedCritic(self.spec, network, self.learner.mixer_embedding)

    def _init_critic(self, key: jax.Array, view: View) -> Any:
        return self.critic.init(key, view.observation, view.state)

    # ------------------------------------------------------------------------------------------------- state and acting

    def init(self, key: jax.Array) -> DopState:
        """Fresh parameters; the buffer is made with the first window's shapes by `with_replay`."""
        actor_key, critic_key = jax.random.split(key)
        window = empty_window(self.spec, self.hidden_size, 0)
        view = window.view
        actor = self.actor.init(actor_key, window.actor_hidden, view.observation, view.available, window.begins)
        critic = self._init_critic(critic_key, view)
        zero = jnp.zeros((), jnp.int32)
        trained = {
            name: Trained(each, self.optimisers[name].init(each))
            for name, each in (("actor", actor), ("critic", critic))
        }
        return DopState(**trained, target=critic, buffer=None, updates=zero, critic_steps=zero, copied_at=zero)

    def with_replay(self, state: DopState, rollout: Rollout) -> DopState:
        return state._replace(buffer=self.buffer.empty(rollout))

    def networks(self, state: DopState) -> dict[str, Any]:
        return {"actor": state.actor.params, "critic": state.critic.params}

    def epsilon(self, update: jax.Array) -> jax.Array:
        learner = self.learner
        span = learner.epsilon_fraction * self.updates
        return annealed(update, span, learner.epsilon_start, learner.epsilon_finish)

    def act(self, actor: Any) -> Act:
        return self._acting(actor, jnp.zeros((), jnp.float32))

    def explore(self, state: DopState) -> Act:
        return self._acting(state.actor.params, self.epsilon(state.updates))

    def _acting(self, params: Any, epsilon: jax.Array) -> Act:
        def act(hidden, view, begins):
            every = jnp.ones_like(view.available)[None]
            policies, states = self.actor.apply(params, hidden, view.observation[None], every, begins[None])
            return softened(jax.tree.map(lambda leaf: leaf[0], policies), view.available, epsilon), states[0]

        return act

    def _policies(self, params: Any, batch: Batch, epsilon: jax.Array) -> Categorical:
        """[T + 1, N, B], those that would act in these windows now."""
        view = batch.view
        hidden = jnp.zeros((len(self.spec.agents), batch.begins.shape[1], self.hidden_size), jnp.float32)
        every = jnp.ones_like(view.available)
        policies, _ = self.actor.apply(params, hidden, view.observation, every, batch.begins)
        return softened(policies, view.available, epsilon)

    def _judged(self, params: Any, batch: Batch) -> Decomposed:
        return self.critic.apply(params, batch.view.observation, batch.view.state)

    # --------------------------------------------------------------------------------------------------------- learning

    def targets(self, params: Any, batch: Batch, policies: Categorical) -> tuple[jax.Array, jax.Array]:
        """(tree backup, TD(lambda)) targets [T, B] by the critic with these parameters; policies: [T + 1, N, B]."""
        learner, judged = self.learner, self._judged(params, batch)
        expected = judged.team(jnp.sum(policies.features() * judged.values, axis=-1))
        before = Decomposed(*(leaf[:-1] for leaf in judged))
        value = before.team(taken(before.values, batch.action))
        chance = jnp.exp(Categorical(policies.log_probs[:-1]).log_prob(batch.action).sum(axis=1))
        # its code bootstraps at a time limit; here the state after it is gone, so that the step's own value stands for
        # its return and it has no error
        reward = jnp.where(batch.truncated, value, learner.reward_scale * batch.reward)
        steps = learner.gamma, learner.tree_lam, learner.tree_steps
        off = tree_backup(reward, batch.done, value, expected[1:], chance, *steps)
        # after the last step no action was taken, so the mean over the policies stands for it
        on = value + gae.advantage(reward, batch.done, value, expected[-1], learner.gamma, learner.lam)
        return off, on

    def _policy_loss(self, params: Any, batch: Batch, weight: jax.Array, epsilon: jax.Array):
        """weight: [T, N, B], of every log probability"""
        policies = Categorical(self._policies(params, batch, epsilon).log_probs[:-1])
        loss = -jnp.mean(policies.log_prob(batch.action) * weight)
        return loss, {"policy_loss": loss, "entropy": policies.entropy().mean()}

    @property
    def fits(self) -> dict[str, Fit]:
        # one after the other: the actor's step is by the critic as its own steps left it
        return {"networks": self._fit}

    def asked_of(self, rollout: Rollout) -> Rollout:
        return rollout._replace(policies=None)

    def hold(self, key: jax.Array, state: DopState, rollout: Rollout):
        state = state._replace(buffer=self.buffer.add(state.buffer, rollout), updates=state.updates + 1)
        return state, key, rollout.window.critic_hidden, {"epsilon": self.epsilon(state.updates - 1)}

    def _step(self, name: str, trained: Trained, gradients: Any) -> Trained:
        updates, optimiser = self.optimisers[name].update(gradients, trained.optimiser, trained.params)
        return Trained(optax.apply_updates(trained.params, updates), optimiser)

    def _fit(self, state: DopState, key: jax.Array):
        """Once the buffer has the windows of a whole batch, the critic's steps and then the actor's; until then the
        metrics of learning are 0."""
        learner = self.learner
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(self._learn, state, key)[1])
        needed = max(learner.batch_size, learner.on_policy_windows)
        learning = state.updates * learner.environments >= needed
        as_it_was = {name: getattr(state, name) for name in ("actor", "critic", "target", "critic_steps", "copied_at")}
        learned, seen = jax.lax.cond(learning, lambda: self._learn(state, key), lambda: (as_it_was, zeros))
        seen["critic_steps"] = learned["critic_steps"].astype(jnp.float32)
        return learned, seen | {"learning": learning.astype(jnp.float32)}

    def _learn(self, state: DopState, key: jax.Array):
        """The critic on windows drawn from the newest and from all of them, then the actor on the newest."""
        learner, epsilon = self.learner, self.epsilon(state.updates - 1)
        old_key, new_key = jax.random.split(key)
        newest = self.buffer.newest(state.buffer, learner.on_policy_windows)
        order = jax.random.permutation(new_key, learner.on_policy_windows)

        def first(rows):
            rows = rows[: learner.on_policy_batch_size]
            return self.buffer.batch(jax.tree.map(lambda leaf: leaf[rows], newest))

        old, new = self.buffer.sample(old_key, state.buffer), first(order)
        critic, seen = self._critic_steps(state, old, new, epsilon)
        actor, of_actor = self._actor_step(state.actor, critic.params, first(jnp.arange(len(order))), epsilon)
        return self._learned(state, actor, critic), seen | of_actor

    def _learned(self, state: DopState, actor: Trained, critic: Trained) -> dict[str, Any]:
        """What an update changes; the target network is copied once enough steps were taken."""
        steps = state.critic_steps + self.learner.rollout_steps // self.learner.critic_slice
        copies = steps - state.copied_at >= self.learner.target_update_interval
        return {
            "actor": actor,
            "critic": critic,
            "target": jax.tree.map(lambda new, old: jnp.where(copies, new, old), critic.params, state.target),
            "critic_steps": steps,
            "copied_at": jnp.where(copies, steps, state.copied_at),
        }

    def _critic_steps(self, state: DopState, old: Batch, new: Batch, epsilon: jax.Array):
        """Through the windows in time order, a gradient step every `critic_slice` time steps: on the errors of tree
        backups in the old windows and of TD(lambda) in the new ones, both from the target network."""
        share, count = self.learner.off_policy_share, old.reward.shape[1]
        rows = beside(old, new)
        off, on = self.targets(state.target, rows, self._policies(state.actor.params, rows, epsilon))
        aim = jnp.concatenate([off[:, :count], on[:, count:]], axis=1)

        def loss(params, part):
            observation, situation, action, aim = part
            judged = self.critic.apply(params, observation, situation)
            errors = (judged.team(taken(judged.values, action)) - aim) ** 2
            errors = errors[:, :count].mean(), errors[:, count:].mean()
            whole = share * errors[0] + (1 - share) * errors[1]
            return whole, {"off_policy_error": errors[0], "on_policy_error": errors[1], "value_loss": whole}

        parts = (rows.view.observation[:-1], rows.view.state[:-1], rows.action, aim)
        trained, seen = self._through(state.critic, loss, parts)
        return trained, seen | {"target_mean": aim[:, count:].mean()}

    def _through(self, critic: Trained, loss, parts, reverse: bool = False):
        """A gradient step every `critic_slice` time steps, in their order or from the last to the first; also the mean
        of what the steps saw.

        loss: (parameters, parts [slice, ...]) -> (its value, metrics); parts: leaves [T, ...]
        """

        def step(trained, part):
            gradients, seen = jax.grad(loss, has_aux=True)(trained.params, part)
            seen |= {"critic_gradient_norm": optax.global_norm(gradients)}
            return self._step("critic", trained, gradients), seen

        parts = jax.tree.map(lambda leaf: leaf.reshape(-1, self.learner.critic_slice, *leaf.shape[1:]), parts)
        trained, seen = jax.lax.scan(step, critic, parts, reverse=reverse)
        return trained, jax.tree.map(jnp.mean, seen)

    def _actor_step(self, trained: Trained, critic: Any, batch: Batch, epsilon: jax.Array):
        """One step along the policy gradient of these windows."""
        policies = self._policies(trained.params, batch, epsilon)
        weight = self._weight(critic, batch, policies.features()[:-1])
        gradients, seen = jax.grad(self._policy_loss, has_aux=True)(trained.params, batch, weight, epsilon)
        seen |= {"advantage_mean": weight.mean(), "advantage_std": weight.std()}
        seen |= {"actor_gradient_norm": optax.global_norm(gradients)}
        return self._step("actor", trained, gradients), seen

    def _weight(self, critic: Any, batch: Batch, chances: jax.Array) -> jax.Array:
        """Of every log probability in the policy's gradient, [T, N, B]; chances: [T, N, B, A]."""
        judged = Decomposed(*(leaf[:-1] for leaf in self._judged(critic, batch)))
        return advantage(judged, chances, batch.action)

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """k^i(s) (Q^i(a^i) - E Q^i), [T, N, B]: an agent's part of what the joint action was worth."""
        window = rollout.window
        judged = self.critic.apply(networks["critic"], window.view.observation[:-1], window.view.state[:-1])
        return advantage(judged, rollout.policies.features()[:-1], window.action)
