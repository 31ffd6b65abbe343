"""One episode of a trained policy, with all its states, and what estimators say of each agent's part in it."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gpae.algorithms.base import Act
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.environments.base import Discrete, Environment, Episode, State, Step, View
from gpae.networks.policies import Policy
from gpae.training.rollout import collect, start
from gpae.training.update import QUICKLY, Trainer


class Recording(NamedTuple):
    """An episode of T steps of one environment, as numpy arrays.

    states: the environment's, leaves [T + 1, ...] with one environment; the last is where the episode ended
    action: [T, N] or [T, N, A], as executed
    reward: float32 [T]
    acts: bool [T, N], the agent had a choice: it lives
    replaced: bool [T, N], the task replaced the agent's action
    advantages: {estimator: float32 [T, N], raw}
    return_: undiscounted sum of the rewards, by the environment's own count
    won: None where the task has no winner
    """

    states: State
    action: np.ndarray
    reward: np.ndarray
    acts: np.ndarray
    replaced: np.ndarray
    advantages: dict[str, np.ndarray]
    return_: float
    won: bool | None

    @property
    def steps(self) -> int:
        return len(self.reward)


class _Memory(NamedTuple):
    """state: the environment's; reached: where the last step led, before a new episode was begun over it;
    episode: its statistics after that step."""

    state: State
    reached: State
    episode: Episode


class _Remembering:
    """An environment that keeps the end of an episode in its state, so that a rollout records it."""

    def __init__(self, environment: Environment):
        self.environment, self.spec = environment, environment.spec

    def reset(self, key: jax.Array, batch: int) -> tuple[_Memory, View]:
        state, view = self.environment.reset(key, batch)
        nothing = Episode(jnp.zeros(batch, jnp.float32), jnp.zeros(batch, jnp.int32), jnp.zeros(batch, bool))
        return _Memory(state, state, nothing), view

    def step(self, key: jax.Array, state: _Memory, action: jax.Array) -> tuple[_Memory, Step]:
        following, step = self.environment.step(key, state.state, action)
        return _Memory(following, step.reached, step.episode), step


class _Greedy(NamedTuple):
    """A policy that plays its mode, with the probabilities of what it was made of."""

    policy: Policy

    def sample(self, key: jax.Array) -> jax.Array:
        return self.policy.mode()

    def log_prob(self, action: jax.Array) -> jax.Array:
        return self.policy.log_prob(action)


def _greedy(act: Act) -> Act:
    def greedy(hidden, view, begins):
        policy, after = act(hidden, view, begins)
        return _Greedy(policy), after

    return greedy


def play(
    trainer: Trainer,
    networks: Mapping[str, Any],
    key: jax.Array,
    greedy: bool,
    judges: Mapping[str, tuple[PolicyGradient, Mapping[str, Any]]],
) -> Recording:
    """The first episode of a fresh environment.

    networks: one seed's of an evaluation point, by whose actor the agents act
    greedy: the policy's mode in place of a sample
    judges: {estimator: the learner whose estimator it is, its networks}; each judges by its own critic
    """
    algorithm, environment = trainer.algorithm, _Remembering(trainer.environment)
    agents, horizon = len(environment.spec.agents), environment.spec.horizon
    learners = {name: learner for name, (learner, _) in judges.items()}

    @partial(jax.jit, compiler_options=QUICKLY)
    def run(networks, judging, key):
        start_key, play_key, judge_key = jax.random.split(key, 3)
        runner = start(environment, start_key, 1, algorithm.hidden_size)
        act = algorithm.act(networks["actor"])
        rollout = collect(environment, _greedy(act) if greedy else act, play_key, runner, horizon)[1]
        policies = rollout.policies.policy if greedy else rollout.policies
        advantages = {}
        for name, learner in learners.items():
            hidden = jnp.zeros((agents, 1, learner.critic_hidden_size), jnp.float32)
            seen = rollout._replace(window=rollout.window._replace(critic_hidden=hidden), policies=policies)
            advantages[name] = learner.advantages(judge_key, judging[name], seen)
        return rollout.window, rollout.states, advantages

    judging = {name: own for name, (_, own) in judges.items()}
    window, states, advantages = jax.device_get(run(networks, judging, key))
    steps = int(np.argmax(window.done[:, 0])) + 1
    acts, replaced = np.ones((steps, agents), bool), np.zeros((steps, agents), bool)
    if isinstance(environment.spec.actions, Discrete):
        acts = window.view.available[:steps, :, 0].sum(axis=-1) > 1
    if window.disturbance is not None:
        drawn = window.disturbance.agent[:steps] == np.arange(agents)
        replaced = drawn & window.disturbance.replaced[:steps]
    return Recording(
        states=jax.tree.map(lambda leaf: leaf[: steps + 1], states.reached),
        action=window.action[:steps, :, 0],
        reward=window.reward[:steps, 0],
        acts=acts,
        replaced=replaced,
        advantages={name: each[:steps, :, 0] for name, each in advantages.items()},
        return_=float(states.episode.return_[steps, 0]),
        won=bool(states.episode.won[steps, 0]) if environment.spec.has_winner else None,
    )
