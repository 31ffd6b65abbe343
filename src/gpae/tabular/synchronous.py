"""What simultaneous policy updates do to a team when each is estimated against the others' present policies, exactly.

"Approximatively Synchronous Advantage Estimation in Multi-Agent Systems", Section 1 and Figure 1: an asynchronous
estimate promises Q(pi'^a, pi^-a) > Q(pi^a, pi^-a), but all agents move at once and Q(pi'^a, pi'^-a) may be lower. Its
Section 4.2 keeps the policies near each other, by PPO's clip, so that the promise is nearly kept.
"""

from typing import NamedTuple

import numpy as np

from gpae.tabular.games import Game, Policies, own_first, seen_by
from gpae.tabular.solution import action_value, over_own_action, state_value


class Update(NamedTuple):
    """Expected returns of a team of two agents from the start of an episode.

    before: under the present policies
    promised: what each agent expects of its own update, the other's policy being what it is
    together: after both updates
    informed: after both, where agent 0 knew agent 1's next policy: the synchronous estimate
    """

    before: float
    promised: tuple[float, float]
    together: float
    informed: float


def landmarks(right: float) -> tuple[Game, list[np.ndarray]]:
    """The game of Figure 1 in one step, and its policies: each of two agents goes to the left landmark or to the right
    one (0, 1); apart they cover both and get 1, together they collide and get -1.

    right: chance that an agent goes right
    """
    reward = np.array([[[-1.0, 1.0], [1.0, -1.0]]])
    game = Game(np.zeros((1, 2, 2, 1)), reward, np.ones(1), np.zeros((2, 1), int), 0.9)
    return game, [np.array([[1 - right, right]])] * 2


def marginal(game: Game, policies: Policies) -> np.ndarray:
    """A_mar [S, A] (Eq. 6 of the paper), from the true Q; game and policies as one agent sees them."""
    q = action_value(game, policies)
    return np.einsum("sb,sab->sa", policies.other, q - over_own_action(policies, q)[:, None, :])


def improved(policy: np.ndarray, advantage: np.ndarray, clip: float) -> np.ndarray:
    """The policy [S, A] of the largest mean advantage whose ratios to `policy` lie within 1 - clip and 1 + clip.

    A linear problem: every action keeps the least that it may, and what is left goes to the best ones, as far as they
    may have it. clip: infinite for any policy at all.
    """
    after = policy * max(1 - clip, 0.0)
    most = np.minimum(policy * (1 + clip), 1.0) if np.isfinite(clip) else np.ones_like(policy)
    for state, best in enumerate(np.argsort(-advantage, axis=1, kind="stable")):
        for action in best:
            left = 1 - after[state].sum()
            after[state, action] += min(most[state, action] - after[state, action], left)
    return after


def expected_return(game: Game, policies: list[np.ndarray]) -> float:
    return float(game.start @ state_value(game, own_first(policies, 0)))


def update(game: Game, policies: list[np.ndarray], clip: float) -> Update:
    """One update of both agents; their observations must tell the states apart.

    policies: [S, A_i] an agent
    """

    def step(agent: int, others: list[np.ndarray]) -> np.ndarray:
        advantage = marginal(seen_by(game, agent), own_first(others, agent))
        return improved(policies[agent], advantage, clip)

    after = [step(agent, policies) for agent in (0, 1)]
    informed = step(0, [policies[0], after[1]])
    return Update(
        expected_return(game, policies),
        (expected_return(game, [after[0], policies[1]]), expected_return(game, [policies[0], after[1]])),
        expected_return(game, after),
        expected_return(game, [informed, after[1]]),
    )
