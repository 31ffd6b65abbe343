"""SMAX by JaxMARL 0.1.0 itself: the reference that the fast one is held against."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxmarl.environments import smax as jaxmarl

from gpae.environments.base import Discrete, Spec, Step, Tally, View, count, empty_tally
from gpae.environments.smax import scenarios


class State(NamedTuple):
    """battle: JaxMARL's state, each leaf [B, ...]; tally: of the episodes under way."""

    battle: Any
    tally: Tally


def jaxmarl_scenario(scenario: scenarios.Scenario) -> jaxmarl.Scenario:
    """The scenario as JaxMARL writes it. ValueError for a draw of unit types that JaxMARL does not have."""
    if scenario.mix not in ((), scenarios.UNIT_TYPES):
        raise ValueError(f"scenario {scenario.name}: JaxMARL draws from all unit types alike, or draws none")
    types = [scenarios.UNIT_TYPES.index(unit) for unit in scenario.allies + scenario.enemies]
    return jaxmarl.Scenario(
        unit_types=jnp.array(types, jnp.uint8),
        num_allies=len(scenario.allies),
        num_enemies=len(scenario.enemies),
        smacv2_position_generation=scenario.random_positions,
        smacv2_unit_type_generation=bool(scenario.mix),
    )


class JaxmarlSMAX:
    """JaxMARL's HeuristicEnemySMAX, stacked.

    An agent that is dead, and every agent once the episode is over, is done. An episode is won where all enemies are
    dead and an ally lives. It lasts up to 101 steps, for JaxMARL's limit of 100 tests the time before the step.
    """

    def __init__(
        self,
        scenario: str | scenarios.Scenario,
        *,
        see_enemy_actions: bool = True,
        walls_cause_death: bool = True,
        attack_mode: str = "closest",
    ):
        """scenario: a registered scenario's name, or a Scenario; see_enemy_actions: whether observations show what
        enemies last did; walls_cause_death: whether the map's edge kills; attack_mode: 'closest' or 'random', which
        ally in range an enemy picks. Raises ValueError for an unknown scenario or attack mode.
        """
        if attack_mode not in ("closest", "random"):
            raise ValueError(f"attack_mode is 'closest' or 'random', not {attack_mode!r}")
        scenario = scenarios.find(scenario) if isinstance(scenario, str) else scenario
        self._battle = jaxmarl.HeuristicEnemySMAX(
            scenario=jaxmarl_scenario(scenario),
            see_enemy_actions=see_enemy_actions,
            walls_cause_death=walls_cause_death,
            attack_mode=attack_mode,
        )
        self.spec = Spec(
            name=scenario.name,
            agents=tuple(self._battle.agents),
            observation_size=self._battle.obs_size,
            state_size=self._battle.state_size,
            actions=Discrete(self._battle.num_ally_actions),
            horizon=self._battle.max_steps + 1,
            has_winner=True,
        )

    def reset(self, key: jax.Array, batch: int) -> tuple[State, View]:
        battle, view = jax.vmap(self._begin, out_axes=(0, _VIEW_AXES))(jax.random.split(key, batch))
        return State(battle, empty_tally(batch)), view

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, Step]:
        keys = jax.random.split(key, action.shape[1])
        battle, view, reward, dead, done, truncated, won = jax.vmap(
            self._advance, in_axes=(0, 0, 1), out_axes=(0, _VIEW_AXES, 0, 1, 0, 0, 0)
        )(keys, state.battle, action)
        tally, episode = count(state.tally, reward, done, won)
        return State(battle, tally), Step(view, reward, dead | done, done, truncated, episode)

    def view(self, state: State) -> View:
        """What is seen in these states."""

        def look(battle: Any) -> View:
            observations = self._battle.get_obs(battle) | {"world_state": self._battle.get_world_state(battle)}
            return self._view(battle, observations)

        return jax.vmap(look, out_axes=_VIEW_AXES)(state.battle)

    def _begin(self, key: jax.Array) -> tuple[Any, View]:
        observations, battle = self._battle.reset(key)
        # JaxMARL leaves Python numbers in its state, whose weak types would make a second step compile anew
        battle = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.asarray(leaf).dtype), battle)
        return battle, self._view(battle, observations)

    def _advance(self, key: jax.Array, battle: Any, action: jax.Array) -> tuple:
        """One environment's step, with the split of keys that JaxMARL's own automatic reset has.

        That reset hides the final state, in which only can be seen who has won; so it is done here.
        """
        key, key_reset = jax.random.split(key)
        own = dict(zip(self.spec.agents, action, strict=True))
        observations, after, rewards, dones, _ = self._battle.step_env(key, battle, own)
        alive, allies = after.state.unit_alive, len(self.spec.agents)
        both = jnp.any(alive[:allies]) & jnp.any(alive[allies:])
        won = jnp.any(alive[:allies]) & ~jnp.any(alive[allies:])
        done = dones["__all__"]
        dead = jnp.stack([dones[name] for name in self.spec.agents])
        battle, view = jax.tree.map(
            lambda new, old: jnp.where(done, new, old.astype(new.dtype)),
            self._begin(key_reset),
            (after, self._view(after, observations)),
        )
        return battle, view, rewards[self.spec.agents[0]], dead, done, done & both, won

    def _view(self, battle: Any, observations: dict[str, jax.Array]) -> View:
        available = self._battle.get_avail_actions(battle)
        each = [(observations[name], available[name].astype(bool)) for name in self.spec.agents]
        observation, available = (jnp.stack(stacked) for stacked in zip(*each, strict=True))
        return View(observation, observations["world_state"], available)


# the environments' axis comes after the agents'
_VIEW_AXES = View(observation=1, state=0, available=1)
