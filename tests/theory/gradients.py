"""Policy gradients of a game, exact, for the softmax policies of `gpae.tabular.games.tables`."""

import jax
import jax.numpy as jnp
import numpy as np

from gpae.tabular.games import own_first, tables
from gpae.tabular.solution import occupancy, state_value


def exact_gradient(game, logits):
    """Gradient of the return in the softmax policies' logits [O, A_i], through the linear solve for V."""

    def expected_return(logits):
        return game.start @ state_value(game, own_first(tables(game, logits), 0), jnp)

    return [np.asarray(each) for each in jax.grad(expected_return)([jnp.asarray(each) for each in logits])]


def score(game, policies, agent, state, action):
    """Gradient of log pi^i(action | observation of state) in the logits, [*state.shape, O, A_i]."""
    seen = np.eye(game.observation.max() + 1)[game.observation[agent][state]]
    chosen = np.eye(policies[agent].shape[1])[action] - policies[agent][state]
    return seen[..., :, None] * chosen[..., None, :]


def gradient(game, policies, agent, table):
    """Policy gradient sum_s d(s) E_a[score table] with an advantage table [S, A, B] of the agent's."""
    state, action = np.indices(policies[agent].shape)
    scores = score(game, policies, agent, state, action)
    visits = occupancy(game, own_first(policies, 0))
    return np.einsum("s,sab,sab,saoc->oc", visits, own_first(policies, agent).joint, table, scores)
