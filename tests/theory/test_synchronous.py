"""ASAE's Figure 1: what becomes of a team whose agents are updated at once, by hand and in games solved exactly."""

from itertools import product

import numpy as np
import pytest

from gpae.results import synchronous as table
from gpae.tabular.games import own_first, random_game, seen_by
from gpae.tabular.synchronous import expected_return, improved, landmarks, marginal, update


def test_two_landmarks_by_hand():
    """With p and q the chances to go right the return is -(1 - 2p)(1 - 2q); at 0.3 each -0.16. Going right is better
    for each while the other is seldom there: by 1 - 2q = 0.4 against -0.4."""
    game, policies = landmarks(0.3)
    for agent in (0, 1):
        advantage = marginal(seen_by(game, agent), own_first(policies, agent))
        np.testing.assert_allclose(advantage, [[-0.4 + 0.16, 0.4 + 0.16]], atol=1e-12)
    found = update(game, policies, 0.1)  # both at 0.33
    assert found.before == pytest.approx(-0.16)
    assert found.promised == pytest.approx((-0.34 * 0.4, -0.4 * 0.34)) and found.together == pytest.approx(-(0.34**2))
    found = update(game, policies, np.inf)  # both go right and collide; who knows of the other goes left
    assert found.promised == pytest.approx((0.4, 0.4))
    assert found.together == pytest.approx(-1.0) and found.informed == pytest.approx(1.0)
    # from -(1 - 2p)^2 < -0.16 on, p = 0.7: past a clip of 4/3
    assert update(game, policies, 1.33).together > found.before > update(game, policies, 1.34).together


def test_the_clipped_policy_is_the_best_within_the_clip():
    """Against a grid of policies over three actions."""
    rng = np.random.default_rng(0)
    shares = np.array([(a, b, 200 - a - b) for a, b in product(range(201), repeat=2) if a + b <= 200]) / 200
    for clip in (0.1, 0.5, 1.5, np.inf):
        policy, advantage = rng.dirichlet(np.full(3, 20.0), size=4), rng.normal(size=(4, 3))
        after = improved(policy, advantage, clip)
        np.testing.assert_allclose(after.sum(1), 1.0, atol=1e-12)
        assert (after >= policy * max(1 - clip, 0) - 1e-12).all() and (after <= policy * (1 + clip) + 1e-12).all()
        for state in range(4):
            inside = np.abs(shares / policy[state] - 1).max(1) <= clip
            best = (shares[inside] @ advantage[state]).max()
            assert best - 1e-12 <= after[state] @ advantage[state] <= best + 0.02 * np.abs(advantage[state]).max()


def test_an_agents_own_update_keeps_its_promise():
    """Alone it never lowers the return (policy improvement), in any game, by any clip."""
    for seed in range(20):
        game, rng = random_game(seed), np.random.default_rng(seed)
        game = game._replace(observation=np.stack([np.arange(4)] * 2))
        policies = [rng.dirichlet(np.ones(actions), size=4) for actions in game.reward.shape[1:]]
        assert expected_return(game, policies) == pytest.approx(update(game, policies, 0.0).together)
        for clip in (0.1, 1.0, np.inf):
            found = update(game, policies, clip)
            assert min(found.promised) >= found.before - 1e-12


def test_together_they_break_it_unless_the_clip_is_small():
    assert table.fallen(0.1) == 0 < table.fallen(np.inf)
    rows = {row[0]: row for row in table.grid().rows}
    assert rows["0.1"][1:5] == ("−0.160", "−0.136", "−0.116", "−0.116")
    assert rows["none"][1:5] == ("−0.160", "0.400", "−1.000", "1.000") and int(rows["none"][5]) == table.fallen(np.inf)
