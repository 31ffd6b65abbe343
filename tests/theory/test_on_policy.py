"""Theorem 4.2: on-policy, the operator of Def. 4.1 contracts, and its fixed point is E_{a^i ~ pi^i}[Q^pi]."""

import numpy as np
import pytest
from operators import operator

from gpae.tabular.games import own_first, random_game, random_policies, seen_by
from gpae.tabular.solution import affine, per_agent_value

GAMES = range(20)
LAMBDAS = [0.0, 0.5, 0.95, 1.0]


def on_policy(seed, lam):
    """The operator with mu = pi, c = lambda, and the true value, of every agent of a game."""
    game = random_game(seed)
    for i in (0, 1):
        seen, pi = seen_by(game, i), own_first(random_policies(game, seed), i)
        shape = pi.other.shape
        first, trace = np.ones_like(pi.own), np.full(pi.joint.shape, lam)
        yield affine(operator(seen, pi, first, trace), shape), per_agent_value(seen, pi)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_contraction(lam):
    """The modulus is at most gamma (1 - lambda) / (1 - gamma lambda)."""
    moduli = [each.modulus for seed in GAMES for each, _ in on_policy(seed, lam)]
    bound = 0.9 * (1 - lam) / (1 - 0.9 * lam)
    print(f"\nlambda {lam}: largest modulus {max(moduli):.3f}, bound {bound:.3f}, gamma 0.9")
    assert max(moduli) <= bound + 1e-12 <= 0.9 + 2e-12
    assert max(moduli) > 0.6 * bound - 1e-12


@pytest.mark.parametrize("lam", LAMBDAS)
def test_contraction_without_ends(lam):
    """Then the bound is the factor itself."""
    game = random_game(0)
    game = game._replace(transition=game.transition / game.transition.sum(-1, keepdims=True))
    pi = own_first(random_policies(game, 0), 0)
    each = affine(operator(game, pi, np.ones_like(pi.own), np.full(pi.joint.shape, lam)), pi.other.shape)
    np.testing.assert_allclose(each.modulus, 0.9 * (1 - lam) / (1 - 0.9 * lam), atol=1e-12)


@pytest.mark.parametrize("lam", LAMBDAS)
def test_fixed_point(lam):
    """Whatever lambda is, where the paper states lambda = 1."""
    errors, sizes = [], []
    for seed in GAMES:
        for each, true in on_policy(seed, lam):
            errors.append(np.abs(each.fixed_point - true).max())
            sizes.append(np.abs(true).max())
    print(f"\nlambda {lam}: fixed point off E_a[Q] by at most {max(errors):.1e}, values up to {max(sizes):.1f}")
    assert max(errors) < 1e-10
    assert min(sizes) > 0.1
