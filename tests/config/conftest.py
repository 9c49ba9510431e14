"""A project folder on disk, with nothing of this machine's environment in the way."""

import os
from pathlib import Path

import pytest
from sample import BASE, LOCAL, USE_CASE


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("SPARKML_OPS_")]:
        monkeypatch.delenv(name)
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "base.yml").write_text(BASE)
    (conf / "local.yml").write_text(LOCAL)
    (conf / "shop.yml").write_text(USE_CASE)
    monkeypatch.chdir(tmp_path)
    return tmp_path
