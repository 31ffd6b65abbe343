"""Where the time of one update goes, what the size of a tile does to an epoch, and what is saved by going through the
steps with a choice alone, at the paper's settings."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import products
from benchmarks.products import seconds
from gpae import plan
from gpae.config import Params

TILE_ROWS = (16, 32, 64, 128, 640)


def update_parts(method: str = "gpae_on", task: str = "5m_vs_6m", repeats: int = 3) -> list[dict]:
    """Rows of seconds: a part of an update (ratio: its share), and an epoch by rows a tile (against one)."""
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
    weight, settings = jnp.ones((len(window.reward), 1, window.reward.shape[1])), job.learner

    @jax.jit
    def estimated(window, log_prob, value):
        return estimate(job.method, settings.gamma, settings.lam, window, log_prob, value, weight, None, {})[0]

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
        _row(f"{method}, seconds of {part}", task, job.environments, times, whole, share=True)
        for part, times in taken.items()
    ]
    about, counted = (task, log_prob.size, by_rows[pinned]), (epochs(), networks)
    turns = products.chunks(window, frozen)
    operations, traffic = (count(*counted, turns=turns) for count in (products.operations, products.traffic))
    rows += [
        _rate(f"{method}, GFLOP/s of the epochs against a matrix product", *about, operations, products.rate),
        _rate(f"{method}, GB/s of the epochs' products against a copy", *about, traffic, products.copy_rate),
    ]
    untiled = float(np.median(by_rows[TILE_ROWS[-1]]))
    rows += [
        _row(f"{method}, seconds of {job.learner.epochs} epochs, by rows a tile", task, size, times, untiled)
        for size, times in by_rows.items()
    ]
    return rows


def choices(tasks: tuple[str, ...] = (), method: str = "gpae_on", repeats: int = 5) -> list[dict]:
    """An epoch of the actor through the steps with a choice (ours) and through all (peer), in turn in one process.

    tasks: SMAX's of Table 2 if none are named; on a policy that has not learned yet
    """
    import jax
    import jax.numpy as jnp

    from gpae.algorithms.choosing import by_choosing
    from gpae.algorithms.descent import by_environments, descend
    from gpae.training.update import Trainer

    params = Params(Path("params"))
    tasks = tasks or [name for name in params.experiment("table2").tasks if params.task(name).family == "smax"]
    rows = []
    for task in tasks:
        job = plan.job(params, "paper", method, task, (0,))
        trainer = Trainer(job)
        lane = trainer._apart(trainer.init(jnp.zeros(1, jnp.int32)))[0]
        _, rollout, _, _, key = trainer._roll(lane.key, lane.learner, lane.runner)
        learner, held, _, _ = trainer._hold(key, lane.learner, rollout)
        algorithm, batch = trainer.algorithm, (held.window, held.frozen)
        ways = by_choosing(algorithm.actor, job.learner), by_environments(algorithm._actor_loss)
        once = {"epochs": 1, "minibatches": 1}
        runs = [jax.jit(partial(descend, way, algorithm.optimisers["actor"], **once)) for way in ways]
        calls = [partial(run, learner.actor, key, batch) for run in runs]
        pairs = np.array([[seconds(call, 1)[0] for call in calls] for _ in range(repeats)])
        ratios = pairs[:, 1] / pairs[:, 0]
        ours, peer = held.window.log_prob.size / np.median(pairs, axis=0)
        rows.append(
            {
                "benchmark": "the actor's epochs by steps with a choice against all, samples a second",
                "task": task,
                "size": job.learner.environments,
                "ours": float(ours),
                "peer": float(peer),
                "ratio": float(np.median(ratios)),
                "repeats": repeats,
                "spread": float((ratios.max() - ratios.min()) / np.median(ratios)),
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def _rate(benchmark: str, task: str, size: int, times: list[float], amount: float, best: Callable) -> dict:
    """What so many operations or bytes in this time are a second, in billions, against the best of the device."""
    peak = best(len(times)) / 1e9
    row = _row(benchmark, task, size, times, peak)
    ours = amount / row["ours"] / 1e9
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
