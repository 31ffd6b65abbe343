"""Two learners in one game: each learns what it would learn alone from its own share of the same episodes."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest

from gpae import plan
from gpae.algorithms.base import learn
from gpae.algorithms.competition import Both, Competition
from gpae.config import ConfigError, Params
from gpae.environments.registry import make
from gpae.environments.teams import Seat, team_spec
from gpae.training.rollout import collect, start
from gpae.training.update import algorithm_of

PARAMS = Params(Path(__file__).parents[2] / "params")
BATCH, STEPS = 4, 6


@pytest.fixture(scope="module")
def played():
    """(competition, state, rollout) of two predators with COMA against three prey with GPAE."""
    job = plan.job(PARAMS, "smoke", "asae_vs_coma", "predators_2_prey_2", (0,))
    settings = {"environments": BATCH, "rollout_steps": STEPS, "epochs": 2}
    teams = [
        replace(
            team,
            method=PARAMS.method(method),
            learner=replace(team.learner, **settings),
            network=replace(team.network, width=8, layers=1, recurrent=False),
        )
        for team, method in zip(job.teams, ("coma", "gpae_on"), strict=True)
    ]
    environment = make("predator_prey", **job.environment | {"prey": 3, "episode_length": 4})
    learners = [algorithm_of(Seat(team_spec(environment.spec, i)), team) for i, team in enumerate(teams)]
    competition = Competition(environment.spec, learners)
    state_key, start_key, key = jax.random.split(jax.random.PRNGKey(0), 3)

    @jax.jit
    def play():
        state = competition.init(state_key)
        sizes = competition.hidden_size, competition.critic_hidden_size
        runner = start(environment, start_key, BATCH, *sizes)
        return state, collect(environment, competition.explore(state), key, runner, STEPS)[1]

    return competition, *play()


def assert_equal(one, other):
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-7), one, other)


def test_each_learner_updates_as_it_would_alone(played):
    competition, state, rollout = played
    key = jax.random.PRNGKey(5)

    @jax.jit
    def updates(key):
        parts = zip(competition.learners, jax.random.split(key), state, strict=True)
        alone = [learn(own, part, before, competition.share(i, rollout)) for i, (own, part, before) in enumerate(parts)]
        return learn(competition, key, state, rollout), alone

    (both, _, metrics), alone = updates(key)
    for team, name in enumerate(("predators", "prey")):
        after, _, seen = alone[team]
        assert_equal(both[team], after)
        for quantity, value in seen.items():
            np.testing.assert_allclose(metrics[f"{name}_{quantity}"], value, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(metrics[f"{name}_reward"], rollout.window.reward[:, team].mean(), rtol=1e-5)
    changed = jax.tree.map(lambda a, b: np.any(np.asarray(a) != b), state, both)
    assert all(any(jax.tree.leaves(own.actor.params)) and any(jax.tree.leaves(own.critic.params)) for own in changed)


def test_a_share_has_the_teams_own_agents_and_reward_and_everybodys_state(played):
    competition, _, rollout = played
    predators, prey = competition.share(0, rollout), competition.share(1, rollout)
    assert predators.window.action.shape == (STEPS, 2, BATCH) and prey.window.action.shape == (STEPS, 3, BATCH)
    whole = rollout.window
    for axis, leaves in [
        (1, [part.window.action for part in (predators, prey)]),
        (1, [part.window.view.observation for part in (predators, prey)]),
        (1, [part.window.log_prob for part in (predators, prey)]),
    ]:
        joined = np.concatenate(leaves, axis)
        assert any(joined.shape == leaf.shape and (joined == leaf).all() for leaf in jax.tree.leaves(whole))
    np.testing.assert_array_equal(predators.window.view.state, prey.window.view.state)
    np.testing.assert_array_equal(prey.window.reward, whole.reward[:, 1])
    assert not np.array_equal(predators.window.reward, prey.window.reward)


def test_actions_are_the_teams_own_policies(played):
    """What was collected has the probability that each learner's own actor gives it."""
    competition, state, rollout = played
    for team, learner in enumerate(competition.learners):
        window = competition.share(team, rollout).window
        view, begins = jax.tree.map(lambda leaf: leaf[0], (window.view, window.begins))
        policies, _ = learner.act(state[team].actor.params)(window.actor_hidden, view, begins)
        np.testing.assert_allclose(policies.log_prob(window.action[0]), window.log_prob[0], rtol=1e-4, atol=1e-5)


def test_networks_advantages_and_playing_are_both_teams(played):
    competition, state, rollout = played
    networks = competition.networks(state)
    assert {"actor", "critic"} <= set(networks) and isinstance(networks["actor"], Both)
    advantages = jax.jit(competition.advantages)(jax.random.PRNGKey(1), networks, rollout)
    assert advantages.shape == (STEPS, 5, BATCH) and np.isfinite(advantages).all()
    window = rollout.window
    view, begins = jax.tree.map(lambda leaf: leaf[0], (window.view, window.begins))
    policies, _ = competition.act(networks["actor"])(window.actor_hidden, view, begins)
    np.testing.assert_allclose(policies.log_probs, rollout.policies.log_probs[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("teams", "message"),
    [
        ("[qmix, coma]", "duel.yaml: teams: qmix is not allowed: methods of policy gradients"),
        ("[gpae_off, coma]", "duel.yaml: teams: gpae_off and coma differ in environments, rollout steps or network"),
        ("[nobody, coma]", "methods/nobody.yaml: no such file; there are: "),
        ("[coma]", "duel.yaml: teams"),
    ],
)
def test_teams_that_cannot_meet_are_refused(tmp_path, teams, message):
    folder = shutil.copytree(PARAMS.folder, tmp_path / "params")
    text = f"label: Duel\nalgorithm: competition\nfamilies: [predator_prey]\nteams: {teams}\n"
    (folder / "methods/duel.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        plan.job(Params(folder), "smoke", "duel", "predators_2_prey_2", (0,))
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_a_method_by_itself_has_no_opponent_and_a_competition_no_cooperation():
    for method, task, message in [
        ("coma", "predators_2_prey_2", "cannot run predators_2_prey_2, a task of predator_prey"),
        ("asae_vs_coma", "random_prey_2", "cannot run random_prey_2, a task of mpe; allowed: predator_prey"),
    ]:
        with pytest.raises(ConfigError, match=message):
            plan.job(PARAMS, "smoke", method, task, (0,))
