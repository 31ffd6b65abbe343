"""What the gradient steps of an update make smaller: the clipped surrogate and the clipped value error."""

import jax
import jax.numpy as jnp
import optax

from gpae.algorithms.judgement import Outputs
from gpae.algorithms.window import Frozen
from gpae.config import Learner
from gpae.networks.policies import Policy


def surrogate(
    learner: Learner, policies: Policy, action: jax.Array, behaviour: jax.Array, frozen: Frozen, samples: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The policy's loss (GPAE paper, Eq. 78): the surrogate clipped around the current policy, on the behaviour
    policy's data, less the entropy; a sum / samples, and metrics made alike.

    policies: [T, N, B], those that are optimised; action, behaviour: [T, N, B], what was done and log mu of it
    samples: what counts of all tiles together
    Other axes in place of [T, N, B] will do.
    """
    clip, limit = learner.clip, learner.log_ratio_limit
    log_prob = policies.log_prob(action)
    # cut as in the authors' release: an off-policy ratio would overflow, and its gradient with it
    weight = jnp.exp(jnp.clip(log_prob - behaviour, -limit, limit))
    current = jnp.exp(jnp.clip(frozen.log_prob - behaviour, -limit, limit))
    clipped = jnp.clip(weight, (1 - clip) * current, (1 + clip) * current)
    least = jnp.minimum(weight * frozen.advantage, clipped * frozen.advantage)
    counts = frozen.weight if frozen.active is None else frozen.weight * frozen.active

    def mean(x):
        return jnp.sum(x * counts) / samples

    entropy = mean(policies.entropy())
    policy_loss = -mean(least)
    log_step = log_prob - frozen.log_prob
    metrics = {
        "policy_loss": policy_loss,
        "entropy": entropy,
        "approximate_kl": mean(jnp.expm1(log_step) - log_step),
        "clip_fraction": mean((jnp.abs(jnp.expm1(log_step)) > clip).astype(jnp.float32)),
    }
    return policy_loss - learner.entropy_coefficient * entropy, metrics


def value_error(
    learner: Learner, value: jax.Array, frozen: Frozen, samples: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The critic's loss (GPAE paper, Eq. 10): the error from a target held fixed, clipped around the value before the
    update; a sum / samples.

    value: [T, N, B], what is fitted
    """
    near = frozen.value + jnp.clip(value - frozen.value, -learner.value_clip, learner.value_clip)

    def error(value):
        if learner.value_loss == "huber":
            return optax.huber_loss(value, frozen.target, delta=learner.huber_delta)
        return (value - frozen.target) ** 2

    loss = 0.5 * jnp.sum(jnp.maximum(error(value), error(near)) * frozen.weight) / samples
    return learner.value_coefficient * loss, {"value_loss": loss}


def outputs_error(
    learner: Learner, outputs: Outputs, frozen: Frozen, samples: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """That of a critic of EQ(s), Q(s, a) and V(s), each to targets of its own (MACA's paper, Section 4.2 and Table 10,
    and its code, which alone has EQ's)."""
    of_actions = frozen._replace(value=frozen.action_value, target=frozen.action_target)
    of_state = frozen._replace(value=frozen.state_value, target=frozen.state_target)
    expected, metrics = value_error(learner, outputs.value, frozen, samples)
    action, of_action = value_error(learner, outputs.action_value, of_actions, samples)
    state, seen = value_error(learner, outputs.state_value, of_state, samples)
    loss = expected + learner.action_value_coefficient * action + learner.state_value_coefficient * state
    own = {"action_value_loss": of_action["value_loss"], "state_value_loss": seen["value_loss"]}
    return loss, metrics | own
