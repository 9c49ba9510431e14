"""The page of a card has all of the card, loads nothing, and shows whatever users write as text."""

import re

from reporting_facts import parse_page

from sparkml_ops.models import write_card
from sparkml_ops.reporting import render_card_html
from tests.card_sample import HOSTILE, make_card_model, make_version


def render(text: str = "orders") -> str:
    return render_card_html(write_card(make_version(), make_card_model(text)))


def test_the_page_has_the_whole_card() -> None:
    page = parse_page(render())
    for told in (
        "shop, version 3", "Will orders be returned?", "Not to judge people.", "0.8100 (0.7900 to 0.8300)", "orders__town", "40 trials at most",
        "returned = 'orders'", "sparkml-ops reproduce shop@3",
    ):  # fmt: skip
        assert told in page.text, told
    assert [tag for tag, _ in page.tags].count("table") == 12
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert "**" not in page.text


def test_the_page_is_well_formed_loads_nothing_and_links_to_its_sections_alone() -> None:
    html = render()
    page = parse_page(html)
    policy = next(attrs for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://|url\(|@import", html)
    ids = [str(attrs["id"]) for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids)) == 17
    assert [str(attrs["href"]) for _, attrs in page.tags if "href" in attrs] == [f"#{name}" for name in ids]


def test_what_users_write_is_shown_letter_by_letter() -> None:
    page, plain = parse_page(render(HOSTILE)), parse_page(render())
    assert [tag for tag, _ in page.tags if tag not in {"p", "code"}] == [
        tag for tag, _ in plain.tags if tag not in {"p", "code"}
    ]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    shown = '<script>alert("x")</script> | a`b``c|d # no heading | - | - | [link](javascript:alert(1))'
    assert page.text.count(shown) == 21
    assert r"*_~ \| &amp;" in page.text
    assert "\x1b" not in page.text


def test_html_and_links_in_markdown_are_text() -> None:
    html = render_card_html("# a\n\n<b>x</b> [y](javascript:z) ![i](j) <http://k>\n\n## c\n\n<script>d</script>\n")
    tags = {tag for tag, _ in parse_page(html).tags}
    assert not {"b", "img", "script"} & tags
    assert "javascript:z" in parse_page(html).text
    assert 'href="#c"' in html
    assert html.count("href=") == 1
