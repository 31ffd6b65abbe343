"""Windows of a small game drawn at random."""

import numpy as np

from gpae.tabular.games import Game
from gpae.tabular.windows import Windows


def drawn_windows(game: Game, policies, steps: int, count: int, seed: int) -> Windows:
    """Windows drawn from the game's own start, each with the same probability; after an end as in `all_windows`."""
    rng = np.random.default_rng(seed)

    def draw(probabilities):
        return (rng.random(count)[:, None] >= probabilities.cumsum(1)).sum(1)

    state, over = draw(np.broadcast_to(game.start, (count, len(game.start)))), np.zeros(count, bool)
    states, actions, reward, done = [state], [], [], []
    for step in range(steps + 1):
        own, other = (draw(policy[state]) for policy in policies)
        actions.append(np.stack([own, other]))
        if step == steps:
            break
        reward.append(game.reward[state, own, other])
        following = draw(game.transition[state, own, other])
        over = over | (following == len(game.start))
        state = np.where(over, 0, following)
        done.append(over)
        states.append(state)
    return Windows(*map(np.stack, (states, actions, reward, done)), np.full(count, 1 / count))
