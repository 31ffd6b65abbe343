"""The three properties of Table 1 of the GPAE paper, measured: credit, off-policy use, additional bias.

A method's estimator is run, with a table for its critic, on every possible window of small two-agent games. A window
counts with its probability, so means over windows are exact and no number here has sampling noise. The truth is each
agent's own advantage, A^i(s, a) = Q(s, a) - E_{a^i ~ pi^i}[Q(s, a)], solved by linear algebra.

Credit. In `delayed_game` agent 0's action at t = 0 changes one reward by 1, k steps later, and agent 1's never matters.
In the mean over everything else it moves the advantages of agent 0 and of agent 1 by

    own(k)   = ( E[A^0_0 | a^0_0 = 1] - E[A^0_0 | a^0_0 = 0] ) / gamma^k
    other(k) = ( E[A^1_0 | a^0_0 = 1] - E[A^1_0 | a^0_0 = 0] ) / gamma^k

where the truth is 1 and 0. The critic is exact in the first state and 0 in all later ones: it does not foresee the
reward, which an estimator must find in the window. The reward *reaches* agent 0 if own(k) >= CREDIT; it is *credited*
to it if own(k) - other(k) >= CREDIT as well, so that it is told from the agent that had no part in it. With the exact
critic throughout, the same says what an estimator can leave to its critic.

Off-policy use. Windows are drawn with mu, the current policy is pi. The critic is the fixed point of the estimator's
own targets in them, the table f that is fitted again to target(f) (its mean given s, or s and a^{-i}), and

    error = || f - f^pi || / || f^pi ||,    f^pi = V^pi or EQ^pi

in the root of the sum of squares over games and entries. Without correction all ratios pi / mu are taken for 1, and a
method whose trace is `none` has nothing else. What counts is the share of the error that the correction leaves.

Additional bias. On-policy, with an exact critic (and DAE's reward model exact):

    bias = max |D - E_{a^i ~ pi^i}[D]| / max |A^i(s, a)|,    D(s, a) = E[A^i_0 | s, a] - A^i(s, a)

over games, agents, s and a. Only what depends on the agent's own action counts: any function of (s, a^{-i}) is a
baseline and leaves the policy gradient as it is.
"""

from typing import NamedTuple

import numpy as np

from gpae.tabular.estimators import Estimator, estimate
from gpae.tabular.games import Game, delayed_game, own_first, random_game, random_logits, seen_by, tables
from gpae.tabular.solution import action_value, affine, over_own_action, per_agent_value
from gpae.tabular.windows import Windows, all_windows

DISTANCES = 17  # k = 0 .. 16
CREDIT = 0.01
DEPARTURE = 0.3  # standard deviation of the noise on pi's logits that makes mu's


class Credit(NamedTuple):
    """own, other: [DISTANCES], shares of the true effect."""

    own: np.ndarray
    other: np.ndarray

    @property
    def reached(self) -> int:
        """The number of distances over which the reward reaches the agent."""
        return int((self.own >= CREDIT).sum())

    @property
    def credited(self) -> int:
        """The number of them over which it is told from the other agent."""
        return int(((self.own >= CREDIT) & (self.own - self.other >= CREDIT)).sum())


def credit(estimator: Estimator, gamma: float, *, exact_critic: bool = False) -> Credit:
    game, policies = delayed_game(DISTANCES, gamma)
    window = all_windows(game, policies, DISTANCES, first=np.arange(DISTANCES))
    value = estimator.critic.values(game, window, estimator.critic.exact(game, policies))
    if not exact_critic:
        value = np.where(window.state[:, None] < DISTANCES, value, 0.0)
    advantage = estimate(estimator, game, window, value, policies, policies).advantage[0]
    condition, shape = (window.state[0], window.action[0, 0]), (DISTANCES, 2)
    effect = [np.diff(window.mean(each, condition, shape))[:, 0] for each in advantage]
    return Credit(*(each / gamma ** np.arange(DISTANCES) for each in effect))


class Study(NamedTuple):
    """A game, the current policies, the behaviour, and all windows of the behaviour."""

    game: Game
    pi: list[np.ndarray]
    mu: list[np.ndarray]
    window: Windows


def studies(gamma: float, departure: float, games: int, steps: int) -> list[Study]:
    """Random games and their windows of `steps` steps; departure: how far mu is from pi."""
    found = []
    for seed in range(games):
        game = random_game(seed, states=3, actions=(2, 2), observations=2, gamma=gamma)
        logits, rng = random_logits(game, seed), np.random.default_rng(2000 + seed)
        mu = tables(game, [each + departure * rng.normal(size=each.shape) for each in logits])
        found.append(Study(game, tables(game, logits), mu, all_windows(game, mu, steps)))
    return found


def off_policy_studies(gamma: float) -> list[Study]:
    return studies(gamma, DEPARTURE, games=40, steps=2)


def on_policy_studies(gamma: float) -> list[Study]:
    return studies(gamma, 0.0, games=10, steps=3)


class OffPolicy(NamedTuple):
    """without, corrected: distance of the critic's fixed point to the truth in each game; size: of the truth itself."""

    without: np.ndarray
    corrected: np.ndarray
    size: np.ndarray

    @property
    def errors(self) -> tuple[float, float]:
        """Over all games, without and with the correction."""
        without, corrected, size = (float(np.linalg.norm(each)) for each in self)
        return without / size, corrected / size

    @property
    def left(self) -> float:
        """The share of the error that the correction leaves."""
        without, corrected = self.errors
        return corrected / without

    @property
    def improved(self) -> int:
        """The number of games in which the correction makes the error smaller."""
        return int((self.corrected < self.without).sum())


def _fixed_point(estimator: Estimator, study: Study, corrected: bool) -> np.ndarray:
    game, pi, mu, window = study

    def fitted_again(vector: np.ndarray) -> np.ndarray:
        value = estimator.critic.values(game, window, vector)
        target = estimate(estimator, game, window, value, pi, mu, corrected=corrected).target
        return estimator.critic.fit(game, window, target[0])

    return affine(fitted_again, estimator.critic.exact(game, pi).shape).fixed_point


def off_policy(estimator: Estimator, off: list[Study]) -> OffPolicy:
    corrects = estimator.method.trace != "none"
    rows = []
    for study in off:
        truth = estimator.critic.exact(study.game, study.pi)
        without, corrected = (_fixed_point(estimator, study, ratios) for ratios in (False, corrects))
        rows.append([np.linalg.norm(each) for each in (without - truth, corrected - truth, truth)])
    return OffPolicy(*np.transpose(rows))


def bias(estimator: Estimator, on: list[Study]) -> float:
    """on: studies whose behaviour is the current policy."""
    largest, size = 0.0, 0.0
    for game, pi, mu, window in on:
        value = estimator.critic.values(game, window, estimator.critic.exact(game, pi))
        advantage = estimate(estimator, game, window, value, pi, mu).advantage[0]
        for i in (0, 1):
            seen, policies = seen_by(game, i), own_first(pi, i)
            truth = action_value(seen, policies) - per_agent_value(seen, policies)[:, None, :]
            condition = (window.state[0], window.action[0, i], window.action[0, 1 - i])
            difference = window.mean(advantage[i], condition, truth.shape) - truth
            difference -= over_own_action(policies, difference)[:, None, :]
            largest, size = max(largest, np.abs(difference).max()), max(size, np.abs(truth).max())
    return float(largest / size)
