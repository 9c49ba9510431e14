"""A model card -> a page of its own. Pure: Markdown in, HTML out."""

import re
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from sparkml_ops.reporting.page import load_template


@dataclass(frozen=True)
class CardSection:
    """A section of the card: its place in the page, its title, and what it says, as HTML."""

    place: str
    title: str
    body: Markup


def render_card_html(card: str) -> str:
    """The page: one file without script or anything to load. HTML and links in the Markdown are shown as text.

    Args:
        card: Markdown with one heading of the first level, and sections of the second.
    """
    title, opening, sections = _take_apart(card)
    return load_template("card.html").render(title=title, opening=opening, sections=sections)


def _take_apart(card: str) -> tuple[str, Markup, list[CardSection]]:
    """Title, what stands before the first section, and the sections."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "image", "autolink"])
    tokens = reader.parse(card)
    starts = [at for at, token in enumerate(tokens) if token.type == "heading_open" and token.level == 0]
    parts = [tokens[start:end] for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]
    (title, opening), *others = ((_find_title(part), _render(reader, part[3:])) for part in parts)
    named = [CardSection(_name_place(name), name, body) for name, body in others]
    return title, opening, named


def _find_title(part: list[Token]) -> str:
    return "".join(token.content for token in part[1].children or [])


def _render(reader: MarkdownIt, tokens: list[Token]) -> Markup:
    """Tables that are wider than the screen move within themselves."""
    html = reader.renderer.render(tokens, reader.options, {})
    scrolled = html.replace("<table>", '<div class="scroll" role="region" aria-label="Table" tabindex="0"><table>')
    return Markup(scrolled.replace("</table>", "</table></div>"))  # noqa: S704  # markdown-it has escaped all text in it


def _name_place(title: str) -> str:
    return re.sub(r"\W+", "-", title.lower()).strip("-")
