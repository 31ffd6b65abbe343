"""Adam as the learner's settings have it."""

import jax
import jax.numpy as jnp
import optax

from gpae.config import Learner


def actors(learner: Learner, updates: int, steps: int) -> optax.GradientTransformation:
    """updates: how many the rate takes to fall to 0 where it is annealed; steps: gradient steps of an update."""
    return _clipped(
        learner, optax.adam(_rate(learner, learner.learning_rate, updates, steps), eps=learner.adam_epsilon)
    )


def critics(learner: Learner, updates: int, steps: int) -> optax.GradientTransformation:
    """The same with the critic's own rate, decays and warm-up."""
    warmup = learner.critic_warmup * learner.minibatches
    rate = _rate(learner, learner.critic_learning_rate or learner.learning_rate, updates, steps, warmup)
    kinds = {"b2": learner.critic_beta2, "eps": learner.adam_epsilon}
    if not learner.critic_weight_decay:
        return _clipped(learner, optax.adam(rate, **kinds))
    return _clipped(learner, optax.adamw(rate, **kinds, weight_decay=learner.critic_weight_decay, mask=_matrices))


def _matrices(params):
    return jax.tree.map(lambda leaf: leaf.ndim > 1, params)


def _rate(learner: Learner, rate: float, updates: int, steps: int, warmup: int = 0) -> optax.Schedule:
    """warmup: gradient steps, to the last of which the rate rises"""

    def at(step):
        # constant within an update, falling to 0 over all of them
        fraction = 1.0 - (step // steps) / updates if learner.anneal_learning_rate else 1.0
        return rate * fraction * (jnp.minimum((step + 1) / warmup, 1.0) if warmup else 1.0)

    return at


def _clipped(learner: Learner, descent: optax.GradientTransformation) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(learner.max_gradient_norm), descent)
