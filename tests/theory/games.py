"""Small random two-agent Dec-POMDPs, solved exactly in float64.

Each function takes the game as one agent sees it: axis 1 is the agent's own action, axis 2 the other's (`seen_by`).
Tables: transition [S, A, B, S], reward and joint tables [S, A, B], own policy [S, A], the other's [S, B], per-agent
value f [S, B]. A policy depends on the state through the agent's observation only. pi is the current policy, mu the
behaviour; the names of the operators' parts follow Eqs. 4 and 6 of the GPAE paper.
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


def state_value(game: Game, policies: Policies, numpy=np):
    """V [S]; `numpy` may be jax.numpy, to differentiate it."""
    chain = (policies.joint[..., None] * game.transition).sum((1, 2))
    reward = (policies.joint * game.reward).sum((1, 2))
    return numpy.linalg.solve(numpy.eye(len(reward)) - game.gamma * chain, reward)


def action_value(game: Game, policies: Policies) -> np.ndarray:
    """Q [S, A, B]."""
    return game.reward + game.gamma * game.transition @ state_value(game, policies)


def per_agent_value(game: Game, policies: Policies) -> np.ndarray:
    """EQ [S, B]: the own action of Q averaged out."""
    return np.einsum("sa,sab->sb", policies.own, action_value(game, policies))


def occupancy(game: Game, policies: Policies) -> np.ndarray:
    """Discounted state visits [S], sum over t of gamma^t P(s_t = s)."""
    chain = (policies.joint[..., None] * game.transition).sum((1, 2))
    return np.linalg.solve(np.eye(len(chain)) - game.gamma * chain.T, game.start)


def td_error(game: Game, f: np.ndarray, next_other: np.ndarray) -> np.ndarray:
    """Expected delta [S, A, B]; next_other [S, B]: the distribution of the other's next action."""
    return game.reward + game.gamma * game.transition @ (next_other * f).sum(1) - f[:, None, :]


def trace_sum(game, mu: Policies, f, trace, next_other=None, steps=None) -> np.ndarray:
    """E[sum_{l >= t} gamma^(l - t) (prod_{j = t + 1 .. l} c_j) delta_l | s_t, a_t], [S, A, B].

    trace: c [S, A, B]; next_other: mu's where it is not given; steps: the sum's first terms only.
    """
    delta = td_error(game, f, mu.other if next_other is None else next_other)
    onwards = game.gamma * game.transition[..., None, None] * (mu.joint * trace)
    onwards = onwards.reshape(delta.size, delta.size)
    if steps is None:
        return np.linalg.solve(np.eye(delta.size) - onwards, delta.ravel()).reshape(delta.shape)
    total = np.zeros(delta.size)
    for _ in range(steps):
        total = delta.ravel() + onwards @ total
    return total.reshape(delta.shape)


def operator(game, mu: Policies, first, trace, next_other=None, steps=None):
    """The map of f to EQ + E_mu[first_t sum ...] (Eq. 6); first: [S, A] or [S, A, B], the factor of the first step."""
    weight = mu.own[:, :, None] * first.reshape(*first.shape, *[1] * (3 - first.ndim))
    return lambda f: f + (weight * trace_sum(game, mu, f, trace, next_other, steps)).sum(1)


def trace_table(trace, pi: Policies, mu: Policies) -> np.ndarray:
    """c [S, A, B] of one of the functions of `traces`, given every state and joint action."""
    own, other = pi.own / mu.own, pi.other / mu.other
    ratio = np.stack(np.broadcast_arrays(own[:, :, None], other[:, None, :]), axis=1)
    return np.asarray(trace(np.log(ratio).reshape(len(own), 2, -1)))[:, 0].reshape(pi.joint.shape)


class Affine(NamedTuple):
    """f -> matrix f + offset, f flattened."""

    matrix: np.ndarray
    offset: np.ndarray
    shape: tuple[int, int]

    @property
    def modulus(self) -> float:
        """The exact contraction factor in the max norm."""
        return np.abs(self.matrix).sum(1).max()

    @property
    def fixed_point(self) -> np.ndarray:
        return np.linalg.solve(np.eye(len(self.offset)) - self.matrix, self.offset).reshape(self.shape)


def affine(function, shape: tuple[int, int]) -> Affine:
    """The matrix and the offset of an affine map of [S, B] tables, read off its values at the basis."""
    offset = np.asarray(function(np.zeros(shape))).ravel()
    basis = np.eye(offset.size).reshape(-1, *shape)
    columns = [np.asarray(function(each)).ravel() - offset for each in basis]
    return Affine(np.stack(columns, axis=1), offset, shape)
