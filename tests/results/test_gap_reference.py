"""The advantage gap's reference: by hand, against the environment's weapons, and against what a stop costs there."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.config import ConfigError, Params
from gpae.environments.smax import rules
from gpae.results.gap_reference import firing_period, reference
from gpae.results.gap_simulation import cost_of_a_stop

PARAMS = Params(Path(__file__).parents[2] / "params")


def test_by_hand():
    """Marines: 45 health, 9 damage, cooldown 0.61 s, so 9.76 substeps, plus -1 to 2: uniform from 8.76 to 11.76.

    Rounded up: 9 with probability 0.24 / 3, 10 and 11 with 1 / 3 each, 12 with 0.76 / 3; the mean is 10.76, and a shot
    takes one substep itself: 11.76 between two shots.
    """
    found = reference(PARAMS)
    assert found.hit == pytest.approx(9 / 45 / 3)
    assert firing_period(0.61) == pytest.approx(1 + (0.24 * 9 + 10 + 11 + 0.76 * 12) / 3) == pytest.approx(11.76)
    assert found.rate == pytest.approx(8 / 11.76)
    assert found.attack == pytest.approx(8 / 11.76 / 15)
    # Five hits an enemy, three enemies, three agents: 15 / (3 * 0.680) = 7.35 steps of 30
    assert found.fight == pytest.approx(7.35) and found.share == pytest.approx(0.245)
    assert found.win == pytest.approx(0.99**15 * 0.1) and found.stops == pytest.approx(1.5)
    assert found.total == pytest.approx(1 / 90 + 0.08601, abs=1e-5)
    assert found.total_a_stop == pytest.approx(1 / 90 + 0.08601 / 1.5, abs=1e-5)


@pytest.mark.parametrize("length", [14.5, 30, 60])
def test_the_damage_part_is_a_mean_reward_an_agent_and_step(length):
    """A third of all damage, spread over the episode: weapons and health cancel."""
    assert reference(PARAMS, episode_length=length).damage == pytest.approx(1 / 3 / length)


def test_the_weapons_fire_as_often_as_that():
    """Two marines that stand and shoot at each other for 200 steps and have the health for it."""
    batch, steps, health = 32, 200, 1e5
    kind = rules.attributes(jnp.zeros((2, batch), jnp.int32))
    place = jnp.array([[10.0], [13.0]]) * jnp.ones((2, batch))
    zeros = jnp.zeros((2, batch))
    action = jnp.full((2, batch), rules.MOVES, jnp.int32)
    units = rules.Units(place, zeros + 16, zeros + health, zeros, action, action * 0)

    def step(units, key):
        delay = jax.random.uniform(key, (2, batch), minval=rules.DELAY[0], maxval=rules.DELAY[1])
        return rules.fight(units, kind, action, delay, allies=1, walls_cause_death=True), None

    after = jax.jit(lambda units, keys: jax.lax.scan(step, units, keys)[0])(
        units, jax.random.split(jax.random.PRNGKey(0), steps)
    )
    hits = (health - np.asarray(after.health)) / 9
    # Every weapon's first shot comes at once: half a period early in the mean.
    assert hits.mean() == pytest.approx(steps * reference(PARAMS).rate + 0.5, rel=2e-3)


def test_what_a_stop_costs_in_the_environment():
    """A script wins most battles of some 14 steps; the reference for that length has its damage part."""
    cost = cost_of_a_stop("3m", 0.99, batch=8192, seed=1)
    found = reference(PARAMS, episode_length=cost.length.value)
    assert 12 < cost.length.value < 18 and cost.win_rate.value > 0.5
    # A hit on an enemy that another kills in the same substep counts for nothing.
    assert 0.9 * found.attack < cost.attack.value < found.attack + 4 * cost.attack.error
    assert abs(cost.damage.value - found.damage) < 4 * cost.damage.error
    assert cost.win.value > 4 * cost.win.error
    assert cost.total.value == pytest.approx(cost.damage.value + cost.win.value, abs=1e-6)


def test_two_kinds_of_unit_are_refused(tmp_path):
    shutil.copytree(PARAMS.folder / "families", tmp_path / "families")
    (tmp_path / "tasks").mkdir()
    task = (PARAMS.folder / "tasks" / "3m_stop.yaml").read_text().replace("scenario: 3m", "scenario: 2s3z")
    (tmp_path / "tasks" / "2s3z_stop.yaml").write_text(task)
    with pytest.raises(ConfigError, match=r"2s3z_stop.yaml: environment.scenario: a team of stalker, .*allowed: one"):
        reference(Params(tmp_path), "2s3z_stop")
