"""MPE: the cooperative particle tasks (Lowe et al. 2017) of JaxMARL 0.1.0, as stacked arrays.

They are its simple_spread_v3, simple_reference_v3 and simple_speaker_listener_v4, named here without the version.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxmarl.environments.mpe.simple_reference import SimpleReferenceMPE
from jaxmarl.environments.mpe.simple_speaker_listener import SimpleSpeakerListenerMPE
from jaxmarl.environments.mpe.simple_spread import SimpleSpreadMPE

from gpae.environments.base import Continuous, Discrete, Spec, Step, Tally, View, count, empty_tally

_TASKS = {
    "simple_spread": SimpleSpreadMPE,
    "simple_reference": SimpleReferenceMPE,
    "simple_speaker_listener": SimpleSpeakerListenerMPE,
}


class State(NamedTuple):
    """particles: JaxMARL's state, each leaf [B, ...]; tally: of the episodes under way."""

    particles: Any
    tally: Tally


class MPE:
    """A particle task.

    Observations are padded with zeros, and actions with entries that have no effect, to those of the agent that has
    most; `View.available` is constant and marks the real actions. The critic's state is the agents' padded
    observations side by side.

    The shared reward is the sum of what JaxMARL gives the agents, as in MAPPO (Yu et al. 2022). In simple_spread and
    simple_reference JaxMARL gives each agent half of a common term and half of its own; in simple_speaker_listener
    each has the same.

    Continuous actions are clipped to [-1, 1] and moved to JaxMARL's [0, 1]: (none, left, right, down, up), then the
    message; a speaker has the message only. In simple_reference a discrete action is message * 5 + move.

    An episode lasts 26 steps: JaxMARL's limit of 25 tests the time before the step.
    """

    def __init__(self, task: str, *, agents: int | None = None, actions: str = "discrete"):
        """task: simple_spread, simple_reference or simple_speaker_listener; agents: 3, 4 or 5 with as many
        landmarks for simple_spread (3 where None), the others have 2; actions: 'discrete' or 'continuous'.
        Raises ValueError for other values.
        """
        if task not in _TASKS:
            raise ValueError(f"task is one of {', '.join(_TASKS)}, not {task!r}")
        if actions not in ("discrete", "continuous"):
            raise ValueError(f"actions is 'discrete' or 'continuous', not {actions!r}")
        allowed = (3, 4, 5) if task == "simple_spread" else (2,)
        agents = allowed[0] if agents is None else agents
        if agents not in allowed:
            raise ValueError(f"{task} has {' or '.join(map(str, allowed))} agents, not {agents}")

        landmarks = {"num_landmarks": agents} if task == "simple_spread" else {}
        self._particles = _TASKS[task](num_agents=agents, action_type=actions.capitalize(), **landmarks)
        names = tuple(self._particles.agents)
        self._discrete = actions == "discrete"
        spaces = [self._particles.action_space(name) for name in names]
        self._sizes = [int(space.n if self._discrete else space.shape[0]) for space in spaces]
        self._available = np.arange(max(self._sizes)) < np.array(self._sizes)[:, None]
        self._width = max(self._particles.observation_space(name).shape[0] for name in names)
        self.spec = Spec(
            name=task,
            agents=names,
            observation_size=self._width,
            state_size=agents * self._width,
            actions=(Discrete if self._discrete else Continuous)(max(self._sizes)),
            horizon=self._particles.max_steps + 1,
            has_winner=False,
        )

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        observation, particles = jax.vmap(self._particles.reset)(jax.random.split(key, batch))
        return State(_typed(particles), empty_tally(batch)), self._view(observation)

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        batch = action.shape[1]
        if not self._discrete:
            action = (jnp.clip(action, -1.0, 1.0) + 1.0) / 2.0
        own = {
            name: agent if self._discrete else agent[:, :size]
            for name, agent, size in zip(self.spec.agents, action, self._sizes, strict=True)
        }
        observation, particles, rewards, dones, _ = jax.vmap(self._particles.step)(
            jax.random.split(key, batch), state.particles, own
        )
        reward = sum(rewards[name] for name in self.spec.agents)
        done = dones["__all__"]
        tally, episode = count(state.tally, reward, done, jnp.zeros(batch, bool))
        agent_done = jnp.stack([dones[name] for name in self.spec.agents])
        return State(_typed(particles), tally), Step(self._view(observation), reward, agent_done, done, episode)

    def view(self, state: State) -> View:
        """What is seen in these states."""
        return self._view(jax.vmap(self._particles.get_obs)(state.particles))

    def _view(self, observations: dict[str, jax.Array]) -> View:
        each = [observations[name] for name in self.spec.agents]
        padded = [jnp.pad(one, ((0, 0), (0, self._width - one.shape[-1]))) for one in each]
        available = jnp.broadcast_to(self._available[:, None], (len(each), len(each[0]), self._available.shape[-1]))
        return View(jnp.stack(padded), jnp.concatenate(padded, axis=-1), available)


# JaxMARL's reset leaves Python numbers, whose weak types would make a second step compile anew
_typed = partial(jax.tree.map, lambda leaf: jnp.asarray(leaf, leaf.dtype))
