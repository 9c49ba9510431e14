"""Which pieces make the next batch: a pure decision on what a source has and what the manifest says.

A piece is a file, or what another kind of source has ready under a name (`readers/__init__.py`); the names here say file.

The manifest (table `ingested_files`) has a batch's files before any row is written, and the ledger (`runs`) has its success
after the last one. A batch that was killed in between is finished first, with exactly its files.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.ingestion.files import LandedFile, count_files, plain_path, some_of

BatchMode = Literal["append", "replace", "merge", "swap", "replay"]


@dataclass(frozen=True)
class Batch:
    """Files that are ingested together.

    Attributes:
        batch_id: the same for the same files under the same contract.
        source: name of the source.
        contract_hash: of the source's configuration.
        mode: append to what is there, replace it, merge by key, swap the rows of these files for new ones, or replay rows of
            the quarantine.
        files: what is in it.
        started_at: the `_ingested_at` of its rows.
        reason: why there is a batch, in words.
    """

    batch_id: str
    source: str
    contract_hash: str
    mode: BatchMode
    files: tuple[LandedFile, ...]
    started_at: datetime
    reason: str

    @property
    def size_bytes(self) -> int:
        """Of its files together, as they lie there."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class Wanted:
    """How files are to be taken in.

    Attributes:
        mode: incremental, snapshot or merge.
        contract_hash: of the source's configuration as it is now.
        full: everything again.
        replaced: paths of files that were ingested and have new content by intent.
        noun: what a piece of the source is called.
        cuts: the source cuts its pieces itself: it always has those that it gave, and starts over with others.
    """

    mode: str
    contract_hash: str
    full: bool = False
    replaced: tuple[str, ...] = ()
    noun: str = "file"
    cuts: bool = False


def find_taken(batches: Sequence[tuple[Batch, bool]], wanted: Wanted) -> tuple[LandedFile, ...]:
    """The pieces whose rows are in the table and stay there, oldest first; none when everything is taken in anew."""
    finished = [batch for batch, is_finished in batches if is_finished]
    begun = batches[-1][0] if batches and not batches[-1][1] else None
    last = begun or (finished[-1] if finished else None)
    stays = last is not None and last.contract_hash == wanted.contract_hash and not wanted.full
    return _live_files(finished) if stays else ()


def decide_batch(
    batches: Sequence[tuple[Batch, bool]], landed: Sequence[LandedFile], *, source: str, wanted: Wanted
) -> Batch | None:
    """The batch to ingest now, or None when nothing is new.

    Args:
        batches: earlier batches of this source, oldest first, each with whether it was finished.
        landed: the files that lie there now.
        source: name of the source.
        wanted: how they are to be taken in.

    Raises:
        ConfigError: a path in `wanted.replaced` is none of such a file.
        ContractError: a file that was ingested has changed or is gone where it is needed.
    """
    mode, contract_hash, full = wanted.mode, wanted.contract_hash, wanted.full
    make = _BatchMaker(source, contract_hash)
    may_replace = mode == "incremental"
    unfinished = batches[-1][0] if batches and not batches[-1][1] else None
    if unfinished is not None and unfinished.contract_hash == contract_hash and not full:
        if not wanted.cuts:
            _require_unchanged(source, unfinished.files, landed, may_replace=False)
        return unfinished
    live = _live_files([batch for batch, finished in batches if finished])
    last = next((batch for batch, finished in reversed(batches) if finished), None)
    swapped = _find_swapped(source, wanted, live, landed)
    if last is None and unfinished is None:
        return make("replace", landed, "first batch")
    if full or unfinished is not None or last is None or last.contract_hash != contract_hash:
        if mode != "snapshot" and not wanted.cuts:
            needed = () if full else [file for file in live if file not in swapped]
            _require_unchanged(source, needed, landed, may_replace=may_replace)
        return make("replace", landed, "asked for in full" if full else "the contract changed")
    if mode == "snapshot":
        return None if set(live) == set(landed) else make("replace", landed, f"the {wanted.noun}s changed")
    kept = [file for file in live if file not in swapped]
    _require_same_content(source, kept, landed, may_replace=may_replace)
    if swapped:
        there = {file.path: file for file in landed}
        return make("swap", [there[file.path] for file in swapped], count_files(len(swapped), "replaced file"))
    known = {file.path for file in live}
    new = [file for file in landed if file.path not in known]
    return (
        make("merge" if mode == "merge" else "append", new, count_files(len(new), f"new {wanted.noun}"))
        if new
        else None
    )


@dataclass(frozen=True)
class _BatchMaker:
    source: str
    contract_hash: str

    def __call__(self, mode: BatchMode, files: Sequence[LandedFile], reason: str) -> Batch:
        started_at = datetime.now(UTC)
        text = f"{self.contract_hash}|{mode}|" + "|".join(
            f"{f.path}:{f.size_bytes}:{f.modified_at}" for f in sorted(files)
        )
        batch_id = f"{self.source}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return Batch(batch_id, self.source, self.contract_hash, mode, tuple(sorted(files)), started_at, reason)


def _live_files(finished: Sequence[Batch]) -> tuple[LandedFile, ...]:
    """Files whose rows are in the table: those since the last batch that replaced it. A replay brings no file."""
    live: list[LandedFile] = []
    for batch in (batch for batch in finished if batch.mode != "replay"):
        paths = {file.path for file in batch.files}
        kept = [] if batch.mode == "replace" else [file for file in live if file.path not in paths]
        live = [*kept, *batch.files]
    return tuple(live)


def _find_swapped(
    source: str, wanted: Wanted, live: Sequence[LandedFile], landed: Sequence[LandedFile]
) -> list[LandedFile]:
    """The files as they were ingested whose new content is to take the place of the old."""
    if not wanted.replaced:
        return []
    if wanted.mode != "incremental":
        raise ConfigError(
            f"source {source} has the mode {wanted.mode}: only files of an incremental source can be replaced"
        )
    there = {file.path: file for file in landed}
    changed = {plain_path(old.path): old for old in live if there.get(old.path, old) != old}
    strange = [path for path in wanted.replaced if path not in changed]
    if strange:
        raise ConfigError(
            f"source {source}: {some_of(strange)} has not changed since it was ingested, or never was; "
            f"files that have: {some_of(sorted(changed)) or 'none'}"
        )
    return [changed[path] for path in dict.fromkeys(wanted.replaced)]


def _require_unchanged(
    source: str, needed: Sequence[LandedFile], landed: Sequence[LandedFile], *, may_replace: bool
) -> None:
    _require_same_content(source, needed, landed, may_replace=may_replace)
    there = {file.path for file in landed}
    gone = [plain_path(file.path) for file in needed if file.path not in there]
    if gone:
        raise ContractError(
            f"source {source}: {count_files(len(gone))} of the batch cannot be found any more: {some_of(gone)}. Put back what is missing, or start "
            f"over from what is there with `sparkml-ops ingest … --source {source} --full`. Nothing was written."
        )


def _require_same_content(
    source: str, known: Sequence[LandedFile], landed: Sequence[LandedFile], *, may_replace: bool
) -> None:
    before = {file.path: file for file in known}
    changed = [plain_path(file.path) for file in landed if file.path in before and before[file.path] != file]
    if changed:
        # A batch that was begun ends with the files that it began with.
        swap = f"say that it takes the place of the old (`… --source {source} --replaced {changed[0]}`), "
        instead = swap if may_replace else ""
        raise ContractError(
            f"source {source}: {count_files(len(changed))} changed after being ingested: {some_of(changed)}. Files must not "
            f"change once they have landed: give the new content a name of its own, {instead}or take everything in anew with "
            f"`sparkml-ops ingest … --source {source} --full`. Nothing was written."
        )
