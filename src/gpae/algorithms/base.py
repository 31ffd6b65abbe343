"""What a training asks of an algorithm, so that it need not know which one it runs."""

from typing import Any, Protocol

import jax

from gpae.algorithms.window import Rollout
from gpae.environments.base import View
from gpae.networks.policies import Policy

State = Any  # a pytree of arrays that only the algorithm itself reads


class Act(Protocol):
    """How agents choose at one step."""

    def __call__(self, hidden: jax.Array, view: View, begins: jax.Array) -> tuple[Policy, jax.Array]:
        """hidden: [N, B, H]; begins: bool [B], the view begins an episode.

        Returns the policies [N, B] and the hidden states after this step.
        """


class Algorithm(Protocol):
    """The learner of one job; its methods are pure.

    hidden_size: H of the acting network, 0 where it is feed-forward
    fresh_windows: whether every window begins with new episodes
    """

    hidden_size: int
    fresh_windows: bool

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

    def learn(self, key: jax.Array, state: State, rollout: Rollout) -> tuple[State, jax.Array, dict[str, jax.Array]]:
        """One update from a fresh rollout.

        Returns the new state, the critic's hidden state after the rollout [N, B, H], and scalar metrics, always finite
        while nothing has diverged.
        """

    def advantages(self, key: jax.Array, networks: dict[str, Any], rollout: Rollout) -> jax.Array:
        """What a rollout's every action was worth to the team, [T, N, B] and raw, by the `networks` of any moment."""
