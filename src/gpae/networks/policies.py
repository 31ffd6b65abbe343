"""What an actor's head says: a distribution over actions, with what an update asks of it.

`features` and `action_features` are what stands for a policy and for an action in the joint action that the EQ critic
sees (Appendix D.1 of the GPAE paper): probabilities and a one-hot action; in continuous tasks the mean and the action.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.advantages.taken import taken
from gpae.environments.base import Interruption

UNAVAILABLE = -1e10  # finite, so that 0 * log p stays 0 in the entropy and its gradient


class Categorical(NamedTuple):
    """An agent's choice, and where a task may replace it what is executed.

    log_probs: [..., A], log probabilities of the choice; an action that is not available has probability 0
    executed: [..., A], those of the executed action where they differ, else None
    """

    log_probs: jax.Array
    executed: jax.Array | None = None

    @classmethod
    def masked(cls, logits: jax.Array, available: jax.Array) -> "Categorical":
        return cls(jax.nn.log_softmax(jnp.where(available, logits, UNAVAILABLE)))

    def interrupted(self, interruption: Interruption) -> "Categorical":
        """The same choice, executed but where the task replaces it: (1 - chance) pi(a) + chance [a = action].

        The chance of the replaced action that pi alone gives would fall without bound, as pi learns to avoid it while
        the task goes on executing it, and a ratio of two such chances overflows.
        """
        kept = self.log_probs + jnp.log1p(-interruption.chance)
        replaced = jnp.arange(kept.shape[-1]) == interruption.action
        executed = jnp.where(replaced, jnp.logaddexp(kept, jnp.log(interruption.chance)), kept)
        return self._replace(executed=executed)

    def sample(self, key: jax.Array) -> jax.Array:
        """int32 [...]."""
        return jax.random.categorical(key, self.log_probs).astype(jnp.int32)

    def mode(self) -> jax.Array:
        return jnp.argmax(self.log_probs, axis=-1).astype(jnp.int32)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """Of an executed action."""
        return taken(self.log_probs if self.executed is None else self.executed, action)

    def entropy(self) -> jax.Array:
        """Of the choice, in nats."""
        return -jnp.sum(jnp.exp(self.log_probs) * self.log_probs, axis=-1)

    def features(self) -> jax.Array:
        return jnp.exp(self.log_probs)


class Gaussian(NamedTuple):
    """Independent normal entries; only those that the agent has count.

    mean, log_std: [..., A]; has: bool [..., A]
    """

    mean: jax.Array
    log_std: jax.Array
    has: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """float32 [..., A], not clipped."""
        return self.mean + jnp.exp(self.log_std) * jax.random.normal(key, self.mean.shape, self.mean.dtype)

    def mode(self) -> jax.Array:
        return self.mean

    def log_prob(self, action: jax.Array) -> jax.Array:
        deviation = (action - self.mean) * jnp.exp(-self.log_std)
        each = -0.5 * deviation**2 - self.log_std - 0.5 * jnp.log(2 * jnp.pi)
        return jnp.sum(jnp.where(self.has, each, 0.0), axis=-1)

    def entropy(self) -> jax.Array:
        """In nats."""
        each = self.log_std + 0.5 * jnp.log(2 * jnp.pi * jnp.e)
        return jnp.sum(jnp.where(self.has, each, 0.0), axis=-1)

    def features(self) -> jax.Array:
        return jnp.where(self.has, self.mean, 0.0)


class EpsilonGreedy(NamedTuple):
    """With probability epsilon an available action drawn uniformly, else the one of the highest value.

    q: [..., A]; available: bool [..., A], an action at least; epsilon: [...]
    """

    q: jax.Array
    available: jax.Array
    epsilon: jax.Array

    def sample(self, key: jax.Array) -> jax.Array:
        """int32 [...]."""
        coin_key, action_key = jax.random.split(key)
        explored = jax.random.categorical(action_key, jnp.where(self.available, 0.0, UNAVAILABLE))
        explores = jax.random.uniform(coin_key, self.epsilon.shape) < self.epsilon
        return jnp.where(explores, explored, self.mode()).astype(jnp.int32)

    def mode(self) -> jax.Array:
        return jnp.argmax(jnp.where(self.available, self.q, UNAVAILABLE), axis=-1).astype(jnp.int32)

    def log_prob(self, action: jax.Array) -> jax.Array:
        """-inf for an action that the policy never takes."""
        explored = jnp.take_along_axis(self.available, action[..., None], axis=-1)[..., 0] / self.available.sum(-1)
        greedy = (action == self.mode()).astype(self.q.dtype)
        return jnp.log(self.epsilon * explored + (1 - self.epsilon) * greedy)


Policy = Categorical | Gaussian | EpsilonGreedy


def action_features(action: jax.Array, available: jax.Array) -> jax.Array:
    """float32 [..., A]: a discrete action (int32 [...]) as one-hot, a continuous one [..., A] without the entries that
    the agent lacks (available: bool [..., A])."""
    if jnp.issubdtype(action.dtype, jnp.integer):
        return jax.nn.one_hot(action, available.shape[-1], dtype=jnp.float32)
    return jnp.where(available, action, 0.0)
