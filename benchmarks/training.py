"""Training speed of our MAPPO and of JaxMARL's own script, with the same hyperparameters and the same network.

Each side runs in processes of its own, in turn, as its users run it: ours under `gpae.runtime` with a thread a core, as
`gpae train` does, JaxMARL's script (baselines/MAPPO/mappo_rnn_smax.py of tag v0.1.0, unchanged, with logging left out)
under XLA's defaults, which are all cores. Compilation is not counted. The script is not part of this repository: name a
checkout of FLAIROx/JaxMARL in JAXMARL_CHECKOUT.
"""

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from gpae import plan, runtime
from gpae.config import Network, Params

TASKS = ("3m", "5m_vs_6m", "10m_vs_11m")
SCRIPT = "baselines/MAPPO/mappo_rnn_smax.py"


def _job(task: str, method: str = "mappo") -> plan.Job:
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
    learner = _job(task).learner
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


def _ours(job: plan.Job, updates: int, threads: int):
    import jax
    import jax.numpy as jnp

    from gpae.training.update import Trainer

    trainer = Trainer(job, threads)
    seeds = jnp.asarray(job.seeds, jnp.int32)
    trainer.update(trainer.init(seeds))  # compiles

    def run():
        state = trainer.init(seeds)
        for _ in range(updates):
            state, metrics = trainer.update(state)
        jax.block_until_ready(metrics)

    return run


def measure(side: str, request: dict) -> dict[str, float]:
    """Seconds of wall clock and of processor time an update, in this process; peak memory in MiB."""
    updates = request["updates"]
    if side == "peer":
        run = _peer(request["task"], updates)
    else:
        job = _job(request["task"], request.get("method", "mappo"))
        job = replace(
            job,
            network=Network(**request["network"]) if "network" in request else job.network,
            learner=replace(job.learner, **request.get("learner", {})),
            method=replace(job.method, **request.get("changes", {})),
            seeds=tuple(range(request.get("seeds", 1))),
        )
        run = _ours(job, updates, request.get("threads", 1))
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": wall / updates, "cpu": cpu / updates, "memory": memory}


def in_process(side: str, request: dict) -> dict[str, float]:
    """`measure` in a process of its own, whose environment is not this one's."""
    environment = {name: value for name, value in os.environ.items() if name not in runtime.settings(1)}
    command = [sys.executable, "-m", "benchmarks.training", side, json.dumps(request)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


SIDES = {"wall": "steps/s", "cpu": "steps per CPU second", "memory": "peak MiB"}


def _compare(benchmark: str, task: str, size: int, steps: tuple[int, int], sides, repeats: int) -> list[dict]:
    """Rows of two requests measured in turn; steps: environment steps of an update of each, all seeds together."""
    pairs = [[in_process(*side) for side in sides] for _ in range(repeats)]
    rows = []
    for name, unit in SIDES.items():
        values = np.array([[side[name] for side in pair] for pair in pairs])
        shown = values if name == "memory" else np.array(steps) / values
        ratios = shown[:, 0] / shown[:, 1]
        ratio = float(np.median(ratios))
        rows.append(
            {
                "benchmark": f"{benchmark}, {unit}",
                "task": task,
                "size": size,
                "ours": float(np.median(shown[:, 0])),
                "peer": float(np.median(shown[:, 1])),
                "ratio": ratio,
                "repeats": repeats,
                "spread": float((ratios.max() - ratios.min()) / ratio),
            }
        )
    return rows


def training_speed(tasks: tuple[str, ...] = TASKS, repeats: int = 2, updates: int = 2) -> list[dict]:
    """MAPPO here against JaxMARL's script; size: environments."""
    rows = []
    for task in tasks:
        job, request = _job(task), {"task": task, "updates": updates, "threads": runtime.cores()}
        sides = [("ours", request), ("peer", request)]
        steps = (job.steps_per_update,) * 2
        rows += _compare("MAPPO against JaxMARL's", task, job.learner.environments, steps, sides, repeats)
    return rows


def estimator_speed(task: str = "5m_vs_6m", repeats: int = 3, updates: int = 3) -> list[dict]:
    """GPAE (on) against MAPPO in this learner with the paper's network: the paper says at most 6% more time."""
    job = plan.job(Params(Path("params")), "paper", "mappo", task, (0,))
    request = {"task": task, "updates": updates, "network": asdict(job.network)}
    sides = [("ours", request | {"method": method}) for method in ("gpae_on", "mappo")]
    steps = (job.steps_per_update,) * 2
    return _compare("GPAE (on) against MAPPO", task, job.learner.environments, steps, sides, repeats)


def scaling(repeats: int = 1, updates: int = 2) -> list[dict]:
    """GPAE (on) with one thing changed, against 5m_vs_6m with 128 environments, one seed and no reuse."""
    network = asdict(plan.job(Params(Path("params")), "paper", "mappo", "5m_vs_6m", (0,)).network)
    base = {"task": "5m_vs_6m", "updates": updates, "network": network, "method": "gpae_on"}
    changes = [("agents", n, {"task": task}, 128) for task, n in (("3m", 3), ("10m_vs_11m", 10))]
    changes += [("environments", n, {"learner": {"environments": n}}, n) for n in (32, 512)]
    changes += [("seeds", n, {"seeds": n}, 128 * n) for n in (2,)]
    changes += [("reuse", n, {"changes": {"replay_windows": n, "trace": "dt"}}, 128 // n) for n in (2, 4)]
    rows = []
    for name, size, change, environments in changes:
        steps = tuple(128 * count for count in (environments, 128))
        sides = [("ours", base | change), ("ours", base)]
        rows += _compare(f"cost of {name}", change.get("task", "5m_vs_6m"), size, steps, sides, repeats)
    return rows


if __name__ == "__main__":
    which, asked = sys.argv[1:]
    if which == "ours":
        runtime.prepare(_job("3m").cores)
    print(json.dumps(measure(which, json.loads(asked))))
