"""What a training asks of an algorithm, so that it need not know which one it runs."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import jax

from gpae.algorithms.window import Rollout
from gpae.environments.base import View
from gpae.networks.policies import Policy

State = Any  # a NamedTuple of arrays that only the algorithm itself reads
Held = Any  # a pytree of arrays
Metrics = dict[str, jax.Array]


class Act(Protocol):
    """How agents choose at one step."""

    def __call__(self, hidden: jax.Array, view: View, begins: jax.Array) -> tuple[Policy, jax.Array]:
        """hidden: [N, B, H]; begins: bool [B], the view begins an episode.

        Returns the policies [N, B] and the hidden states after this step.
        """


class Fit(Protocol):
    """Gradient steps on some fields of a state."""

    def __call__(self, state: State, held: Held) -> tuple[dict[str, Any], Metrics]:
        """Returns the fields as they are afterwards, and scalar metrics."""


class Algorithm(Protocol):
    """The learner of one job; its methods are pure.

    hidden_size, critic_hidden_size: H of the acting network and of the critic, 0 where it is feed-forward
    fresh_windows: whether every window begins with new episodes
    fits: the gradient steps of an update, in parts of which none needs what another one gives, so that they may run at
        the same time
    acting: the fit after which `explore` can be asked, whatever the others give; empty: not before all of them
    """

    hidden_size: int
    critic_hidden_size: int
    fresh_windows: bool
    fits: Mapping[str, Fit]
    acting: str

    def init(self, key: jax.Array) -> State:
        """Fresh parameters, without a replay."""

    def with_replay(self, state: State, rollout: Rollout) -> State:
        """`state` with an empty replay for rollouts like this one (arrays or their shapes)."""

    def explore(self, state: State) -> Act:
        """How a rollout is collected."""

    def act(self, actor: Any) -> Act:
        """How an evaluation plays; actor: `networks(state)["actor"]` of any moment."""

    def networks(self, state: State) -> dict[str, Any]:
        """The parameters that an evaluation point keeps, as `actor` and `critic`."""

    def asked_of(self, rollout: Rollout) -> Rollout:
        """What `hold` reads of a rollout."""

    def hold(self, key: jax.Array, state: State, rollout: Rollout) -> tuple[State, Held, jax.Array, Metrics]:
        """The part of an update that comes before its gradient steps.

        Returns the state with the rollout in its replay, what the fits hold fixed, the critic's hidden state after the
        rollout [N, B, H], and scalar metrics, always finite while nothing has diverged.
        """

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """What a rollout's every action was worth to the team, [T, N, B] and raw, by the `networks` of any moment."""


def learn(algorithm: Algorithm, key: jax.Array, state: State, rollout: Rollout) -> tuple[State, jax.Array, Metrics]:
    """One whole update from a fresh rollout, its fits one after the other.

    Returns the new state, the critic's hidden state after the rollout [N, B, H], and scalar metrics.
    """
    state, held, hidden, metrics = algorithm.hold(key, state, rollout)
    state, metrics = joined(state, metrics, [fit(state, held) for fit in algorithm.fits.values()])
    return state, hidden, metrics


def joined(state: State, metrics: Metrics, fitted: Iterable[tuple[dict[str, Any], Metrics]]) -> tuple[State, Metrics]:
    """The state and the metrics of an update from what its fits gave."""
    for fields, seen in fitted:
        state, metrics = state._replace(**fields), metrics | seen
    return state, metrics
