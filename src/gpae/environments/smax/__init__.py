"""A fast SMAX: JaxMARL 0.1.0's rules, batched by nature."""

from gpae.environments.smax.environment import SMAX, State
from gpae.environments.smax.scenarios import SCENARIOS, Scenario, find, register

__all__ = ["SCENARIOS", "SMAX", "Scenario", "State", "find", "register"]
