"""A game of one step whose solution is known."""

from typing import NamedTuple

import jax.numpy as jnp

from gpae.environments import base


class GameState(NamedTuple):
    tally: base.Tally


class MatrixGame:
    """One step, two agents, the payoff of their joint action; nothing to see."""

    def __init__(self, payoff):
        self.payoff = jnp.asarray(payoff, jnp.float32)
        self.spec = base.Spec("matrix", ("row", "column"), 1, 1, base.Discrete(len(payoff)), 1, False)

    def reset(self, key, batch):
        state = GameState(base.empty_tally(batch))
        return state, self.view(state)

    def view(self, state):
        batch, size = len(state.tally.return_), self.spec.actions.size
        return base.View(jnp.ones((2, batch, 1)), jnp.ones((batch, 1)), jnp.ones((2, batch, size), bool))

    def step(self, key, state, action):
        reward, done = self.payoff[action[0], action[1]], jnp.ones(action.shape[1], bool)
        tally, episode = base.count(state.tally, reward, done, jnp.zeros_like(done))
        state = GameState(tally)
        return state, base.Step(self.view(state), reward, jnp.stack([done, done]), done, jnp.zeros_like(done), episode)
