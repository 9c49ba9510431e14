"""An entry is put into a YAML text, and every other character stays."""

import pytest

from sparkml_ops.config.yaml_entries import put_entry, write_entry
from sparkml_ops.config.yaml_text import parse_yaml
from sparkml_ops.errors import ConfigError

TEXT = """\
# top   comment
name:   shop     # aligned   by hand
features:
  spending:
    # why one hour
    entity: [ customer ]   # odd spaces
    from: &orders
      sql: |
        SELECT * FROM orders

        -- # no comment of YAML
    aggregate:
      - {of: amount,  ops: [sum], windows: [1h]}

  # about visits
  visits:
    entity: ["customer"]
    from: *orders
    select: {"a": 'b'}


# about the dataset
dataset: {a: 1}
"""


def lines_changed(before: str, after: str) -> tuple[list[str], list[str]]:
    old, new = before.splitlines(), after.splitlines()
    return [line for line in old if line not in new], [line for line in new if line not in old]


def test_a_new_entry_comes_after_the_last_one_and_nothing_else_changes() -> None:
    new = put_entry(TEXT, "features", "plane", {"entity": ["tail"], "from": "planes", "select": {"y": "year"}})
    block = "\n  plane:\n    entity: [tail]\n    from: planes\n    select: {y: year}\n"
    assert new == TEXT.replace("    select: {\"a\": 'b'}\n", "    select: {\"a\": 'b'}\n" + block)


def test_keys_that_say_the_same_keep_their_lines_comments_and_anchors() -> None:
    values = parse_yaml(TEXT, file="")[0].values["features"]["spending"]
    changed = {**values, "aggregate": [{"of": "amount", "ops": ["max"], "windows": ["2h"]}], "owner": "ann"}
    new = put_entry(TEXT, "features", "spending", changed)
    assert lines_changed(TEXT, new) == (
        ["      - {of: amount,  ops: [sum], windows: [1h]}"],
        ["      - {of: amount, ops: [max], windows: [2h]}", "    owner: ann"],
    )


def test_an_alias_that_stays_is_not_written_out() -> None:
    values = parse_yaml(TEXT, file="")[0].values["features"]["visits"]
    new = put_entry(TEXT, "features", "visits", {**values, "select": {"a": "c"}})
    assert lines_changed(TEXT, new) == (["    select: {\"a\": 'b'}"], ["    select: {a: c}"])


def test_a_key_that_is_gone_takes_its_comment_along() -> None:
    values = parse_yaml(TEXT, file="")[0].values["features"]["spending"]
    new = put_entry(TEXT, "features", "spending", {key: one for key, one in values.items() if key != "entity"})
    assert lines_changed(TEXT, new) == (["    # why one hour", "    entity: [ customer ]   # odd spaces"], [])


def test_what_others_refer_to_cannot_be_taken_away() -> None:
    with pytest.raises(
        ConfigError, match=r"features.spending cannot be written into the file.*By hand it reads:\n  spending:"
    ):
        put_entry(TEXT, "features", "spending", {"entity": ["customer"], "from": "orders"})


def test_windows_line_breaks_and_a_missing_one_at_the_end_are_kept() -> None:
    text = "features:\r\n  a:\r\n    x: 1"
    assert put_entry(text, "features", "b", {"y": 2}) == text + "\r\n\r\n  b:\r\n    y: 2\r\n"


def test_the_lay_out_of_the_file_is_followed() -> None:
    text = "features:\n    a:\n        x: {y: 1}\n    b:\n        x: 2\n"
    assert put_entry(text, "features", "c", {"x": "two\nlines"}).endswith(
        "        x: 2\n    c:\n        x: |-\n            two\n            lines\n"
    )


@pytest.mark.parametrize(
    "text", ["features: {a: {x: 1}}\n", "{features: {a: {x: 1}}}", "other:\n  a: 1\n", "features:\n"]
)
def test_where_an_entry_has_no_lines_of_its_own_it_is_said_how_to_write_it(text: str) -> None:
    with pytest.raises(ConfigError, match=r"Nothing was changed. By hand it reads:\n  b:\n    y: 2"):
        put_entry(text, "features", "b", {"y": 2})


UGLY = [
    "1e-3", "no", "null", "~", "", " ", "2013-09-01", "20:30", "0x1f", "- a", "a: b", "a #b", "#b", "*x", "&x", "!x", "%x", "@x", "`x`",
    "'", '"', "\\", "[a", "{a", "ä東🙂", "a\tb", "a\nb", "a\n", "\na", " a\nb\n\n", "a\r\nb", "\u2028", "\x85", "x" * 300, "=", "<<", "? a",
    1, -1.5, 1e300, True, None, [], {}, [[]], [{"a": ["b", {"c": None}]}],
]  # fmt: skip


def test_every_value_is_read_as_it_was_written() -> None:
    value = {f"k{at}": one for at, one in enumerate(UGLY)} | {"on": "off", "list": UGLY, "inner": {"yes": UGLY}}
    read = parse_yaml(write_entry("all", value), file="")
    assert (read[0].values, read[1]) == ({"all": value}, [])
    new = put_entry(TEXT, "features", "all", value)
    assert parse_yaml(new, file="")[0].values["features"]["all"] == value
    assert put_entry(new, "features", "all", value) == new
