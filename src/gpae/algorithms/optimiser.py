"""Adam as the learner's settings have it."""

import jax
import jax.numpy as jnp
import optax

from gpae.config import Learner

LEAST_SHARE = 0.1  # of a rate that falls along a cosine, at the end


def actors(learner: Learner, updates: int, steps: int) -> optax.GradientTransformation:
    """updates: how many the rate takes to fall to 0 where it is annealed; steps: gradient steps of an update."""
    return _clipped(
        learner, optax.adam(_rate(learner, learner.learning_rate, updates, steps), eps=learner.adam_epsilon)
    )


def critics(learner: Learner, updates: int, steps: int) -> optax.GradientTransformation:
    """The same with the critic's own rate, decays, warm-up and cosine."""
    constant = _rate(learner, learner.critic_learning_rate or learner.learning_rate, updates, steps)

    def rate(step):
        return constant(step) * _share(learner, 1 + step // steps, updates)

    kinds = {"b2": learner.critic_beta2, "eps": learner.critic_epsilon or learner.adam_epsilon}
    if not learner.critic_weight_decay:
        return _clipped(learner, optax.adam(rate, **kinds))
    return _clipped(learner, optax.adamw(rate, **kinds, weight_decay=learner.critic_weight_decay, mask=_matrices))


def _matrices(params):
    def decays(path, leaf):
        return leaf.ndim > 1 and not path[-1].key.endswith("bias")  # a GRU's biases are stacked by gate

    return jax.tree_util.tree_map_with_path(decays, params)


def _share(learner: Learner, update: jax.Array, updates: int) -> jax.Array:
    """Of the critic's rate in an update, the first being 1: rising with it, then along half a cosine to LEAST_SHARE."""
    warmup = learner.critic_warmup
    done = jnp.clip((update - warmup) / max(updates - warmup, 1), 0.0, 1.0)
    later = LEAST_SHARE + (1 - LEAST_SHARE) * 0.5 * (1 + jnp.cos(jnp.pi * done)) if learner.critic_cosine else 1.0
    return jnp.where(update < warmup, update / max(warmup, 1), later)


def _rate(learner: Learner, rate: float, updates: int, steps: int) -> optax.Schedule:
    def at(step):
        # constant within an update, falling to 0 over all of them
        fraction = 1.0 - (step // steps) / updates if learner.anneal_learning_rate else 1.0
        return rate * fraction

    return at


def _clipped(learner: Learner, descent: optax.GradientTransformation) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(learner.max_gradient_norm), descent)
