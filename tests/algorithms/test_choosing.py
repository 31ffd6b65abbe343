"""Gradients from the steps with a choice alone: by hand which they are, and on real windows the sums of all steps."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae import plan
from gpae.algorithms import descent
from gpae.algorithms.choosing import by_choosing, choosing, rows_of
from gpae.algorithms.descent import by_environments
from gpae.algorithms.window import View, Window, has_choice
from gpae.config import Params
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")


def window(chooses, begins) -> Window:
    """One agent in one environment; chooses: T entries, begins: T + 1."""
    available = np.ones((len(begins), 1, 1, 2), bool)
    available[:-1, 0, 0, 1] = chooses
    view = View(None, None, jnp.asarray(available))
    nothing = dict.fromkeys(name for name in Window._fields if name not in ("view", "begins"))
    return Window(view=view, begins=jnp.asarray(begins, bool)[:, None], **nothing)


@pytest.mark.parametrize(
    ("chooses", "begins", "counts", "expected"),
    [
        # dies at 3, the next episode begins at 5 and is cut off in its midst
        ([1, 1, 1, 0, 0, 1, 1], [1, 0, 0, 0, 0, 1, 0, 0], [1] * 7, [1, 1, 1, 0, 0, 1, 1]),
        # what comes before a choice is part of its way
        ([0, 1, 0, 0, 1, 0, 0], [0] * 8, [1] * 7, [1, 1, 1, 1, 1, 0, 0]),
        # a choice in the next episode is none of this one's
        ([0, 0, 0, 1], [0, 0, 0, 1, 0], [1] * 4, [0, 0, 0, 1]),
        # the last step has nothing after it, whether an episode ends or not
        ([1, 0], [0, 0, 1], [1, 1], [1, 0]),
        # what counts nothing is no reason
        ([1, 1, 1, 1], [0] * 5, [1, 1, 0, 0], [1, 1, 0, 0]),
    ],
)
def test_steps_up_to_the_last_choice_of_an_episode(chooses, begins, counts, expected):
    counts = jnp.asarray(counts, jnp.float32)[:, None, None]
    assert choosing(window(chooses, begins), counts)[:, 0, 0].tolist() == [bool(one) for one in expected]


@cache
def held(method, task="smacv2_5_units", updates=3, **learner):
    """An algorithm, its state, and what an update of it holds fixed."""
    job = plan.job(PARAMS, "smoke", method, task, (0,))
    job = replace(job, learner=replace(job.learner, rollout_steps=40, **learner))
    trainer = Trainer(job)
    state = trainer.init(jnp.zeros(1, jnp.int32))
    for _ in range(updates):
        state, _ = trainer.update(state)
    state = jax.tree.map(lambda leaf: leaf[0], state)
    rollout = trainer._collect(jax.random.PRNGKey(5), state.learner, state.runner)[1]
    learner, found, _, _ = jax.jit(trainer.algorithm.hold)(jax.random.PRNGKey(6), state.learner, rollout)
    return trainer.algorithm, learner, found


def summed(tiling, params, batch, minibatches, samples):
    """By minibatch: the sums and gradients over its tiles."""

    @jax.jit
    def both():
        tiles = tiling.cut(batch, minibatches)
        return jax.tree.map(
            lambda leaf: leaf.sum(1),
            jax.lax.map(lambda part: jax.lax.map(lambda tile: tiling.gradient(params, tile, samples), part), tiles),
        )

    return both()


@pytest.mark.parametrize(
    ("method", "minibatches", "learner"),
    [
        ("mappo", 1, {}),
        ("mappo", 4, {}),
        ("gpae_off", 1, {}),  # some of its windows were never written
        ("mappo", 1, {"active_masks": True}),
        ("maca_mappo", 2, {"chunk_steps": 10}),  # in HARL's style
    ],
)
def test_sums_and_gradients_are_those_of_all_steps(method, minibatches, learner, monkeypatch):
    monkeypatch.setattr(descent, "CPU_TILE_ROWS", 8)
    algorithm, state, found = held(method, **learner)
    rng = np.random.default_rng(0)
    drawn = jnp.asarray(rng.normal(size=found.frozen.log_prob.shape), jnp.float32)
    frozen = found.frozen._replace(advantage=drawn, log_prob=found.frozen.log_prob + 0.1 * drawn)
    frozen = frozen._replace(log_prob=jnp.where(has_choice(found.window), frozen.log_prob, found.frozen.log_prob))
    batch, samples = (found.window, frozen), jnp.float32(100)
    rows = rows_of(*batch, minibatches)
    assert rows.steps.size > 1
    assert 0.3 < float(rows.steps.mean()) / len(found.window.reward) < 0.95  # else there would be nothing to leave out
    tilings = by_choosing(algorithm.actor, algorithm.learner), by_environments(algorithm._actor_loss)
    mine, other = (summed(tiling, state.actor.params, batch, minibatches, samples) for tiling in tilings)
    for one, two in zip(jax.tree.leaves(mine), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-5, atol=2e-5 * float(jnp.abs(two).max()))


def test_every_step_is_in_one_row():
    _, _, found = held("mappo")
    window = found.window
    time, agents, environments = window.log_prob.shape
    # a number of its own for every step in place of what was done there
    named = window._replace(action=jnp.arange(time * agents * environments).reshape(window.action.shape))
    rows = rows_of(named, found.frozen, 2)
    assert sorted(np.asarray(rows.action).ravel()) == list(range(time * agents * environments))
    wanted = np.asarray(choosing(window, jnp.ones_like(window.log_prob)))
    assert sorted(np.asarray(rows.action)[np.asarray(rows.frozen.weight) > 0]) == list(np.flatnonzero(wanted))
    environment = np.asarray(rows.action) % environments
    assert (environment[0] < environments // 2).all() and (environment[1] >= environments // 2).all()
