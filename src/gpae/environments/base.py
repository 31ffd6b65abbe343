"""The one protocol behind which every environment stands.

All arrays are stacked: no dictionaries of agents. Axes are [agent, environment, feature]; a time axis, where a
caller adds one, comes first. N agents, B environments, O observation, S state, A action entries.
Every method is a pure function and may be jitted, vmapped over seeds and scanned over time.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

State = Any  # a pytree of arrays that only the environment itself reads


@dataclass(frozen=True)
class Discrete:
    """One choice among `size` actions; an action array is int32 [N, B]."""

    size: int


@dataclass(frozen=True)
class Continuous:
    """`size` real entries of which a task can use [-1, 1]; an action array is float32 [N, B, size]."""

    size: int


class Interruption(NamedTuple):
    """A task's replacing of actions: with `chance` a step and agent, whatever it chose, `action` is executed."""

    action: int
    chance: float


class Team(NamedTuple):
    """name: what its metrics are called by; size: how many agents it has."""

    name: str
    size: int


@dataclass(frozen=True)
class Spec:
    """What a network and a learner must know of a task.

    name: the task as its file in params/tasks/ is called
    agents: the agents' names, in the order of every agent axis
    observation_size, state_size: entries of one agent's observation and of the critic's state
    actions: Discrete or Continuous
    horizon: most steps an episode can last
    has_winner: whether an episode can be won (SMAX) or only scored
    interruption: of a task that now and then replaces an agent's action
    teams: where there are two with rewards of their own: who they are, in the order of the agents; else empty
    """

    name: str
    agents: tuple[str, ...]
    observation_size: int
    state_size: int
    actions: Discrete | Continuous
    horizon: int
    has_winner: bool
    interruption: Interruption | None = None
    teams: tuple[Team, ...] = ()


class View(NamedTuple):
    """What may be seen before an action is chosen.

    observation: float32 [N, B, O]
    state: float32 [B, S], for the critic only
    available: bool [N, B, A]; discrete: which actions have an effect; continuous: which action entries the agent has
    """

    observation: jax.Array
    state: jax.Array
    available: jax.Array


class Episode(NamedTuple):
    """The running episode up to and including this step; final where `Step.done`.

    return_: float32 [B], undiscounted sum of the shared reward, of two teams the first one's
    length: int32 [B], steps
    won: bool [B], false where the task has no winner
    captured: float32 [B], the share of the prey that was caught, of a pursuit
    """

    return_: jax.Array
    length: jax.Array
    won: jax.Array
    captured: jax.Array | None = None


class Disturbance(NamedTuple):
    """What a task did to its agents' choice.

    agent: int32 [B], the agent that was drawn
    replaced: bool [B], whether its action was replaced at this step
    """

    agent: jax.Array
    replaced: jax.Array


class Step(NamedTuple):
    """What one step brings.

    view: the view for the next action; where `done`, already that of the next episode
    reward: float32 [B], shared by the agents; of two teams [2, B]
    agent_done: bool [N, B], the agent is out (dead, or the episode is over)
    done: bool [B], the episode is over: terminated by its own rules, or truncated by the time limit
    truncated: bool [B], over by the time limit alone; its rules would let it go on
    episode: its statistics
    disturbance, executed: of a task that disturbs its agents, and the actions that took place, like those chosen
    reached: the state that the step led to, over which a new episode may have begun; of environments that can be drawn
    """

    view: View
    reward: jax.Array
    agent_done: jax.Array
    done: jax.Array
    truncated: jax.Array
    episode: Episode
    disturbance: Disturbance | None = None
    executed: jax.Array | None = None
    reached: State | None = None


class Environment(Protocol):
    """A batch of independent copies of one task, which begin a new episode by themselves."""

    spec: Spec

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        """Fresh episodes in `batch` environments; key: a single PRNG key."""

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        """One step of every environment; action: int32 [N, B] or float32 [N, B, A]."""


class Viewable(Environment, Protocol):
    """An environment whose views are a function of its states, so that a replay can hold states, which are smaller."""

    def view(self, state: State) -> View:
        """What is seen in these states."""


def batch_axes(environment: Environment) -> State:
    """The axis of the environments in each leaf of a state."""
    key = jax.random.PRNGKey(0)
    two, three = (jax.eval_shape(partial(environment.reset, batch=size), key)[0] for size in (2, 3))
    return jax.tree.map(lambda a, b: [x != y for x, y in zip(a.shape, b.shape, strict=True)].index(True), two, three)


class Tally(NamedTuple):
    """Return (float32 [B]) and length (int32 [B]) of the episodes under way: an environment keeps one in its state."""

    return_: jax.Array
    length: jax.Array


def empty_tally(batch: int) -> Tally:
    return Tally(jnp.zeros(batch, jnp.float32), jnp.zeros(batch, jnp.int32))


def count(tally: Tally, reward: jax.Array, done: jax.Array, won: jax.Array) -> tuple[Tally, Episode]:
    """Adds a step to the tally and empties it where the episode ended; all arrays [B]."""
    return_, length = tally.return_ + reward, tally.length + 1
    kept = Tally(jnp.where(done, 0.0, return_), jnp.where(done, 0, length))
    return kept, Episode(return_, length, won)
