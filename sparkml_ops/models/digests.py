"""By which it is seen that the files of a package are those that were packaged."""

import hashlib
from collections.abc import Mapping


def digest_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """sha256 of each file, by name."""
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def digest_package(files: Mapping[str, bytes]) -> str:
    """One sha256 over the names and contents of all files."""
    lines = [f"{digest}  {name}\n" for name, digest in digest_files(files).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_damage(files: Mapping[str, bytes], packaged: Mapping[str, str]) -> list[str]:
    """Which files are not as they were packaged, in words; none where all are.

    Args:
        files: The files that are there, by name.
        packaged: What `digest_files` said of them when they were packaged.
    """
    found = digest_files(files)
    changed = [f"{name} was changed" for name in packaged if name in found and found[name] != packaged[name]]
    missing = [f"{name} is missing" for name in packaged if name not in found]
    return [*changed, *missing, *(f"{name} does not belong to it" for name in found if name not in packaged)]
