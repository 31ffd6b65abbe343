"""What trainings took, by their files' provenance: environment steps a second, and memory.

Speed has compile time in it, and whatever else the machine did meanwhile; `python -m benchmarks` compares speeds.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from gpae.plan import Job

QUANTITIES = ("steps_per_second", "peak_memory_gb")


def of_jobs(jobs: Iterable[Job], origins: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """As `aggregate.over_training`, QUANTITIES that belong to a job as a whole: each of its seeds has the same.

    origins: {evaluation Parquet: its provenance}; what a file does not say has no row
    """
    found = []
    for job in jobs:
        training = origins.get(job.evaluation.as_posix(), {}).get("training") or {}
        seconds, memory = training.get("wall_seconds"), training.get("peak_memory_bytes")
        steps = job.updates * job.steps_per_update
        values = (steps * len(job.seeds) / seconds if seconds else None, memory / 1e9 if memory else None)
        for quantity, value in zip(QUANTITIES, values, strict=True):
            if value is not None:
                found += [(job.task_name, job.method_name, quantity, seed, value, steps) for seed in job.seeds]
    return pd.DataFrame(found, columns=["task", "method", "quantity", "seed", "value", "env_steps"])
