"""A project folder on disk, with nothing of this machine's environment in the way."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from config_sample import BASE, LOCAL, USE_CASE, BreakSample

from sparkml_ops.config import load_use_case
from sparkml_ops.errors import ConfigError


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


@pytest.fixture
def break_sample(project: Path) -> BreakSample:
    def break_and_load(edits: Mapping[str, str]) -> list[str]:
        """Load the sample with texts replaced, and give the lines of the error without headline and file."""
        text = USE_CASE
        for old, new in edits.items():
            assert old in text
            text = text.replace(old, new, 1)
        (project / "conf" / "shop.yml").write_text(text)
        with pytest.raises(ConfigError) as raised:
            load_use_case("shop")
        headline, *lines = str(raised.value).split("\n")
        assert headline == f"conf/shop.yml: {len(lines)} mistake{'s' if len(lines) > 1 else ''}"
        return [line.removeprefix("  conf/shop.yml:") for line in lines]

    return break_and_load
