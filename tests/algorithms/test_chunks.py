"""Pieces of a window: what is in them, and that a network says the same of them as of the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import random_windows

from gpae.algorithms.chunks import chunk_length, chunked
from gpae.algorithms.window import Frozen, Window
from gpae.config import Network
from gpae.environments.base import Discrete, Spec
from gpae.networks.actor_critic import Actor

SPEC = Spec(
    "three", ("a", "b", "c"), observation_size=5, state_size=4, actions=Discrete(2), horizon=9, has_winner=False
)
T, N, B, H = 12, 3, 2, 8


def window() -> Window:
    return random_windows.window(SPEC, T, B, H)


def frozen(active=None) -> Frozen:
    each = jnp.arange(T * N * B, dtype=jnp.float32).reshape(T, N, B)
    return Frozen(
        each,
        jnp.stack([each, -each], axis=-1),
        each,
        each,
        each,
        jnp.broadcast_to(jnp.asarray([1.0, 0.0]), (T, 1, B)),
        active,
    )


def test_lengths_divide_the_window():
    assert [chunk_length(steps, 10) for steps in (128, 200, 64, 16, 7, 13)] == [8, 10, 8, 8, 7, 1]


def test_every_step_is_in_its_place():
    whole, held = window(), frozen(active=jnp.ones((T, N, B)))
    states = jnp.arange(T * N * B * H, dtype=jnp.float32).reshape(T, N, B, H)
    pieces, parts = chunked(whole, held, states, -states, 4)
    for piece in range(3):
        start = 4 * piece
        for environment in range(B):
            at, steps = piece * B + environment, slice(start, start + 4)
            longer = slice(start, start + 5)
            for found, expected in (
                (pieces.view.observation[:, :, at], whole.view.observation[longer, :, environment]),
                (pieces.view.state[:, at], whole.view.state[longer, environment]),
                (pieces.view.available[:, :, at], whole.view.available[longer, :, environment]),
                (pieces.begins[:, at], whole.begins[longer, environment]),
                (pieces.action[:, :, at], whole.action[steps, :, environment]),
                (pieces.reward[:, at], whole.reward[steps, environment]),
                (pieces.done[:, at], whole.done[steps, environment]),
                (parts.policy[:, :, at], held.policy[steps, :, environment]),
                (parts.target[:, :, at], held.target[steps, :, environment]),
                (parts.active[:, :, at], held.active[steps, :, environment]),
                (parts.weight[:, :, at], held.weight[steps, :, environment]),
            ):
                np.testing.assert_array_equal(found, expected)
            before = states[start - 1, :, environment] if piece else whole.actor_hidden[:, environment]
            np.testing.assert_array_equal(pieces.actor_hidden[:, at], before)
            before = -states[start - 1, :, environment] if piece else whole.critic_hidden[:, environment]
            np.testing.assert_array_equal(pieces.critic_hidden[:, at], before)


def test_a_network_says_the_same_of_the_pieces_and_learns_from_no_further_back():
    whole = window()
    actor = Actor(SPEC, Network(width=H, layers=1, recurrent=True))

    @jax.jit
    def unrolled(params, window):
        view = window.view
        return actor.apply(params, window.actor_hidden, view.observation[:-1], view.available[:-1], window.begins[:-1])

    view, hidden = whole.view, whole.actor_hidden
    params = jax.jit(actor.init)(jax.random.PRNGKey(0), hidden, view.observation, view.available, whole.begins)
    policies, states = unrolled(params, whole)
    pieces, _ = chunked(whole, frozen(), states, states, 3)
    expected = policies.log_prob(whole.action)
    found = unrolled(params, pieces)[0].log_prob(pieces.action)
    np.testing.assert_allclose(
        found, jnp.moveaxis(expected.reshape(4, 3, N, B), 0, 2).reshape(3, N, 4 * B), rtol=1e-5, atol=1e-6
    )

    def last(window):
        """The last policy's derivative in what was seen at the first step."""

        def of(observation):
            view = window.view._replace(observation=window.view.observation.at[0].set(observation))
            return unrolled(params, window._replace(view=view))[0].log_probs[-1].sum()

        return float(jnp.abs(jax.jit(jax.grad(of))(window.view.observation[0])[:, -1]).max())

    quiet = whole._replace(begins=jnp.zeros_like(whole.begins))
    assert last(quiet) > 0

    def beyond(observation):
        """The same of the pieces' last, in what was seen before they began."""
        view = quiet.view._replace(observation=quiet.view.observation.at[0].set(observation))
        moved = chunked(quiet._replace(view=view), frozen(), states, states, 3)[0]
        return unrolled(params, moved)[0].log_probs[:, :, B:].sum()

    assert not np.any(jax.jit(jax.grad(beyond))(quiet.view.observation[0]))
