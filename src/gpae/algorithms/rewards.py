"""DAE's model of the team's reward: what it expects of an agent's own action, and how it is fitted."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from gpae.algorithms.descent import Trained
from gpae.algorithms.window import Window
from gpae.environments.base import Discrete, Spec
from gpae.networks.policies import Policy, action_features
from gpae.networks.reward_model import RewardModel


def expected(
    model: RewardModel, params: Any, key: jax.Array, samples: int, spec: Spec, window: Window, policies: Policy
) -> jax.Array:
    """E_{a^i ~ pi^i}[r(s, a^i, a^{-i})], [T, N, B]: exact for discrete actions, from `samples` draws for continuous."""
    agents, size = len(spec.agents), spec.actions.size
    state, available = window.view.state[:-1], window.view.available[:-1]
    if isinstance(spec.actions, Discrete):
        own = jnp.broadcast_to(jnp.eye(size)[:, None, None, None], (size, 1, agents, 1, size))
        weights = jnp.moveaxis(policies.features(), -1, 0)
    else:
        draws = jax.vmap(policies.sample)(jax.random.split(key, samples))
        own, weights = action_features(draws, available), jnp.float32(1 / samples)
    taken = action_features(window.action, available)
    return jnp.sum(weights * model.apply(params, state, taken, own, method=RewardModel.exchanged), axis=0)


def fit(
    model: RewardModel,
    optimiser: optax.GradientTransformation,
    trained: Trained,
    window: Window,
    weight: jax.Array,
    steps: int,
) -> tuple[Trained, dict[str, jax.Array]]:
    """`steps` gradient steps on the squared error, each on the whole batch; weight: [T, B], what a step counts."""
    actions = action_features(window.action, window.view.available[:-1])

    def loss(params):
        error = model.apply(params, window.view.state[:-1], actions) - window.reward
        return jnp.average(error**2, weights=weight)

    def step(trained, _):
        error, gradients = jax.value_and_grad(loss)(trained.params)
        updates, state = optimiser.update(gradients, trained.optimiser, trained.params)
        return Trained(optax.apply_updates(trained.params, updates), state), error

    trained, errors = jax.lax.scan(step, trained, length=steps)
    return trained, {"reward_model_loss": jnp.mean(errors)}
