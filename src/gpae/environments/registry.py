"""Environments by family and settings, as a file in params/tasks/ names them."""

from gpae.environments.base import Environment


def make(family: str, **settings) -> Environment:
    """The environment of a family.

    smax: scenario, implementation ('fast', or 'jaxmarl' for the reference), see_enemy_actions, walls_cause_death,
        attack_mode, stop_probability
    mabrax: task, backend, episode_length
    mpe: task, agents, prey, actions, episode_length, velocity_first
    predator_prey: predators, prey, actions, episode_length, velocity_first
    A family is imported only when it is asked for: a simulator takes seconds to import.

    Raises ValueError for an unknown family or implementation; a setting that a family lacks is a TypeError.
    """
    if family == "mabrax":
        from gpae.environments.mabrax import MABrax as environment
    elif family == "mpe":
        from gpae.environments.mpe import make as environment
    elif family == "predator_prey":
        from gpae.environments.predator_prey import PredatorPrey as environment
    elif family == "smax":
        implementation = settings.pop("implementation", "fast")
        stop_probability = settings.pop("stop_probability", 0.0)
        if implementation == "fast":
            from gpae.environments.smax import SMAX as environment
        elif implementation == "jaxmarl":
            from gpae.environments.jaxmarl_smax import JaxmarlSMAX as environment
        else:
            raise ValueError(f"implementation is 'fast' or 'jaxmarl', not {implementation!r}")
    else:
        raise ValueError(f"family is 'smax', 'mabrax', 'mpe' or 'predator_prey', not {family!r}")
    made = environment(**settings)
    if family == "smax" and stop_probability:
        from gpae.environments.stopping import Stopping

        return Stopping(made, stop_probability)
    return made
