"""Windows of random numbers, for what must hold of any: no environment has to be compiled for them."""

import jax
import jax.numpy as jnp
import numpy as np

from gpae.algorithms.window import Rollout, Window
from gpae.environments.base import Spec, View


def window(spec: Spec, steps: int, batch: int, width: int, critic_width: int | None = None, seed: int = 0) -> Window:
    """Discrete actions; one action in five steps is all that an agent has, as if it were dead."""
    rng = np.random.default_rng(seed)
    agents, actions = len(spec.agents), spec.actions.size

    def normal(*shape):
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    dead = rng.random((steps + 1, agents, batch)) < 0.2
    only = np.arange(actions) == 0
    action = np.where(dead[:-1], 0, rng.integers(actions, size=(steps, agents, batch)))
    return Window(
        view=View(
            normal(steps + 1, agents, batch, spec.observation_size),
            normal(steps + 1, batch, spec.state_size),
            jnp.asarray(np.where(dead[..., None], only, True)),
        ),
        begins=jnp.asarray(rng.random((steps + 1, batch)) < 0.2),
        action=jnp.asarray(action, jnp.int32),
        log_prob=normal(steps, agents, batch),
        reward=normal(steps, batch),
        done=jnp.asarray(rng.random((steps, batch)) < 0.2),
        truncated=jnp.zeros((steps, batch), bool),
        disturbance=None,
        actor_hidden=normal(agents, batch, width),
        critic_hidden=normal(agents, batch, width if critic_width is None else critic_width),
    )


def rollout(algorithm, params, steps: int, batch: int, seed: int = 0) -> Rollout:
    """What an actor could have collected: the window's log probabilities are its own."""
    sizes = algorithm.hidden_size, algorithm.critic_hidden_size
    made = window(algorithm.spec, steps, batch, *sizes, seed=seed)
    policies = jax.jit(lambda params: algorithm._unrolled(params, made, slice(None))[0])(params)
    log_prob = jax.tree.map(lambda leaf: leaf[:-1], policies).log_prob(made.action)
    # as if every episode had begun with the window
    episodes = {"episodes": made.done.sum().astype(jnp.float32), "episode_return": made.reward.sum()}
    return Rollout(made._replace(log_prob=log_prob), policies, None, episodes)
