"""Two teams, each with a learner of its own, trained against each other in the same episodes (ASAE, Section 5.3).

To a training they are one algorithm of all agents: every learner gets its own team's share of a rollout and of the
state, and is the same as if its opponents were a part of the environment.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae.algorithms.base import Act, Algorithm, Fit, Metrics, State, joined
from gpae.algorithms.window import Rollout
from gpae.environments.base import Spec
from gpae.environments.teams import members, team_view


class Both(NamedTuple):
    """Something of each team."""

    first: Any
    second: Any


class Competition:
    """An Algorithm whose state, held values and parameters are Both learners', and whose fits are one a team.

    spec: of the game; learners: of its teams, in their order, each made for its own `team_spec`
    Raises ValueError where their hidden states differ in size, or one needs windows that begin with new episodes.
    """

    fresh_windows = False
    acting = ""

    def __init__(self, spec: Spec, learners: Sequence[Algorithm]):
        sizes = [(learner.hidden_size, learner.critic_hidden_size) for learner in learners]
        if len(set(sizes)) > 1:
            raise ValueError(f"the teams' hidden states have {' and '.join(map(str, sizes))} entries; allowed: as many")
        if any(learner.fresh_windows for learner in learners):
            raise ValueError("a learner of values begins every window with new episodes; allowed: policy gradients")
        self.spec, self.learners = spec, tuple(learners)
        self.hidden_size, self.critic_hidden_size = sizes[0]

    def init(self, key: jax.Array) -> Both:
        """Fresh parameters, without replays."""
        keys = jax.random.split(key)
        return Both(*(learner.init(own) for learner, own in zip(self.learners, keys, strict=True)))

    def with_replay(self, state: Both, rollout: Rollout) -> Both:
        """`state` with the empty replays of the learners that have one."""
        shapes = [jax.eval_shape(partial(self.share, team), rollout) for team in range(len(self.learners))]
        parts = zip(self.learners, state, shapes, strict=True)
        return Both(*(learner.with_replay(own, shape) for learner, own, shape in parts))

    def explore(self, state: Both) -> Act:
        return self._acting([learner.explore(own) for learner, own in zip(self.learners, state, strict=True)])

    def act(self, actor: Both) -> Act:
        return self._acting([learner.act(own) for learner, own in zip(self.learners, actor, strict=True)])

    def _acting(self, acts: list[Act]) -> Act:
        def act(hidden, view, begins):
            each = [
                own(hidden[members(self.spec, team)], team_view(self.spec, view, team), begins)
                for team, own in enumerate(acts)
            ]
            return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *each)

        return act

    def networks(self, state: Both) -> dict[str, Both]:
        each = [learner.networks(own) for learner, own in zip(self.learners, state, strict=True)]
        return {name: Both(*(networks.get(name) for networks in each)) for name in dict.fromkeys([*each[0], *each[1]])}

    def share(self, team: int, rollout: Rollout) -> Rollout:
        """A team's part of a rollout: its own agents' windows and policies, its own reward, everybody's state."""
        window, own = rollout.window, members(self.spec, team)
        window = window._replace(
            view=team_view(self.spec, window.view, team),
            action=window.action[:, own],
            log_prob=window.log_prob[:, own],
            reward=window.reward[:, team],
            actor_hidden=window.actor_hidden[own],
            critic_hidden=window.critic_hidden[own],
        )
        return Rollout(window, jax.tree.map(lambda leaf: leaf[:, own], rollout.policies), rollout.states)

    def asked_of(self, rollout: Rollout) -> Rollout:
        return rollout._replace(states=None)

    def hold(self, key: jax.Array, state: Both, rollout: Rollout) -> tuple[Both, Both, jax.Array, Metrics]:
        """As of Algorithm; metrics are each learner's, and `reward`, its team's mean a step."""
        states, held, hidden, metrics = [], [], [], {}
        keys = jax.random.split(key)
        for team, (learner, own) in enumerate(zip(self.learners, state, strict=True)):
            part = self.share(team, rollout)
            after, fixed, remembered, seen = learner.hold(keys[team], own, part)
            states, held, hidden = [*states, after], [*held, fixed], [*hidden, remembered]
            metrics |= self._named(team, seen | {"reward": jnp.mean(part.window.reward)})
        return Both(*states), Both(*held), jnp.concatenate(hidden), metrics

    @property
    def fits(self) -> dict[str, Fit]:
        return {name: partial(self._fit, team) for team, name in enumerate(Both._fields)}

    def _fit(self, team: int, state: Both, held: Both) -> tuple[dict[str, State], Metrics]:
        """All the gradient steps of a team."""
        fits = self.learners[team].fits.values()
        after, metrics = joined(state[team], {}, [fit(state[team], held[team]) for fit in fits])
        return {Both._fields[team]: after}, self._named(team, metrics)

    def _named(self, team: int, metrics: Metrics) -> Metrics:
        return {f"{self.spec.teams[team].name}_{name}": value for name, value in metrics.items()}

    def advantages(self, key: jax.Array, networks: dict[str, Both], rollout: Rollout) -> jax.Array:
        """[T, N, B] and raw, by each team's own networks and estimator."""
        keys = jax.random.split(key)
        return jnp.concatenate(
            [
                learner.advantages(
                    keys[team], {name: both[team] for name, both in networks.items()}, self.share(team, rollout)
                )
                for team, learner in enumerate(self.learners)
            ],
            axis=1,
        )
