"""What trainings took, by their files' provenance: environment steps a second, memory, hours; and how many parameters
their critics have.

Speed has compile time in it, and whatever else the machine did meanwhile; `python -m benchmarks` compares speeds.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from gpae.config import PolicyGradientMethod
from gpae.plan import Job

TAKEN = ("steps_per_second", "peak_memory_gb", "training_hours")
PARAMETERS = "critic_parameters"
QUANTITIES = (*TAKEN, PARAMETERS)
COLUMNS = ["task", "method", "quantity", "seed", "value", "env_steps"]


def of_jobs(jobs: Iterable[Job], origins: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """As `aggregate.over_training`, TAKEN, which belong to a job as a whole: each of its seeds has the same.

    origins: {evaluation Parquet: its provenance}; what a file does not say has no row
    """
    found = []
    for job in jobs:
        training = origins.get(job.evaluation.as_posix(), {}).get("training") or {}
        seconds, memory = training.get("wall_seconds"), training.get("peak_memory_bytes")
        steps = job.updates * job.steps_per_update
        speed, hours = (steps * len(job.seeds) / seconds, seconds / 3600) if seconds else (None, None)
        values = (speed, memory / 1e9 if memory else None, hours)
        for quantity, value in zip(TAKEN, values, strict=True):
            if value is not None:
                found += [(job.task_name, job.method_name, quantity, seed, value, steps) for seed in job.seeds]
    return pd.DataFrame(found, columns=COLUMNS)


def of_critics(jobs: Iterable[Job]) -> pd.DataFrame:
    """The same of PARAMETERS, a mixer's among them: from the networks' shapes, whether they are trained or not."""
    found = []
    for job in jobs:
        if isinstance(job.method, PolicyGradientMethod):
            number, steps = float(_parameters(job)), job.updates * job.steps_per_update
            found += [(job.task_name, job.method_name, PARAMETERS, seed, number, steps) for seed in job.seeds]
    return pd.DataFrame(found, columns=COLUMNS)


def _parameters(job: Job) -> int:
    import jax  # which no other table needs

    from gpae.training.update import Trainer

    state = jax.eval_shape(Trainer(job).algorithm.init, jax.random.PRNGKey(0))
    return sum(leaf.size for leaf in jax.tree.leaves(state.critic.params))
