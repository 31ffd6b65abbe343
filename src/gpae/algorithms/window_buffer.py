"""A replay of windows for the learners that draw from it at every gradient step: flashbax's trajectory buffer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flashbax
import jax
import jax.numpy as jnp

from gpae.algorithms.window import Rollout
from gpae.environments.base import View, Viewable, batch_axes


class Experience(NamedTuple):
    """A window of one environment, as the buffer holds it: T steps, the first of which begins an episode.

    states: the environment's, leaves [T + 1, ...]; their views are several times larger and are made when sampled
    action: int32 [T, N]
    reward: float32 [T]
    done, truncated: bool [T], as of Window
    """

    states: Any
    action: jax.Array
    reward: jax.Array
    done: jax.Array
    truncated: jax.Array


class Batch(NamedTuple):
    """Sampled windows with the time axis first.

    view: leaves [T + 1, ...]; begins: bool [T + 1, B], the step begins an episode
    action: int32 [T, N, B]; reward: float32 [T, B]; done, truncated: bool [T, B]
    """

    view: View
    begins: jax.Array
    action: jax.Array
    reward: jax.Array
    done: jax.Array
    truncated: jax.Array


class WindowBuffer:
    """The newest `windows` windows of `environments` environments, over all of them; pure functions of its state.

    batch_size: windows in a sample
    """

    def __init__(self, environment: Viewable, environments: int, windows: int, batch_size: int):
        self.view: Callable[[Any], View] = environment.view
        self.batch_axes = batch_axes(environment)
        self.flashbax = flashbax.make_trajectory_buffer(
            add_batch_size=environments,
            max_length_time_axis=windows // environments,
            min_length_time_axis=1,
            sample_batch_size=batch_size,
            sample_sequence_length=1,
            period=1,
        )

    def empty(self, rollout: Rollout) -> Any:
        """A state for rollouts like this one (arrays or their shapes)."""
        shapes = jax.eval_shape(self._experience, rollout)
        one = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[2:], leaf.dtype), shapes)
        # flashbax leaves a Python number in it, whose weak type would make an update compile anew after a restart
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, leaf.dtype), self.flashbax.init(one))

    def add(self, buffer: Any, rollout: Rollout) -> Any:
        return self.flashbax.add(buffer, self._experience(rollout))

    def _experience(self, rollout: Rollout) -> Experience:
        """What the buffer takes of a rollout, leaves [B, 1, ...]: a window of each environment as one time step."""
        window = rollout.window
        states = jax.tree.map(lambda leaf, axis: jnp.moveaxis(leaf, axis + 1, 0), rollout.states, self.batch_axes)
        rest = (window.action, window.reward, window.done, window.truncated)
        rest = (jnp.moveaxis(leaf, -1, 0) for leaf in rest)
        return jax.tree.map(lambda leaf: leaf[:, None], Experience(states, *rest))

    def sample(self, key: jax.Array, buffer: Any) -> Batch:
        """`batch_size` windows drawn from the buffer with replacement."""
        return self.batch(jax.tree.map(lambda leaf: leaf[:, 0], self.flashbax.sample(buffer, key).experience))

    def newest(self, buffer: Any, count: int) -> Experience:
        """The last `count` windows that were added, the newest first, of one rollout those of environment 0 first.

        Returns leaves [count, ...]; the buffer must have so many.
        """
        environments, places = jax.tree.leaves(buffer.experience)[0].shape[:2]
        which = jnp.arange(count)
        place = (buffer.current_index - 1 - which // environments) % places
        return jax.tree.map(lambda leaf: leaf[which % environments, place], buffer.experience)

    def batch(self, experience: Experience) -> Batch:
        """Windows, leaves [B, ...], with what was seen in them."""
        batch, time = jax.tree.leaves(experience.states)[0].shape[:2]

        def side_by_side(leaf, axis):
            return jnp.moveaxis(leaf.swapaxes(0, 1).reshape(time * batch, *leaf.shape[2:]), 0, axis)

        view = self.view(jax.tree.map(side_by_side, experience.states, self.batch_axes))

        def apart(leaf):
            return jnp.moveaxis(leaf.reshape(*leaf.shape[:-2], time, batch, leaf.shape[-1]), -3, 0)

        action, reward, done, truncated = (jnp.moveaxis(leaf, 0, -1) for leaf in experience[1:])
        begins = jnp.concatenate([jnp.ones((1, batch), bool), done])
        return Batch(jax.tree.map(apart, view), begins, action, reward, done, truncated)


def beside(one: Batch, other: Batch) -> Batch:
    """The windows of both, as one batch."""
    axes = Batch(View(observation=2, state=1, available=2), begins=1, action=2, reward=1, done=1, truncated=1)
    return jax.tree.map(lambda a, b, axis: jnp.concatenate([a, b], axis), one, other, axes)
