"""Theorem 4.5 and Appendix A.3, Parts I and II: contraction and fixed points of the operator of Def. 4.4.

Two forms of the operator: Eq. 6 multiplies the trace-weighted sum by the raw own ratio of the first step, Eq. 11's
value target by min(1, rho^i). Every game is seen by both agents; gamma = 0.9; the other's next action comes from mu, as
in the data, unless a test says otherwise.
"""

import numpy as np
import pytest
from operators import operator, trace_table

from gpae.advantages import traces
from gpae.tabular.games import Policies, own_first, random_game, random_policies, seen_by
from gpae.tabular.solution import affine, per_agent_value

GAMMA, ETA = 0.9, 1.05
LAMBDAS = [0.5, 0.95, 1.0]
TRUNCATED = {
    "DT": lambda log_ratio, lam: traces.dt(log_ratio, lam, ETA),
    "ST": traces.st,
    "IT": traces.it,
}


def games():
    """The game, pi and mu of 20 games as either agent sees them."""
    for seed in range(20):
        game = random_game(seed, gamma=GAMMA)
        pi, mu = random_policies(game, seed), random_policies(game, seed + 500)
        for i in (0, 1):
            yield seen_by(game, i), own_first(pi, i), own_first(mu, i)


def untruncated(pi, mu, lam):
    """lambda rho^i and lambda rho, [S, A, B]."""
    own = np.broadcast_to((pi.own / mu.own)[:, :, None], pi.joint.shape)
    return lam * own, lam * pi.joint / mu.joint


def solved(game, pi, mu, trace, first, next_other=None):
    return affine(operator(game, mu, first(pi.own / mu.own), trace, next_other), pi.other.shape)


def raw(ratio):
    """Eq. 6's first factor."""
    return ratio


def clipped(ratio):
    """Eq. 11's first factor."""
    return np.minimum(1, ratio)


def nearest(pi, mu) -> Policies:
    """(normalised min(mu^i, pi^i), mu^{-i}): Part II's policy for individual truncation."""
    least = np.minimum(pi.own, mu.own)
    return Policies(least / least.sum(1, keepdims=True), mu.other)


def spread(name, numbers):
    print(f"{name}: {min(numbers):.2g} to {max(numbers):.2g}")


@pytest.mark.parametrize("next_from, holds", [("mu", "DT ST IT own balanced"), ("pi", "DT ST joint")])
@pytest.mark.parametrize("lam", LAMBDAS)
def test_contraction_of_the_definition(lam, next_from, holds):
    """Part I needs E_{a^i ~ mu^i}[c | s, a^{-i}] <= 1, or <= rho^{-i} where the other's next action comes from pi.

    "balanced" is any c with E_{a^i ~ mu^i}[c] = lambda, however large single weights are.
    """
    moduli = {}
    for game, pi, mu in games():
        tables = {name: trace_table(lambda x, f=f: f(x, lam), pi, mu) for name, f in TRUNCATED.items()}
        tables["own"], tables["joint"] = untruncated(pi, mu, lam)
        anything = np.random.default_rng(0).exponential(size=pi.joint.shape) ** 2
        tables["balanced"] = lam * anything / np.einsum("sa,sab->sb", mu.own, anything)[:, None, :]
        next_other = {"mu": mu, "pi": pi}[next_from].other
        for name, table in tables.items():
            moduli.setdefault(name, []).append(solved(game, pi, mu, table, raw, next_other).modulus)
    print()
    for name, each in moduli.items():
        spread(f"next a^-i from {next_from}, lambda {lam}, modulus of Eq. 6 with {name}", each)
        if name in holds.split():
            assert max(each) <= GAMMA + 1e-12
        else:
            assert max(each) > GAMMA + 1e-3
    assert next_from == "pi" or max(moduli["joint"]) > 1


@pytest.mark.parametrize("lam", LAMBDAS)
def test_contraction_of_the_value_target(lam):
    """Eq. 11 contracts too, but by 1 - (1 - gamma) kappa, kappa the least E_mu[min(1, rho^i)], and not by gamma."""
    moduli = {name: [] for name in TRUNCATED}
    for game, pi, mu in games():
        kappa = np.minimum(pi.own, mu.own).sum(1).min()
        for name, trace in TRUNCATED.items():
            table = trace_table(lambda x, f=trace: f(x, lam), pi, mu)
            moduli[name].append(solved(game, pi, mu, table, clipped).modulus)
            assert moduli[name][-1] <= 1 - (1 - GAMMA) * kappa + 1e-12
    print()
    for name, each in moduli.items():
        spread(f"lambda {lam}, modulus of Eq. 11 with {name}", each)
        assert max(each) < 1
    assert max(map(max, moduli.values())) > GAMMA


@pytest.mark.parametrize("lam", LAMBDAS)
def test_fixed_point_follows_the_others_behaviour(lam):
    """With c the own or the joint ratio, or the own times any function of (s, a^{-i}): EQ of (pi^i, mu^{-i})."""
    errors, to_current = [], []
    for game, pi, mu in games():
        own, joint = untruncated(pi, mu, lam)
        any_function = own * np.random.default_rng(0).uniform(0, 1, size=pi.other.shape)[:, None, :]
        expected = per_agent_value(game, Policies(pi.own, mu.other))
        for table in (own, joint, any_function):
            errors.append(np.abs(solved(game, pi, mu, table, raw).fixed_point - expected).max())
        to_current.append(np.abs(expected - per_agent_value(game, pi)).max())
    print(f"\nlambda {lam}: fixed point off EQ(pi^i, mu^-i) by at most {max(errors):.1e}")
    spread("its distance to EQ^pi", to_current)
    assert max(errors) < 1e-9
    assert min(to_current) > 0.1


@pytest.mark.parametrize("lam", LAMBDAS)
def test_fixed_point_with_the_others_next_action_from_the_current_policy(lam):
    """Then it is EQ^pi, with c the joint ratio and, the paper does not say so, with the own ratio as well."""
    errors = []
    for game, pi, mu in games():
        for table in untruncated(pi, mu, lam):
            fixed = solved(game, pi, mu, table, raw, next_other=pi.other).fixed_point
            errors.append(np.abs(fixed - per_agent_value(game, pi)).max())
    print(f"\nlambda {lam}: fixed point off EQ^pi by at most {max(errors):.1e}")
    assert max(errors) < 1e-9


def test_fixed_point_of_truncated_traces_in_the_definition():
    """Truncated c and the raw first ratio: neither EQ(pi^i, mu^-i) nor EQ^pi nor that of Part II."""
    distances = {name: ([], [], []) for name in TRUNCATED}
    for game, pi, mu in games():
        candidates = Policies(pi.own, mu.other), pi, nearest(pi, mu)
        for name, trace in TRUNCATED.items():
            table = trace_table(lambda x, f=trace: f(x, 0.95), pi, mu)
            fixed = solved(game, pi, mu, table, raw).fixed_point
            for each, policies in zip(distances[name], candidates, strict=True):
                each.append(np.abs(fixed - per_agent_value(game, policies)).max())
    print()
    for name, each in distances.items():
        for to, numbers in zip(("EQ(pi^i, mu^-i)", "EQ^pi", "EQ(min(mu^i, pi^i), mu^-i)"), each, strict=True):
            spread(f"Eq. 6 with {name}, distance of the fixed point to {to}", numbers)
            assert min(numbers) > 1e-3


@pytest.mark.parametrize("lam", LAMBDAS)
def test_fixed_point_of_the_value_target(lam):
    """Part II for Eq. 11: exactly EQ of (normalised min(mu^i, pi^i), mu^-i) with IT; DT is near it, ST less so.

    It stays so when IT is multiplied by any function of (s, a^{-i}), which the truncations of DT and ST are not.
    """
    distances = {name: [] for name in [*TRUNCATED, "IT times any function"]}
    for game, pi, mu in games():
        expected = per_agent_value(game, nearest(pi, mu))
        for name, trace in TRUNCATED.items():  # IT is the last
            table = trace_table(lambda x, f=trace: f(x, lam), pi, mu)
            distances[name].append(np.abs(solved(game, pi, mu, table, clipped).fixed_point - expected).max())
        table = table * np.random.default_rng(0).uniform(0, 1, size=pi.other.shape)[:, None, :]
        distances["IT times any function"].append(
            np.abs(solved(game, pi, mu, table, clipped).fixed_point - expected).max()
        )
    print()
    for name, each in distances.items():
        spread(f"lambda {lam}, Eq. 11 with {name}, distance of the fixed point to Part II's", each)
    mean = {name: np.mean(each) for name, each in distances.items()}
    print("means: " + ", ".join(f"{name} {each:.2g}" for name, each in mean.items()))
    assert max(distances["IT"] + distances["IT times any function"]) < 1e-9
    assert 0.001 < mean["DT"] < mean["ST"]


def test_without_correction_the_fixed_point_is_of_the_wrong_policies():
    """c = lambda under mu with the raw first ratio reaches neither."""
    distances = []
    for game, pi, mu in games():
        table = trace_table(lambda x: traces.none(x, 0.95), pi, mu)
        fixed = solved(game, pi, mu, table, raw).fixed_point
        distances.append(np.abs(fixed - per_agent_value(game, Policies(pi.own, mu.other))).max())
    print()
    spread("Eq. 6 without correction, distance of the fixed point to EQ(pi^i, mu^-i)", distances)
    assert min(distances) > 0.01
