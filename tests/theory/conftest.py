import jax
import pytest


@pytest.fixture(autouse=True)
def float64():
    """The exact solutions are in float64, so the estimators run in it too."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)
