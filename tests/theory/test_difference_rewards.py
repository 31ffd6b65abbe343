"""DAE (Eq. 3 of the GPAE paper) with the exact reward model: unbiased at beta 0, short-sighted at beta 1.

Write e^i(s, a^{-i}) = E_{a^i ~ pi^i}[r(s, a)], P for the transitions and V_{gamma beta} for the policies' value at the
discount gamma beta. With the true V the expectation of the estimate is, for every lambda,

    E[A^i | s, a] = Q(s, a) - V(s) - e^i(s, a^{-i}) - gamma beta (P V_{gamma beta})(s, a)
"""

import jax
import numpy as np
import pytest
from gradients import exact_gradient, gradient

from gpae.advantages import dae, gae
from gpae.tabular.games import Game, own_first, random_game, random_logits, random_policies, seen_by, tables
from gpae.tabular.solution import action_value, over_own_action, state_value
from gpae.tabular.windows import all_windows

GAMES, STEPS, LAM = range(20), 3, 0.95


@jax.jit
def advantage(reward, done, value, expected_reward, gamma, beta):
    """[T, N, W]; value: [T + 1, W]."""
    team = np.ones((1, 2, 1)) * gae.advantage(reward, done, value[:-1], value[-1], gamma, LAM)[:, None]
    return dae.advantage(team, expected_reward, done, np.ones(team.shape), gamma, beta)


def averaged(game, policies, beta, value=None, model=1.0):
    """Mean of both agents' first advantages over all windows of 3 steps, given s and a, as each sees the game.

    value: V [S], the true one where it is not given; model: what the reward model's rewards are multiplied by
    """
    window = all_windows(game, policies, STEPS)
    expected = [over_own_action(own_first(policies, i), model * seen_by(game, i).reward) for i in (0, 1)]
    value = state_value(game, own_first(policies, 0)) if value is None else value
    rewards = window.values(expected)[:-1]
    first = advantage(window.reward, window.done, value[window.state], rewards, game.gamma, beta)[0]
    for i in (0, 1):
        condition = (window.state[0], window.action[0, i], window.action[0, 1 - i])
        yield window.mean(np.asarray(first[i]), condition, seen_by(game, i).reward.shape)


def later(game, pi, beta, steps=None):
    """gamma beta P V_{gamma beta}, [S, A, B]; steps: only so many rewards, and not all."""
    discounted = game._replace(gamma=game.gamma * beta)
    if steps is None:
        return discounted.gamma * game.transition @ state_value(discounted, pi)
    value = np.zeros(len(game.reward))
    for _ in range(steps):
        value = (pi.joint * (game.reward + discounted.gamma * game.transition @ value)).sum((1, 2))
    return discounted.gamma * game.transition @ value


def formula(game, pi, beta, steps=None):
    own = over_own_action(pi, game.reward)[:, None, :]
    return action_value(game, pi) - state_value(game, pi)[:, None, None] - own - later(game, pi, beta, steps)


@pytest.mark.parametrize("beta", [0.0, 0.25, 1.0])
def test_window_average_is_the_formula(beta):
    """A window of 3 steps subtracts 2 later rewards."""
    game = random_game(5, states=3, observations=2)
    policies = random_policies(game, 5)
    for i, table in enumerate(averaged(game, policies, beta)):
        right = formula(seen_by(game, i), own_first(policies, i), beta, STEPS - 1)
        np.testing.assert_allclose(table, right, atol=1e-10)


def test_at_beta_0_the_gradient_is_what_it_is_without_the_difference():
    """To rounding, whatever V is: what is taken away depends on (s_t, a^{-i}_t) alone."""
    game = random_game(3, states=3, observations=2)
    policies = random_policies(game, 3)
    wrong = 2 * np.random.default_rng(0).normal(size=3)
    with_difference, without = (averaged(game, policies, 0.0, wrong, model) for model in (1.0, 0.0))
    for i, (table, plain) in enumerate(zip(with_difference, without, strict=True)):
        right = gradient(game, policies, i, plain)
        np.testing.assert_allclose(gradient(game, policies, i, table), right, atol=1e-12)
        assert np.abs(table - plain).max() > 0.1 and np.abs(right).max() > 0.1


def test_exact_gradient():
    """beta = 0 has the exact one, beta = 1 that of the present reward alone, between them the bias grows."""
    betas = (0.0, 0.25, 0.5, 0.75, 1.0)
    errors, sizes = {beta: [] for beta in betas}, []
    for seed in GAMES:
        game = random_game(seed)
        logits = random_logits(game, seed)
        policies, truth = tables(game, logits), exact_gradient(game, logits)
        for i in (0, 1):
            seen, pi = seen_by(game, i), own_first(policies, i)
            for beta in betas:
                found = gradient(game, policies, i, formula(seen, pi, beta))
                errors[beta].append(np.abs(found - truth[i]).max())
                # The return's gradient less that of a game whose first reward is dropped and whose discount is beta's.
                without = gradient(game, policies, i, later(seen, pi, beta))
                np.testing.assert_allclose(found, truth[i] - without, atol=1e-10)
            np.testing.assert_allclose(found, gradient(game, policies, i, seen.reward), atol=1e-10)
            sizes.append(np.abs(truth[i]).max())
    print(f"\nlargest entry of the gradients: {min(sizes):.2f} to {max(sizes):.2f}")
    for beta, each in errors.items():
        print(f"DAE, beta {beta}: error of the policy gradient {min(each):.2g} to {max(each):.2g}")
    means = [np.mean(errors[beta]) for beta in betas]
    assert max(errors[0.0]) < 1e-10 < 1e-3 < means[1] and means == sorted(means)


def test_a_large_beta_turns_the_order_of_two_actions_round():
    """Agent 0 takes 1 now, or 2 a step later; discounted by 0.9 the second is better, 1.8.

    Uniform policies: V = (1 + 1.8) / 2 = 1.4 and e^0 = 0.5, so the advantages are 1 - 1.4 - 0.5 = -0.9 and
    1.8 - 1.4 - 0.5 - 0.9 beta 2 = -0.1 - 1.8 beta: above beta = 4 / 9 the first looks better.
    """
    transition, reward = np.zeros((2, 2, 1, 2)), np.zeros((2, 2, 1))
    transition[0, 1, 0, 1] = 1.0
    reward[0, 0] = 1.0
    reward[1] = 2.0
    game = Game(transition, reward, np.array([1.0, 0.0]), np.array([[0, 1], [0, 1]]), 0.9)
    policies = [np.full((2, 2), 0.5), np.ones((2, 1))]
    for beta in (0.0, 0.25, 0.5, 1.0):
        first = next(averaged(game, policies, beta))[0, :, 0]
        np.testing.assert_allclose(first, [-0.9, -0.1 - 1.8 * beta], atol=1e-12)
        assert (first[1] > first[0]) == (beta < 4 / 9)


@pytest.mark.parametrize("beta", [0.0, 0.25, 1.0])
def test_in_the_mean_agents_differ_by_the_present_reward_alone(beta):
    """E[A^0 - A^1 | s, a] = e^1(s, a^0) - e^0(s, a^1): later rewards are taken from both agents alike."""
    for seed in GAMES:
        game = random_game(seed, states=2, actions=(2, 2), observations=2)
        policies = random_policies(game, seed)
        one, other = averaged(game, policies, beta)
        own, others = (over_own_action(own_first(policies, i), seen_by(game, i).reward) for i in (0, 1))
        right = others[:, :, None] - own[:, None, :]
        np.testing.assert_allclose(one - np.swapaxes(other, 1, 2), right, atol=1e-10)
        assert np.abs(right).max() > 0.1
