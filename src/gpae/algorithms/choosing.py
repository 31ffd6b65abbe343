"""The policy's gradient from the steps at which an agent still has a choice.

An agent that has died has one action left, whose probability is 1 whatever the network says: its steps until the
episode's end have no gradient, nor have those that count nothing. They are left out: every agent's row of steps is
closed up, rows are sorted by their lengths, and a tile of rows is gone through as far as its longest. The sums are
those over all steps, but for rounding.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae.algorithms import descent, losses
from gpae.algorithms.window import Frozen, Window, has_choice
from gpae.config import Learner
from gpae.networks.actor_critic import Actor
from gpae.networks.gru import divisor, weights_of
from gpae.networks.ragged import ragged_gradient


class Rows(NamedTuple):
    """A tile of R rows, each an agent in an environment; its own steps in their order, then some of the others.

    observation: [T, R, O]; available: bool [T, R, A]; keep: [T, R], 0 where a step begins an episode, else 1
    action, log_prob: [T, R]
    frozen: what the policy's loss needs of it, [T, R]; its weight is what a step counts, 0 for the others
    hidden: [R, H], before the first step
    steps: int32, of the longest row
    skipped: the policy's loss of what the rows leave out, a sum
    """

    observation: jax.Array
    available: jax.Array
    keep: jax.Array
    action: jax.Array
    log_prob: jax.Array
    frozen: Frozen
    hidden: jax.Array
    steps: jax.Array
    skipped: jax.Array


def choosing(window: Window, counts: jax.Array) -> jax.Array:
    """bool [T, N, B]: at this step or at a later one of the same episode the agent has a choice that counts.

    counts: [T, N, B], what a step counts
    """
    chooses = has_choice(window) & (counts > 0)
    goes_on = ~window.begins[1:]

    def back(later, step):
        chooses, goes_on = step
        now = chooses | (later & goes_on)
        return now, now

    return jax.lax.scan(back, jnp.zeros_like(chooses[0]), (chooses, goes_on), reverse=True)[1]


def rows_of(window: Window, frozen: Frozen, minibatches: int) -> Rows:
    """Leaves [minibatch, tile, ...]; a minibatch is so many environments beside each other."""
    time, agents, environments = window.log_prob.shape
    counts = jnp.broadcast_to(frozen.weight, window.log_prob.shape)
    counts = counts if frozen.active is None else counts * frozen.active
    wanted = choosing(window, counts)
    every = jnp.arange(agents * environments).reshape(agents, minibatches, -1)
    every = jnp.moveaxis(every, 1, 0).reshape(minibatches, -1)
    lengths = wanted.sum(0).reshape(-1)[every]
    row = jnp.take_along_axis(every, jnp.argsort(lengths, axis=1), axis=1)
    row = row.reshape(minibatches, -1, divisor(row.shape[1], descent.CPU_TILE_ROWS))
    step = jnp.argsort(~wanted, axis=0, stable=True).reshape(time, -1)
    at = jnp.moveaxis(step[:, row], 0, 2) * (agents * environments) + row[:, :, None]

    def cut(leaf):
        """[T, N, B, ...] -> [minibatch, tile, T, R, ...]."""
        return leaf.reshape(-1, *leaf.shape[3:])[at]

    skipped = jnp.exp(frozen.log_prob - window.log_prob) * frozen.advantage * jnp.where(wanted, 0.0, counts)
    keep = jnp.broadcast_to(~window.begins[:, None], (time + 1, agents, environments))
    return Rows(
        observation=cut(window.view.observation),
        available=cut(window.view.available),
        keep=cut(keep).astype(jnp.float32),
        action=cut(window.action),
        log_prob=cut(window.log_prob),
        frozen=Frozen(
            log_prob=cut(frozen.log_prob),
            advantage=cut(frozen.advantage),
            weight=cut(jnp.where(wanted, counts, 0.0)),
            policy=None,
            value=None,
            target=None,
        ),
        hidden=window.actor_hidden.reshape(agents * environments, -1)[row],
        steps=wanted.sum(0).reshape(-1)[row].max(-1),
        skipped=-skipped.sum(0).reshape(-1)[row].sum(-1),
    )


def by_choosing(actor: Actor, learner: Learner) -> descent.Tiling:
    """Tiles of rows for the gradient of `losses.surrogate`; for a recurrent actor with discrete actions."""

    def gradient(params: Any, rows: Rows, samples: jax.Array):
        layers = params["params"]
        body = layers["Body_0"]
        around = layers | {"Body_0": {name: each for name, each in body.items() if name != "GRU_0"}}

        def enter(around, first, size):
            seen = jax.lax.dynamic_slice_in_dim(rows.observation, first, size)
            return actor.apply({"params": around}, seen, method="enter")

        def leave(around, states, first):
            def cut(leaf):
                return jax.lax.dynamic_slice_in_dim(leaf, first, len(states))

            policies = actor.apply({"params": around}, states, cut(rows.available), method="leave")
            frozen = jax.tree.map(cut, rows.frozen)
            return losses.surrogate(learner, policies, cut(rows.action), cut(rows.log_prob), frozen, samples)

        unit, pull = jax.vjp(weights_of, body["GRU_0"])
        found = ragged_gradient(enter, leave, around, unit, rows.hidden, rows.keep, rows.steps)
        (loss, metrics), of_around, of_unit = found
        of_body = of_around["Body_0"] | {"GRU_0": pull(of_unit)[0]}
        skipped = rows.skipped / samples
        metrics = metrics | {"policy_loss": metrics["policy_loss"] + skipped}
        return (loss + skipped, metrics), {"params": of_around | {"Body_0": of_body}}

    return descent.Tiling(lambda batch, minibatches: rows_of(*batch, minibatches), gradient)
