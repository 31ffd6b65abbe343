"""Every learner learns a real task: SMAX-3m at small scale, where a random policy wins nothing."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from gpae import plan
from gpae.config import Params
from gpae.training.update import Trainer

PARAMS = Params(Path(__file__).parents[2] / "params")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mappo", "gpae_on", "gpae_off"])
def test_wins_become_frequent(method):
    job = plan.job(PARAMS, "quick", method, "3m", (0,))
    rates = first_and_last(job, 100_000 // job.steps_per_update)
    assert rates[0] < 0.2 and rates[1] > 0.3, rates


@pytest.mark.slow
@pytest.mark.parametrize("method", ["iql", "vdn", "qmix"])
def test_values_win_too(method):
    """The paper's settings take 65,536 steps to begin; these take many small gradient steps from early on."""
    job = plan.job(PARAMS, "paper", method, "3m", (0,))
    learner = replace(
        job.learner,
        environments=8,
        rollout_steps=64,
        buffer_windows=800,
        batch_size=8,
        epochs=16,
        learning_rate=1e-3,
        learning_starts=4096,
        epsilon_fraction=0.3,
        mixer_embedding=32,
        hypernet_width=64,
    )
    network = replace(job.network, width=32, layer_norm=True)
    steps = 61_440
    job = replace(job, learner=learner, network=network, total_steps=steps, evaluation_interval=steps)
    rates = first_and_last(job, job.updates)
    assert rates[0] < 0.1 and rates[1] > 0.2, rates  # with the exploration of one action in twenty


@pytest.mark.slow
def test_dop_wins_too():
    """From old windows and new ones; without memory, which costs most of the time and 3m does not need."""
    job = plan.job(PARAMS, "paper", "dop", "3m", (0,))
    learner = replace(
        job.learner,
        environments=8,
        rollout_steps=32,
        buffer_windows=2000,
        batch_size=16,
        learning_rate=1e-3,
        critic_learning_rate=1e-3,
        target_update_interval=10,
        mixer_embedding=16,
        epsilon_start=0.3,
    )
    network, steps = replace(job.network, width=64, recurrent=False), 76_800
    job = replace(job, learner=learner, network=network, total_steps=steps, evaluation_interval=steps)
    rates = first_and_last(job, job.updates)
    assert rates[0] < 0.05 and rates[1] > 0.2, rates


@pytest.mark.parametrize("method", ["asae", pytest.param("maca", marks=pytest.mark.slow)])
def test_particles_spread(method):
    """The agents of simple_spread come nearer to the landmarks, and collide less, than those that begin at random."""
    job = plan.job(PARAMS, "paper", method, "spread_3", (0,))
    rates = {"learning_rate": 2e-3, "critic_learning_rate": 5e-3, "value_normalisation": True}
    learner = replace(job.learner, environments=32, rollout_steps=50, epochs=4, chunk_steps=0, **rates)
    network = replace(job.network, width=32, layers=2, recurrent=False, critic_scale=1)
    environment = job.environment | {"episode_length": 25}
    steps = 96_000
    budget = {"total_steps": steps, "evaluation_interval": steps}
    job = replace(job, learner=learner, network=network, environment=environment, **budget)
    returns = first_and_last(job, job.updates, "episode_return")
    assert returns[0] < -74 and returns[1] > -73 and returns[1] > returns[0] + 3, returns


def first_and_last(job, updates, name="episode_won"):
    """The mean over episodes of what they end with, in the first and in the last tenth of a training of one seed."""
    trainer = Trainer(job)
    state = trainer.init(jnp.zeros(1, jnp.int32))
    seen = []
    for _ in range(updates):
        state, metrics = trainer.update(state)
        seen.append(metrics)
    found, episodes = (jnp.stack([row[each][0] for row in seen]) for each in (name, "episodes"))
    tenth = updates // 10
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(trainer.algorithm.networks(state.learner)))
    return [float(found[part].sum() / episodes[part].sum()) for part in (slice(tenth), slice(-tenth, None))]
