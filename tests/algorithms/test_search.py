"""The weights of MACA's baselines, and CMA-ES on a fitness that is made for it."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gpae.algorithms.search import WeightSearch
from gpae.config import LEVELS, Params
from gpae.environments import base
from gpae.networks.policies import Categorical
from gpae.training.rollout import collect, start

PARAMS = Params(Path(__file__).parents[2] / "params")
Z = 4


def search_of(method="maca") -> WeightSearch:
    return WeightSearch(replace(PARAMS.method(method), state_embedding=Z))


def episodes(mean, number=4.0):
    """Of a rollout in which so many episodes ended with this mean return."""
    number = jnp.asarray(number, jnp.float32)
    return {"episodes": number, "episode_return": number * mean}


def embedding(seed=0) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).normal(size=(6, 5, Z)), jnp.float32)


def played(search, fitness, updates, seed=0):
    """The search and its mean weights [updates, K] after so many updates by which the return grows by `fitness` of the
    weights in use."""

    def update(carry, _):
        state, total = carry
        state = search.told(state, episodes(total))
        weights = search.weights(state.eta, embedding()).mean((1, 2))
        return (state, total + fitness(weights)), weights

    start = search.init(jax.random.PRNGKey(seed)), jnp.float32(0.0)
    (state, _), weights = jax.lax.scan(update, start, length=updates)
    return state, weights


@pytest.mark.parametrize("better", [0, 1, 2])
def test_weight_moves_to_the_baseline_whose_updates_gain_most(better):
    search = search_of()
    _, weights = jax.jit(lambda: played(search, lambda weights: weights[better], 700))()
    first, last = weights[:12].mean(0), weights[-12:].mean(0)
    assert abs(first[better] - 1 / 3) < 0.1 and last[better] > 0.9


def test_a_candidates_fitness_is_the_gain_of_the_update_that_used_it():
    search = search_of()
    state = jax.jit(search.init)(jax.random.PRNGKey(0))
    told = jax.jit(search.told)
    returns = [5.0, 7.0, 4.0, 4.5]
    for number, each in enumerate(returns):
        state = told(state, episodes(jnp.float32(each), number + 1))
        assert state.tried == number
        np.testing.assert_array_equal(state.eta.ravel(), state.candidates[number])
    np.testing.assert_allclose(state.fitness[:4], [2.0, -3.0, 0.5, 0.0])


def test_after_a_generation_comes_the_next():
    search = search_of()
    state, told = jax.jit(search.init)(jax.random.PRNGKey(0)), jax.jit(search.told)
    first = state.candidates
    for _ in range(len(first)):
        state = told(state, episodes(jnp.float32(0.0)))
    np.testing.assert_array_equal(state.candidates, first)
    state = told(state, episodes(jnp.float32(1.0)))
    np.testing.assert_array_equal(state.eta.ravel(), state.candidates[0])
    assert state.tried == 0 and state.strategy.gen_counter == 1 and (state.candidates != first).any()


def test_a_state_has_the_same_types_always_and_nothing_empty():
    search = search_of()
    before = jax.eval_shape(search.init, jax.random.PRNGKey(0))
    after = jax.eval_shape(search.told, before, episodes(jnp.float32(0.0)))
    kinds = [[(leaf.shape, leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(each)] for each in (before, after)]
    assert kinds[0] == kinds[1]
    assert all(0 not in shape and not weak for shape, _, weak in kinds[0])


@pytest.mark.slow
def test_seeds_side_by_side_search_as_one_by_one():
    search = search_of()
    run = partial(played, search, lambda weights: weights[0], 40)
    beside = jax.jit(jax.vmap(lambda seed: run(seed=seed)[1]))(jnp.arange(2))
    alone = jax.jit(partial(jax.lax.map, lambda seed: run(seed=seed)[1]))(jnp.arange(2))
    np.testing.assert_allclose(beside, alone, atol=1e-4)
    assert np.abs(alone[0] - alone[1]).max() > 1e-3


VARIANTS = {
    "maca": LEVELS,
    "maca_dec": LEVELS,
    "maca_jnt": ("joint",),
    "maca_ind": ("individual",),
    "maca_cor": ("correlated",),
    "maca_nojnt": ("individual", "correlated"),
    "maca_noind": ("joint", "correlated"),
    "maca_nocor": ("joint", "individual"),
}


@pytest.mark.parametrize("method", VARIANTS)
def test_only_a_variants_own_levels_have_weight(method):
    search = search_of(method)
    state = jax.jit(search.init)(jax.random.PRNGKey(1))
    weights = np.asarray(search.weights(100 * state.eta, embedding()))
    assert set(PARAMS.method(method).levels) == set(VARIANTS[method])
    np.testing.assert_allclose(weights.sum(0), 1.0, atol=1e-6)
    for level, part in zip(LEVELS, weights, strict=True):
        assert (part.max() > 0.5) if level in VARIANTS[method] else (part == 0).all()


def test_the_weights_are_of_the_state():
    search = search_of()
    weights = search.weights(jax.jit(search.init)(jax.random.PRNGKey(1)).eta, embedding())
    assert weights.shape == (3, 6, 5) and np.ptp(weights[0]) > 0.01


def test_a_candidate_stays_until_an_episode_has_ended():
    search = search_of()
    told, state = jax.jit(search.told), jax.jit(search.init)(jax.random.PRNGKey(0))
    none, begun = episodes(jnp.float32(0.0), 0.0), []
    for rollout in (none, episodes(jnp.float32(5.0)), none, none, episodes(jnp.float32(7.0)), none):
        state = told(state, rollout)
        begun.append(int(state.tried))
        assert jnp.isfinite(state.fitness).all() and jnp.isfinite(state.mean_return)
        np.testing.assert_array_equal(state.eta.ravel(), state.candidates[max(state.tried, 0)])
    assert begun == [-1, 0, 0, 0, 1, 1] and state.fitness[0] == 2.0
    for number in range(1, len(state.fitness)):
        state = told(told(state, none), episodes(jnp.float32(number)))
    assert state.tried == 0 and state.strategy.gen_counter == 1  # all had some


class Ticking:
    """Episodes of seven steps, whatever the agent does; a step pays the number of those before it, in thousands."""

    spec = base.Spec("ticking", ("only",), 1, 1, base.Discrete(2), 7, False)

    def reset(self, key, batch):
        tally = base.empty_tally(batch)
        return tally, self.view(tally)

    def view(self, tally):
        batch = len(tally.length)
        return base.View(jnp.ones((1, batch, 1)), jnp.ones((batch, 1)), jnp.ones((1, batch, 2), bool))

    def step(self, key, tally, action):
        reward, done = 1000.0 * tally.length, tally.length == 6
        tally, episode = base.count(tally, reward, done, jnp.zeros_like(done))
        return tally, base.Step(self.view(tally), reward, done[None], done, jnp.zeros_like(done), episode)


def test_equal_candidates_are_equally_fit_wherever_a_rollout_cuts_the_episodes():
    """Five steps of episodes of seven: their rewards over the ends in them differ by thousands."""
    environment, search = Ticking(), search_of()

    def act(hidden, view, begins):
        return Categorical.masked(jnp.zeros((1, 2, 2)), view.available), hidden

    @jax.jit
    def update(state, runner):
        runner, rollout, _ = collect(environment, act, jax.random.PRNGKey(0), runner, 5)
        window = rollout.window
        return search.told(state, rollout.episodes), runner, window.reward.sum() / jnp.maximum(window.done.sum(), 1)

    state, runner = jax.jit(search.init)(jax.random.PRNGKey(0)), start(environment, jax.random.PRNGKey(0), 2, 0)
    by_steps = []
    for _ in range(14):
        state, runner, mean = update(state, runner)
        by_steps.append(float(mean))
    assert state.tried > 5 and state.mean_return == 21_000 and np.ptp(by_steps) > 5_000
    np.testing.assert_array_equal(state.fitness, 0.0)
