"""COMA as its paper has it: a pass over the newest windows, a target network, no clipped ratios (Foerster et al. 2018).

"Counterfactual Multi-Agent Policy Gradients", Algorithm 1. The critic learns the value of every own action from
TD(lambda) returns of the target network, with a gradient step for every time step, the last ones first; then the policy
takes one step along the counterfactual advantages of that critic. The loop is DOP's, whose code was made from COMA's
(oxwhirl/pymarl, src/learners/coma_learner.py at commit c971afd); `estimator: counterfactual` is COMA inside PPO.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from gpae.advantages import coma, gpae
from gpae.advantages.taken import taken
from gpae.algorithms.base import Algorithm
from gpae.algorithms.dop import Dop, DopState
from gpae.algorithms.window import Rollout
from gpae.algorithms.window_buffer import Batch
from gpae.config import DopLearner, DopMethod, Network
from gpae.environments.base import View, Viewable
from gpae.networks.critics import ActionCritic
from gpae.networks.policies import Categorical


class Coma(Dop):
    """The learner of one job; its methods are pure. Of the buffer it reads the newest windows alone."""

    def _critic_of(self, network: Network) -> ActionCritic:
        return ActionCritic(self.spec, replace(network, recurrent=False))

    def _init_critic(self, key: jax.Array, view: View) -> Any:
        return self.critic.init(key, *self._seen(view.state, jnp.zeros(view.available.shape[:-1], jnp.int32)))

    def _seen(self, situation: jax.Array, action: jax.Array) -> tuple[jax.Array, ...]:
        """What the critic is called with; situation: [T, B, S]; action: int32 [T, N, B]."""
        _, agents, batch = action.shape
        hidden = jnp.zeros((agents, batch, 0), jnp.float32)
        return hidden, situation, jax.nn.one_hot(action, self.spec.actions.size), jnp.ones(situation.shape[:2], bool)

    def _values(self, params: Any, situation: jax.Array, action: jax.Array) -> jax.Array:
        """Q^i(s, ., a^{-i}), [T, N, B, A]."""
        return self.critic.apply(params, *self._seen(situation, action))[0]

    def td_lambda(self, key: jax.Array, params: Any, batch: Batch, policies: Categorical) -> jax.Array:
        """Targets of Q(s_t, a_t), [T, N, B], by the critic with these parameters.

            y_t = r_t + gamma (1 - d_t) ((1 - lambda) Q(s_{t+1}, a_{t+1}) + lambda y_{t+1})

        After the last step an action is drawn from the policies, [T + 1, N, B], and y is its Q; at a time limit y_t is
        Q(s_t, a_t) itself, as of DOP.
        """
        learner, last = self.learner, Categorical(policies.log_probs[-1:]).sample(key)
        action = jnp.concatenate([batch.action, last])
        value = taken(self._values(params, batch.view.state, action), action)
        reward, trace = learner.reward_scale * batch.reward, jnp.full_like(value[:-1], learner.lam)
        errors = reward, batch.done, value[:-1], value[-1], trace, learner.gamma, batch.truncated
        return value[:-1] + gpae.advantage(*errors)

    def _learn(self, state: DopState, key: jax.Array):
        """The critic through the newest windows, then the actor on the same."""
        batch = self.buffer.batch(self.buffer.newest(state.buffer, self.learner.on_policy_batch_size))
        epsilon = self.epsilon(state.updates - 1)
        aim = self.td_lambda(key, state.target, batch, self._policies(state.actor.params, batch, epsilon))

        def loss(params, part):
            situation, action, aim = part
            error = jnp.mean((taken(self._values(params, situation, action), action) - aim) ** 2)
            return error, {"value_loss": error}

        critic, seen = self._through(state.critic, loss, (batch.view.state[:-1], batch.action, aim), reverse=True)
        actor, of_actor = self._actor_step(state.actor, critic.params, batch, epsilon)
        return self._learned(state, actor, critic), seen | of_actor | {"target_mean": aim.mean()}

    def _weight(self, critic: Any, batch: Batch, chances: jax.Array) -> jax.Array:
        return coma.counterfactual(self._values(critic, batch.view.state[:-1], batch.action), chances, batch.action)

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """Q(s, a) less its mean over the own action, [T, N, B]."""
        window = rollout.window
        q = self._values(networks["critic"], window.view.state[:-1], window.action)
        return coma.counterfactual(q, rollout.policies.features()[:-1], window.action)


def make(environment: Viewable, method: DopMethod, learner: DopLearner, network: Network, updates: int) -> Algorithm:
    """DOP or COMA, as the method's critic says."""
    kind = Coma if method.critic == "counterfactual" else Dop
    return kind(environment, method, learner, network, updates)
