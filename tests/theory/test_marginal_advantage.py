"""ASAE's marginal advantage (its Eqs. 4 to 10) on games whose Q is known: the samples' limit, the gradient."""

import numpy as np
from gradients import exact_gradient, gradient

from gpae.advantages import coma, marginal
from gpae.tabular.games import own_first, random_game, random_logits, seen_by, tables
from gpae.tabular.solution import action_value, over_own_action

GAMES = range(20)


def studies():
    """(seed, game, policies, agent, the game as it sees it, its policies, Q) of every game and agent."""
    for seed in GAMES:
        game = random_game(seed)
        policies = tables(game, random_logits(game, seed))
        for agent in (0, 1):
            seen, pi = seen_by(game, agent), own_first(policies, agent)
            yield seed, game, policies, agent, pi, action_value(seen, pi)


def exact(pi, q) -> np.ndarray:
    """A_mar [S, A] by Eq. 6: the difference under the integral over the other's policy."""
    return np.einsum("sb,sab->sa", pi.other, q - over_own_action(pi, q)[:, None, :])


def sampled(pi, q, others) -> np.ndarray:
    """The estimator's advantage of every own action in every state, [S, A]; others: [M, S], the other's actions."""
    states, own, _ = q.shape
    values = q[np.arange(states), :, others]  # [M, S, A]
    values, policy = np.repeat(values, own, axis=1)[:, None, None], np.repeat(pi.own, own, axis=0)[None, None]
    action = np.tile(np.arange(own), states)[None, None]
    return np.asarray(marginal.advantage(values, policy, action)).reshape(states, own)


def drawn(pi, samples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([rng.choice(len(row), size=samples, p=row) for row in pi.other], axis=1)


def test_samples_converge_to_the_marginal():
    """m samples leave an error of the size that m independent draws leave, and no other."""
    for seed, *_, pi, q in studies():
        truth = exact(pi, q)
        each = q - over_own_action(pi, q)[:, None, :]
        deviation = np.sqrt(np.einsum("sb,sab->sa", pi.other, (each - truth[:, :, None]) ** 2))
        for samples in (10, 1_000, 100_000):
            error = np.abs(sampled(pi, q, drawn(pi, samples, seed)) - truth)
            assert (error <= 5 * deviation / np.sqrt(samples) + 1e-12).all(), (seed, samples)
    assert error.max() < 0.05 * np.abs(truth).max()


def test_every_action_of_the_other_once_at_equal_chances_is_exact():
    for *_, pi, q in studies():
        others = q.shape[2]
        even = pi._replace(other=np.full_like(pi.other, 1 / others))
        every = np.repeat(np.arange(others)[:, None], len(q), axis=1)
        np.testing.assert_allclose(sampled(even, q, every), exact(even, q), atol=1e-12)


def test_one_sample_the_action_taken_is_coma():
    for *_, pi, q in studies():
        for other in range(q.shape[2]):
            taken = np.full((1, len(q)), other)
            np.testing.assert_allclose(
                sampled(pi, q, taken), (q - over_own_action(pi, q)[:, None, :])[:, :, other], atol=1e-12
            )


def test_its_policy_gradient_is_the_exact_one_and_varies_less_than_comas():
    """A_mar = E[A_cf | s, a^i], so the gradient has the same mean, and its squares are smaller by Jensen."""
    for seed, game, policies, agent, pi, q in studies():
        counterfactual = q - over_own_action(pi, q)[:, None, :]
        table = np.broadcast_to(exact(pi, q)[:, :, None], q.shape)
        truth = exact_gradient(game, random_logits(game, seed))[agent]
        np.testing.assert_allclose(gradient(game, policies, agent, table), truth, atol=1e-10)
        squares = [np.einsum("sab,sab->s", pi.joint, advantage**2) for advantage in (table, counterfactual)]
        assert (squares[0] < squares[1]).all()


def test_of_a_sum_of_own_values_each_agents_own_part_is_comas():
    """PPO-Sum: with Q(s, a) = Q^0(s, a^0) + Q^1(s, a^1) the counterfactual advantage of Q^i is that of Q."""
    rng = np.random.default_rng(0)
    for *_, pi, q in studies():
        own, other = rng.normal(size=q.shape[:2]), rng.normal(size=(len(q), 1, q.shape[2]))
        joint = own[:, :, None] + other
        expected = (joint - over_own_action(pi, joint)[:, None, :])[:, :, 0]
        states, actions = own.shape
        values, policy = (np.repeat(x, actions, axis=0)[None, None] for x in (own, pi.own))
        action = np.tile(np.arange(actions), states)[None, None]
        found = np.asarray(coma.counterfactual(values, policy, action)).reshape(states, actions)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_its_td_residual_is_the_same_in_the_mean():
    """Eq. 9 of the paper: r + gamma V(s', a'^{-i}) - V(s, a^{-i}) with V(s, a^{-i}) = EQ, which is one step of COMA's
    TD form; its mean over the next step and the others' actions is the marginal advantage. The paper learns by Eq. 1.
    """
    for seed, *_, agent, pi, q in studies():
        game = seen_by(random_game(seed), agent)
        value = over_own_action(pi, q)  # [S, B]
        following = np.append((pi.other * value).sum(1), 0.0)  # a'^{-i} drawn; the last is the end
        chance = np.concatenate([game.transition, 1 - game.transition.sum(-1, keepdims=True)], axis=-1)
        each = game.reward[..., None], value[:, None, :, None], following
        spread = [np.broadcast_to(x, chance.shape) for x in each]
        reward, present, after = (x.reshape(1, -1) for x in spread)
        done = np.broadcast_to(np.arange(len(following)) == len(q), chance.shape).reshape(1, -1)
        each = np.asarray(coma.advantage(reward, done, present[:, None], after, game.gamma)).reshape(chance.shape)
        found = np.einsum("sb,sabt,sabt->sa", pi.other, chance, each)
        np.testing.assert_allclose(found, exact(pi, q), atol=1e-5)
