"""MACA's advantage (its Eqs. 2 to 4) on games whose Q is known: exact expectations for baselines, and no bias."""

from itertools import product

import numpy as np
from gradients import exact_gradient, gradient

from gpae.advantages import coma, multilevel
from gpae.tabular.games import own_first, random_game, random_logits, seen_by, tables
from gpae.tabular.solution import action_value, over_own_action

GAMES = range(20)


def studies():
    """(seed, game, policies, agent, its policies first, Q [S, A, B] as it sees it) of every game and agent."""
    for seed in GAMES:
        game = random_game(seed)
        policies = tables(game, random_logits(game, seed))
        for agent in (0, 1):
            pi = own_first(policies, agent)
            yield seed, game, policies, agent, pi, action_value(seen_by(game, agent), pi)


def of_distributions(q, own, other) -> np.ndarray:
    """Q(s, pi_bar), multilinear as the mean over independent agents is; own [..., S, A], other [..., S, B]."""
    return np.einsum("...sa,...sb,sab->...s", own, other, q)


def baselines(pi, q, correlated) -> np.ndarray:
    """[3, S, A, B] by `marginalised`: the joint, the individual and the correlated baseline of the first agent.

    correlated: bool [S], whether the other agent is in its set
    """
    states, actions, others = q.shape
    everyone = np.ones(states, bool)
    found = np.zeros((3, *q.shape))
    width = max(actions, others)

    def padded(x):
        return np.pad(x, ((0, 0), (0, width - x.shape[1])))

    policy = np.stack([padded(pi.own), padded(pi.other)], axis=1)[None].swapaxes(1, 2)  # [1, agent, S, width]
    for a, b in product(range(actions), range(others)):
        action = np.broadcast_to(np.eye(width)[[a, b]][None, :, None], policy.shape)
        for level, members in enumerate((everyone, ~everyone, correlated)):
            group = np.stack([everyone, members])[None]
            own, other = np.asarray(multilevel.marginalised(action, policy, group))[0]
            found[level, :, a, b] = of_distributions(q, own[:, :actions], other[:, :others])
    return found


def chosen_sets(seed, states) -> np.ndarray:
    """Who attends to whom is of the state: here at random, half of them."""
    attention = np.random.default_rng(seed).dirichlet([1.0, 1.0], size=(states, 2))  # [S, i, j]
    return np.asarray(multilevel.correlated_sets(np.moveaxis(attention, 0, 2)[None], 0.5))[0, 0, 1]


def weighted(q, levels, weights) -> np.ndarray:
    """A [S, A, B]; weights: [3, S]."""
    states = len(q)
    flat = levels.reshape(3, states, 1, -1)
    spread = np.broadcast_to(weights[..., None], (*weights.shape, flat.shape[-1]))
    return np.asarray(multilevel.advantage(q.reshape(states, 1, -1), flat, spread[:, :, None])).reshape(q.shape)


def test_baselines_are_exact_expectations():
    met = set()
    for seed, *_, pi, q in studies():
        correlated = chosen_sets(seed, len(q))
        met |= set(correlated.tolist())
        joint, individual, of_set = baselines(pi, q, correlated)
        value = np.einsum("sab,sab->s", pi.joint, q)
        counterfactual = over_own_action(pi, q)[:, None, :]
        np.testing.assert_allclose(joint, np.broadcast_to(value[:, None, None], q.shape), atol=1e-12)
        np.testing.assert_allclose(individual, np.broadcast_to(counterfactual, q.shape), atol=1e-12)
        np.testing.assert_allclose(of_set, np.where(correlated[:, None, None], joint, individual), atol=1e-12)
    assert met == {True, False}


def test_with_all_weight_on_the_own_action_it_is_coma():
    for seed, *_, pi, q in studies():
        only = np.eye(3)[1][:, None] * np.ones(len(q))
        found = weighted(q, baselines(pi, q, chosen_sets(seed, len(q))), only)
        states, actions, others = q.shape
        for b in range(others):
            values, policy = (np.repeat(x, actions, axis=0)[None, None] for x in (q[:, :, b], pi.own))
            expected = coma.counterfactual(values, policy, np.tile(np.arange(actions), states)[None, None])
            np.testing.assert_allclose(found[:, :, b].ravel(), np.asarray(expected).ravel(), atol=1e-12)


def test_its_policy_gradient_is_the_exact_one_whatever_the_weights():
    for seed, game, policies, agent, pi, q in studies():
        weights = np.random.default_rng(seed).dirichlet(np.ones(3), size=len(q)).T
        table = weighted(q, baselines(pi, q, chosen_sets(seed, len(q))), weights)
        truth = exact_gradient(game, random_logits(game, seed))[agent]
        np.testing.assert_allclose(gradient(game, policies, agent, table), truth, atol=1e-10)
