"""Theorem 4.3 and the policy part of 4.5: which advantage is unbiased, and for which policies' game."""

import jax
import numpy as np
import pytest
from drawn import drawn_windows
from gradients import exact_gradient, gradient, score
from operators import trace_sum, trace_table

from gpae.advantages import gpae, traces
from gpae.tabular.games import own_first, random_game, random_logits, random_policies, seen_by, tables
from gpae.tabular.solution import action_value, occupancy, per_agent_value
from gpae.tabular.windows import all_windows

GAMES = range(20)
advantage = jax.jit(gpae.advantage)


def random_value(seed, shape):
    return 2 * np.random.default_rng(2000 + seed).normal(size=shape)


def test_expected_advantage_at_lambda_one():
    """The conditional expectation of Theorem 4.3 is Q^pi(s, a) - EQ(s, a^{-i}) for any table EQ; Eq. 23."""
    for seed in GAMES:
        game, policies = random_game(seed), random_policies(random_game(seed), seed)
        for i in (0, 1):
            seen, pi = seen_by(game, i), own_first(policies, i)
            f = random_value(seed, pi.other.shape)
            expected = action_value(seen, pi) - f[:, None, :]
            np.testing.assert_allclose(trace_sum(seen, pi, f, np.ones(pi.joint.shape)), expected, atol=1e-10)


def test_exact_gradient():
    """lambda = 1 is exact for any EQ; lambda < 1 only for the true one, which the paper does not say."""
    errors = {"lambda 1, any EQ": [], "lambda 0.95, any EQ": [], "lambda 0.95, true EQ": [], "lambda 0, true EQ": []}
    sizes = []
    for seed in GAMES:
        game = random_game(seed)
        logits = random_logits(game, seed)
        policies, truth = tables(game, logits), exact_gradient(game, logits)
        for i in (0, 1):
            seen, pi = seen_by(game, i), own_first(policies, i)
            anything, true = random_value(seed, pi.other.shape), per_agent_value(seen, pi)
            for name, f, lam in (
                ("lambda 1, any EQ", anything, 1.0),
                ("lambda 0.95, any EQ", anything, 0.95),
                ("lambda 0.95, true EQ", true, 0.95),
                ("lambda 0, true EQ", true, 0.0),
            ):
                table = trace_sum(seen, pi, f, np.full(pi.joint.shape, lam))
                errors[name].append(np.abs(gradient(game, policies, i, table) - truth[i]).max())
            sizes.append(np.abs(truth[i]).max())
    print(f"\nlargest entry of the gradients: {min(sizes):.2f} to {max(sizes):.2f}")
    for name, each in errors.items():
        print(f"error of the policy gradient, {name}: {min(each):.1e} to {max(each):.1e}")
    assert min(sizes) > 0.1
    assert max(errors["lambda 1, any EQ"] + errors["lambda 0.95, true EQ"] + errors["lambda 0, true EQ"]) < 1e-10
    assert min(errors["lambda 0.95, any EQ"]) > 1e-3


@pytest.mark.parametrize("lam, exact", [(1.0, True), (0.95, False)])
def test_gradient_of_all_windows(lam, exact):
    """`gpae.advantage` over every window of 3 steps: only the bootstrap must be true at lambda = 1."""
    game = random_game(3, states=3, observations=2)
    logits = random_logits(game, 3)
    policies, truth = tables(game, logits), exact_gradient(game, logits)
    window = all_windows(game, policies, steps=3)
    shapes = [(3, 3), (3, 2)]
    true = [per_agent_value(seen_by(game, i), own_first(policies, i)) for i in (0, 1)]
    value = window.values([random_value(9, shape) for shape in shapes])[:-1]
    bootstrap = window.values(true)[-1]
    trace = traces.dt(window.log_ratio(policies, policies), lam, 1.05)
    first = np.asarray(advantage(window.reward, window.done, value, bootstrap, trace, game.gamma))[0]
    weight = window.probability * occupancy(game, own_first(policies, 0))[window.state[0]]
    for i in (0, 1):
        scores = score(game, policies, i, window.state[0], window.action[0, i])
        estimate = np.einsum("w,w,woc->oc", weight, first[i], scores)
        assert np.allclose(estimate, truth[i], atol=1e-10) == exact
        assert np.abs(truth[i]).max() > 0.1


def test_gradient_of_drawn_windows():
    """`gpae.advantage` on drawn episodes is within its standard errors of the exact gradient at lambda = 1."""
    steps, count = 40, 16000
    game = random_game(4, gamma=0.8)
    logits = random_logits(game, 4)
    policies, truth = tables(game, logits), exact_gradient(game, logits)
    window = drawn_windows(game, policies, steps, count, seed=0)
    true = [per_agent_value(seen_by(game, i), own_first(policies, i)) for i in (0, 1)]
    # The episode counts until its end; what follows in the window does not.
    running = np.concatenate([np.ones((1, count)), 1.0 - window.done[:-1]])
    discount = game.gamma ** np.arange(steps)[:, None] * running
    log_ratio = window.log_ratio(policies, policies)

    def largest_deviation(f, lam):
        """From the exact gradient, in standard errors, over all logits of both agents."""
        value, deviations = window.values(f), []
        a = advantage(window.reward, window.done, value[:-1], value[-1], traces.it(log_ratio, lam), game.gamma)
        for i in (0, 1):
            scores = score(game, policies, i, window.state[:-1], window.action[:-1, i])
            sample = np.einsum("tw,tw,twoc->woc", discount, np.asarray(a)[:, i], scores)
            deviations.append((sample.mean(0) - truth[i]) / sample.std(0, ddof=1) * np.sqrt(count))
        return max(np.abs(each).max() for each in deviations)

    wrong = [random_value(i, true[i].shape) for i in (0, 1)]
    measured = {
        "true EQ, lambda 1": largest_deviation(true, 1.0),
        "true EQ, lambda 0": largest_deviation(true, 0.0),
        "wrong EQ, lambda 1": largest_deviation(wrong, 1.0),
        "wrong EQ, lambda 0": largest_deviation(wrong, 0.0),
    }
    print(f"\nlargest of 15 differences in standard errors, {count} drawn episodes:")
    for name, each in measured.items():
        print(f"{name}: {each:.1f}")
    # 15 entries: four standard errors are passed by chance once in a thousand draws, and the draw is fixed.
    assert max(measured[name] for name in list(measured)[:3]) < 4
    assert measured["wrong EQ, lambda 0"] > 8


def off_policy(seed):
    """The game, pi and mu as each agent sees them."""
    game = random_game(seed)
    for i in (0, 1):
        yield (
            seen_by(game, i),
            own_first(random_policies(game, seed), i),
            own_first(random_policies(game, seed + 500), i),
        )


def test_off_policy_expected_advantage():
    """Theorem 4.5 with c the untruncated joint ratio holds if the values' next a^{-i} is drawn from pi, not from mu.

    With the behaviour policy's a^{-i} and c the agent's own ratio it is the advantage against the others' mu^{-i}.
    """
    errors = {"joint ratio, next from pi": [], "joint ratio, next from mu": [], "own ratio, next from mu": []}
    for seed in GAMES:
        for game, pi, mu in off_policy(seed):
            f = random_value(seed, pi.other.shape)
            own = np.broadcast_to((pi.own / mu.own)[:, :, None], pi.joint.shape)
            joint = pi.joint / mu.joint
            mixed = pi._replace(other=mu.other)
            for name, trace, next_other, policies in (
                ("joint ratio, next from pi", joint, pi.other, pi),
                ("joint ratio, next from mu", joint, mu.other, pi),
                ("own ratio, next from mu", own, mu.other, mixed),
            ):
                expected = action_value(game, policies) - f[:, None, :]
                errors[name].append(np.abs(trace_sum(game, mu, f, trace, next_other) - expected).max())
    print()
    for name, each in errors.items():
        print(f"off-policy advantage, {name}: off by {min(each):.1e} to {max(each):.1e}")
    assert max(errors["joint ratio, next from pi"] + errors["own ratio, next from mu"]) < 1e-9
    assert min(errors["joint ratio, next from mu"]) > 0.1


def test_off_policy_bias_is_bounded():
    """Appendix A, Part IV: with c <= 1 the bias is at most (2 r + 2 |EQ|) / (1 - gamma); on-policy it is zero."""
    shares = []
    for seed in GAMES:
        for game, pi, mu in off_policy(seed):
            f = random_value(seed, pi.other.shape)
            bound = 2 * (np.abs(game.reward).max() + np.abs(f).max()) / (1 - game.gamma)
            for trace in (lambda x: traces.dt(x, 1.0, 1.05), lambda x: traces.st(x, 1.0), lambda x: traces.it(x, 1.0)):
                for behaviour, limit in ((mu, bound), (pi, 1e-9)):
                    expected = action_value(game, pi) - f[:, None, :]
                    table = trace_sum(game, behaviour, f, trace_table(trace, pi, behaviour))
                    bias = np.abs(table - expected).max()
                    assert bias < limit
                    if behaviour is mu:
                        shares.append(bias / bound)
    print(f"\nbias of the truncated traces as a share of its bound: {min(shares):.3f} to {max(shares):.3f}")
    assert min(shares) > 1e-3
