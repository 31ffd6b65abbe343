"""A game of two teams, as one team has it."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.environments.base import Discrete, Environment, Spec, State, Step, View


def members(spec: Spec, team: int) -> slice:
    """Where a team stands on every axis of agents."""
    first = sum(each.size for each in spec.teams[:team])
    return slice(first, first + spec.teams[team].size)


def team_spec(spec: Spec, team: int) -> Spec:
    """What a team's learner must know of the game: its own agents; the critic's state has everybody."""
    return replace(spec, agents=spec.agents[members(spec, team)], teams=())


def team_view(spec: Spec, view: View, team: int) -> View:
    """What a team sees; leaves of `view` may have axes before those of View."""
    own = members(spec, team)
    return View(view.observation[..., own, :, :], view.state, view.available[..., own, :, :])


class Seat(NamedTuple):
    """What a team's learner is made for: of the game it need know no more."""

    spec: Spec


class AgainstRandom:
    """A game as a cooperative task of its first team: the second acts at random, uniformly and anew at every step."""

    def __init__(self, game: Environment):
        self.game = game
        self.spec = team_spec(game.spec, 0)

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        """As the game's own."""
        state, view = self.game.reset(key, batch)
        return state, team_view(self.game.spec, view, 0)

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        """action: int32 [N, B] or float32 [N, B, A], of the first team."""
        step_key, random_key = jax.random.split(key)
        shape = (self.game.spec.teams[1].size, *action.shape[1:])
        if isinstance(self.spec.actions, Discrete):
            others = jax.random.randint(random_key, shape, 0, self.spec.actions.size, jnp.int32)
        else:
            others = jax.random.uniform(random_key, shape, minval=-1.0, maxval=1.0)
        state, step = self.game.step(step_key, state, jnp.concatenate([action, others]))
        own = members(self.game.spec, 0)
        view = team_view(self.game.spec, step.view, 0)
        return state, step._replace(view=view, reward=step.reward[0], agent_done=step.agent_done[own])

    def view(self, state: State) -> View:
        """What the first team sees in these states."""
        return team_view(self.game.spec, self.game.view(state), 0)
