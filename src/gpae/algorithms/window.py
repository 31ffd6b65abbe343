"""Rollout windows and the replay of the last B of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.environments.base import Discrete, Disturbance, Spec, State, View
from gpae.networks.policies import Policy


class Window(NamedTuple):
    """T steps of N agents in B environments, and the view after the last of them.

    view: leaves [T + 1, ...]
    begins: bool [T + 1, B], the step begins an episode
    action: [T, N, B] or [T, N, B, A]
    log_prob: [T, N, B], log mu(a | o) of the policy that acted; where a task replaces actions, of what was executed
    reward: [T, B]
    done: bool [T, B], the step ended the episode; truncated: bool [T, B], by the time limit alone
    disturbance: leaves [T, B], of a task that replaces actions
    actor_hidden, critic_hidden: [N, B, H], before the first step: a window is unrolled from its own
    """

    view: View
    begins: jax.Array
    action: jax.Array
    log_prob: jax.Array
    reward: jax.Array
    done: jax.Array
    truncated: jax.Array
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
    truncated=1,
    disturbance=None,
    actor_hidden=1,
    critic_hidden=1,
)


def empty_window(spec: Spec, hidden_size: int, critic_hidden_size: int) -> Window:
    """Of one step in one environment: the shapes that a network is made for."""
    agents, size = len(spec.agents), spec.actions.size
    discrete = isinstance(spec.actions, Discrete)
    zeros = jnp.zeros((1, agents, 1), jnp.float32)
    return Window(
        view=View(
            observation=jnp.zeros((2, agents, 1, spec.observation_size), jnp.float32),
            state=jnp.zeros((2, 1, spec.state_size), jnp.float32),
            available=jnp.ones((2, agents, 1, size), bool),
        ),
        begins=jnp.ones((2, 1), bool),
        action=zeros.astype(jnp.int32) if discrete else jnp.zeros((*zeros.shape, size), jnp.float32),
        log_prob=zeros,
        reward=zeros[:, 0],
        done=zeros[:, 0] > 0,
        truncated=zeros[:, 0] > 0,
        disturbance=None,
        actor_hidden=jnp.zeros((agents, 1, hidden_size), jnp.float32),
        critic_hidden=jnp.zeros((agents, 1, critic_hidden_size), jnp.float32),
    )


def has_choice(window: Window) -> jax.Array:
    """bool [T, N, B]: several actions are available, as to nobody who is dead; of discrete actions."""
    return window.view.available[:-1].sum(axis=-1) > 1


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
    active: [T, N, B], 1 where the agent's step counts in the policy's loss, else 0; None: all count
    action_value, action_target: [T, N, B], as value and target, of a critic that is fitted to both V and Q; else None
    """

    log_prob: jax.Array
    policy: jax.Array
    value: jax.Array
    advantage: jax.Array
    target: jax.Array
    weight: jax.Array
    active: jax.Array | None = None
    action_value: jax.Array | None = None
    action_target: jax.Array | None = None


def frozen_axes(frozen: Frozen) -> Frozen:
    """The axis of the environments in each leaf."""
    axes = {name: 2 for name, leaf in frozen._asdict().items() if leaf is not None}
    return Frozen(**axes | {"weight": 0})


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
