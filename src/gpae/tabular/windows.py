"""Every possible window of a small game with its probability, as the estimators take windows."""

from typing import NamedTuple

import numpy as np

from gpae.tabular.games import Game, own_first


class Windows(NamedTuple):
    """Every possible window of T steps with its probability, in the shapes that the estimators take."""

    state: np.ndarray  # [T + 1, W]
    action: np.ndarray  # [T + 1, agent, W]; the last one is drawn but not executed
    reward: np.ndarray  # [T, W]
    done: np.ndarray  # [T, W]
    probability: np.ndarray  # [W], given the first state

    def values(self, f) -> np.ndarray:
        """Per-agent values [T + 1, agent, W] of the tables f[i] [S, actions of the other agent]."""
        return np.stack([f[i][self.state, self.action[:, 1 - i]] for i in (0, 1)], axis=1)

    def log_ratio(self, pi, mu) -> np.ndarray:
        """log(pi / mu) of the actions executed, [T, agent, W]."""
        chosen = [(self.state[:-1], self.action[:-1, i]) for i in (0, 1)]
        return np.stack([np.log(pi[i][chosen[i]] / mu[i][chosen[i]]) for i in (0, 1)], axis=1)

    def mean(self, sample, condition, shape) -> np.ndarray:
        """Mean of sample [W] given each value of condition, a tuple of index arrays [W] into shape."""
        total, probability = np.zeros(shape), np.zeros(shape)
        np.add.at(total, condition, self.probability * sample)
        np.add.at(probability, condition, self.probability)
        return total / probability


def all_windows(game: Game, policies, steps: int, first: np.ndarray | None = None) -> Windows:
    """Enumerates the windows from every first state, as agent 0 sees the game, until the episode's end or T steps.

    first: the first states, all where it is not given.

    After an end the window repeats one state and action, which the estimators must not look at.
    """
    states, *sizes = game.reward.shape
    joint = own_first(policies, 0).joint.reshape(states, -1)
    state = [np.arange(states) if first is None else first]
    probability, over = np.ones(len(state[0])), np.zeros(len(state[0]), bool)
    action, reward, done = [], [], []

    def branch(outcomes):
        """Multiplies every window by its outcomes [W, K], and drops those that cannot be; returns the outcome."""
        nonlocal state, action, reward, done, probability, over
        window, outcome = np.nonzero(outcomes)
        state, action, reward, done = ([x[window] for x in each] for each in (state, action, reward, done))
        probability, over = probability[window] * outcomes[window, outcome], over[window]
        return outcome

    for step in range(steps + 1):
        only = np.eye(joint.shape[1])[0]
        drawn = branch(np.where(over[:, None], only, joint[state[-1]]))
        action.append(drawn)
        if step == steps:
            break
        own, other = np.divmod(drawn, sizes[1])
        reward.append(game.reward[state[-1], own, other])
        onwards = game.transition[state[-1], own, other]
        onwards = np.concatenate([onwards, 1 - onwards.sum(1, keepdims=True)], axis=1)
        following = branch(np.where(over[:, None], np.eye(states + 1)[states], onwards))
        over = over | (following == states)
        done.append(over)
        state.append(np.where(over, 0, following))
    actions = np.stack(np.divmod(np.stack(action), sizes[1]), axis=1)
    return Windows(np.stack(state), actions, np.stack(reward), np.stack(done), probability)
