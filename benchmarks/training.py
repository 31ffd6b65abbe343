"""Training speed: MAPPO here against JaxMARL's own script, GPAE's estimator against GAE's, and what sizes cost.

Sides are measured in turn, each in processes of its own as its users run it (`benchmarks.sides`). Two methods of ours
are measured in turn in one process instead: what differs between them is less than what differs between processes.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.sides import in_process, job_of
from gpae import plan, runtime
from gpae.config import Params

TASKS = ("3m", "5m_vs_6m", "10m_vs_11m")
UNITS = {"wall": "steps/s", "cpu": "steps per CPU second", "memory": "peak MiB"}


def _compare(benchmark: str, task: str, size: int, steps: tuple[int, int], pairs: list) -> list[dict]:
    """Rows of pairs of measurements; steps: environment steps of an update of each side, all seeds together."""
    rows = []
    for name in pairs[0][0]:
        values = np.array([[side[name] for side in pair] for pair in pairs])
        shown = values if name == "memory" else np.array(steps) / values
        ratios = shown[:, 0] / shown[:, 1]
        ratio = float(np.median(ratios))
        rows.append(
            {
                "benchmark": f"{benchmark}, {UNITS[name]}",
                "task": task,
                "size": size,
                "ours": float(np.median(shown[:, 0])),
                "peer": float(np.median(shown[:, 1])),
                "ratio": ratio,
                "repeats": len(pairs),
                "spread": float((ratios.max() - ratios.min()) / ratio),
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def training_speed(tasks: tuple[str, ...] = TASKS, repeats: int = 2, updates: int = 2) -> list[dict]:
    """MAPPO here against JaxMARL's script, and what its matrix products alone would allow; size: environments."""
    rows = []
    for task in tasks:
        job, request = job_of(task), {"task": task, "updates": updates, "threads": runtime.cores()}
        sides = [("ours", request), ("peer", request), ("limit", request)]
        steps = (job.steps_per_update,) * 2
        measured = [[in_process(*side) for side in sides] for _ in range(repeats)]
        about = task, job.learner.environments, steps
        rows += _compare("MAPPO against JaxMARL's", *about, [pair for *pair, _ in measured])
        limits = [[limit, {"cpu": peer["cpu"]}] for _, peer, limit in measured]
        rows += _compare("MAPPO's matrix products alone against JaxMARL's", *about, limits)
    return rows


def _workers() -> int:
    """Measurements at the same time: one a core, on an accelerator one by one."""
    import jax

    return runtime.cores() if jax.default_backend() == "cpu" else 1


def estimator_speed(tasks: tuple[str, ...] = (), repeats: int = 6, seconds: float = 5) -> list[dict]:
    """GPAE (on) against MAPPO in this learner, on the tasks of Table 2 if none are named.

    The paper says that it takes at most 6% more time.

    A core measures a task with one thread, all cores at the same time: both methods of a task have the same neighbours.
    On an accelerator one task is measured after the other.
    Of six repeats the least and the largest ratio hold the median between them with 97% confidence.
    """
    params = Params(Path("params"))
    tasks = tasks or params.experiment("table2").tasks
    asked = [{"task": task, "methods": ["gpae_on", "mappo"], "repeats": repeats, "seconds": seconds} for task in tasks]
    rows = []
    with ThreadPoolExecutor(_workers()) as pool:
        for task, pairs in zip(tasks, pool.map(partial(in_process, "methods"), asked), strict=True):
            job = plan.job(params, "paper", "mappo", task, (0,))
            steps = (job.steps_per_update,) * 2
            rows += _compare("GPAE (on) against MAPPO", task, job.learner.environments, steps, pairs)
    return rows


def scaling(repeats: int = 1, updates: int = 2) -> list[dict]:
    """GPAE (on) with one thing changed, against 5m_vs_6m with 128 environments, one seed and no reuse.

    As in `estimator_speed` a core measures a change with one thread, all cores at the same time.
    """
    network = asdict(plan.job(Params(Path("params")), "paper", "mappo", "5m_vs_6m", (0,)).network)
    base = {"task": "5m_vs_6m", "updates": updates, "network": network, "method": "gpae_on"}
    changes = [("agents", n, {"task": task}, 128) for task, n in (("3m", 3), ("10m_vs_11m", 10))]
    changes += [("environments", n, {"learner": {"environments": n}}, n) for n in (32, 512)]
    changes += [("seeds", n, {"seeds": n}, 128 * n) for n in (2,)]
    changes += [("reuse", n, {"changes": {"replay_windows": n, "trace": "dt"}}, 128 // n) for n in (2, 4)]

    def measured(change):
        return [[in_process("ours", request) for request in (base | change[2], base)] for _ in range(repeats)]

    rows = []
    with ThreadPoolExecutor(_workers()) as pool:
        found = list(pool.map(measured, changes))
    for (name, size, change, environments), pairs in zip(changes, found, strict=True):
        steps = tuple(128 * count for count in (environments, 128))
        rows += _compare(f"cost of {name}", change.get("task", "5m_vs_6m"), size, steps, pairs)
    return rows
