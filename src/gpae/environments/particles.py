"""JaxMARL 0.1.0's particles as stacked arrays: what the tasks of MPE and the pursuit have in common."""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxmarl.environments.mpe.simple import SimpleMPE

from gpae.environments.base import Continuous, Discrete, Spec, Team, View


class Move(NamedTuple):
    """One step of the particles of B environments; leaves [B, ...].

    reached: where the step led; after: the same, or a new episode where `done`
    view: of `after`; reward: float32 [N, B], JaxMARL's
    done: bool [B], by the time limit, which alone ends these episodes
    """

    reached: Any
    after: Any
    view: View
    reward: jax.Array
    done: jax.Array


@cache
def velocity_first(task: type[SimpleMPE]) -> type[SimpleMPE]:
    """The task as it was before PettingZoo 1.23: a force moves a particle in the step in which it acts.

    Since then, and in JaxMARL, the place changes by the old velocity, so that it moves one step later.
    """

    def integrate(self, force, place, velocity, mass, moveable, most):
        velocity = task._integrate_state(self, force, place, velocity, mass, moveable, most)[1]
        return place + velocity * self.dt, velocity

    return type(task.__name__, (task,), {"_integrate_state": integrate})


class Particles:
    """A task of JaxMARL's with padded arrays; what an agent sees and may do, and how it moves.

    Observations are padded with zeros, and actions with entries that have no effect, to those of the agent that has
    most; `View.available` is constant and marks the real actions. The critic's state is the agents' padded
    observations side by side.

    Continuous actions are clipped to [-1, 1] and moved to JaxMARL's [0, 1]: (none, left, right, down, up), then the
    message; a speaker has the message only. In simple_reference a discrete action is message * 5 + move.
    """

    def __init__(
        self,
        name: str,
        task: type[SimpleMPE],
        *,
        actions: str,
        episode_length: int,
        teams: tuple[Team, ...] = (),
        **settings,
    ):
        """teams: as in Spec; settings: of JaxMARL's task, numbers of agents say.

        Raises ValueError for unknown actions.
        """
        if actions not in ("discrete", "continuous"):
            raise ValueError(f"actions is 'discrete' or 'continuous', not {actions!r}")
        # JaxMARL compares the time before the step
        self.task = task(action_type=actions.capitalize(), max_steps=episode_length - 1, **settings)
        names = tuple(self.task.agents)
        self._discrete = actions == "discrete"
        spaces = [self.task.action_space(name) for name in names]
        self._sizes = [int(space.n if self._discrete else space.shape[0]) for space in spaces]
        self._available = np.arange(max(self._sizes)) < np.array(self._sizes)[:, None]
        seen = jax.eval_shape(self.task.reset, jax.random.PRNGKey(0))[0]
        self._width = max(observation.shape[0] for observation in seen.values())
        self.spec = Spec(
            name=name,
            agents=names,
            observation_size=self._width,
            state_size=len(names) * self._width,
            actions=(Discrete if self._discrete else Continuous)(max(self._sizes)),
            horizon=episode_length,
            has_winner=False,
            teams=teams,
        )

    def begin(self, key: jax.Array, batch: int) -> tuple[Any, View]:
        """Fresh episodes."""
        observation, particles = jax.vmap(self.task.reset)(jax.random.split(key, batch))
        return _typed(particles), self._view(observation)

    def move(self, key: jax.Array, particles: Any, action: jax.Array) -> Move:
        """action: int32 [N, B] or float32 [N, B, A]."""
        if not self._discrete:
            action = (jnp.clip(action, -1.0, 1.0) + 1.0) / 2.0
        own = {
            name: agent if self._discrete else agent[:, :size]
            for name, agent, size in zip(self.spec.agents, action, self._sizes, strict=True)
        }
        keys = jax.vmap(jax.random.split)(jax.random.split(key, action.shape[1]))
        observation, reached, rewards, dones, _ = jax.vmap(self.task.step_env)(keys[:, 0], particles, own)
        begun = jax.vmap(self.task.reset)(keys[:, 1])
        done, reached = dones["__all__"], _typed(reached)

        def renewed(new, old):
            return jnp.where(done.reshape(-1, *[1] * (old.ndim - 1)), new, old)

        observation, after = jax.tree.map(renewed, begun, (observation, reached))
        reward = jnp.stack([rewards[name] for name in self.spec.agents])
        return Move(reached, _typed(after), self._view(observation), reward, done)

    def look(self, particles: Any) -> View:
        """What is seen of these particles."""
        return self._view(jax.vmap(self.task.get_obs)(particles))

    def _view(self, observations: dict[str, jax.Array]) -> View:
        each = [observations[name] for name in self.spec.agents]
        padded = [jnp.pad(one, ((0, 0), (0, self._width - one.shape[-1]))) for one in each]
        available = jnp.broadcast_to(self._available[:, None], (len(each), len(each[0]), self._available.shape[-1]))
        return View(jnp.stack(padded), jnp.concatenate(padded, axis=-1), available)


# JaxMARL's reset leaves Python numbers, whose weak types would make a second step compile anew
_typed = partial(jax.tree.map, lambda leaf: jnp.asarray(leaf, leaf.dtype))
