"""MABrax: Brax's robots with their joints shared out among agents.

The tasks are those of JaxMARL (Rutherford et al. 2024), after multi-agent MuJoCo (Peng et al. 2021), on Brax itself:
mabrax_indices.yaml says which entries of the robot's observation and action each agent has, and where from.
"""

from importlib.resources import files
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import yaml
from brax import base, envs

from gpae.environments.base import Continuous, Spec, Step, Tally, View, count, empty_tally

# Brax 0.10.3 calls a name that newer releases of JAX no longer have.
vars(jax).setdefault("tree_map", jax.tree.map)

_INDICES = files(__package__) / "mabrax_indices.yaml"


class Partition(NamedTuple):
    """Who sees and moves what.

    robot: Brax's name of it
    observations, actions: int32 arrays, one an agent, of entries of the robot's observation and action
    """

    robot: str
    observations: tuple[np.ndarray, ...]
    actions: tuple[np.ndarray, ...]


def partition(task: str) -> Partition:
    """The partition of a task of mabrax_indices.yaml; ValueError where there is none of that name."""
    tasks = yaml.safe_load(_INDICES.read_text(encoding="utf-8"))
    if task not in tasks:
        raise ValueError(f"task is one of {', '.join(tasks)}, not {task!r}")

    def entries(items: list) -> np.ndarray:
        ranges = [item if isinstance(item, list) else [item, item] for item in items]
        return np.concatenate([np.arange(first, last + 1, dtype=np.int32) for first, last in ranges])

    observations = tuple(entries(items) for items in tasks[task]["observations"])
    actions = tuple(np.array(items, np.int32) for items in tasks[task]["actions"])
    return Partition(tasks[task]["robot"], observations, actions)


class State(NamedTuple):
    """physics: of Brax's pipeline, each leaf [B, ...]; tally: of the episodes under way."""

    physics: base.State
    tally: Tally


class MABrax:
    """A task of MABrax.

    An agent's observation is homogenised: its one-hot index [N], then its own entries, then zeros up to the longest.
    (JaxMARL's "max" writes the entries from place `index + 1` on, over the unused end of the one-hot vector: there
    the same place means another thing for each agent. Here an entry's place does not depend on the agent.)
    The critic's state is the robot's whole observation. `View.available` is constant: the entries that are padding
    are False, and moving them has no effect.

    Actions go to Brax as they are, as in JaxMARL: the robot's motors clip them to their range, but Brax charges its
    control cost on what it is given, so a policy also pays for what lies outside. With samples of a standard normal
    that is most of halfcheetah's reward.

    An episode ends when the robot's own rules say so (a fall) or after `episode_length` steps. Each episode starts
    from a newly drawn state, as in JaxMARL: it keeps Brax's automatic reset, which returns to the first episode's
    state, but then draws another over it.
    """

    def __init__(self, task: str, *, backend: str = "positional", episode_length: int = 1000):
        """task: as in mabrax_indices.yaml, where 'humanoid_9|8' is 'humanoid_9_8'; backend: Brax's name of a physics
        pipeline; episode_length: in steps. Raises ValueError for an unknown task or backend.
        """
        task = task.replace("|", "_")
        robot, observations, actions = partition(task)
        self._robot = envs.get_environment(robot, backend=backend)
        first = jax.eval_shape(self._robot.reset, jax.ShapeDtypeStruct((2,), jnp.uint32))
        state_size = first.obs.shape[-1]
        agents, widest = len(observations), max(len(entries) for entries in actions)

        longest = max(len(entries) for entries in observations)
        # padding points at a zero appended to the robot's observation
        self._seen = np.full((agents, longest), state_size, np.int32)
        self._available = np.zeros((agents, widest), bool)
        # joint -> the agent that moves it, and which of its action's entries does
        self._owner, self._slot = np.zeros((2, self._robot.action_size), np.int32)
        for agent, (entries, joints) in enumerate(zip(observations, actions, strict=True)):
            self._seen[agent, : len(entries)] = entries
            self._available[agent, : len(joints)] = True
            self._owner[joints], self._slot[joints] = agent, np.arange(len(joints))

        self.spec = Spec(
            name=task,
            agents=tuple(f"agent_{agent}" for agent in range(agents)),
            observation_size=agents + longest,
            state_size=state_size,
            actions=Continuous(widest),
            horizon=episode_length,
            has_winner=False,
        )

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        first = jax.vmap(self._robot.reset)(jax.random.split(key, batch))
        return State(first.pipeline_state, empty_tally(batch)), self._view(first.obs)

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        batch = action.shape[1]
        torque = action[self._owner, :, self._slot].T
        after = jax.vmap(self._advance)(state.physics, torque)
        terminated = after.done.astype(bool)
        done = terminated | (state.tally.length + 1 >= self.spec.horizon)

        def begin_anew(ended: tuple) -> tuple:
            first = jax.vmap(self._robot.reset)(jax.random.split(key, batch))
            return jax.tree.map(
                lambda new, old: jnp.where(done.reshape(batch, *[1] * (old.ndim - 1)), new, old),
                (first.pipeline_state, first.obs),
                ended,
            )

        # most steps end no episode; without the branch the reset takes a tenth to a fifth of hopper's time
        physics, observation = jax.lax.cond(
            jnp.any(done), begin_anew, lambda ended: ended, (after.pipeline_state, after.obs)
        )
        tally, episode = count(state.tally, after.reward, done, jnp.zeros(batch, bool))
        agent_done = jnp.broadcast_to(done, (len(self.spec.agents), batch))
        reached = State(after.pipeline_state, tally)
        return State(physics, tally), Step(
            self._view(observation), after.reward, agent_done, done, done & ~terminated, episode, reached=reached
        )

    def _advance(self, physics: base.State, torque: jax.Array) -> envs.State:
        # a robot's step reads the physics alone; of the rest it keeps what it does not set, which is `done` = 0
        zero = jnp.zeros((), jnp.float32)
        return self._robot.step(envs.State(physics, zero, zero, zero), torque)

    def _view(self, state: jax.Array) -> View:
        (batch, _), agents = state.shape, len(self.spec.agents)
        entries = jnp.pad(state, ((0, 0), (0, 1))).T[self._seen]  # [N, longest, B]
        index = jnp.broadcast_to(jnp.eye(agents, dtype=jnp.float32)[:, None], (agents, batch, agents))
        available = jnp.broadcast_to(self._available[:, None], (agents, batch, self._available.shape[1]))
        return View(jnp.concatenate([index, entries.swapaxes(1, 2)], axis=-1), state, available)
