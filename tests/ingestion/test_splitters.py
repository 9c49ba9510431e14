"""Text is put together to rows of several lines, and no character of it is lost."""

import pytest

from sparkml_ops.ingestion.readers import splitters
from sparkml_ops.ingestion.readers.splitters import (
    AFTER_QUOTE,
    CUT_OFF,
    NOT_TEXT,
    TOO_LONG,
    CsvSplitter,
    JsonSplitter,
    Piece,
    decode_lines,
    join_lines,
    split_lines,
)


def lines_of(content: bytes, encoding: str = "utf-8") -> list[str]:
    """As Spark gives them: bytes between line feeds, and nothing behind the last."""
    parts = content.removesuffix(b"\n").split(b"\n")
    return list(join_lines(decode_lines(parts, encoding)))


def csv(content: str) -> list[Piece]:
    return list(CsvSplitter(",").split(lines_of(content.encode())))


def json(content: str) -> list[Piece]:
    return list(JsonSplitter().split(lines_of(content.encode())))


CSV = [
    ("a,b\n1,2\n", [("a,b", 0, None), ("1,2", 1, None)]),
    ("a\r\n1\r\n", [("a", 0, None), ("1", 1, None)]),
    ("a\r1\r2", [("a", 0, None), ("1", 1, None), ("2", 2, None)]),
    ('a,"x\ny"\n1,2', [('a,"x\ny"', 0, None), ("1,2", 2, None)]),
    ('"x\r\n\r\ny",1\r\n3', [('"x\r\n\r\ny",1', 0, None), ("3", 3, None)]),
    ('"x ""\n"" y"\n3', [('"x ""\n"" y"', 0, None), ("3", 2, None)]),
    ('5" pipe,1\n3', [('5" pipe,1', 0, None), ("3", 1, None)]),
    ("a\n\n \nb", [("a", 0, None), ("", 1, None), (" ", 2, None), ("b", 3, None)]),
    ('a\n1,"open\n2,3\n4,5\n', [("a", 0, None), ('1,"open\n2,3\n4,5', 1, None)]),
    ('1,"open\n4,"5",6\n7,8', [('1,"open\n4,"5",6', 0, AFTER_QUOTE), ("7,8", 2, None)]),
    ('"a"b,1\n2', [('"a"b,1', 0, AFTER_QUOTE), ("2", 1, None)]),
    ('"a" \n2', [('"a" ', 0, AFTER_QUOTE), ("2", 1, None)]),
    ("a\u2028b\x85c\x0cd\n", [("a\u2028b\x85c\x0cd", 0, None)]),
    ('""\n"",""', [('""', 0, None), ('"",""', 1, None)]),
    ('"', [('"', 0, None)]),
    ("\ufeffa\n1", [("a", 0, None), ("1", 1, None)]),
]


@pytest.mark.parametrize(("content", "pieces"), CSV)
def test_csv(content: str, pieces: list[tuple[str, int, str | None]]) -> None:
    assert csv(content) == pieces


JSON = [
    ('{"a": 1}\n{"a": 2}\n', ['{"a": 1}', '{"a": 2}']),
    ('{\n  "a": 1\n}\n{"a": 2}', ['{\n  "a": 1\n}', '{"a": 2}']),
    ('{"a": 1}{"a": 2}', ['{"a": 1}', '{"a": 2}']),
    ('[{"a": 1}, {"a": 2}]', ['{"a": 1}', '{"a": 2}']),
    ('[\n  {\n  "a": [1, {"b": "]}"}]},\n\n {"a": 2}\n]\n', ['{\n  "a": [1, {"b": "]}"}]}', '{"a": 2}']),
    ('[{"a": 1}]\n[{"a": 2}]', ['{"a": 1}', '{"a": 2}']),
    ('[1, "x,]", [2, 3], {}, null]', ["1", '"x,]"', "[2, 3]", "{}", "null"]),
    ('[{"a": 1} {"a": 2}]', ['{"a": 1} {"a": 2}']),
    ('[{"a": 1}] and more\n{"a": 2}', ['{"a": 1}', "and more", '{"a": 2}']),
    ('{"a": 1},\n{"a": 2}', ['{"a": 1}', ",", '{"a": 2}']),
    ('nonsense {"a": 1}\n]}\n', ["nonsense", '{"a": 1}', "]}"]),
    ('{"a": "\\"}{\\\\"}{"b": 1}', ['{"a": "\\"}{\\\\"}', '{"b": 1}']),
    ('{\n"a": "open,\n"b": 1\n}\n{"a": 2}', ['{\n"a": "open,\n"b": 1\n}', '{"a": 2}']),
    ('{"a": [1}\n{"a": 2}', ['{"a": [1}\n{"a": 2}']),
    ("[]", []),
    ("\ufeff [ ]\n\n", []),
]  # fmt: skip


@pytest.mark.parametrize(("content", "texts"), JSON)
def test_json(content: str, texts: list[str]) -> None:
    assert json(content) == [(text, at, None) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        ('[{"a": 1}, {"a": ', [('{"a": 1}', None), ('{"a":', CUT_OFF)]),
        ('[{"a": 1}, {"a": 2}\n', [('{"a": 1}', None), ('{"a": 2}', CUT_OFF)]),
        ('[{"a": 1},', [('{"a": 1}', None), ("", CUT_OFF)]),
        ("[", [("", CUT_OFF)]),
        ('{"a": 1}\n{"a":\n', [('{"a": 1}', None), ('{"a":', None)]),
    ],
)
def test_json_that_is_cut_off(content: str, pieces: list[tuple[str, str | None]]) -> None:
    assert [(text, fault) for text, _, fault in json(content)] == pieces


def test_a_row_that_never_ends_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitters, "MOST_CHARACTERS", 5)
    assert csv('a\n"1\n23456\n78\n9') == [("a", 0, None), ('"1\n23456', 1, TOO_LONG), ("78\n9", 3, None)]
    assert json('{"a":\n123456\n}') == [('{"a":', 0, TOO_LONG), ("123456", 1, TOO_LONG), ("}", 2, None)]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "cp1252", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ""])
def test_encodings(encoding: str, end: str) -> None:
    text = f"a,é\r\n\u00e4\n1,2{end}" if "utf" not in encoding else f"a,\u0a0d\u0d0a🛫\r\n\u00e4\n1,2{end}"
    if encoding.endswith("-bom"):
        name = encoding.removesuffix("-bom")
        content, encoding = "\ufeff".encode(name) + text.encode(name), "utf-16"
    else:
        content = text.encode(encoding)
    rows = ["a,é" if "é" in text else "a,\u0a0d\u0d0a🛫", "\u00e4", "1,2"]
    assert [piece.text for piece in split_lines(lines_of(content, encoding))] == rows


def test_bytes_that_are_no_text_are_told_in_the_row_that_has_them() -> None:
    lines = lines_of(b'[{"a": 1}, {"a": "\xff"}, {"a": 3}]\n')
    assert list(JsonSplitter().split(lines)) == [
        ('{"a": 1}', 0, None), ('{"a": "\ufffd"}', 1, NOT_TEXT), ('{"a": 3}', 2, None),
    ]  # fmt: skip
    assert [piece.fault for piece in split_lines(lines_of(b"a\n\xffb\n\xe2\x82\xac", "utf-8"))] == [
        None,
        NOT_TEXT,
        None,
    ]
    assert [piece.fault for piece in split_lines(lines_of(b"a\n\x81\n\x80", "cp1252"))] == [None, NOT_TEXT, None]
    assert [piece.fault for piece in split_lines(lines_of("a\n".encode("utf-16") + b"\x00\xd8\n\x00", "utf-16"))] == [
        None,
        NOT_TEXT,
    ]
