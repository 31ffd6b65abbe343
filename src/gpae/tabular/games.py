"""Two-agent Dec-POMDPs and their policies as float64 tables.

A game is written as one agent sees it: axis 1 is the agent's own action, axis 2 the other's (`seen_by`). Tables:
transition [S, A, B, S], reward and joint tables [S, A, B], own policy [S, A], the other's [S, B]. A policy depends on
the state through the agent's observation only.
"""

from typing import NamedTuple

import numpy as np


class Game(NamedTuple):
    transition: np.ndarray  # [S, A, B, S]; what a row lacks to 1 is the probability that the episode ends
    reward: np.ndarray  # [S, A, B]
    start: np.ndarray  # [S]
    observation: np.ndarray  # [agent, S], which of the agent's observations a state shows
    gamma: float


class Policies(NamedTuple):
    own: np.ndarray  # [S, A]
    other: np.ndarray  # [S, B]

    @property
    def joint(self) -> np.ndarray:
        return self.own[:, :, None] * self.other[:, None, :]


def random_game(seed: int, states: int = 4, actions=(2, 3), observations: int = 3, gamma: float = 0.9) -> Game:
    rng = np.random.default_rng(seed)
    transition = rng.dirichlet(np.full(states, 0.5), size=(states, *actions))
    end = rng.uniform(0, 0.1, size=(states, *actions, 1))
    return Game(
        transition=transition * (1 - end),
        reward=rng.normal(size=(states, *actions)),
        start=rng.dirichlet(np.ones(states)),
        # Every observation is seen in some state, and some states look alike.
        observation=np.stack([rng.permutation(np.arange(states) % observations) for _ in actions]),
        gamma=gamma,
    )


def tables(game: Game, logits) -> list:
    """Softmax policies [S, A_i] of logits [O, A_i] an agent; numpy or jax."""
    exponentials = [np.e ** each[seen] for each, seen in zip(logits, game.observation, strict=True)]
    return [each / each.sum(1, keepdims=True) for each in exponentials]


def random_logits(game: Game, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(1000 + seed)
    return [rng.normal(size=(game.observation.max() + 1, size)) for size in game.reward.shape[1:]]


def random_policies(game: Game, seed: int) -> list[np.ndarray]:
    return tables(game, random_logits(game, seed))


def seen_by(game: Game, agent: int) -> Game:
    if agent == 0:
        return game
    swapped = (np.swapaxes(game.transition, 1, 2), np.swapaxes(game.reward, 1, 2), game.start, game.observation[::-1])
    return Game(*swapped, game.gamma)


def own_first(policies, agent: int) -> Policies:
    return Policies(policies[agent], policies[1 - agent])
