"""Rollout windows and the replay of the last B of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.environments.base import Disturbance, State, View
from gpae.networks.policies import Policy


class Window(NamedTuple):
    """T steps of N agents in B environments, and the view after the last of them.

    view: leaves [T + 1, ...]
    begins: bool [T + 1, B], the step begins an episode
    action: [T, N, B] or [T, N, B, A]
    log_prob: [T, N, B], log mu(a | o) of the policy that acted
    reward: [T, B]
    done: bool [T, B]
    disturbance: leaves [T, B], of a task that replaces actions
    actor_hidden, critic_hidden: [N, B, H], before the first step: a window is unrolled from its own
    """

    view: View
    begins: jax.Array
    action: jax.Array
    log_prob: jax.Array
    reward: jax.Array
    done: jax.Array
    disturbance: Disturbance | None
    actor_hidden: jax.Array
    critic_hidden: jax.Array


# The axis of the environments in each leaf of a window that nothing disturbed.
ENVIRONMENT_AXIS = Window(
    view=View(observation=2, state=1, available=2),
    begins=1,
    action=2,
    log_prob=2,
    reward=1,
    done=1,
    disturbance=None,
    actor_hidden=1,
    critic_hidden=1,
)


class Replay(NamedTuple):
    """windows: Window with a leading axis of B places, a ring; written: int32, windows written so far."""

    windows: Window
    written: jax.Array


def empty_replay(window: Window, places: int) -> Replay:
    """A ring of `places` for windows like this one (arrays or their shapes)."""
    zeros = jax.tree.map(lambda leaf: jnp.zeros((places, *leaf.shape), leaf.dtype), window)
    return Replay(zeros, jnp.zeros((), jnp.int32))


def push(replay: Replay, window: Window) -> Replay:
    """The newest window in the place of the oldest."""
    place = replay.written % replay.windows.reward.shape[0]
    windows = jax.tree.map(lambda ring, leaf: ring.at[place].set(leaf), replay.windows, window)
    return Replay(windows, replay.written + 1)


def gather(replay: Replay) -> tuple[Window, jax.Array]:
    """All places side by side as one window of B times the environments, and what counts of it.

    Returns the window and bool [environments], false for places that were never written.
    """

    def beside(ring, axis):
        ring = jnp.moveaxis(ring, 0, axis)
        return ring.reshape(*ring.shape[:axis], places * batch, *ring.shape[axis + 2 :])

    places, _, batch = replay.windows.reward.shape
    filled = jnp.repeat(jnp.arange(places) < replay.written, batch)
    axes = ENVIRONMENT_AXIS
    if replay.windows.disturbance is not None:
        axes = axes._replace(disturbance=Disturbance(agent=1, replaced=1))
    return jax.tree.map(beside, replay.windows, axes), filled


class Frozen(NamedTuple):
    """What an update computes once with the networks it starts from and holds fixed over its epochs.

    log_prob: [T, N, B], log pi(a | o) of the current policy
    policy: [T, N, B, A], the current policy's features
    value: [T, N, B], V or EQ; the "target network" of Eqs. 10 and 11
    advantage, target: [T, N, B]
    weight: [B], 1 where the sample counts, 0 where its window was never written
    """

    log_prob: jax.Array
    policy: jax.Array
    value: jax.Array
    advantage: jax.Array
    target: jax.Array
    weight: jax.Array


FROZEN_ENVIRONMENT_AXIS = Frozen(log_prob=2, policy=2, value=2, advantage=2, target=2, weight=0)


def tiles(tree, axes, count: int):
    """Cuts the environments of every leaf into `count` equal tiles, along a new leading axis."""

    def cut(leaf, axis):
        parts = leaf.reshape(*leaf.shape[:axis], count, leaf.shape[axis] // count, *leaf.shape[axis + 1 :])
        return jnp.moveaxis(parts, axis, 0)

    return jax.tree.map(cut, tree, axes)


class Rollout(NamedTuple):
    """A window as it was collected, with what the rollout knows already.

    policies: the acting policies, leaves [T + 1, N, B, ...]
    states: the environment's, leaves [T + 1, ...], of which the views were made
    """

    window: Window
    policies: Policy
    states: State
