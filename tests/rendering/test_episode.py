"""What is recorded of an episode: its own states to the very end, its own rewards, its learner's own advantages."""

import jax
import numpy as np
import pytest

from gpae.environments.smax.rules import STOP, TABLE
from gpae.rendering.episode import play
from gpae.training.update import Trainer


def test_states_and_rewards_are_those_of_one_episode_to_its_end(recording):
    units, steps = recording.states.units, recording.steps
    health = units.health[..., 0]
    assert health.shape == (steps + 1, 6) and recording.states.time[:, 0].tolist() == list(range(steps + 1))
    assert (health[0] == TABLE.health[0]).all()
    ended = (health[:, :3] == 0).all(1) | (health[:, 3:] == 0).all(1)
    assert not ended[:-1].any() and (ended[-1] or steps == 101)
    # the reward is the enemies' mean loss of their share of health, and 1 for a victory
    loss = -np.diff(health[:, 3:], axis=0).sum(1) / 45 / 3
    won = (health[-1, 3:] == 0).all() and (health[-1, :3] > 0).any()
    np.testing.assert_allclose(recording.reward, loss + np.eye(steps)[-1] * won, atol=1e-6)
    assert recording.won == won and recording.return_ == pytest.approx(float(recording.reward.sum()), abs=1e-5)
    # an action is in the state that it led to; who is dead has none
    assert (units.action[1:, :3, 0] == recording.action)[recording.acts].all()
    assert (recording.acts == (health[:-1, :3] > 0)).all() and (recording.action[~recording.acts] == STOP).all()


def test_advantages_are_the_learners(source, recording):
    """With a critic that says 0, GPAE's advantage (Eq. 5) is the sum of (gamma lambda)^k r_{t+k} for every agent."""
    assert recording.advantages.keys() == {"GPAE (off): advantage"}
    assert np.ptp(recording.advantages["GPAE (off): advantage"], axis=1).max() > 0  # a real critic tells agents apart
    trainer = Trainer(source.job)
    networks = source.networks(trainer)
    naught = networks | {"critic": jax.tree.map(np.zeros_like, networks["critic"])}
    judges = {"own": (trainer.algorithm, networks), "naught": (trainer.algorithm, naught)}
    played = play(trainer, networks, jax.random.PRNGKey(3), False, judges)
    discount, expected, total = source.job.learner.gamma * source.job.learner.lam, [], 0.0
    for reward in played.reward[::-1]:
        total = reward + discount * total
        expected.append(total)
    np.testing.assert_allclose(played.advantages["naught"], np.tile(expected[::-1], (3, 1)).T, atol=1e-5)
    assert np.abs(played.advantages["own"] - played.advantages["naught"]).max() > 1e-3


def test_a_greedy_policy_plays_its_mode(source, recording):
    trainer = Trainer(source.job)
    networks = source.networks(trainer)
    indifferent = networks | {"actor": jax.tree.map(np.zeros_like, networks["actor"])}
    greedy = play(trainer, indifferent, jax.random.PRNGKey(0), True, {"own": (trainer.algorithm, indifferent)})
    assert (greedy.action[greedy.acts] == 0).all()  # of equals, the first
    assert np.isfinite(greedy.advantages["own"]).all()
    assert len(np.unique(recording.action[recording.acts])) > 3  # samples, of a policy that has learnt nothing
