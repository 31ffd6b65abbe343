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


def first_and_last(job, updates):
    """The share of won episodes in the first and in the last tenth of a training of one seed."""
    trainer = Trainer(job)
    state = trainer.init(jnp.zeros(1, jnp.int32))
    seen = []
    for _ in range(updates):
        state, metrics = trainer.update(state)
        seen.append(metrics)
    won, episodes = (jnp.stack([row[name][0] for row in seen]) for name in ("episode_won", "episodes"))
    tenth = updates // 10
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(trainer.algorithm.networks(state.learner)))
    return [float(won[part].sum() / episodes[part].sum()) for part in (slice(tenth), slice(-tenth, None))]
