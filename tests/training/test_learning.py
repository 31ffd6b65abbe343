"""Every method learns a real task: SMAX-3m at the quick profile's scale, where a random policy wins nothing."""

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
    trainer = Trainer(job)
    state = trainer.init(jnp.zeros(1, jnp.int32))
    updates = 100_000 // job.steps_per_update
    seen = []
    for _ in range(updates):
        state, metrics = trainer.update(state)
        seen.append(metrics)
    won, episodes = (jnp.stack([row[name][0] for row in seen]) for name in ("episode_won", "episodes"))
    tenth = updates // 10
    rates = [float(won[part].sum() / episodes[part].sum()) for part in (slice(tenth), slice(-tenth, None))]
    assert rates[0] < 0.2 and rates[1] > 0.3, rates
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state.learner.actor.params))
