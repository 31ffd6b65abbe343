"""COMA's one-step advantage (Eq. 2 of the GPAE paper): whose expectation it is, its baseline, and a wrong critic."""

import jax
import numpy as np
from gradients import exact_gradient, gradient

from gpae.advantages import coma
from gpae.tabular.games import own_first, random_game, random_logits, seen_by, tables
from gpae.tabular.solution import action_value, over_own_action, per_agent_value
from gpae.tabular.windows import all_windows

GAMES = range(20)
advantage = jax.jit(coma.advantage)


def expected(game, policies, f):
    """E[delta^i | s, a] of both agents, [S, A, B] as each sees it, over all windows of one step; f: EQ's tables."""
    window = all_windows(game, policies, steps=1)
    value = window.values(f)
    first = np.asarray(advantage(window.reward, window.done, value[:-1], value[-1], game.gamma))[0]
    for i in (0, 1):
        condition = (window.state[0], window.action[0, i], window.action[0, 1 - i])
        yield window.mean(first[i], condition, seen_by(game, i).reward.shape)


def studies():
    for seed in GAMES:
        game = random_game(seed)
        logits = random_logits(game, seed)
        yield seed, game, tables(game, logits), exact_gradient(game, logits)


def true_values(game, policies):
    return [per_agent_value(seen_by(game, i), own_first(policies, i)) for i in (0, 1)]


def test_with_the_true_value_it_is_the_counterfactual_advantage():
    """Q(s, a) - E_{a^i ~ pi^i}[Q(s, a)], and its policy gradient is the exact one."""
    errors, sizes = [], []
    for _, game, policies, truth in studies():
        for i, table in enumerate(expected(game, policies, true_values(game, policies))):
            seen, pi = seen_by(game, i), own_first(policies, i)
            q = action_value(seen, pi)
            np.testing.assert_allclose(table, q - over_own_action(pi, q)[:, None, :], atol=1e-10)
            errors.append(np.abs(gradient(game, policies, i, table) - truth[i]).max())
            sizes.append(np.abs(truth[i]).max())
    print(f"\nCOMA, true EQ: error of the policy gradient at most {max(errors):.1e}, of at least {min(sizes):.2f}")
    assert max(errors) < 1e-10 and min(sizes) > 0.1


def test_the_baseline_has_no_gradient():
    """Any function of (s, a^{-i}), and so EQ, adds nothing to agent i's policy gradient; one of a^i as well does."""
    for seed, game, policies, _ in studies():
        rng = np.random.default_rng(seed)
        for i in (0, 1):
            states, own, other = seen_by(game, i).reward.shape
            baseline = np.broadcast_to(rng.normal(size=(states, 1, other)), (states, own, other))
            np.testing.assert_allclose(gradient(game, policies, i, baseline), 0.0, atol=1e-12)
            assert np.abs(gradient(game, policies, i, rng.normal(size=(states, own, other)))).max() > 1e-3


def test_a_wrong_value_is_a_bias():
    """Then E[delta^i] = Q - f + gamma E[f - EQ at the next state]; GPAE at lambda = 1 lacks the last term."""
    errors = []
    for seed, game, policies, truth in studies():
        rng, true = np.random.default_rng(2000 + seed), true_values(game, policies)
        wrong = [2 * rng.normal(size=each.shape) for each in true]
        for i, table in enumerate(expected(game, policies, wrong)):
            seen, pi = seen_by(game, i), own_first(policies, i)
            beyond = seen.transition @ (pi.other * (wrong[i] - true[i])).sum(1)
            right = action_value(seen, pi) - wrong[i][:, None, :] + game.gamma * beyond
            np.testing.assert_allclose(table, right, atol=1e-10)
            errors.append(np.abs(gradient(game, policies, i, table) - truth[i]).max())
    print(f"\nCOMA, any EQ: error of the policy gradient {min(errors):.2g} to {max(errors):.2g}")
    assert min(errors) > 0.01
