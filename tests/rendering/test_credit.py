"""The strips and bars of advantages."""

import numpy as np
from matplotlib.figure import Figure

from gpae.rendering.credit import Credit, own_part, scale

ADVANTAGE = np.array([[3.0, 1.0, 2.0], [0.5, -0.5, 9.0]], np.float32)
ACTS = np.array([[True, True, True], [True, True, False]])  # agent 2 dies


def test_the_own_part_is_what_the_living_agents_differ_by():
    expected = [[1.0, -1.0, 0.0], [0.5, -0.5, np.nan]]  # means 2 and, without agent 2, 0
    np.testing.assert_allclose(own_part(ADVANTAGE, ACTS), expected)


def test_colours_are_symmetric_and_ignore_the_dead():
    range_ = scale([np.where(ACTS, ADVANTAGE, np.nan)])
    assert range_.vmin == -range_.vmax and 2.5 < range_.vmax < 3.0
    assert scale([np.zeros((2, 3))]).vmax == 1.0


def test_strips_fill_as_the_episode_goes_on():
    figure = Figure().subfigures(1, 1)
    credit = Credit(figure, {"first": ADVANTAGE, "second": 2 * ADVANTAGE}, ACTS)
    whole, own, other, _ = credit.strips
    assert whole.scale.vmax == other.scale.vmax > own.scale.vmax
    labels = [("a", "does this"), ("b", ""), ("c", "")]
    for step in range(3):
        credit.show(step, labels)
        shown = np.ma.filled(whole.image.get_array(), np.nan)
        assert np.isnan(shown[:, step:]).all()
        np.testing.assert_array_equal(shown[:, :step].T, np.where(ACTS, ADVANTAGE, np.nan)[:step])
        assert whole.cursor.get_xdata() == [step, step]
    assert [bar.get_width() for bar in own.bars] == [0.5, -0.5, 0.0]
    assert own.now.get_yticklabels()[0].get_text() == "a does this"
    green, purple = (own.bars[agent].get_facecolor() for agent in (0, 1))
    assert green[1] > green[0] and purple[1] < purple[0]
