"""Predators against prey (ASAE, Section 5.3): MPE's simple_tag (Lowe et al. 2017) as a game of two teams."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxmarl.environments.mpe.simple_tag import SimpleTagMPE

from gpae.environments import particles
from gpae.environments.base import Step, Tally, Team, View, count, empty_tally

CATCH = 10.0  # reward of a contact


class _Tag(SimpleTagMPE):
    """JaxMARL's simple_tag_v3 where everybody sees the velocities of all, not of one prey alone."""

    def get_obs(self, state) -> dict[str, jax.Array]:
        number = self.num_agents
        others = np.array([[j for j in range(number) if j != i] for i in range(number)])
        place, velocity = state.p_pos, state.p_vel

        def see(agent, others):
            parts = (velocity[agent], place[agent], place[number:] - place[agent])
            return jnp.concatenate([part.ravel() for part in (*parts, place[others] - place[agent], velocity[others])])

        seen = jax.vmap(see)(jnp.arange(number), others)
        return dict(zip(self.agents, seen, strict=True))


class State(NamedTuple):
    """particles: JaxMARL's state, each leaf [B, ...]; tally: of the predators in the episodes under way
    captured: bool [prey, B], a predator has touched it since the episode began
    """

    particles: Any
    tally: Tally
    captured: jax.Array


class PredatorPrey:
    """Two teams, predators first; arrays as in gpae.environments.particles.

    Speeds, sizes and forces are simple_tag's: prey are faster and smaller. A prey counts as captured once a predator
    has touched it, and plays on, as there.

    Rewards of a step, with d the distances between predators i and prey j:
        predators:  10 contacts - w sum_i min_j d_ij
        prey:      -10 contacts + w sum_j min_i d_ij - w sum_j |x_j| - what simple_tag takes for leaving the map
    The last two keep prey near the centre, where the paper has walls. It prints no constants: 10 is simple_tag's, and
    w = 0.1 what it weights distances with where it shapes rewards. JaxMARL's own rewards cannot be taken: it charges
    every prey with the last one's contacts.
    """

    def __init__(
        self,
        *,
        predators: int,
        prey: int,
        obstacles: int = 2,
        actions: str = "discrete",
        episode_length: int = 150,
        velocity_first: bool = True,
        distance_weight: float = 0.1,
    ):
        """actions, episode_length, velocity_first: as of gpae.environments.mpe.MPE. Raises ValueError for teams of
        none and for unknown actions.
        """
        if min(predators, prey) < 1:
            raise ValueError(f"each team needs an agent; there are {predators} predators and {prey} prey")
        self.predators, self.weight = predators, distance_weight
        self.particles = particles.Particles(
            "simple_tag",
            particles.velocity_first(_Tag) if velocity_first else _Tag,
            actions=actions,
            episode_length=episode_length,
            teams=(Team("predators", predators), Team("prey", prey)),
            num_adversaries=predators,
            num_good_agents=prey,
            num_obs=obstacles,
        )
        self.spec = self.particles.spec

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        begun, view = self.particles.begin(key, batch)
        return State(begun, empty_tally(batch), jnp.zeros((self.spec.teams[1].size, batch), bool)), view

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        """action: int32 [N, B] or float32 [N, B, A], of the predators and then of the prey."""
        moved = self.particles.move(key, state.particles, action)
        reward, touched = self._judge(moved)
        captured = state.captured | touched
        tally, episode = count(state.tally, reward[0], moved.done, jnp.zeros_like(moved.done))
        episode = episode._replace(captured=jnp.mean(captured.astype(jnp.float32), axis=0))
        agent_done = jnp.broadcast_to(moved.done, moved.reward.shape)
        state = State(moved.after, tally, captured & ~moved.done)
        return state, Step(moved.view, reward, agent_done, moved.done, moved.done, episode)

    def view(self, state: State) -> View:
        """What is seen in these states."""
        return self.particles.look(state.particles)

    def _judge(self, moved: particles.Move) -> tuple[jax.Array, jax.Array]:
        """The teams' rewards [2, B], and which prey is touched, bool [prey, B]."""
        first, agents = self.predators, len(self.spec.agents)
        place = jnp.moveaxis(moved.reached.p_pos[:, :agents], 0, -1)  # [N, 2, B]
        hunters, hunted = place[:first], place[first:]
        distance = jnp.linalg.norm(hunters[:, None] - hunted, axis=2)  # [predators, prey, B]
        tag = self.particles.task
        touches = distance < tag.rad[0] + tag.rad[first]
        caught = CATCH * jnp.sum(touches, axis=(0, 1), dtype=jnp.float32)
        outside = jnp.sum(tag.map_bounds_reward(jnp.abs(hunted).ravel()).reshape(hunted.shape), axis=(0, 1))
        home = jnp.sum(jnp.linalg.norm(hunted, axis=1), axis=0)
        chase = caught - self.weight * jnp.sum(jnp.min(distance, axis=1), axis=0)
        flight = self.weight * (jnp.sum(jnp.min(distance, axis=0), axis=0) - home) - outside - caught
        return jnp.stack([chase, flight]), jnp.any(touches, axis=0)
