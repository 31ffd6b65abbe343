"""Exact solutions of a game: values, visits and fixed points by linear algebra.

Games and policies are as one agent sees them (`gpae.tabular.games`); a per-agent value is a table [S, B].
"""

from typing import NamedTuple

import numpy as np

from gpae.tabular.games import Game, Policies


def state_value(game: Game, policies: Policies, numpy=np):
    """V [S]; `numpy` may be jax.numpy, to differentiate it."""
    chain = (policies.joint[..., None] * game.transition).sum((1, 2))
    reward = (policies.joint * game.reward).sum((1, 2))
    return numpy.linalg.solve(numpy.eye(len(reward)) - game.gamma * chain, reward)


def action_value(game: Game, policies: Policies) -> np.ndarray:
    """Q [S, A, B]."""
    return game.reward + game.gamma * game.transition @ state_value(game, policies)


def over_own_action(policies: Policies, table: np.ndarray) -> np.ndarray:
    """E_{a^i ~ pi^i} of a table [S, A, B], [S, B]."""
    return np.einsum("sa,sab->sb", policies.own, table)


def per_agent_value(game: Game, policies: Policies) -> np.ndarray:
    """EQ [S, B]: the own action of Q averaged out."""
    return over_own_action(policies, action_value(game, policies))


def occupancy(game: Game, policies: Policies) -> np.ndarray:
    """Discounted state visits [S], sum over t of gamma^t P(s_t = s)."""
    chain = (policies.joint[..., None] * game.transition).sum((1, 2))
    return np.linalg.solve(np.eye(len(chain)) - game.gamma * chain.T, game.start)


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
