"""The estimators, averaged over every possible window, are the operators that the other theory tests solve exactly."""

import jax
import numpy as np
import pytest
from operators import operator, trace_table

from gpae.advantages import gpae, traces
from gpae.tabular.games import own_first, random_game, random_policies, seen_by
from gpae.tabular.solution import per_agent_value
from gpae.tabular.windows import all_windows

STEPS, LAM = 3, 0.95
TRACES = {
    "DT": lambda log_ratio: traces.dt(log_ratio, LAM, 1.05),
    "ST": lambda log_ratio: traces.st(log_ratio, LAM),
    "IT": lambda log_ratio: traces.it(log_ratio, LAM),
    "none": lambda log_ratio: traces.none(log_ratio, LAM),
}
advantage = jax.jit(gpae.advantage)


def test_the_windows_are_all_of_them():
    game = random_game(0, states=3, observations=2)
    window = all_windows(game, random_policies(game, 0), STEPS)
    np.testing.assert_allclose(np.bincount(window.state[0], window.probability), np.ones(3), rtol=1e-12)
    # Of each state: 6 joint actions, and after each an end or 3 states, and after 3 steps 6 joint actions more.
    assert window.probability.size == 3 * 6 * (1 + 3 * 6 * (1 + 3 * 6 * (1 + 3 * 6)))


@pytest.mark.parametrize("on_policy", [True, False])
@pytest.mark.parametrize("name", TRACES)
def test_window_average_is_the_operator(name, on_policy):
    """Definitions 4.1 and 4.4 (first factor rho) and Eq. 11 (first factor min(1, rho)), for windows of 3 steps."""
    game = random_game(1, states=3, observations=2)
    pi = random_policies(game, 1)
    mu = pi if on_policy else random_policies(game, 501)
    window = all_windows(game, mu, STEPS)
    rng = np.random.default_rng(0)
    f = [rng.normal(size=(3, size)) for size in game.reward.shape[:0:-1]]
    value, log_ratio = window.values(f), window.log_ratio(pi, mu)
    a = advantage(window.reward, window.done, value[:-1], value[-1], TRACES[name](log_ratio), game.gamma)
    target = np.asarray(gpae.value_target(a, value[:-1], log_ratio))
    definition = value[0] + np.exp(log_ratio[0]) * np.asarray(a[0])
    for i in (0, 1):
        current, behaviour = own_first(pi, i), own_first(mu, i)
        trace = trace_table(TRACES[name], current, behaviour)
        ratio = current.own / behaviour.own
        condition = (window.state[0], window.action[0, 1 - i])
        for sample, first in ((definition[i], ratio), (target[0, i], np.minimum(1, ratio))):
            exact = operator(seen_by(game, i), behaviour, first, trace, steps=STEPS)(f[i])
            np.testing.assert_allclose(window.mean(sample, condition, f[i].shape), exact, rtol=1e-10)


@pytest.mark.parametrize("lam", [0.0, 0.5, 0.95, 1.0])
def test_true_value_reproduces_itself_on_policy(lam):
    """Theorem 4.2: E_{a^i}[Q^pi] is the fixed point, whatever lambda is; the paper states it for lambda = 1."""
    game = random_game(2, states=3, observations=2)
    pi = random_policies(game, 2)
    window = all_windows(game, pi, STEPS)
    true = [per_agent_value(seen_by(game, i), own_first(pi, i)) for i in (0, 1)]
    value, log_ratio = window.values(true), window.log_ratio(pi, pi)
    a = advantage(window.reward, window.done, value[:-1], value[-1], traces.dt(log_ratio, lam, 1.05), game.gamma)
    target = np.asarray(gpae.value_target(a, value[:-1], log_ratio))
    for i in (0, 1):
        condition = (window.state[0], window.action[0, 1 - i])
        np.testing.assert_allclose(window.mean(target[0, i], condition, true[i].shape), true[i], rtol=1e-9, atol=1e-9)
