"""The motivation experiment's irregularity: now and then one agent's action is replaced by "stop" (Section 3.1)."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gpae.environments.base import Disturbance, Environment, Interruption, State, Step, View
from gpae.environments.smax.rules import STOP


class Stopping:
    """A SMAX environment in which, with `probability` a step, an agent drawn at random stops instead of what it chose.

    A learner learns from the actions that were executed, with the probability at which they were: by the policy or by
    the task (`networks.policies.Categorical.interrupted`).
    """

    def __init__(self, environment: Environment, probability: float):
        self.environment, self.probability = environment, probability
        chance = probability / len(environment.spec.agents)
        self.spec = replace(environment.spec, interruption=Interruption(STOP, chance))

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        """As the environment's own."""
        return self.environment.reset(key, batch)

    def view(self, state: State) -> View:
        """As the environment's own."""
        return self.environment.view(state)

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        """action: int32 [N, B], as the agents chose it."""
        agents, batch = action.shape
        step_key, agent_key, coin_key = jax.random.split(key, 3)
        agent = jax.random.randint(agent_key, (batch,), 0, agents, jnp.int32)
        replaced = jax.random.bernoulli(coin_key, self.probability, (batch,))
        executed = jnp.where((jnp.arange(agents)[:, None] == agent) & replaced, STOP, action)
        state, step = self.environment.step(step_key, state, executed)
        return state, step._replace(disturbance=Disturbance(agent, replaced), executed=executed)
