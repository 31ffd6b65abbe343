"""Recurrent training on pieces of a window, as the networks' gradients go no further back than a piece's first step."""

import jax
import jax.numpy as jnp

from gpae.algorithms.window import ENVIRONMENT_AXIS, Frozen, Window, frozen_axes


def chunk_length(steps: int, longest: int) -> int:
    """The greatest length up to `longest` that divides a window of `steps` steps."""
    return max(length for length in range(1, min(longest, steps) + 1) if steps % length == 0)


def chunked(
    window: Window, frozen: Frozen, actor_states: jax.Array, critic_states: jax.Array, length: int
) -> tuple[Window, Frozen]:
    """Pieces of `length` steps side by side, as a window of T / length times the environments.

    actor_states, critic_states: [T, N, B, H], the networks' hidden states after each step of the window: each piece
        begins with the one after the step before it
    length: divides T
    Environment e of piece c is number c B + e.
    """
    steps = len(window.reward)
    count = steps // length

    def beside(x, axis):
        """[C, L, ...] with the environments in `axis` of [T, ...] -> [L, ..., C B, ...]."""
        x = jnp.moveaxis(x, 0, axis)
        return x.reshape(*x.shape[:axis], count * x.shape[axis + 1], *x.shape[axis + 2 :])

    def cut(x, axis):
        return beside(x.reshape(count, length, *x.shape[1:]), axis)

    def cut_longer(x, axis):
        """Every piece with the first step of the next one after it."""
        return beside(jnp.stack([x[at : at + length + 1] for at in range(0, steps, length)]), axis)

    def first(hidden, states):
        starts = jnp.concatenate([hidden[None], states[length - 1 : -1 : length]])
        return beside(starts[:, None], 2)[0]

    leaves, axes = window._asdict(), ENVIRONMENT_AXIS._asdict()
    found = {name: cut(leaves[name], axes[name]) for name in ("action", "log_prob", "reward", "done", "truncated")}
    found |= {name: jax.tree.map(cut_longer, leaves[name], axes[name]) for name in ("view", "begins")}
    states = {"actor_hidden": actor_states, "critic_hidden": critic_states}
    found |= {name: first(leaves[name], after) for name, after in states.items()}
    return window._replace(**found), jax.tree.map(cut, frozen, frozen_axes(frozen))
