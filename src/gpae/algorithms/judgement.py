"""What a critic says of a window, and what is needed to ask one."""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from gpae.algorithms.value_scale import Scale
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

    action_value, state_value: [T + 1, N, B], Q(s, a) of the actions taken and V(s), each with targets of its own
    baselines: [K, T, N, B], in the order of LEVELS
    embedding: [T, B, Z], z_s; correlated: bool [T, N, N, B], j is in C_i; attention: [T, N, N, B], the rollout
    """

    action_value: jax.Array
    state_value: jax.Array
    baselines: jax.Array
    embedding: jax.Array
    correlated: jax.Array
    attention: jax.Array

    def original(self, scale: dict[str, Scale]) -> "Levels":
        """In units of the reward; the baselines by EQ's scale, as they are means of the same Q over fewer agents."""
        return self._replace(
            action_value=scale["action_value"].original(self.action_value),
            state_value=scale["state_value"].original(self.state_value),
            baselines=scale["value"].original(self.baselines),
        )


class Judged(NamedTuple):
    """What a critic says of a window of T steps.

    value: [T + 1, N, B], from which targets go on; fitted: [T, N, B], what is fitted to them
    own: None of V and EQ
    states: [T + 1, N, B, H], hidden states after each step
    levels: of MACA's critic alone, of which EQ is the value; it is fitted to targets of Q(s, a) and V(s) too
    """

    value: jax.Array
    fitted: jax.Array
    own: Own | None
    states: jax.Array
    levels: Levels | None = None


class Outputs(NamedTuple):
    """EQ(s), Q(s, a) and V(s) of MACA's critic, [T, N, B] each; named as their scales are."""

    value: jax.Array
    action_value: jax.Array
    state_value: jax.Array


class Critic(Protocol):
    """Pure functions of the critic's parameters."""

    def init(self, key: jax.Array, window: Window) -> Any:
        """Parameters, from a window (of any values) of the shapes that it is to see."""

    def judge(self, key: jax.Array, params: Any, window: Window, policies: Policy) -> Judged:
        """policies: [T + 1, N, B]; the action after the last step is drawn from them and never executed."""

    def fitted(self, params: Any, window: Window, policy: jax.Array) -> jax.Array | Outputs:
        """Judged.fitted once more, with a gradient; where there are Levels with Q(s, a) and V(s).

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
