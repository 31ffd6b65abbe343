"""One side of a comparison of training speeds, in a process of its own that `in_process` starts and reads.

Ours runs under `gpae.runtime` with a thread a core, as `gpae train` does; JaxMARL's script
(baselines/MAPPO/mappo_rnn_smax.py of tag v0.1.0, unchanged, with logging left out) under XLA's defaults, which are all
cores. The script is not part of this repository: name a checkout of FLAIROx/JaxMARL in JAXMARL_CHECKOUT. Compilation is
not counted.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from gpae import plan, runtime
from gpae.config import Network, Params

SCRIPT = "baselines/MAPPO/mappo_rnn_smax.py"


def job_of(task: str, method: str = "mappo") -> plan.Job:
    """The paper's settings on the network of JaxMARL's script: dense, GRU, dense, no LayerNorm."""
    job = plan.job(Params(Path("params")), "paper", method, task, (0,))
    network = Network(width=128, layers=1, recurrent=True, layer_norm=False, head_layers=1)
    return replace(job, network=network)


def _peer(task: str, updates: int):
    """A compiled call of the script's training of `updates` updates."""
    import importlib.util
    from types import ModuleType

    import jax

    for name in ("wandb", "hydra", "omegaconf"):  # logging and command line, which are not measured
        sys.modules[name] = ModuleType(name)
    sys.modules["wandb"].log = lambda *_: None
    sys.modules["hydra"].main = lambda **_: lambda function: function
    sys.modules["omegaconf"].DictConfig = sys.modules["omegaconf"].OmegaConf = dict
    where = Path(os.environ["JAXMARL_CHECKOUT"]) / SCRIPT
    spec = importlib.util.spec_from_file_location("peer", where)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    learner = job_of(task).learner
    config = {
        "LR": learner.learning_rate,
        "NUM_ENVS": learner.environments,
        "NUM_STEPS": learner.rollout_steps,
        "TOTAL_TIMESTEPS": updates * learner.environments * learner.rollout_steps,
        "FC_DIM_SIZE": 128,
        "GRU_HIDDEN_DIM": 128,
        "UPDATE_EPOCHS": learner.epochs,
        "NUM_MINIBATCHES": learner.minibatches,
        "GAMMA": learner.gamma,
        "GAE_LAMBDA": learner.lam,
        "CLIP_EPS": learner.clip,
        "SCALE_CLIP_EPS": False,
        "ENT_COEF": learner.entropy_coefficient,
        "VF_COEF": learner.value_coefficient,
        "MAX_GRAD_NORM": learner.max_gradient_norm,
        "OBS_WITH_AGENT_ID": True,
        "MAP_NAME": task,
        "ENV_KWARGS": {"see_enemy_actions": True, "walls_cause_death": True, "attack_mode": "closest"},
        "ANNEAL_LR": True,
    }
    train = jax.jit(script.make_train(config)).lower(jax.random.PRNGKey(0)).compile()
    return lambda: jax.block_until_ready(train(jax.random.PRNGKey(0)))


def _training(job: plan.Job, threads: int):
    """A compiled call that goes on training for a number of updates."""
    import jax
    import jax.numpy as jnp

    from gpae.training.update import Trainer

    trainer = Trainer(job, threads)
    state, _ = trainer.update(trainer.init(jnp.asarray(job.seeds, jnp.int32)))

    def run(updates: int):
        nonlocal state
        for _ in range(updates):
            state, _ = trainer.update(state)
        jax.block_until_ready(state)

    return run


def _timed(run, updates: int) -> dict[str, float]:
    """Seconds of wall clock and of processor time an update."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": wall / updates, "cpu": cpu / updates}


def _measured(run, updates: int) -> dict[str, float]:
    """`_timed`, and the peak memory in MiB of this process, or of its accelerator."""
    from gpae.results.provenance import peak_memory

    taken = _timed(run, updates)
    return taken | {"memory": peak_memory() / 2**20}


def peer(request: dict) -> dict[str, float]:
    """JaxMARL's script. request: task, updates."""
    return _measured(_peer(request["task"], request["updates"]), request["updates"])


def ours(request: dict) -> dict[str, float]:
    """This learner.

    request: task, updates and, where they are not the script's: method, network, learner, changes of the method, seeds,
        threads
    """
    job = job_of(request["task"], request.get("method", "mappo"))
    job = replace(
        job,
        network=Network(**request["network"]) if "network" in request else job.network,
        learner=replace(job.learner, **request.get("learner", {})),
        method=replace(job.method, **request.get("changes", {})),
        seeds=tuple(range(request.get("seeds", 1))),
    )
    updates = request["updates"]
    return _measured(partial(_training(job, request.get("threads", 1)), updates), updates)


def methods(request: dict) -> list[list[dict[str, float]]]:
    """Two methods with the paper's settings in turn in this one process: a pair a repeat.

    request: task, methods, repeats, seconds that a repeat of a method takes at least
    """
    jobs = [plan.job(Params(Path("params")), "paper", method, request["task"], (0,)) for method in request["methods"]]
    runs = [_training(job, 1) for job in jobs]
    updates = math.ceil(request["seconds"] / _timed(partial(runs[0], 1), 1)["wall"])
    return [[_timed(partial(run, updates), updates) for run in runs] for _ in range(request["repeats"])]


def limit(request: dict) -> dict[str, float]:
    """Processor seconds of the matrix products alone of an update of ours, at the rate of one large product.

    request: task
    """
    import jax.numpy as jnp

    from benchmarks import products
    from gpae.training.update import Trainer

    job = job_of(request["task"])
    trainer = Trainer(job)
    lane = trainer._apart(trainer.init(jnp.asarray(job.seeds, jnp.int32)))[0]
    rolling = lane.key, lane.learner, lane.runner
    _, rollout, _, _, learn_key = trainer._roll(*rolling)
    holding = learn_key, lane.learner, rollout
    total = products.operations(trainer._roll, *rolling) + products.operations(trainer._hold, *holding)
    learner, held, *_ = trainer._hold(*holding)
    turns = products.chunks(held.window, held.frozen)
    total += sum(products.operations(fit, learner, held, turns=turns) for fit in trainer._fits.values())
    return {"cpu": total / products.rate(repeats=3)}


MEASUREMENTS: dict[str, Callable] = {"peer": peer, "ours": ours, "methods": methods, "limit": limit}


def in_process(side: str, request: dict):
    """One of MEASUREMENTS in a process of its own, under its own settings. Raises RuntimeError where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in runtime.settings(1)}
    command = [sys.executable, "-m", "benchmarks.sides", side, json.dumps(request)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    side, asked = sys.argv[1:]
    if side != "peer":
        runtime.prepare(job_of("3m").cores)
    print(json.dumps(MEASUREMENTS[side](json.loads(asked))))
