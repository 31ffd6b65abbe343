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


def delayed_game(distances: int, gamma: float) -> tuple[Game, list[np.ndarray]]:
    """A game in which agent 0's action matters only through a reward k steps later, and its policies.

    In state k = 0 .. distances - 1 both agents draw 0 or 1 with equal chances; agent 1's action never matters. The
    reward k steps later is what agent 0 drew, all others are 0, and the episode ends with it. The states from
    `distances` on are the ways from there, on which nobody has a choice: first those after a 0, then those after a 1,
    the last step's first.
    """
    longest = distances - 1
    states = distances + 2 * longest
    transition, reward = np.zeros((states, 2, 2, states)), np.zeros((states, 2, 2))
    reward[0, 1] = 1.0
    for drawn in (0, 1):
        way = distances + drawn * longest + np.arange(longest)
        transition[np.arange(1, distances), drawn, :, way] = 1.0
        transition[way[1:], :, :, way[:-1]] = 1.0
        reward[way[:1]] = drawn
    policy = np.where(np.arange(states)[:, None] < distances, 0.5, np.eye(2)[0])
    every_state = np.stack([np.arange(states)] * 2)
    game = Game(transition, reward, np.full(states, 1 / states), every_state, gamma)
    return game, [policy, policy]


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
