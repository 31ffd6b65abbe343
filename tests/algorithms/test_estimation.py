"""Estimators inside the learner, on real rollouts of SMAX-3m."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.algorithms import estimation
from gpae.config import Params
from gpae.environments.base import Disturbance
from gpae.environments.smax.rules import STOP
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")


@cache
def learned(method, task="3m", updates=3, **changes):
    """Metrics of some updates, [update]."""
    job = plan.job(PARAMS, "smoke", method, task, (0,))
    made = Trainer(replace(job, method=replace(job.method, **changes)))
    state, seen = made.init(jnp.zeros(1, jnp.int32)), []
    for _ in range(updates):
        state, metrics = made.update(state)
        seen.append({name: float(value[0]) for name, value in metrics.items()})
    assert all(np.isfinite(list(row.values())).all() for row in seen)
    return made, state, seen


def test_gap_by_hand():
    # one environment, three agents, four steps; agent 1 is drawn throughout and dead at the last step
    raw = jnp.array([[3.0, -1.0, 1.0], [0.0, 6.0, 2.0], [1.0, 1.0, 4.0], [9.0, 9.0, 9.0]])[..., None]
    available = jnp.ones((5, 3, 1, 2), bool).at[3, 1, 0, 0].set(False)
    window = SimpleNamespace(
        disturbance=Disturbance(jnp.ones((4, 1), jnp.int32), jnp.array([[True], [False], [True], [True]])),
        view=SimpleNamespace(available=available),
    )
    found = estimation.advantage_gaps(raw, window, jnp.ones(1))
    # replaced: (3 + 1) / 2 + 1 = 3 and (1 + 4) / 2 - 1 = 1.5; let be: (0 + 2) / 2 - 6 = -5
    assert found["advantage_gap"] == pytest.approx(2.25) and found["advantage_gap_elsewhere"] == pytest.approx(-5)
    assert estimation.advantage_gaps(raw, window, jnp.zeros(1))["advantage_gap"] == 0


def test_gap_is_a_metric_where_agents_are_disturbed_alone():
    row = learned("mappo", "3m_stop", updates=1)[2][-1]
    assert row["advantage_gap"] != 0 and row["advantage_gap_elsewhere"] != 0
    assert "advantage_gap" not in learned("gpae_on")[2][-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", ["dae", "coma", "credit_asae", "credit_ippo", "credit_happo", "maca", "credit_maca", "ppo_mix"]
)
def test_every_estimator_has_a_gap(method):
    """Of the comparison, and of papers' own settings with pieces of windows and masks."""
    row = learned(method, "3m_stop")[2][-1]
    assert row["advantage_gap"] != row["advantage_gap_elsewhere"]
    if method not in ("credit_happo", "credit_ippo"):  # whose advantages differ by the id or the observation alone
        assert abs(row["advantage_gap"] - row["advantage_gap_elsewhere"]) > 1e-4


def test_what_is_learned_from_is_what_was_executed():
    made, state, _ = learned("mappo", "3m_stop", updates=1)
    state = jax.tree.map(lambda leaf: leaf[0], state)
    window = made._collect(jax.random.PRNGKey(3), state.learner, state.runner)[1].window
    drawn = (jnp.arange(3)[:, None] == window.disturbance.agent[:, None]) & window.disturbance.replaced[:, None]
    assert drawn.any() and (window.action[drawn] == STOP).all()


def test_coma_has_gpaes_critic_and_a_shorter_advantage():
    made, _, coma = learned("gpae_on", estimator="coma")
    _, _, gpae = learned("gpae_on")
    assert type(made.algorithm.critic.module).__name__ == "CounterfactualCritic"
    assert coma[0]["value_error"] == gpae[0]["value_error"]  # the critic learns from the same target
    assert coma[0]["advantage_std"] < gpae[0]["advantage_std"]


def test_dae_tells_agents_apart_and_learns_rewards():
    made, state, seen = learned("mappo", updates=8, estimator="dae", beta=0.5)
    assert type(made.algorithm.critic.module).__name__ == "ValueCritic"
    assert seen[-1]["reward_model_loss"] < seen[0]["reward_model_loss"]
    assert set(made.algorithm.networks(state.learner)) == {"actor", "critic", "reward_model"}
    _, _, farther = learned("mappo", updates=2, estimator="dae", beta=1.0)
    assert farther[1]["advantage_std"] != seen[1]["advantage_std"]


def test_controls_take_more_epochs_or_fewer_environments():
    more = learned("mappo", updates=1, epochs_factor=4)[2][0]
    assert more["approximate_kl"] > learned("mappo", updates=1)[2][0]["approximate_kl"]
    job = plan.job(PARAMS, "smoke", "mappo", "3m", (0,))
    assert replace(job, method=replace(job.method, environments_divisor=4)).environments == job.environments // 4


@pytest.mark.slow
def test_dae_on_continuous_actions_draws_its_own():
    """MABrax compiles for a minute."""
    _, _, seen = learned("mappo", "hopper_3x1", updates=2, estimator="dae", beta=0.5)
    assert seen[-1]["reward_model_loss"] > 0
