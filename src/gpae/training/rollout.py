"""Collecting a window: the policy acts in every environment for T steps."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae.algorithms.base import Act
from gpae.algorithms.window import Rollout, Window
from gpae.environments.base import Environment, View


class Runner(NamedTuple):
    """Where the environments stand between two windows.

    environment: its state; view: what is seen now; begins: bool [B], an episode begins now
    actor_hidden, critic_hidden: [N, B, H], before this view was looked at
    """

    environment: Any
    view: View
    begins: jax.Array
    actor_hidden: jax.Array
    critic_hidden: jax.Array


def start(
    environment: Environment, key: jax.Array, batch: int, hidden_size: int, critic_hidden_size: int = 0
) -> Runner:
    """Fresh episodes in `batch` environments; a runner that nobody learns from needs no critic."""
    state, view = environment.reset(key, batch)
    agents = len(environment.spec.agents)
    hidden = (jnp.zeros((agents, batch, size), jnp.float32) for size in (hidden_size, critic_hidden_size))
    return Runner(state, view, jnp.ones(batch, bool), *hidden)


def collect(
    environment: Environment, act: Act, key: jax.Array, runner: Runner, steps: int
) -> tuple[Runner, Rollout, dict[str, jax.Array]]:
    """A window of `steps` steps.

    Returns the runner after it (its critic_hidden is for the learner to fill in), the rollout, and statistics of the
    episodes that ended in it: their number and the sums of their returns, lengths and wins.
    """

    def one(carry, key):
        state, view, begins, hidden = carry
        act_key, step_key = jax.random.split(key)
        policies, after = act(hidden, view, begins)
        action = policies.sample(act_key)
        following, step = environment.step(step_key, state, action)
        if environment.spec.interruption is not None:
            action = step.executed
        ended = step.done
        episodes = {
            "episodes": jnp.sum(ended.astype(jnp.float32)),
            "episode_return": jnp.sum(jnp.where(ended, step.episode.return_, 0.0)),
            "episode_length": jnp.sum(jnp.where(ended, step.episode.length, 0).astype(jnp.float32)),
            "episode_won": jnp.sum((ended & step.episode.won).astype(jnp.float32)),
        }
        log_prob = policies.log_prob(action)
        ends = ended, step.truncated
        seen = (state, view, begins, policies, action, log_prob, step.reward, *ends, step.disturbance, episodes)
        return (following, step.view, ended, after), seen

    carry = (runner.environment, runner.view, runner.begins, runner.actor_hidden)
    (state, view, begins, hidden), seen = jax.lax.scan(one, carry, jax.random.split(key, steps))
    states, views, beginnings, policies, action, log_prob, reward, done, truncated, disturbance, episodes = seen
    beyond, _ = act(hidden, view, begins)

    def with_last(sequence, last):
        return jax.tree.map(lambda many, one: jnp.concatenate([many, one[None]]), sequence, last)

    window = Window(
        view=with_last(views, view),
        begins=with_last(beginnings, begins),
        action=action,
        log_prob=log_prob,
        reward=reward,
        done=done,
        truncated=truncated,
        disturbance=disturbance,
        actor_hidden=runner.actor_hidden,
        critic_hidden=runner.critic_hidden,
    )
    after = Runner(state, view, begins, hidden, runner.critic_hidden)
    ended = jax.tree.map(jnp.sum, episodes)
    return after, Rollout(window, with_last(policies, beyond), with_last(states, state), ended), ended
