"""Which files make the next batch: decided from what lies there and what the manifest says."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sparkml_ops.errors import ConfigError, ContractError
from sparkml_ops.ingestion.batches import Batch, Wanted, decide_batch, find_taken
from sparkml_ops.ingestion.files import LandedFile

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def landed(*names: str, size: int = 10) -> list[LandedFile]:
    return [LandedFile(f"file:/landing/{name}", size, NOON) for name in names]


def decide(batches: list[tuple[Batch, bool]], files: list[LandedFile], **options: Any) -> Batch | None:
    wanted = Wanted(**({"mode": "incremental", "contract_hash": "c1"} | options))
    return decide_batch(batches, files, source="orders", wanted=wanted)


def first_batch(*names: str) -> Batch:
    batch = decide([], landed(*names))
    assert batch is not None
    return batch


def test_the_first_batch_replaces_with_all_that_lies_there() -> None:
    batch = first_batch("a", "b")
    assert (batch.mode, [f.path[-1] for f in batch.files], batch.reason) == ("replace", ["a", "b"], "first batch")


def test_a_batch_has_the_same_name_for_the_same_files() -> None:
    assert first_batch("a", "b").batch_id == first_batch("a", "b").batch_id != first_batch("a").batch_id


def test_nothing_new_is_no_batch() -> None:
    assert decide([(first_batch("a"), True)], landed("a")) is None


def test_only_new_files_are_appended() -> None:
    batch = decide([(first_batch("a"), True)], landed("a", "b"))
    assert batch is not None
    assert (batch.mode, [f.path for f in batch.files]) == ("append", ["file:/landing/b"])


def test_in_merge_mode_new_files_are_merged() -> None:
    batch = decide([(first_batch("a"), True)], landed("a", "b"), mode="merge")
    assert batch is not None
    assert batch.mode == "merge"


def test_a_file_that_went_away_takes_nothing_with_it() -> None:
    assert decide([(first_batch("a", "b"), True)], landed("b")) is None


def test_a_changed_file_is_refused_and_named() -> None:
    with pytest.raises(ContractError, match=r"1 file changed after being ingested: /landing/a\. .*--full"):
        decide([(first_batch("a"), True)], landed("a", size=11))


def test_a_killed_batch_is_finished_first_with_exactly_its_files() -> None:
    killed = first_batch("a")
    assert decide([(killed, False)], landed("a", "b")) == killed


def test_a_killed_batch_whose_file_is_gone_is_refused_and_named() -> None:
    with pytest.raises(ContractError, match=r"of the batch cannot be found any more: /landing/a"):
        decide([(first_batch("a", "b"), False)], landed("b"))


def test_a_changed_contract_takes_everything_in_again() -> None:
    batch = decide([(first_batch("a"), True)], landed("a", "b"), contract_hash="c2")
    assert batch is not None
    assert (batch.mode, len(batch.files), batch.reason) == ("replace", 2, "the contract changed")


def test_a_changed_contract_does_not_lose_rows_of_files_that_are_gone() -> None:
    with pytest.raises(ContractError, match="cannot be found any more: /landing/a"):
        decide([(first_batch("a", "b"), True)], landed("b"), contract_hash="c2")


def test_a_killed_batch_under_another_contract_starts_over() -> None:
    batch = decide([(first_batch("a"), False)], landed("a"), contract_hash="c2")
    assert batch is not None
    assert batch.mode == "replace"


def test_full_takes_everything_in_again_also_what_has_changed() -> None:
    batch = decide([(first_batch("a"), True)], landed("a", size=11), full=True)
    assert batch is not None
    assert (batch.mode, batch.reason) == ("replace", "asked for in full")


@pytest.mark.parametrize("files", [landed("a", size=11), landed("b"), landed("a", "b")])
def test_a_snapshot_is_replaced_whenever_its_files_differ(files: list[LandedFile]) -> None:
    batch = decide([(first_batch("a"), True)], files, mode="snapshot")
    assert batch is not None
    assert (batch.mode, list(batch.files)) == ("replace", files)


def test_an_unchanged_snapshot_is_left_alone() -> None:
    assert decide([(first_batch("a"), True)], landed("a"), mode="snapshot") is None


def test_a_replaced_file_is_swapped_before_new_ones_are_looked_at() -> None:
    first = first_batch("a", "b")
    files = [*landed("a"), *landed("b", size=11), *landed("c")]
    batch = decide([(first, True)], files, replaced=("/landing/b",))
    assert batch is not None
    assert (batch.mode, batch.files, batch.reason) == ("swap", tuple(landed("b", size=11)), "1 replaced file")
    after = decide([(first, True), (batch, True)], files)
    assert after is not None
    assert (after.mode, after.files) == ("append", tuple(landed("c")))


def test_only_what_was_ingested_and_has_changed_can_be_replaced() -> None:
    files = [*landed("a"), *landed("b", size=11)]
    for path in ("/landing/a", "/landing/nope"):
        with pytest.raises(ConfigError, match=f"{path} has not changed .* files that have: /landing/b"):
            decide([(first_batch("a", "b"), True)], files, replaced=(path,))


def test_a_batch_that_was_begun_cannot_be_given_another_file() -> None:
    with pytest.raises(ContractError, match=r"1 file changed") as raised:
        decide([(first_batch("a"), False)], landed("a", size=11), replaced=("/landing/a",))
    assert "--replaced" not in str(raised.value)


def test_another_file_that_changed_is_refused_all_the_same() -> None:
    files = landed("a", "b", size=11)
    with pytest.raises(ContractError, match="1 file changed after being ingested: /landing/a"):
        decide([(first_batch("a", "b"), True)], files, replaced=("/landing/b",))


def test_a_source_that_cuts_its_pieces_goes_on_after_those_that_were_taken() -> None:
    first = decide([], landed("up to 1"))
    assert first is not None
    wanted = Wanted("incremental", first.contract_hash)
    assert find_taken([(first, True)], wanted) == first.files
    assert find_taken([(first, True)], replace(wanted, full=True)) == ()
    assert find_taken([(first, True)], replace(wanted, contract_hash="another")) == ()
    assert find_taken([(first, False)], wanted) == (), "its rows are not all in the table"


@pytest.mark.parametrize("options", [{"full": True}, {"contract_hash": "another"}])
def test_a_source_that_cuts_its_pieces_starts_over_with_others(options: dict[str, Any]) -> None:
    first = decide([], landed("up to 1"))
    assert first is not None
    wanted = replace(Wanted("incremental", first.contract_hash, noun="range", cuts=True), **options)
    again = decide_batch([(first, True)], landed("up to 2"), source="orders", wanted=wanted)
    assert again is not None
    assert (again.mode, [file.path for file in again.files]) == ("replace", ["file:/landing/up to 2"])


def test_a_source_that_cuts_its_pieces_ends_a_batch_with_those_that_it_began_with() -> None:
    first = decide([], landed("up to 1"))
    assert first is not None
    wanted = Wanted("incremental", first.contract_hash, noun="range", cuts=True)
    assert decide_batch([(first, False)], landed("up to 2"), source="orders", wanted=wanted) == first
    then = decide_batch([(first, True)], [*first.files, *landed("1 to 2")], source="orders", wanted=wanted)
    assert then is not None
    assert (then.mode, then.reason) == ("append", "1 new range")
