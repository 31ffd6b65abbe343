"""The learner's estimators on windows of a game, with tables in the place of networks."""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from gpae.advantages import gpae
from gpae.algorithms.estimation import ESTIMATORS, Samples, trace_of
from gpae.config import PolicyGradientMethod
from gpae.networks.actor_critic import ValueCritic
from gpae.tabular.games import Game, own_first, seen_by
from gpae.tabular.solution import over_own_action, per_agent_value, state_value
from gpae.tabular.windows import Windows


class StateTable:
    """V(s), the same for all agents, as one vector [S]."""

    @staticmethod
    def exact(game: Game, policies) -> np.ndarray:
        return state_value(game, own_first(policies, 0))

    @staticmethod
    def values(game: Game, window: Windows, vector: np.ndarray) -> np.ndarray:
        """The table's values in the windows, [T + 1, N, W]."""
        return np.repeat(vector[window.state][:, None], 2, axis=1)

    @staticmethod
    def fit(game: Game, window: Windows, target: np.ndarray) -> np.ndarray:
        """The table nearest to targets [N, W] of the windows' first steps, in the mean square."""
        return window.mean(target.mean(0), (window.state[0],), (len(game.reward),))


class PerAgentTable:
    """EQ^i(s, a^{-i}) of both agents, as one vector [S * B + S * A], agent 0's first."""

    @staticmethod
    def exact(game: Game, policies) -> np.ndarray:
        return np.concatenate([per_agent_value(seen_by(game, i), own_first(policies, i)).ravel() for i in (0, 1)])

    @staticmethod
    def values(game: Game, window: Windows, vector: np.ndarray) -> np.ndarray:
        """The tables' values in the windows, [T + 1, N, W]."""
        states, own, other = game.reward.shape
        first, second = np.split(vector, [states * other])
        return window.values([first.reshape(states, other), second.reshape(states, own)])

    @staticmethod
    def fit(game: Game, window: Windows, target: np.ndarray) -> np.ndarray:
        """The tables nearest to targets [N, W] of the windows' first steps, in the mean square."""
        states, own, other = game.reward.shape
        shapes = ((states, other), (states, own))
        conditions = [(window.state[0], window.action[0, 1 - i]) for i in (0, 1)]
        return np.concatenate([window.mean(target[i], conditions[i], shapes[i]).ravel() for i in (0, 1)])


class Estimator(NamedTuple):
    """method: what is trained with it; lam: trace decay."""

    method: PolicyGradientMethod
    lam: float

    @property
    def critic(self) -> type[StateTable] | type[PerAgentTable]:
        return StateTable if ESTIMATORS[self.method.estimator].critic is ValueCritic else PerAgentTable


class Estimate(NamedTuple):
    """advantage, target: [T, N, W], the agents' advantages and the targets to which the critic is fitted (Eq. 11)."""

    advantage: np.ndarray
    target: np.ndarray


# Compiled for all games at once: outside jit every scan would be compiled at each call.
@partial(jax.jit, static_argnames="estimator")
def _estimate(estimator: Estimator, reward, done, value, log_ratio, expected_reward, gamma) -> Estimate:
    method, trace = estimator.method, trace_of(estimator.method)
    traced, ratio = trace(log_ratio, estimator.lam), trace(log_ratio, 1.0)
    samples = Samples(reward, done, value[:-1], value[-1], traced, ratio, expected_reward)
    # Whatever its advantage, every method's critic learns from the trace-weighted sum.
    weighted_sum = gpae.advantage(*samples[:5], gamma)
    return Estimate(
        ESTIMATORS[method.estimator].advantage(samples, method, gamma),
        gpae.value_target(weighted_sum, samples.value, log_ratio),
    )


def estimate(
    estimator: Estimator, game: Game, window: Windows, value: np.ndarray, pi, mu, *, corrected: bool = True
) -> Estimate:
    """What an estimator makes of windows drawn with mu when the current policies are pi.

    value: [T + 1, N, W], the critic's; corrected: False takes all ratios pi / mu for 1. DAE's reward model is exact.
    """
    rewards = [over_own_action(own_first(pi, i), seen_by(game, i).reward) for i in (0, 1)]
    log_ratio = window.log_ratio(pi, mu) * corrected
    found = _estimate(estimator, window.reward, window.done, value, log_ratio, window.values(rewards)[:-1], game.gamma)
    return Estimate(*map(np.asarray, found))
