"""Files that are no YAML mapping, or YAML made to hurt."""

from pathlib import Path

import pytest
from config_sample import USE_CASE

from sparkml_ops.config import load_use_case
from sparkml_ops.config.yaml_text import parse_yaml
from sparkml_ops.errors import ConfigError

BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (letter, letter, b", ".join([b"*%c" % (letter - 1)] * 9))
    for letter in range(ord("b"), ord("j"))
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", ": nothing in it; allowed: a mapping of keys, such as `name: flights`", id="empty"),
        pytest.param(
            b"# only this\n", ": nothing in it; allowed: a mapping of keys, such as `name: flights`", id="comment"
        ),
        pytest.param(b"- a\n", ": ['a'] at the top; allowed: a mapping of keys, such as `name: flights`", id="list"),
        pytest.param(b"shop", ": 'shop' at the top; allowed: a mapping of keys, such as `name: flights`", id="text"),
        pytest.param(
            b"name: shop\nowner: \xff\n", ":2: the byte 0xff is not UTF-8; allowed: text in UTF-8", id="latin"
        ),
        pytest.param(
            b"name: shop\nowner: a\0b\n", ":2: cannot be read: a character that YAML does not allow: '\\x00'", id="nul"
        ),
        pytest.param(b"#" * 1_000_001, ": too large; allowed: at most 1,000,000 bytes", id="large"),
        pytest.param(
            b"a:\n  " + b"[" * 50_000, ":2: cannot be read: nested deeper than 24 levels, in the line ", id="deep"
        ),
        pytest.param(
            BOMB, ":1: cannot be read: more than 50,000 values once aliases are filled in, in the line ", id="bomb"
        ),
        pytest.param(
            b"a: &a\n  b: *a\n", ":1: cannot be read: an alias within its own anchor, in the line ", id="circle"
        ),
        pytest.param(b"? [b]\n: c\n", ":1: a list or mapping as a key; allowed: text as a key", id="list as key"),
        pytest.param(
            b"a: @x\n",
            ":1: cannot be read: a bare text that starts with @; put quotes around it, in the line 'a: @x'",
            id="at",
        ),
        pytest.param(b"<<: 3\n", ":1: << with 3; allowed: << with a mapping, or a list of mappings", id="merge"),
    ],
)
def test_broken_file(content: bytes, expected: str, project: Path) -> None:
    (project / "conf" / "shop.yml").write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load_use_case(project / "conf" / "shop.yml")
    lines = str(raised.value).split("\n")
    assert lines[1].startswith(f"  conf/shop.yml{expected}")
    assert all(len(line) < 400 for line in lines)


def test_anchors_aliases_and_merge_keys_are_plain_yaml() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 5}, *a]}\n"
    document, mistakes = parse_yaml(text, file="f.yml")
    assert mistakes == []
    assert document is not None
    assert document.values == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 5, "y": 2}}
    assert document.places["b", "y"].line == 2
    assert document.places["b", "x"].line == 1


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("20:30", "20:30"),
        ("1_000", 1000),
        ("yes", True),
        ("'no'", "no"),
        ("0x10", 16),
        ("=", "="),
    ],
)
def test_bare_words_mean_what_people_mean(word: str, value: object) -> None:
    document, mistakes = parse_yaml(f"key: {word}\n", file="f.yml")
    assert mistakes == []
    assert document is not None
    assert document.values == {"key": value}


def test_a_byte_order_mark_and_windows_lines_do_no_harm(project: Path) -> None:
    (project / "conf" / "shop.yml").write_bytes(b"\xef\xbb\xbf" + USE_CASE.replace("\n", "\r\n").encode())
    assert load_use_case("shop").name == "shop"
