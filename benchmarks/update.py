"""Where the time of one update goes, and what the size of a tile does to an epoch, at the paper's settings."""

from pathlib import Path

import numpy as np

from benchmarks import products
from benchmarks.products import seconds
from gpae import plan
from gpae.config import Params

TILE_ROWS = (16, 32, 64, 128, 640)


def update_parts(method: str = "gpae_on", task: str = "5m_vs_6m", repeats: int = 3) -> list[dict]:
    """Rows of processor seconds: a part of an update (ratio: its share), and an epoch by rows a tile (against one)."""
    import jax
    import jax.numpy as jnp

    from gpae.algorithms import descent
    from gpae.algorithms.estimation import estimate
    from gpae.algorithms.window import Frozen
    from gpae.training.update import Trainer

    job = plan.job(Params(Path("params")), "paper", method, task, (0,))
    trainer = Trainer(job)
    algorithm, key = trainer.algorithm, jax.random.PRNGKey(1)
    state = jax.tree.map(lambda leaf: leaf[0], trainer.init(jnp.zeros(1, jnp.int32)))
    learner = state.learner
    collect = trainer._collect
    rollout = collect(key, learner, state.runner)[1]
    window = rollout.window

    @jax.jit
    def freeze(window, policies):
        taken = jax.tree.map(lambda leaf: leaf[:-1], policies)
        value = algorithm.critic.judge(key, learner.critic.params, window, policies).value
        return taken.features(), taken.log_prob(window.action), value

    features, log_prob, value = freeze(window, rollout.policies)
    filled, settings = jnp.ones(window.reward.shape[1], bool), job.learner

    @jax.jit
    def estimated(window, log_prob, value):
        return estimate(job.method, settings.gamma, settings.lam, window, log_prob, value, filled, None, {})[0]

    found = estimated(window, log_prob, value)
    frozen = Frozen(log_prob, features, value[:-1], found.advantage, found.target, found.weight)

    def epochs():
        def both(networks):
            named = zip(("actor", "critic"), networks, strict=True)
            return [algorithm._descend(name, trained, key, (window, frozen))[0] for name, trained in named]

        return jax.jit(both)

    taken = {
        "rollout": seconds(lambda: collect(key, learner, state.runner), repeats),
        "values and policies": seconds(lambda: freeze(window, rollout.policies), repeats),
        "advantages": seconds(lambda: estimated(window, log_prob, value), repeats),
    }
    networks, pinned = (learner.actor, learner.critic), descent.CPU_TILE_ROWS
    by_rows = {}
    for rows in TILE_ROWS:
        descent.CPU_TILE_ROWS = rows
        run = epochs()
        by_rows[rows] = seconds(lambda: run(networks), repeats)  # noqa: B023
    descent.CPU_TILE_ROWS = pinned
    taken["epochs"] = by_rows[pinned]
    whole = sum(np.median(part) for part in taken.values())
    rows = [
        _row(f"{method}, CPU seconds of {part}", task, job.environments, times, whole, share=True)
        for part, times in taken.items()
    ]
    operations = products.operations(run, networks, turns=products.chunks(window, frozen))
    rows.append(_rate(method, task, operations, log_prob.size, by_rows[pinned], repeats))
    untiled = float(np.median(by_rows[TILE_ROWS[-1]]))
    rows += [
        _row(f"{method}, CPU seconds of {job.learner.epochs} epochs, by rows a tile", task, size, times, untiled)
        for size, times in by_rows.items()
    ]
    return rows


def _rate(method, task, operations: float, samples: int, times: list[float], repeats: int) -> dict:
    """GFLOP/s of the epochs' matrix products against those of one large product."""
    peak = products.rate(repeats) / 1e9
    row = _row(f"{method}, GFLOP/s of the epochs against a matrix product", task, samples, times, peak)
    ours = operations / row["ours"] / 1e9
    return row | {"ours": ours, "ratio": ours / peak}


def _row(benchmark: str, task: str, size: int, times: list[float], peer: float, share: bool = False) -> dict:
    ours = float(np.median(times))
    return {
        "benchmark": benchmark,
        "task": task,
        "size": size,
        "ours": ours,
        "peer": float(peer),
        "ratio": float(ours / peer if share else peer / ours),
        "repeats": len(times),
        "spread": (max(times) - min(times)) / ours,
    }
