"""Scenarios: which units fight, and where and as what they may begin: data, of which the rules know nothing by name."""

from dataclasses import dataclass

UNIT_TYPES = ("marine", "marauder", "stalker", "zealot", "zergling", "hydralisk")


@dataclass(frozen=True)
class Scenario:
    """One battle.

    name: as a task names it
    allies, enemies: unit types, from UNIT_TYPES, in the order of the agents
    random_positions: False: the teams face each other, as in SMAC; True: one team surrounds the other or they mirror
        each other, as in SMACv2
    mix: the unit types to draw from, uniformly, at the start of an episode, as in SMACv2 (repeat a type to make it
        more frequent); enemy i is of the type of ally i. Empty: units are as listed; otherwise only their number counts

    Raises ValueError for an unknown unit type or a team of none.
    """

    name: str
    allies: tuple[str, ...]
    enemies: tuple[str, ...]
    random_positions: bool = False
    mix: tuple[str, ...] = ()

    def __post_init__(self):
        if not self.allies or not self.enemies:
            raise ValueError(f"scenario {self.name}: both teams need a unit")
        for unit in self.allies + self.enemies + self.mix:
            if unit not in UNIT_TYPES:
                raise ValueError(f"scenario {self.name}: unknown unit type {unit!r}, known are {', '.join(UNIT_TYPES)}")


def _army(**count: int) -> tuple[str, ...]:
    """The unit types of an army, given how many of each, in that order."""
    return tuple(unit for unit, number in count.items() for _ in range(number))


def _drawn(name: str, number: int, mix: tuple[str, ...]) -> Scenario:
    """SMACv2's kind: `number` units a side, positions and types drawn anew for every episode."""
    return Scenario(name, (mix[0],) * number, (mix[0],) * number, random_positions=True, mix=mix)


# SMACv2 draws within a race; these are its nearest among the unit types at hand.
RACES = {
    "protoss": ("stalker", "zealot"),
    "terran": ("marine", "marauder"),
    "zerg": ("zergling", "hydralisk"),
}

SCENARIOS: dict[str, Scenario] = {}


def register(scenario: Scenario) -> None:
    """Makes the scenario known by its name. Raises ValueError if the name is taken by another."""
    if SCENARIOS.setdefault(scenario.name, scenario) != scenario:
        raise ValueError(f"scenario {scenario.name} exists and is another")


def find(name: str) -> Scenario:
    """The registered scenario of that name. Raises ValueError, naming those there are."""
    if name not in SCENARIOS:
        raise ValueError(f"unknown scenario {name!r}, known are {', '.join(sorted(SCENARIOS))}")
    return SCENARIOS[name]


for _scenario in (
    # JaxMARL's
    Scenario("3m", _army(marine=3), _army(marine=3)),
    Scenario("2s3z", _army(stalker=2, zealot=3), _army(stalker=2, zealot=3)),
    Scenario("25m", _army(marine=25), _army(marine=25)),
    Scenario("3s5z", _army(stalker=3, zealot=5), _army(stalker=3, zealot=5)),
    Scenario("8m", _army(marine=8), _army(marine=8)),
    Scenario("5m_vs_6m", _army(marine=5), _army(marine=6)),
    Scenario("10m_vs_11m", _army(marine=10), _army(marine=11)),
    Scenario("27m_vs_30m", _army(marine=27), _army(marine=30)),
    Scenario("3s5z_vs_3s6z", _army(stalker=3, zealot=5), _army(stalker=3, zealot=6)),
    Scenario("3s_vs_5z", _army(stalker=3), _army(zealot=5)),
    Scenario("6h_vs_8z", _army(hydralisk=6), _army(zealot=8)),
    _drawn("smacv2_5_units", 5, UNIT_TYPES),
    _drawn("smacv2_10_units", 10, UNIT_TYPES),
    _drawn("smacv2_20_units", 20, UNIT_TYPES),
    # not JaxMARL's
    Scenario("1s1z", _army(stalker=1, zealot=1), _army(stalker=1, zealot=1)),
    Scenario("2m_vs_1z", _army(marine=2), _army(zealot=1)),
    Scenario("3s_vs_3z", _army(stalker=3), _army(zealot=3)),
    Scenario("8m_vs_9m", _army(marine=8), _army(marine=9)),
    *(_drawn(f"smacv2_{race}_{number}_units", number, mix) for race, mix in RACES.items() for number in (5, 10)),
):
    register(_scenario)
