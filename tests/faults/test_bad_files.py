"""Files with bad rows, by class: each with what is in the tables afterwards, row by row.

They share a batch, a file to a class; `@` in a file stands for its name, so that keys differ.
"""

import bz2
import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest
from bad_shop import GOOD, HEADER, rows_by_file, shop

from sparkml_ops.config.environment import Environment
from sparkml_ops.ingestion import ingest
from sparkml_ops.ingestion.readers.csv import OPEN_QUOTE, OTHER_COLUMNS
from sparkml_ops.ingestion.readers.json import NO_OBJECT
from sparkml_ops.ingestion.readers.splitters import AFTER_QUOTE, CUT_OFF, NOT_TEXT
from sparkml_ops.lake import Lake

LONG = "x" * 1_000_000
Expected = tuple[list[str], list[tuple[str, str]]]
"""Keys of the clean rows, and the texts of the others, each with its (only, or first) reason."""

CSV: dict[str, tuple[bytes, Expected]] = {
    "short": (HEADER + GOOD + b"@2,2\n", (["@1"], [("@2,2", OTHER_COLUMNS)])),
    "long": (HEADER + b"@1,1,2026-01-01,\n", ([], [("@1,1,2026-01-01,", OTHER_COLUMNS)])),
    "open_quote": (HEADER + b'"@1,1,2026-01-01\n@2,1,2026-01-01\n', (["@2"], [('"@1,1,2026-01-01', OPEN_QUOTE)])),
    "quotes": (HEADER + b'"@ ""1"", a","1",2026-01-01\n', (['@ "1", a'], [])),
    "not_utf8": (HEADER + b"@\xfc,1,2026-01-01\n" + GOOD, (["@1"], [("@\ufffd,1,2026-01-01", NOT_TEXT)])),
    "nul": (HEADER + b"@\x001,1,2026-01-01\n", (["@\x001"], [])),
    "all_nul": (HEADER + GOOD + b"\0\0\0\0\n", (["@1"], [("\0\0\0\0", OTHER_COLUMNS)])),
    "blank_lines": (HEADER + b"\n   \n" + GOOD + b"\n\n", (["@1"], [])),
    "a_tab": (HEADER + b"\t\n" + GOOD, (["@1"], [("\t", OTHER_COLUMNS)])),
    "crlf": (HEADER.replace(b"\n", b"\r\n") + b"@1,1,2026-01-01\r\n@2,1,2026-01-01\r\n", (["@1", "@2"], [])),
    "cr": (b"id,amount,day\r@1,1,2026-01-01\r@2,1,2026-01-01\r", (["@1", "@2"], [])),
    "mixed_ends": (HEADER + b"@1,1,2026-01-01\r@2,1,2026-01-01\r\n@3,1,2026-01-01", (["@1", "@2", "@3"], [])),
    "no_line_ends": (HEADER + "@\u2028\x85\x0c\x0b1,1,2026-01-01\n".encode(), (["@\u2028\x85\x0c\x0b1"], [])),
    "two_headers": (HEADER + GOOD + HEADER + b"@2,1,2026-01-01\n", (["@1", "@2"], [])),
    "bom": (b"\xef\xbb\xbf" + HEADER + GOOD, (["@1"], [])),
    "other_order": (b"day,id,amount\n2026-01-01,@1,1\n", (["@1"], [])),
    "more_columns": (b"day,id,amount,x,y\n2026-01-01,@1,1,,\n", (["@1"], [])),
    "huge": (HEADER + b"@1,1e400,2026-01-01\n@2,1e40,2026-01-01\n", ([], [
        ("@1,1e400,2026-01-01", "amount: is no double"), ("@2,1e40,2026-01-01", "amount: is outside 0 … 100"),
    ])),
    "nan": (HEADER + b"@1,NaN,2026-01-01\n@2,-Infinity,2026-01-01\n", ([], [
        ("@1,NaN,2026-01-01", "amount: is no double"), ("@2,-Infinity,2026-01-01", "amount: is no double"),
    ])),
    "not_there": (HEADER + b"NA,1,2026-01-01\n@2,,2026-01-01\n", ([], [
        ("NA,1,2026-01-01", "id: is null"), ("@2,,2026-01-01", "amount: is null"),
    ])),
    "leap_days": (HEADER + b"@1,1,2026-02-29\n@2,1,2028-02-29\n", (["@2"], [("@1,1,2026-02-29", "day: is no date")])),
    "twice": (HEADER + b"@1,1,2026-01-01\n" * 2, (["@1"], [("@1,1,2026-01-01", "key: id is there twice in the batch")])),
    "torn": (HEADER + GOOD + b"@2,1,20", (["@1"], [("@2,1,20", "day: is no date")])),
    "long_line": (HEADER + f"{LONG}@,1,2026-01-01\n".encode(), ([f"{LONG}@"], [])),
    "long_open": (HEADER + b'"' + LONG.encode() * 10 + b"@\n", ([], [(f'"{LONG * 10}@', OPEN_QUOTE)])),
    "many_quotes": (HEADER + b'@1,"' + b'""' * 200_000 + b"\n", ([], [('@1,"' + '""' * 200_000, OPEN_QUOTE)])),
    "many_columns": (HEADER + b"@1" + b"," * 5_000 + b"\n", ([], [("@1" + "," * 5_000, OTHER_COLUMNS)])),
    "formula": (HEADER + b"=cmd|' /C calc'!A0@,1,2026-01-01\n", (["=cmd|' /C calc'!A0@"], [])),
    "two gz.csv.gz": (gzip.compress(HEADER + GOOD) + gzip.compress(b"@2,1,2026-01-01\n"), (["@1", "@2"], [])),
    "two bz2.csv.bz2": (bz2.compress(HEADER + GOOD) + bz2.compress(b"@2,1,2026-01-01\n"), (["@1", "@2"], [])),
    "a\nb%20c#d?e [f]{g}.csv": (HEADER + b"odd1,1,2026-01-01\n", (["odd1"], [])),
    "n" * 251 + ".csv": (HEADER + b"name1,1,2026-01-01\n", (["name1"], [])),
}  # fmt: skip

CSV_OVER_LINES: dict[str, tuple[bytes, Expected]] = {
    "sound": (HEADER + b'"@\r\n1\n",1,2026-01-01\n@2,1,2026-01-01\n', (["@\r\n1\n", "@2"], [])),
    "crlf": (b'id,amount,day\r\n"@\r\n1",1,2026-01-01\r\n', (["@\r\n1"], [])),
    "swallows": (HEADER + GOOD + b'"@2,1,2026-01-01\n@3,1,2026-01-01\n', (["@1"], [
        ('"@2,1,2026-01-01\n@3,1,2026-01-01', OPEN_QUOTE),
    ])),
    "swallows_part": (HEADER + b'"@1,1,2026-01-01\n"@2",1,2026-01-01\n@3,1,2026-01-01\n', (["@3"], [
        ('"@1,1,2026-01-01\n"@2",1,2026-01-01', AFTER_QUOTE),
    ])),
    "short": (HEADER + b'@1,"\n"\n@2,1,2026-01-01\n', (["@2"], [('@1,"\n"', OTHER_COLUMNS)])),
    "not_utf8": (HEADER + b'"@\n\xff",1,2026-01-01\n' + GOOD, (["@1"], [('"@\n\ufffd",1,2026-01-01', NOT_TEXT)])),
    "gz.csv.gz": (gzip.compress(HEADER + b'"@\n1",1,2026-01-01\n'), (["@\n1"], [])),
}  # fmt: skip


def obj(key: str, *, day: str = "2026-01-01") -> str:
    return f'{{"id": "{key}", "amount": 1, "day": "{day}"}}'


JSON: dict[str, tuple[bytes, Expected]] = {
    "torn": (f'{obj("@1")}\n{{"id": "@2", "am'.encode(), (["@1"], [('{"id": "@2", "am', NO_OBJECT)])),
    "two_on_a_line": (f"{obj('@1')}{obj('@2')}\n{obj('@3')}".encode(), (["@3"], [(obj("@1") + obj("@2"), NO_OBJECT)])),
    "key_twice": (b'{"id": "@1", "id": "@2", "amount": 1, "day": "2026-01-01"}', ([], [
        ('{"id": "@1", "id": "@2", "amount": 1, "day": "2026-01-01"}', NO_OBJECT),
    ])),
    "array": (f"[{obj('@1')}]".encode(), ([], [(f"[{obj('@1')}]", NO_OBJECT)])),
    "pretty": (b'{\n"id": "@1"\n}', ([], [("{", NO_OBJECT), ('"id": "@1"', NO_OBJECT), ("}", NO_OBJECT)])),
    "bom": (b"\xef\xbb\xbf" + obj("@1").encode(), (["@1"], [])),
    "not_utf8": (b'{"id": "\xff@"}', ([], [('{"id": "\ufffd@"}', NOT_TEXT)])),
    "nested": (obj("@1").replace("1,", '[{"a": 1}],').encode(), ([], [(obj("@1").replace("1,", '[{"a": 1}],'), "amount: is no double")])),
    "deep": (b"[" * 3_000 + b"]" * 3_000, ([], [("[" * 3_000 + "]" * 3_000, NO_OBJECT)])),
    "page": (b"<html>502</html>\n", ([], [("<html>502</html>", NO_OBJECT)])),
}  # fmt: skip

JSON_OVER_LINES: dict[str, tuple[bytes, Expected]] = {
    "array": (f"[{obj('@1')},\n{obj('@2')}]".encode(), (["@1", "@2"], [])),
    "pretty": (f"{obj('@1').replace(',', ',' + chr(10))}\n{obj('@2')}".encode(), (["@1", "@2"], [])),
    "two_arrays": (f"[{obj('@1')}][{obj('@2')}]".encode(), (["@1", "@2"], [])),
    "garbage": (f"[{obj('@1')}] and more".encode(), (["@1"], [("and more", NO_OBJECT)])),
    "cut": (f'[{obj("@1")}, {{"id": '.encode(), (["@1"], [('{"id":', CUT_OFF)])),
    "cut_between": (f"[{obj('@1')},".encode(), (["@1"], [("", CUT_OFF)])),
    "no_objects": (b'[1, "@", null]', ([], [("1", NO_OBJECT), ('"@"', NO_OBJECT), ("null", NO_OBJECT)])),
    "key_twice": (b'[{"id": "@", "id": "@"}]', ([], [('{"id": "@", "id": "@"}', NO_OBJECT)])),
    "empty": (b"[]", ([], [])),
    "gz.json.gz": (gzip.compress(f"[{obj('@1')}]".encode()), (["@1"], [])),
}  # fmt: skip

BATCHES: dict[str, tuple[dict[str, Any], dict[str, tuple[bytes, Expected]]]] = {
    "csv": ({"new_columns": "ignore"}, CSV),
    "csv over lines": ({"multiline": True}, CSV_OVER_LINES),
    "json": ({"format": "json"}, JSON),
    "json over lines": ({"format": "json", "multiline": True}, JSON_OVER_LINES),
    "utf-16": ({"encoding": "utf-16", "delimiter": "\t"}, {
        "little": ("\ufeffid\tamount\tday\r\n@\u0a0d\t1\t2026-01-01\r\n".encode("utf-16-le"), (["@\u0a0d"], [])),
        "big": ("\ufeffid\tamount\tday\n@\u0d0a\t1\t2026-01-01\n".encode("utf-16-be"), (["@\u0d0a"], [])),
        "half": ("\ufeffid\tamount\tday\n@\n".encode("utf-16-le") + b"\x00\xd8", ([], [("@", OTHER_COLUMNS), ("\ufffd", NOT_TEXT)])),
    }),
    "windows-1252": ({"encoding": "windows-1252", "delimiter": "|"}, {
        "signs": ("id|amount|day\n@€Žü|1|2026-01-01\n".encode("cp1252"), (["@€Žü"], [])),
        "none": (b"id|amount|day\n@\x81|1|2026-01-01\n", ([], [("@\ufffd|1|2026-01-01", NOT_TEXT)])),
    }),
}  # fmt: skip


def land(folder: Path, name: str, content: bytes) -> str:
    stem = name.split(".", maxsplit=1)[0]
    if content[:2] == b"\x1f\x8b":
        content = b"".join(gzip.compress(part.replace(b"@", stem.encode())) for part in unpack_gzip(content))
    elif content[:3] == b"BZh":
        content = bz2.compress(bz2.decompress(content).replace(b"@", stem.encode()))
    elif content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        order = "utf-16-le" if content[:2] == b"\xff\xfe" else "utf-16-be"
        content = content.replace("@".encode(order), stem.encode(order))
    else:
        content = content.replace(b"@", stem.encode())
    file = name if "." in name else f"{name}.txt"
    (folder / file).write_bytes(content)
    return file


def unpack_gzip(content: bytes) -> list[bytes]:
    parts = []
    while content:
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(content))
        content = member.unused_data
    return parts


@pytest.mark.parametrize("batch", BATCHES)
def test_bad_rows_are_told_and_good_ones_taken_in(
    batch: str, lake: Lake, tmp_path: Path, environment: Environment
) -> None:
    options, classes = BATCHES[batch]
    folder = tmp_path / "landing"
    folder.mkdir()
    names = {land(folder, name, content): name.split(".")[0] for name, (content, _) in classes.items()}
    result = ingest(shop(folder, environment, **options), lake).sources[0]
    clean, refused = rows_by_file(lake, "clean_orders"), rows_by_file(lake, "quarantine_orders")
    found = {}
    for file, stem in names.items():
        bad = sorted(refused.get(file, []), key=lambda row: row["line"])
        assert len({row["line"] for row in bad}) == len(bad)
        found[stem] = (
            sorted(row["id"].replace(stem, "@") for row in clean.get(file, [])),
            [(row["raw"].replace(stem, "@"), row["reasons"][0]) for row in bad],
        )
    expected = {name.split(".")[0]: (sorted(keys), bad) for name, (_, (keys, bad)) in classes.items()}
    wrong = {
        stem: str(found[stem])[:500] for stem in expected if found[stem] != expected[stem]
    }  # some have ten megabytes
    assert not wrong
    rows = sum(map(len, clean.values())), sum(map(len, refused.values()))
    assert (result.rows_in, result.rows_clean, result.rows_quarantined) == (sum(rows), *rows)
