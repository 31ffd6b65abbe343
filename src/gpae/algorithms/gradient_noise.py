"""How much of the policy's gradient is chance: its variance over environments, as a share of its squared norm.

"An Empirical Model of Large-Batch Training" (McCandlish et al. 2018, arXiv:1812.06162): a batch's gradient is the true
one and noise, E|G_B|^2 = |G|^2 + tr(Cov(G_B)). What is measured is the last over the first; with B environments their
simple noise scale is B share / (1 - share), in windows of one environment.
"""

import jax
import jax.numpy as jnp

from gpae.algorithms import losses
from gpae.algorithms.policy_gradient import PolicyGradient
from gpae.algorithms.window import ENVIRONMENT_AXIS, Rollout, frozen_axes, tiles
from gpae.combinations import NOISE_PARTS


def part_count(environments: int) -> int:
    """The greatest number of equal parts up to NOISE_PARTS; 1 where there is none but the whole."""
    return max(count for count in range(1, NOISE_PARTS + 1) if environments % count == 0)


def share(gradients: list[jax.Array]) -> jax.Array:
    """tr(Cov(G)) / |G|^2, G the mean of the gradients of P parts: the trace from their sample variance, over P.

    gradients: leaves [P, ...], P >= 2, of parts that are independent and alike
    Returns [], 0 where all parts agree; where there is nothing but noise both parts of it are 1 in the mean.
    """
    parts = len(gradients[0])
    mean = [leaf.mean(0) for leaf in gradients]
    apart = sum(jnp.sum((leaf - whole) ** 2) for leaf, whole in zip(gradients, mean, strict=True))
    norm = sum(jnp.sum(whole**2) for whole in mean)
    return jnp.where(apart > 0, apart / (parts * (parts - 1)) / norm, 0.0)


def gradients(algorithm: PolicyGradient, key: jax.Array, networks: dict, rollout: Rollout) -> list[jax.Array]:
    """The actor's first gradient of an update from this rollout alone, by parts of its environments, leaves [P, ...].

    networks: of an evaluation point; rollout: of their own policy
    The advantages are estimated and normalised over the whole rollout, as an update does, and then held fixed. A part's
    gradient is of a sum over its samples, so that the parts' sum over all samples is the update's.
    """
    window = rollout.window._replace(disturbance=None)
    frozen = algorithm.estimated(key, networks, rollout)[1]
    parts = part_count(window.reward.shape[1])

    def gradient(part):
        def loss(params):
            window, frozen = part
            seen = window.view.observation[:-1], window.view.available[:-1], window.begins[:-1]
            policies, _ = algorithm.actor.apply(params, window.actor_hidden, *seen)
            taken = window.action, window.log_prob
            return losses.surrogate(algorithm.learner, policies, *taken, frozen, jnp.float32(1.0))[0]

        return jax.grad(loss)(networks["actor"])

    batch = tiles((window, frozen), (ENVIRONMENT_AXIS, frozen_axes(frozen)), parts)
    return jax.tree.leaves(jax.lax.map(gradient, batch))
