"""Table 5 of the GPAE paper: the tasks, as the environments themselves have them."""

from collections import Counter

from gpae import plan
from gpae.config import ConfigError, Params
from gpae.environments.base import Environment, Spec
from gpae.environments.mabrax import partition
from gpae.environments.registry import make
from gpae.environments.smax.scenarios import Scenario, find
from gpae.results.grid import Grid
from gpae.results.hyperparameters import PROTOCOL

# The paper's rows, by task: ally units, enemy units. It lists no task of MABrax.
PAPER = {
    "2s3z": ("2 Stalkers, 3 Zealots", "2 Stalkers, 3 Zealots"),
    "3s5z": ("3 Stalkers, 5 Zealots", "3 Stalkers, 5 Zealots"),
    "5m_vs_6m": ("5 Marines", "6 Marines"),
    "10m_vs_11m": ("10 Marines", "11 Marines"),
    "3s5z_vs_3s6z": ("3 Stalkers, 5 Zealots", "3 Stalkers, 6 Zealots"),
    "6h_vs_8z": ("6 Hydralisks", "8 Zealots"),
    "smacv2_5_units": ("5 Random Units", "5 Random Units"),
    "smacv2_10_units": ("10 Random Units", "10 Random Units"),
}


def army(scenario: Scenario, units: tuple[str, ...]) -> str:
    """A team in the paper's words."""
    kinds = ["random Unit"] * len(units) if scenario.mix else units
    words = [f"{count} {kind[0].upper()}{kind[1:]}{'s' * (count > 1)}" for kind, count in Counter(kinds).items()]
    return ", ".join(words)


def joints(task: str) -> str:
    """How many joints of which robot each agent moves."""
    robot, _, actions = partition(task)
    counts = [len(entries) for entries in actions]
    shares = f"{len(counts)} × {counts[0]}" if len(set(counts)) == 1 else " + ".join(map(str, counts))
    return f"{shares} joint{'s' * (max(counts) > 1)} of {robot}"


def tasks(params: Params) -> list[str]:
    """The paper's Table 5, then what other tasks its experiments have, SMAX's first."""
    experiments = params.profile(PROTOCOL).experiments
    names = dict.fromkeys([*PAPER, *(task for name in experiments for task in params.experiment(name).tasks)])
    families = ("smax", "mabrax")
    chosen = [name for name in names if params.task(name).family in families]
    return sorted(chosen, key=lambda name: families.index(params.task(name).family))


def _made(params: Params, task: str) -> Environment:
    try:
        return make(params.task(task).family, **plan.environment(params, task))
    except ValueError as error:
        raise ConfigError(f"{params.folder / 'tasks' / task}.yaml: environment: {error}") from None


def _sizes(spec: Spec) -> tuple[str, ...]:
    actions = f"{spec.actions.size} {type(spec.actions).__name__.lower()}"
    return str(len(spec.agents)), str(spec.observation_size), str(spec.state_size), actions, str(spec.horizon)


def grid(params: Params) -> Grid:
    rows, breaks = [], set()
    for task in tasks(params):
        about, spec = params.task(task), _made(params, task).spec
        domain = params.family(about.family).label
        if rows and domain not in {row[0] for row in rows}:
            breaks.add(len(rows))
        if about.family == "smax":
            scenario = find(spec.name)
            team = army(scenario, scenario.allies), army(scenario, scenario.enemies)
        else:
            team = joints(spec.name), "—"
        agrees = {None: "—", team: "the same"}.get(PAPER.get(task), "another")
        rows.append((domain, about.label, *team, *_sizes(spec), agrees))
    return Grid(
        "table5",
        "Tasks and their sizes",
        ("Domain", "Task", "Team", "Enemies", "Agents", "Observation", "State", "Actions", "Horizon", "Paper's team"),
        tuple(rows),
        (
            "Observation: entries of one agent's; on MABrax its one-hot index and padding among them. State: entries of"
            " what the critic sees, before an agent's index is added. Actions: choices of an agent, or entries of its"
            " action. Horizon: the most steps of an episode; SMAX tests for the end with the time before the step, as"
            " JaxMARL does.",
            "Random units: types and positions are drawn anew for every episode, the enemies' types as the allies'.",
        ),
        left=4,
        breaks=frozenset(breaks),
    )
