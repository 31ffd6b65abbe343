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
    actor_hidden, critic_hidden: [N, B, H], before the first step
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


def join(replay: Replay) -> tuple[Window, jax.Array]:
    """The windows of P places as one of P T steps, the oldest first: the trajectory over which Eq. 7 runs.

    A window ends where the next one begins, so of the views after a last step only the newest window's is kept. The
    hidden states are those before the oldest window. Places that were never written come first; the window after them
    is the training's first, which begins with new episodes, so nothing of theirs reaches it.

    Returns the window and float32 [P T, 1, B], 1 where a step was written, else 0.
    """
    places, steps, batch = replay.windows.reward.shape
    order = (replay.written + jnp.arange(places)) % places
    ring = jax.tree.map(lambda leaf: leaf[order], replay.windows)

    def in_time(leaf):
        return leaf.reshape(places * steps, *leaf.shape[2:])

    def in_time_with_last(leaf):
        return jnp.concatenate([in_time(leaf[:, :-1]), leaf[-1, -1:]])

    joined = jax.tree.map(in_time, ring._replace(view=None, begins=None, actor_hidden=None, critic_hidden=None))
    joined = joined._replace(
        view=jax.tree.map(in_time_with_last, ring.view),
        begins=in_time_with_last(ring.begins),
        actor_hidden=ring.actor_hidden[0],
        critic_hidden=ring.critic_hidden[0],
    )
    written = jnp.arange(places) >= places - replay.written
    return joined, jnp.broadcast_to(jnp.repeat(written, steps)[:, None, None], (places * steps, 1, batch)) * 1.0


class Frozen(NamedTuple):
    """What an update computes once with the networks it starts from and holds fixed over its epochs.

    log_prob: [T, N, B], log pi(a | o) of the current policy
    policy: [T, N, B, A], the current policy's features
    value: [T, N, B], V or EQ; the "target network" of Eqs. 10 and 11
    advantage, target: [T, N, B]
    weight: [T, 1, B], 1 where the step counts, 0 where its window was never written
    active: [T, N, B], 1 where the agent's step counts in the policy's loss, else 0; None: all count
    action_value, action_target, state_value, state_target: [T, N, B], as value and target, of a critic that is fitted
        to Q(s, a) and V(s) beside EQ; else None
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
    state_value: jax.Array | None = None
    state_target: jax.Array | None = None


def frozen_axes(frozen: Frozen) -> Frozen:
    """The axis of the environments in each leaf."""
    return Frozen(**{name: None if leaf is None else 2 for name, leaf in frozen._asdict().items()})


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
    episodes: of the episodes that ended in it, counted whole, as `gpae.training.rollout.collect` gives them; else None
    """

    window: Window
    policies: Policy
    states: State
    episodes: dict[str, jax.Array] | None = None
