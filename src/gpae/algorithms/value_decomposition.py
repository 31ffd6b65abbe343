"""IQL, VDN and QMIX: recurrent Q-learning with a replay of windows, after JaxMARL 0.1.0's baselines.

The three differ in the mixer alone. Agents act epsilon-greedily on Q^i(o^i, a); the mixed values of the actions taken
are drawn to one-step targets of the reward and the target networks' value of the next greedy actions (double
Q-learning, van Hasselt et al. 2016).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gpae.advantages.taken import taken
from gpae.algorithms.base import Act, Fit
from gpae.algorithms.q_learning import annealed, double_q, td_target
from gpae.algorithms.window import Rollout
from gpae.algorithms.window_buffer import Batch, WindowBuffer
from gpae.config import Network, ValueDecompositionMethod, ValueLearner
from gpae.environments.base import Discrete, Viewable
from gpae.networks.mixers import Monotonic, Separate, Sum
from gpae.networks.policies import EpsilonGreedy
from gpae.networks.q_network import QNetwork

MIXERS = {
    "none": lambda learner: Separate(),
    "sum": lambda learner: Sum(),
    "monotonic": lambda learner: Monotonic(learner.mixer_embedding, learner.hypernet_width, learner.mixer_init_scale),
}


class Networks(NamedTuple):
    """Parameters of the agents' shared Q network and of the mixer."""

    agent: Any
    mixer: Any


class ValueState(NamedTuple):
    """buffer: flashbax's trajectory buffer, whose one time step is an Experience; updates: int32."""

    online: Networks
    target: Networks
    optimiser: Any
    buffer: Any
    updates: jax.Array


class ValueDecomposition:
    """The learner of one job; its methods are pure.

    updates: of the whole training, over which epsilon and the learning rate fall
    Raises ValueError for a task with continuous actions.
    """

    # A sampled window is unrolled from an empty hidden state: right at the beginning of an episode only.
    fresh_windows = True
    acting = "values"
    critic_hidden_size = 0

    def __init__(
        self,
        environment: Viewable,
        method: ValueDecompositionMethod,
        learner: ValueLearner,
        network: Network,
        updates: int,
    ):
        self.spec = environment.spec
        if not isinstance(self.spec.actions, Discrete):
            raise ValueError(f"{method.label} needs discrete actions; {self.spec.name} has continuous ones")
        self.learner, self.updates = learner, updates
        self.hidden_size = network.width if network.recurrent else 0
        self.agent = QNetwork(self.spec, network)
        self.mixer = MIXERS[method.mixer](learner)
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(learner.max_gradient_norm), optax.scale_by_radam(eps=learner.adam_epsilon)
        )
        self.buffer = WindowBuffer(environment, learner.environments, learner.buffer_windows, learner.batch_size)

    # ------------------------------------------------------------------------------------------------- state and acting

    def init(self, key: jax.Array) -> ValueState:
        """Fresh parameters; the buffer is made with the first window's shapes by `with_replay`."""
        spec, agents = self.spec, len(self.spec.agents)
        agent_key, mixer_key = jax.random.split(key)
        observation = jnp.zeros((1, agents, 1, spec.observation_size), jnp.float32)
        agent = self.agent.init(agent_key, self._empty(1), observation, jnp.ones((1, 1), bool))
        q, state = jnp.zeros((1, agents, 1), jnp.float32), jnp.zeros((1, 1, spec.state_size), jnp.float32)
        online = Networks(agent, self.mixer.init(mixer_key, q, state))
        return ValueState(online, online, self.optimiser.init(online), None, jnp.zeros((), jnp.int32))

    def _empty(self, batch: int) -> jax.Array:
        return jnp.zeros((len(self.spec.agents), batch, self.hidden_size), jnp.float32)

    def with_replay(self, state: ValueState, rollout: Rollout) -> ValueState:
        return state._replace(buffer=self.buffer.empty(rollout))

    def networks(self, state: ValueState) -> dict[str, Any]:
        return {"actor": state.online.agent, "critic": state.online.mixer}

    def act(self, actor: Any) -> Act:
        return self._epsilon_greedy(actor, jnp.zeros((), jnp.float32))

    def explore(self, state: ValueState) -> Act:
        return self._epsilon_greedy(state.online.agent, self.epsilon(state.updates))

    def epsilon(self, update: jax.Array) -> jax.Array:
        learner = self.learner
        span = learner.epsilon_fraction * self.updates
        return annealed(update, span, learner.epsilon_start, learner.epsilon_finish)

    def _epsilon_greedy(self, params: Any, epsilon: jax.Array) -> Act:
        def act(hidden, view, begins):
            q, states = self.agent.apply(params, hidden, view.observation[None], begins[None])
            return EpsilonGreedy(q[0], view.available, jnp.broadcast_to(epsilon, q.shape[1:3])), states[0]

        return act

    # --------------------------------------------------------------------------------------------------------- learning

    def _loss(self, online: Networks, target: Networks, batch: Batch):
        """The mean squared error of the mixed values [T, M, B] from their targets, and metrics."""
        view, learner = batch.view, self.learner
        hidden = self._empty(batch.begins.shape[1])

        def q_values(params):
            return self.agent.apply(params, hidden, view.observation, batch.begins)[0]

        q = q_values(online.agent)
        chosen = taken(q[:-1], batch.action)
        following = double_q(q[1:], q_values(target.agent)[1:], view.available[1:])
        value = self.mixer.apply(online.mixer, chosen, view.state[:-1])
        next_value = self.mixer.apply(target.mixer, following, view.state[1:])
        reward = learner.reward_scale * batch.reward
        aim = jax.lax.stop_gradient(td_target(reward, batch.done, next_value, learner.gamma))
        loss = jnp.mean((value - aim) ** 2)
        return loss, {"value_loss": loss, "q_mean": chosen.mean(), "target_mean": aim.mean()}

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """What an agent's own value says of its action, [T, N, B]: Q^i(o^i, a^i) less the mean of those available."""
        window = rollout.window
        hidden, available = self._empty(window.reward.shape[1]), window.view.available[:-1]
        q, _ = self.agent.apply(networks["actor"], hidden, window.view.observation[:-1], window.begins[:-1])
        return taken(q, window.action) - jnp.mean(q, axis=-1, where=available)

    def _epochs(self, key, online: Networks, optimiser: Any, target: Networks, buffer: Any, rate: jax.Array):
        """The gradient steps of an update; returns networks, optimiser and the mean of what the steps saw."""

        def epoch(carry, key):
            online, optimiser = carry
            batch = self.buffer.sample(key, buffer)
            (_, metrics), gradients = jax.value_and_grad(self._loss, has_aux=True)(online, target, batch)
            steps, optimiser = self.optimiser.update(gradients, optimiser, online)
            online = jax.tree.map(lambda param, step: param - rate * step, online, steps)
            return (online, optimiser), metrics | {"gradient_norm": optax.global_norm(gradients)}

        carry, seen = jax.lax.scan(epoch, (online, optimiser), jax.random.split(key, self.learner.epochs))
        return *carry, jax.tree.map(jnp.mean, seen)

    @property
    def fits(self) -> dict[str, Fit]:
        return {"values": self._fit}

    def asked_of(self, rollout: Rollout) -> Rollout:
        return rollout._replace(policies=None)

    def hold(self, key: jax.Array, state: ValueState, rollout: Rollout):
        buffer = self.buffer.add(state.buffer, rollout)
        metrics = {"epsilon": self.epsilon(state.updates)}
        return state._replace(buffer=buffer, updates=state.updates + 1), key, rollout.window.critic_hidden, metrics

    def _fit(self, state: ValueState, key: jax.Array):
        """From `learning_starts` steps on, epochs of gradient steps; until then the metrics of learning are 0."""
        learner, updates = self.learner, state.updates
        finish = 0.0 if learner.anneal_learning_rate else learner.learning_rate
        rate = annealed(updates - 1, self.updates, learner.learning_rate, finish)
        epochs = partial(self._epochs, key, state.online, state.optimiser, state.target, state.buffer, rate)
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(epochs)[2])
        learning = updates * (learner.environments * learner.rollout_steps) >= learner.learning_starts
        online, optimiser, seen = jax.lax.cond(learning, epochs, lambda: (state.online, state.optimiser, zeros))
        refresh = updates % learner.target_update_interval == 0
        target = jax.tree.map(lambda new, old: jnp.where(refresh, new, old), online, state.target)
        fields = {"online": online, "target": target, "optimiser": optimiser}
        return fields, seen | {"learning": learning.astype(jnp.float32)}
