"""What the tests of sources share."""

from pathlib import Path

import pytest


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A folder where files land."""
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder
