"""DOP: an actor-critic with a decomposed critic that learns from old windows too (Wang et al. 2021).

The critic is a weighted sum of the agents' values, so its mean over the policies of all agents needs no sum over joint
actions: targets from old windows are tree backups. An agent's policy follows its value's advantage times its weight, on
the newest windows alone. "Off-Policy Multi-Agent Decomposed Policy Gradients", arXiv:2007.12322, stochastic DOP.
"""

from typing import Any, NamedTuple

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
from gpae.algorithms.window_buffer import Batch, WindowBuffer
from gpae.config import DopLearner, DopMethod, Network
from gpae.environments.base import Discrete, Viewable
from gpae.networks.actor_critic import Actor
from gpae.networks.decomposed import Decomposed, DecomposedCritic
from gpae.networks.policies import Categorical


class DopState(NamedTuple):
    """target: the critic's parameters that targets are made with; buffer: a WindowBuffer's; updates: int32."""

    actor: Trained
    critic: Trained
    target: Any
    buffer: Any
    updates: jax.Array


class Held(NamedTuple):
    """key: of the critic's draws; newest: the rollout as a batch"""

    key: jax.Array
    newest: Batch


def softened(policies: Categorical, available: jax.Array, epsilon: jax.Array) -> Categorical:
    """With probability epsilon an available action drawn uniformly, else one of the policy's; available: [..., A]."""
    uniform = available / available.sum(-1, keepdims=True)
    chances = (1 - epsilon) * jnp.exp(policies.log_probs) + epsilon * uniform
    least = jnp.finfo(chances.dtype).tiny  # the gradient of log 0 is not finite
    return Categorical(jnp.where(available, jnp.log(jnp.maximum(chances, least)), policies.log_probs))


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
    acting = "actor"
    critic_hidden_size = 0

    def __init__(self, environment: Viewable, method: DopMethod, learner: DopLearner, network: Network, updates: int):
        self.spec = environment.spec
        if not isinstance(self.spec.actions, Discrete):
            raise ValueError(f"{method.label} needs discrete actions; {self.spec.name} has continuous ones")
        self.learner, self.updates = learner, updates
        self.hidden_size = network.width if network.recurrent else 0
        self.actor = Actor(self.spec, network)
        self.critic = DecomposedCritic(self.spec, network, learner.mixer_embedding)
        self.buffer = WindowBuffer(environment, learner.environments, learner.buffer_windows, learner.batch_size)
        self.optimisers = {
            "actor": self._optimiser(learner.learning_rate),
            "critic": self._optimiser(learner.critic_learning_rate),
        }

    def _optimiser(self, rate: float) -> optax.GradientTransformation:
        learner = self.learner
        return optax.chain(
            optax.clip_by_global_norm(learner.max_gradient_norm),
            optax.rmsprop(rate, decay=learner.rms_decay, eps=learner.rms_epsilon),
        )

    # ------------------------------------------------------------------------------------------------- state and acting

    def init(self, key: jax.Array) -> DopState:
        """Fresh parameters; the buffer is made with the first window's shapes by `with_replay`."""
        actor_key, critic_key = jax.random.split(key)
        window = empty_window(self.spec, self.hidden_size, 0)
        view = window.view
        actor = self.actor.init(actor_key, window.actor_hidden, view.observation, view.available, window.begins)
        critic = self.critic.init(critic_key, view.observation, view.state)
        trained = {
            name: Trained(each, self.optimisers[name].init(each))
            for name, each in (("actor", actor), ("critic", critic))
        }
        return DopState(**trained, target=critic, buffer=None, updates=jnp.zeros((), jnp.int32))

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
            seen = (view.observation[None], view.available[None], begins[None])
            policies, states = self.actor.apply(params, hidden, *seen)
            return softened(jax.tree.map(lambda leaf: leaf[0], policies), view.available, epsilon), states[0]

        return act

    def _policies(self, params: Any, batch: Batch, epsilon: jax.Array) -> Categorical:
        """[T + 1, N, B], those that would act in these windows now."""
        view = batch.view
        hidden = jnp.zeros((len(self.spec.agents), batch.begins.shape[1], self.hidden_size), jnp.float32)
        policies, _ = self.actor.apply(params, hidden, view.observation, view.available, batch.begins)
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
        reward, steps = learner.reward_scale * batch.reward, (learner.gamma, learner.tree_lam, learner.tree_steps)
        off = tree_backup(reward, batch.done, value, expected[1:], chance, *steps)
        # after the last step no action was taken, so the mean over the policies stands for it
        on = value + gae.advantage(reward, batch.done, value, expected[-1], learner.gamma, learner.lam)
        return off, on

    def _error(self, params: Any, batch: Batch, aim: jax.Array) -> jax.Array:
        judged = Decomposed(*(leaf[:-1] for leaf in self._judged(params, batch)))
        return jnp.mean((judged.team(taken(judged.values, batch.action)) - aim) ** 2)

    def _policy_loss(self, params: Any, batch: Batch, weight: jax.Array, epsilon: jax.Array):
        """weight: [T, N, B], of every log probability"""
        policies = Categorical(self._policies(params, batch, epsilon).log_probs[:-1])
        loss = -jnp.mean(jnp.sum(policies.log_prob(batch.action) * weight, axis=1))
        return loss, {"policy_loss": loss, "entropy": policies.entropy().mean()}

    @property
    def fits(self) -> dict[str, Fit]:
        return {"actor": self._fit_actor, "critic": self._fit_critic}

    def asked_of(self, rollout: Rollout) -> Rollout:
        return rollout._replace(policies=None)

    def hold(self, key: jax.Array, state: DopState, rollout: Rollout):
        window = rollout.window
        newest = Batch(window.view, window.begins, window.action, window.reward, window.done)
        state = state._replace(buffer=self.buffer.add(state.buffer, rollout), updates=state.updates + 1)
        return state, Held(key, newest), window.critic_hidden, {"epsilon": self.epsilon(state.updates - 1)}

    def _step(self, name: str, trained: Trained, gradients: Any) -> Trained:
        updates, optimiser = self.optimisers[name].update(gradients, trained.optimiser, trained.params)
        return Trained(optax.apply_updates(trained.params, updates), optimiser)

    def _fit_actor(self, state: DopState, held: Held):
        """One step along the policy gradient of the newest windows."""
        batch, epsilon = held.newest, self.epsilon(state.updates - 1)
        policies = self._policies(state.actor.params, batch, epsilon)
        judged = Decomposed(*(leaf[:-1] for leaf in self._judged(state.critic.params, batch)))
        weight = advantage(judged, policies.features()[:-1], batch.action)
        gradients, seen = jax.grad(self._policy_loss, has_aux=True)(state.actor.params, batch, weight, epsilon)
        seen |= {"advantage_mean": weight.mean(), "advantage_std": weight.std()}
        seen |= {"actor_gradient_norm": optax.global_norm(gradients)}
        return {"actor": self._step("actor", state.actor, gradients)}, seen

    def _fit_critic(self, state: DopState, held: Held):
        """`epochs` steps on the errors of tree backups in old windows and of TD(lambda) in the newest ones."""
        learner, epsilon, actor = self.learner, self.epsilon(state.updates - 1), state.actor.params
        newest = held.newest
        on = self.targets(state.target, newest, self._policies(actor, newest, epsilon))[1]

        def step(trained, key):
            old = self.buffer.sample(key, state.buffer)
            off = self.targets(state.target, old, self._policies(actor, old, epsilon))[0]

            def loss(params):
                errors = self._error(params, old, off), self._error(params, newest, on)
                share = learner.off_policy_share
                whole = share * errors[0] + (1 - share) * errors[1]
                return whole, {"off_policy_error": errors[0], "on_policy_error": errors[1], "value_loss": whole}

            gradients, seen = jax.grad(loss, has_aux=True)(trained.params)
            seen |= {"critic_gradient_norm": optax.global_norm(gradients)}
            return self._step("critic", trained, gradients), seen

        trained, seen = jax.lax.scan(step, state.critic, jax.random.split(held.key, learner.epochs))
        refresh = state.updates % learner.target_update_interval == 0
        aim = jax.tree.map(lambda new, old: jnp.where(refresh, new, old), trained.params, state.target)
        seen = jax.tree.map(jnp.mean, seen) | {"target_mean": on.mean()}
        return {"critic": trained, "target": aim}, seen

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """k^i(s) (Q^i(a^i) - E Q^i), [T, N, B]: an agent's part of what the joint action was worth."""
        window = rollout.window
        judged = self.critic.apply(networks["critic"], window.view.observation[:-1], window.view.state[:-1])
        return advantage(judged, rollout.policies.features()[:-1], window.action)
