"""The first updates of small trainings, saved once: whatever is made faster must give the same numbers again.

`python tests/training/saved_run.py` writes saved_run.csv anew. That is right only where a change of what is computed
is meant; its commit says which.
"""

from pathlib import Path

import jax.numpy as jnp
import pandas as pd

from gpae import plan
from gpae.config import Params
from gpae.training.update import Trainer

ROOT = Path(__file__).parents[2]
FILE = Path(__file__).with_suffix(".csv")
JOBS = [("mappo", "3m"), ("gpae_off", "3m"), ("dae", "3m"), ("qmix", "3m")]
UPDATES = 6


def run(method: str, task: str) -> pd.DataFrame:
    """A row an update and metric, of one seed under the smoke profile."""
    job = plan.job(Params(ROOT / "params"), "smoke", method, task, (0,))
    trainer = Trainer(job)
    state, rows = trainer.init(jnp.zeros(1, jnp.int32)), []
    for update in range(1, UPDATES + 1):
        state, metrics = trainer.update(state)
        rows += [(method, task, update, name, float(value[0])) for name, value in sorted(metrics.items())]
    return pd.DataFrame(rows, columns=["method", "task", "update", "metric", "value"])


if __name__ == "__main__":
    from gpae import runtime

    runtime.prepare(1)
    pd.concat([run(*job) for job in JOBS]).to_csv(FILE, index=False, float_format="%.9g")
