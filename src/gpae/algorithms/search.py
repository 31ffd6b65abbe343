"""The weights of MACA's baselines, and the evolution strategy that finds the layer which makes them.

Nothing has a gradient with respect to them: they are tried, a candidate an update, and a candidate's fitness is what
the return gains by the update that used it (MACA's paper, Section 4.2). Returns are of whole episodes: a rollout in
which none ended says nothing, and the candidate stays in use until one has.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gpae.config import LEVELS, PolicyGradientMethod

SPREAD = 0.1  # of the first candidates around 0, where all baselines weigh the same


class Search(NamedTuple):
    """strategy: evosax's state; candidates: [P, D], a generation; fitness: float32 [P]

    tried: int32, the candidate in use, -1 before the first rollout; eta: [Z + 1, K], the same, the last row the bias
    mean_return: of the episodes that had ended when the candidate in use was first learned with
    """

    key: jax.Array
    strategy: Any
    candidates: jax.Array
    fitness: jax.Array
    tried: jax.Array
    eta: jax.Array
    mean_return: jax.Array


class WeightSearch:
    """CMA-ES (Hansen 2016), by evosax, of eta in psi(s) = softmax(Lin(z_s; eta)); its methods are pure.

    levels: those that may have a weight, the others' being 0
    Hansen's number of candidates: 4 + 3 ln D, D the entries of eta.
    """

    def __init__(self, method: PolicyGradientMethod):
        from evosax import CMA_ES  # half of the start of a command that has no use for it

        self.levels, self.shape = method.levels, (method.state_embedding + 1, len(LEVELS))
        size = math.prod(self.shape)
        self.strategy = CMA_ES(4 + int(3 * math.log(size)), size, sigma_init=SPREAD, maximize=True)
        self.settings = self.strategy.default_params

    def _asked(self, key: jax.Array, strategy: Any) -> tuple[jax.Array, Any]:
        """A generation's candidates; every leaf with a type of its own, as a state must have between two updates."""
        candidates, strategy = self.strategy.ask(key, strategy, self.settings)
        return candidates, jax.tree.map(lambda leaf: jax.lax.convert_element_type(leaf, leaf.dtype), strategy)

    def init(self, key: jax.Array) -> Search:
        key, start_key, ask_key = jax.random.split(key, 3)
        candidates, strategy = self._asked(ask_key, self.strategy.initialize(start_key, self.settings))
        fitness, nothing = jnp.zeros(len(candidates), jnp.float32), jnp.zeros((), jnp.float32)
        eta = candidates[0].reshape(self.shape)
        return Search(key, strategy, candidates, fitness, jnp.full((), -1, jnp.int32), eta, nothing)

    def told(self, search: Search, episodes: dict[str, jax.Array]) -> Search:
        """After a rollout by what the candidate in use has made of the policy. If episodes ended in it, the next one is
        in use, and the last one's fitness is what their mean return is more than that before it.

        episodes: `episodes`, the number of those that ended, and `episode_return`, the sum of their returns
        """
        number = episodes["episodes"]
        return jax.lax.cond(
            number > 0, self._next, lambda search, _: search, search, episodes["episode_return"] / number
        )

    def _next(self, search: Search, mean_return: jax.Array) -> Search:
        gain = mean_return - search.mean_return
        fitness = jnp.where(jnp.arange(len(search.fitness)) == search.tried, gain, search.fitness)
        search = search._replace(fitness=fitness, tried=search.tried + 1, mean_return=mean_return)
        search = jax.lax.cond(search.tried == len(fitness), self._next_generation, lambda search: search, search)
        return search._replace(eta=search.candidates[search.tried].reshape(self.shape))

    def _next_generation(self, search: Search) -> Search:
        key, ask_key = jax.random.split(search.key)
        strategy = self.strategy.tell(search.candidates, search.fitness, search.strategy, self.settings)
        candidates, strategy = self._asked(ask_key, strategy)
        return search._replace(key=key, strategy=strategy, candidates=candidates, tried=jnp.zeros_like(search.tried))

    def weights(self, eta: jax.Array, embedding: jax.Array) -> jax.Array:
        """psi [K, T, B] in the order of LEVELS, which sums to 1 over K; eta: as in Search; embedding: [T, B, Z]."""
        has = jnp.array([level in self.levels for level in LEVELS])
        logits = embedding @ eta[:-1] + eta[-1]
        return jnp.moveaxis(jax.nn.softmax(jnp.where(has, logits, -jnp.inf)), -1, 0)
