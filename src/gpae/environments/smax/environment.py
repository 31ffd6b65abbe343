"""SMAX behind the protocol of gpae.environments.base."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gpae.environments import base
from gpae.environments.smax import enemy, observation, reset, rules
from gpae.environments.smax.scenarios import Scenario, find


class State(NamedTuple):
    """units: what can be seen; memory: the enemies'; time: int32 [B], steps since the start; tally: score so far."""

    units: rules.Units
    memory: enemy.Memory
    time: jax.Array
    tally: base.Tally


class Draws(NamedTuple):
    """The randomness of one step.

    delay: float32 [U, B], uniform in [-1/16, 2/16) seconds, added to the cooldown of a weapon that fires
    choice: float32 [E, B], uniform in [0, 1), by which an enemy picks an ally
    """

    delay: jax.Array
    choice: jax.Array


class Outcome(NamedTuple):
    """reward: float32 [B]; done: bool [B]; truncated: bool [B], over by the time limit alone
    won: bool [B], the enemies are all dead and not all allies are
    """

    reward: jax.Array
    done: jax.Array
    truncated: jax.Array
    won: jax.Array


class SMAX:
    """Allies that learn against a heuristic enemy, after JaxMARL 0.1.0's HeuristicEnemySMAX, and by the same rules.

    scenario: a registered scenario's name, or a Scenario
    see_enemy_actions: whether observations show the enemies' last actions
    walls_cause_death: whether touching the edge of the map kills
    attack_mode: 'closest' or 'random', how an enemy picks whom to attack
    enemy_shoots: if False, enemies only move
    max_steps: the step after which the time is up is max_steps + 1, as in JaxMARL, which compares the time before it
    won_bonus: reward of a victory, added to the enemy's mean loss of health (a share of 1)

    Raises ValueError for an unknown scenario or attack mode.
    """

    def __init__(
        self,
        scenario: str | Scenario,
        *,
        see_enemy_actions: bool = True,
        walls_cause_death: bool = True,
        attack_mode: str = "closest",
        enemy_shoots: bool = True,
        max_steps: int = 100,
        won_bonus: float = 1.0,
    ):
        if attack_mode not in ("closest", "random"):
            raise ValueError(f"attack_mode is 'closest' or 'random', not {attack_mode!r}")
        self.scenario = find(scenario) if isinstance(scenario, str) else scenario
        self.see_enemy_actions = see_enemy_actions
        self.walls_cause_death = walls_cause_death
        self.attack_mode = attack_mode
        self.enemy_shoots = enemy_shoots
        self.max_steps = max_steps
        self.won_bonus = won_bonus
        self.allies, self.enemies = len(self.scenario.allies), len(self.scenario.enemies)
        self.spec = base.Spec(
            name=self.scenario.name,
            agents=tuple(f"ally_{i}" for i in range(self.allies)),
            observation_size=observation.observation_size(self.allies, self.enemies),
            state_size=observation.state_size(self.allies, self.enemies),
            actions=base.Discrete(rules.MOVES + self.enemies),
            horizon=max_steps + 1,
            has_winner=True,
        )

    def reset(self, key: jax.Array, batch: int) -> tuple[State, base.View]:
        """Fresh episodes in `batch` environments; key: a single PRNG key."""
        state = self.start(reset.fresh(key, self.scenario, batch))
        return state, self.view(state)

    def step(self, key: jax.Array, state: State, action: jax.Array) -> tuple[State, base.Step]:
        """One step of every environment; action: int32 [N, B]. What is not available has no effect."""
        batch = action.shape[1]
        draw_key, fresh_key = jax.random.split(key)
        after, outcome = self.transition(state, action, self.draw(draw_key, batch))
        tally, episode = base.count(state.tally, outcome.reward, outcome.done, outcome.won)
        agent_done = (after.units.health[: self.allies] <= 0) | outcome.done

        begun = self.start(reset.renew(fresh_key, self.scenario, outcome.done))
        state = jax.tree.map(lambda new, old: jnp.where(outcome.done, new, old), begun, after)._replace(tally=tally)
        ends = outcome.done, outcome.truncated
        return state, base.Step(self.view(state), outcome.reward, agent_done, *ends, episode, reached=after)

    def view(self, state: State) -> base.View:
        """What is seen in a state: a learner may store states, which are smaller, and rebuild their views."""
        units, kind = self._known(state.units)
        return observation.view(units, kind, allies=self.allies, see_enemy_actions=self.see_enemy_actions)

    def transition(self, state: State, action: jax.Array, draws: Draws) -> tuple[State, Outcome]:
        """One step without randomness of its own, without a new episode after the last and without the tally."""
        units, kind = self._known(state.units)
        enemy_action, memory = enemy.act(
            units,
            kind,
            state.memory,
            draws.choice,
            allies=self.allies,
            attack_mode=self.attack_mode,
            shoots=self.enemy_shoots,
        )
        action = jnp.concatenate([action.astype(jnp.int32), enemy_action])
        after = rules.fight(
            units, kind, action, draws.delay, allies=self.allies, walls_cause_death=self.walls_cause_death
        )
        allies_dead = jnp.all(after.health[: self.allies] <= 0, axis=0)
        enemies_dead = jnp.all(after.health[self.allies :] <= 0, axis=0)
        loss = jnp.sum(((units.health - after.health) / kind.health)[self.allies :], axis=0)
        won = enemies_dead & ~allies_dead
        reward = jnp.abs(loss) / self.enemies + jnp.where(won, jnp.float32(self.won_bonus), 0.0)
        terminated = allies_dead | enemies_dead
        done = terminated | (state.time >= self.max_steps)
        after = after._replace(unit_type=state.units.unit_type)
        return State(after, memory, state.time + 1, state.tally), Outcome(reward, done, done & ~terminated, won)

    def draw(self, key: jax.Array, batch: int) -> Draws:
        """The randomness of one step of `batch` environments."""
        delay_key, choice_key = jax.random.split(key)
        delay = jax.random.uniform(
            delay_key,
            (self.allies + self.enemies, batch),
            minval=rules.DELAY[0],
            maxval=rules.DELAY[1],
        )
        return Draws(delay, jax.random.uniform(choice_key, (self.enemies, batch)))

    def start(self, units: rules.Units) -> State:
        """The state of episodes that begin with these units."""
        batch = units.x.shape[1]
        memory = enemy.remember(units, self.allies)
        return State(units, memory, jnp.zeros(batch, jnp.int32), base.empty_tally(batch))

    def _known(self, units: rules.Units) -> tuple[rules.Units, rules.Attributes]:
        unit_type, kind = reset.known(self.scenario, units.unit_type)
        return units._replace(unit_type=unit_type), kind
