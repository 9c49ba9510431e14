"""What a table at a version was made from, as the ledger tells."""

import pytest

from sparkml_ops.errors import ContractError
from sparkml_ops.lake import Commit, Lake, find_inputs, record_step


def record(lake: Lake, read: int, wrote: int, *, table: str = "features_a") -> None:
    with record_step(lake, run_id=f"{read}", step=f"make:{table}", config_hash="h") as step:
        step.read("clean_a", read)
        step.wrote(Commit(table, wrote, 1, "committed"))


def fail(lake: Lake, *, table: str) -> None:
    with record_step(lake, run_id="x", step="make", config_hash="h") as step:
        step.wrote(Commit(table, 0, 1, "committed"))
        raise ContractError("no")


def test_the_first_run_that_names_a_version_has_written_it(lake: Lake) -> None:
    assert find_inputs(lake, {"features_a": 0}) == {}, "there is no ledger yet"
    record(lake, 4, 0)
    record(lake, 5, 0)  # nothing to do: the same version beside newer inputs
    record(lake, 6, 1)
    record(lake, 9, 0, table="features_b")
    with pytest.raises(ContractError):
        fail(lake, table="features_c")
    asked = {"features_a": 0, "features_b": 0, "features_c": 0, "features_d": 0}
    assert find_inputs(lake, asked) == {"features_a": {"clean_a": 4}, "features_b": {"clean_a": 9}}
    assert find_inputs(lake, {"features_a": 1}) == {"features_a": {"clean_a": 6}}
    assert find_inputs(lake, {}) == {}
