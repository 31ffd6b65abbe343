"""MPE: the cooperative particle tasks (Lowe et al. 2017) of JaxMARL 0.1.0, as stacked arrays.

They are its simple_spread_v3, simple_reference_v3 and simple_speaker_listener_v4, named here without the version.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxmarl.environments.mpe.simple_reference import SimpleReferenceMPE
from jaxmarl.environments.mpe.simple_speaker_listener import SimpleSpeakerListenerMPE
from jaxmarl.environments.mpe.simple_spread import SimpleSpreadMPE

from gpae.environments import particles
from gpae.environments.base import Environment, Step, Tally, View, count, empty_tally
from gpae.environments.predator_prey import PredatorPrey
from gpae.environments.teams import AgainstRandom

PREY = 3  # of simple_tag where nothing else is asked for, and predators

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
    """A cooperative particle task; arrays as in gpae.environments.particles.

    The shared reward is the sum of what JaxMARL gives the agents, as in MAPPO (Yu et al. 2022) and HARL (Zhong et al.
    2023). In simple_spread and simple_reference JaxMARL gives each agent half of a common term and half of its own; in
    simple_speaker_listener each has the same.
    """

    def __init__(
        self,
        task: str,
        *,
        agents: int | None = None,
        actions: str = "discrete",
        episode_length: int = 25,
        velocity_first: bool = True,
    ):
        """task: simple_spread, simple_reference or simple_speaker_listener
        agents: 3, 4 or 5 with as many landmarks for simple_spread (3 where None), the others have 2
        actions: 'discrete' or 'continuous'
        episode_length: steps
        velocity_first: the dynamics before PettingZoo 1.23, which the papers used, or JaxMARL's
        Raises ValueError for other values.
        """
        if task not in _TASKS:
            raise ValueError(f"task is one of {', '.join(_TASKS)} and simple_tag, not {task!r}")
        allowed = (3, 4, 5) if task == "simple_spread" else (2,)
        agents = allowed[0] if agents is None else agents
        if agents not in allowed:
            raise ValueError(f"{task} has {' or '.join(map(str, allowed))} agents, not {agents}")
        settings = {"num_agents": agents} | ({"num_landmarks": agents} if task == "simple_spread" else {})
        made = particles.velocity_first(_TASKS[task]) if velocity_first else _TASKS[task]
        self.particles = particles.Particles(task, made, actions=actions, episode_length=episode_length, **settings)
        self.spec = self.particles.spec

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        begun, view = self.particles.begin(key, batch)
        return State(begun, empty_tally(batch)), view

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        moved = self.particles.move(key, state.particles, action)
        reward = jnp.sum(moved.reward, axis=0)
        tally, episode = count(state.tally, reward, moved.done, jnp.zeros_like(moved.done))
        agent_done = jnp.broadcast_to(moved.done, moved.reward.shape)
        step = Step(
            moved.view, reward, agent_done, moved.done, moved.done, episode, reached=State(moved.reached, tally)
        )
        return State(moved.after, tally), step

    def view(self, state: State) -> View:
        """What is seen in these states."""
        return self.particles.look(state.particles)


def make(task: str, *, agents: int | None = None, prey: int | None = None, **settings) -> Environment:
    """One of MPE's tasks, or simple_tag: `agents` predators against `prey` that run at random.

    settings: actions, episode_length, velocity_first. Raises ValueError for what a task cannot have.
    """
    if task == "simple_tag":
        predators, prey = agents or PREY, prey or PREY
        return AgainstRandom(PredatorPrey(predators=predators, prey=prey, **settings))
    if prey is not None:
        raise ValueError(f"prey: {task} has none; allowed: simple_tag")
    return MPE(task, agents=agents, **settings)
