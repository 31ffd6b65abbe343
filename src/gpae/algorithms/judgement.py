"""What a critic says of a window, and what is needed to ask one."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from gpae.algorithms.window import Window
from gpae.networks.policies import Policy


class Own(NamedTuple):
    """Values of an agent's own actions, beside M joint actions of the others.

    values: [M, T, N, B, K], of all actions; where there are too many, of the one taken and of draws from the policy
    chances: [T, N, B, K], what each counts in the mean over the own action
    chosen: int32 [T, N, B], which of them was taken
    """

    values: jax.Array
    chances: jax.Array
    chosen: jax.Array


class Levels(NamedTuple):
    """What a critic of joint actions says with some agents' actions averaged out (MACA).

    action_value: [T + 1, N, B], Q(s, a) of the actions taken, from which targets of its own go on
    baselines: [K, T, N, B], in the order of LEVELS
    embedding: [T, B, Z], z_s; correlated: int32 [T, N, B], agents in the CorrSet; attention: [T, N, N, B], the rollout
    """

    action_value: jax.Array
    baselines: jax.Array
    embedding: jax.Array
    correlated: jax.Array
    attention: jax.Array

    def map_values(self, on: Callable[[jax.Array], jax.Array]) -> "Levels":
        """With the values and baselines on another scale."""
        return self._replace(action_value=on(self.action_value), baselines=on(self.baselines))


class Judged(NamedTuple):
    """What a critic says of a window of T steps.

    value: [T + 1, N, B], from which targets go on; fitted: [T, N, B], what is fitted to them
    own: None of V and EQ
    states: [T + 1, N, B, H], hidden states after each step
    levels: of MACA's critic alone, which is fitted to the targets of Q(s, a) too
    """

    value: jax.Array
    fitted: jax.Array
    own: Own | None
    states: jax.Array
    levels: Levels | None = None


class Pair(NamedTuple):
    """V and Q(s, a), [T, N, B] each."""

    value: jax.Array
    action_value: jax.Array


class Critic(Protocol):
    """Pure functions of the critic's parameters."""

    def init(self, key: jax.Array, window: Window) -> Any:
        """Parameters, from a window (of any values) of the shapes that it is to see."""

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        """policies: [T + 1, N, B]; the action after the last step is drawn from them and never executed."""

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> jax.Array | Pair:
        """Judged.fitted once more, with a gradient; where there are Levels with Q(s, a).

        policy: [T, N, B, A], features
        """


def beyond(key: jax.Array, window: Window, policies: Policy) -> jax.Array:
    """The window's actions and one more, [T + 1, N, B, ...]."""
    last = jax.tree.map(lambda leaf: leaf[-1:], policies)
    return jnp.concatenate([window.action, last.sample(key)])


def at_once(x: jax.Array, axis: int) -> jax.Array:
    """Each step by itself: [L, ..., B, ...] with the environments in `axis` -> [1, ..., L B, ...]."""
    length = len(x)
    x = jnp.moveaxis(x, 0, axis - 1)
    return x.reshape(*x.shape[: axis - 1], length * x.shape[axis], *x.shape[axis + 1 :])[None]


def in_time(x: jax.Array, length: int) -> jax.Array:
    """And back: [1, N, L B, ...] -> [L, N, B, ...]."""
    _, agents, rows, *rest = x.shape
    return jnp.moveaxis(x.reshape(agents, length, rows // length, *rest), 1, 0)


def before(window: Window, states: jax.Array) -> jax.Array:
    """Hidden states before each step, [L, N, B, H], from those after it; in them the actions were those taken."""
    return jnp.concatenate([window.critic_hidden[None], states[:-1]])
