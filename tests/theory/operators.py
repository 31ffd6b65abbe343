"""The operators of Eqs. 4 and 6 of the GPAE paper, exact, on the tables of `gpae.tabular.games`.

pi is the current policy, mu the behaviour, f a per-agent value [S, B]; the names of the parts are the paper's.
"""

import numpy as np

from gpae.tabular.games import Game, Policies


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
