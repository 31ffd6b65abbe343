"""The surface of Appendix C is Eq. 8's, at values worked by hand."""

from pathlib import Path

import numpy as np

from gpae.results.figures import surface

ROOT = Path(__file__).parents[2]


def test_the_surface_worked_by_hand():
    own, others = np.array([0.0, 0.5, 1.0, 2.0]), np.array([0.5, 1.0, 2.0])
    # own times the others' cut at 1.05, and the product cut at 1
    expected = 0.9 * np.array([[0, 0.25, 0.5, 1.0], [0, 0.5, 1.0, 1.0], [0, 0.525, 1.0, 1.0]])
    np.testing.assert_allclose(surface.weights(0.9, 1.05, own, others), expected, rtol=1e-6)


def test_the_picture_is_written_from_the_parameters_alone(tmp_path):
    (tmp_path / "params").symlink_to(ROOT / "params")
    assert surface.build(tmp_path).read_bytes()[:4] == b"\x89PNG"
