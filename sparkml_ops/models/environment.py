"""What was installed where a model was trained: each distribution with its version and a hash over the list of its files."""

import hashlib
import json
import platform
import re
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from typing import Any

from sparkml_ops.errors import ModelError

ENVIRONMENT_FILE = "environment.json"
FIRST = ("sparkml-ops", "lightgbm", "scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "pyspark", "skops")
"""Told before all others, since they are what fits and asks models."""
_EXAMPLES = 5
_WRITTEN_BY_INSTALLER = re.compile(
    r"(^\.\..*/(bin|Scripts)/)|(\.pyc$)|(\.dist-info/(INSTALLER|REQUESTED|RECORD|direct_url\.json)$)"
)
"""Files that say where and by what a distribution was installed: they differ between machines that have the same one."""


@dataclass(frozen=True)
class Installed:
    """One distribution.

    Attributes:
        version: Its version.
        files_hash: sha256 over its RECORD, which has a hash of each file; None where no such list tells of its files.
        note: Why there is no hash: `editable`, or `no RECORD`.
    """

    version: str
    files_hash: str | None
    note: str = ""


@dataclass(frozen=True)
class InstalledEnvironment:
    """All that a Python can import, as its installers have noted it. Whether somebody edited a file since is not looked at.

    Attributes:
        python: Implementation and version.
        platform: Operating system, machine and C library.
        distributions: By normalised name.
    """

    python: str
    platform: str
    distributions: Mapping[str, Installed]

    @property
    def hash(self) -> str:
        """sha256 over everything."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def summarize(self) -> dict[str, str]:
        """What a model's metadata has of it."""
        return {"python": self.python, "platform": self.platform, "hash": self.hash}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "InstalledEnvironment":
        """Read what `to_dict` wrote."""
        installed = {name: Installed(**one) for name, one in plain["distributions"].items()}
        return cls(plain["python"], plain["platform"], installed)


@dataclass(frozen=True)
class EnvironmentChanges:
    """What differs between two environments; empty parts are alike.

    Attributes:
        settings: Python and platform, each before and after, where they differ.
        added: Version by distribution that only the later one has.
        removed: Version by distribution that only the earlier one has.
        versions: Versions before and after.
        files: Version by distribution that has the same version and other files.
    """

    settings: dict[str, tuple[str, str]]
    added: dict[str, str]
    removed: dict[str, str]
    versions: dict[str, tuple[str, str]]
    files: dict[str, str]

    def describe(self) -> list[str]:
        """In words, one line for each kind of change; none where both are the same."""
        told = {
            "": [f"{what} {old} -> {new}" for what, (old, new) in self.settings.items()],
            "other versions: ": [f"{name} {old} -> {new}" for name, (old, new) in _order(self.versions)],
            "the same version with other files: ": [f"{name} {version}" for name, version in _order(self.files)],
            "no longer installed: ": [f"{name} {version}" for name, version in _order(self.removed)],
            "newly installed: ": [f"{name} {version}" for name, version in _order(self.added)],
        }
        return [head + _shorten(items) for head, items in told.items() if items]


@cache
def find_environment() -> InstalledEnvironment:
    """The environment of this process, as it was when it was first asked for."""
    return read_environment(distributions())


def read_environment(installed: Iterable[Distribution]) -> InstalledEnvironment:
    """The environment that some distributions make with this Python; of several of one name the first counts."""
    found: dict[str, Installed] = {}
    for one in installed:
        if one.metadata["Name"]:  # a folder that an interrupted installation has left has none
            found.setdefault(_normalize(one.metadata["Name"]), _describe(one))
    return InstalledEnvironment(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=" ".join([sysconfig.get_platform(), *platform.libc_ver()]).strip(),
        distributions=dict(sorted(found.items())),
    )


def compare_environments(before: InstalledEnvironment, after: InstalledEnvironment) -> EnvironmentChanges:
    """What differs between two environments."""
    old, new = before.distributions, after.distributions
    both = [name for name in old if name in new]
    settings = {"Python": (before.python, after.python), "platform": (before.platform, after.platform)}
    return EnvironmentChanges(
        settings={what: pair for what, pair in settings.items() if pair[0] != pair[1]},
        added={name: one.version for name, one in new.items() if name not in old},
        removed={name: one.version for name, one in old.items() if name not in new},
        versions={
            name: (old[name].version, new[name].version) for name in both if old[name].version != new[name].version
        },
        files={
            name: old[name].version
            for name in both
            if old[name].version == new[name].version and old[name].files_hash != new[name].files_hash
        },
    )


def dump_environment(environment: InstalledEnvironment) -> str:
    """The environment as the text of `environment.json`."""
    return json.dumps(environment.to_dict(), indent=1, ensure_ascii=False)


def parse_environment(content: bytes, *, expected_hash: str) -> InstalledEnvironment:
    """Read `environment.json`, if it is the one whose hash the model has.

    Raises:
        ModelError: It is damaged, or another one.
    """
    try:
        environment = InstalledEnvironment.from_dict(json.loads(content))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{ENVIRONMENT_FILE} is damaged: {error}") from error
    if environment.hash != expected_hash:
        raise ModelError(
            f"{ENVIRONMENT_FILE} is not the one that was registered: its hash is {environment.hash[:12]}, and the model "
            f"was trained in {expected_hash[:12]}."
        )
    return environment


def _describe(one: Distribution) -> Installed:
    record = one.read_text("RECORD")
    if _is_editable(one):
        return Installed(one.version, None, "editable")
    if record is None:
        return Installed(one.version, None, "no RECORD")
    files = {line: line.rsplit(",", 2)[0].strip('"') for line in record.splitlines()}
    lines = sorted(line for line, file in files.items() if not _WRITTEN_BY_INSTALLER.search(file))
    return Installed(one.version, hashlib.sha256("\n".join(lines).encode()).hexdigest())


def _is_editable(one: Distribution) -> bool:
    try:
        origin = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
    return bool(origin.get("dir_info", {}).get("editable"))


def _normalize(name: str) -> str:
    """The name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _order(changes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    known = {name: position for position, name in enumerate(FIRST)}
    return sorted(changes.items(), key=lambda item: (known.get(item[0], len(known)), item[0]))


def _shorten(items: list[str]) -> str:
    more = len(items) - _EXAMPLES
    return ", ".join(items[:_EXAMPLES]) + (f" and {more} more" if more > 0 else "")
