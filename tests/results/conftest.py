"""What the tests of results share."""

from pathlib import Path

import pytest
from study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)
