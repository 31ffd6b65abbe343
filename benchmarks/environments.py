"""Environment steps per second of our SMAX and of JaxMARL's, side by side in one process.

Both run the same loop with one thread: random available actions, automatic reset, observations, the critic's state and
availability computed in every step and carried to the next. Compilation is not counted. Repeats alternate, so that what
else the machine does falls on both; a ratio is the median of the repeats' ratios.
"""

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario

from gpae.environments.smax import SMAX

TASKS = ("3m", "5m_vs_6m", "10m_vs_11m", "3s5z_vs_3s6z", "6h_vs_8z", "smacv2_5_units", "smacv2_10_units")
SIZES = (16, 128, 512)


def random_action(key: jax.Array, available: jax.Array) -> jax.Array:
    """A uniform choice among the available actions; available: [N, B, A]; int32 [N, B]."""
    actions = available.shape[-1]
    up_to = available.astype(jnp.float32) @ np.triu(np.ones((actions, actions), np.float32))
    rank = jnp.floor(jax.random.uniform(key, available.shape[:-1]) * up_to[..., -1]) + 1
    return jnp.sum(up_to < rank[..., None], axis=-1, dtype=jnp.int32)


def ours(task: str, size: int):
    """(run, carry): run(key, carry, steps) -> carry steps `size` environments."""
    env = SMAX(task)

    def step(carry, key):
        state, view = carry
        action_key, step_key = jax.random.split(key)
        state, after = env.step(step_key, state, random_action(action_key, view.available))
        return (state, after.view), None

    carry = jax.jit(env.reset, static_argnums=1)(jax.random.PRNGKey(0), size)
    return _loop(step), carry


def peer(task: str, size: int):
    """The same of JaxMARL's environment."""
    env = HeuristicEnemySMAX(scenario=map_name_to_scenario(task), see_enemy_actions=True, walls_cause_death=True)

    def step(carry, key):
        state, _ = carry
        action_key, step_key = jax.random.split(key)
        available = jax.vmap(env.get_avail_actions)(state)
        action = random_action(action_key, jnp.stack([available[agent] for agent in env.agents]))
        action = {agent: action[i] for i, agent in enumerate(env.agents)}
        view, state, *_ = jax.vmap(env.step)(jax.random.split(step_key, size), state, action)
        return (state, view), None

    view, state = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.PRNGKey(0), size))
    return _loop(step), jax.tree.map(lambda leaf: leaf + jnp.zeros_like(leaf), (state, view))


def _loop(step):
    def run(key, carry, steps):
        return jax.lax.scan(step, carry, jax.random.split(key, steps))[0]

    return jax.jit(run, static_argnums=2)


def _seconds(run, carry, steps):
    start = time.perf_counter()
    jax.block_until_ready(run(jax.random.PRNGKey(1), carry, steps))
    return time.perf_counter() - start


def environment_speed(
    tasks: tuple[str, ...] = TASKS, sizes: tuple[int, ...] = SIZES, repeats: int = 5, seconds: float = 0.5
) -> list[dict]:
    """Rows of benchmark, task, size, ours and peer (median environment steps/s), ratio, repeats, spread.

    repeats: how often each is measured; seconds: about how long each measurement takes
    spread: the range of the repeats' ratios as a share of their median
    """
    rows = []
    for task in tasks:
        for size in sizes:
            sides = []
            for run, carry in (ours(task, size), peer(task, size)):
                _seconds(run, carry, 4)
                steps = max(4, round(4 * seconds / _seconds(run, carry, 4)))
                _seconds(run, carry, steps)
                sides.append((run, carry, steps))
            speeds = np.array([[size * n / _seconds(run, carry, n) for run, carry, n in sides] for _ in range(repeats)])
            ratios = speeds[:, 0] / speeds[:, 1]
            ratio = statistics.median(ratios)
            rows.append(
                {
                    "benchmark": "environment",
                    "task": task,
                    "size": size,
                    "ours": float(np.median(speeds[:, 0])),
                    "peer": float(np.median(speeds[:, 1])),
                    "ratio": float(ratio),
                    "repeats": repeats,
                    "spread": float((ratios.max() - ratios.min()) / ratio),
                }
            )
    return rows
