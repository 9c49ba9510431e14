"""The verb that shows a model's card."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sparkml_ops.cli.options import Json, load
from sparkml_ops.cli.output import print_result
from sparkml_ops.errors import ConfigError

FORMS = "USE_CASE, USE_CASE@VERSION or USE_CASE@ALIAS, such as flights, flights@3 or flights@champion"
_MOST_DIGITS = 18  # of a version; what is longer is none


def card(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="The use case; @VERSION or @ALIAS says which version of its model, the newest by default.",
            metavar="USE_CASE[@VERSION|@ALIAS]",
        ),
    ],
    html: Annotated[Path | None, typer.Option(help="Write it as a page to this file instead.")] = None,
    *,
    as_json: Json = False,
) -> int:
    """Show what is recorded of a version of the model, as Markdown or as a page.

    Examples:
        sparkml-ops card flights@champion

        sparkml-ops card flights@3 --html card.html
    """
    name, wanted = split_model(model)
    use_case = load(name, context.obj)
    from sparkml_ops.models import find_version, load_version, prepare_tracking, write_card

    tracking = prepare_tracking(use_case.environment)
    version = find_version(tracking, use_case.name, **wanted)
    written = write_card(version, load_version(tracking, version))
    result = {"model": version.name, "version": version.version, "card": written, "page": html}
    if html is None:
        return print_result(result, as_json=as_json, lines=lambda: [written.rstrip("\n")])
    _write_page(html, written)
    return print_result(result, as_json=as_json, lines=lambda: [str(html)])


def split_model(named: str) -> tuple[str, dict[str, Any]]:
    """The use case, and the version or the alias that is meant; a file of that name is a use case as it stands.

    Raises:
        ConfigError: Nothing stands before or behind the @.
    """
    if "@" not in named or _is_file(named):
        return named, {}
    name, _, wanted = named.rpartition("@")
    if not name or not wanted:
        raise ConfigError(f"{named!r} names no version of a model; expected {FORMS}.")
    is_number = wanted.isascii() and wanted.isdecimal() and len(wanted) <= _MOST_DIGITS
    return name, {"version": int(wanted)} if is_number else {"alias": wanted}


def _is_file(named: str) -> bool:
    try:
        return Path(named).is_file()
    except (OSError, ValueError):
        return False  # too long for a path, or no text for one


def _write_page(path: Path, written: str) -> None:
    from sparkml_ops.reporting import render_card_html

    page = render_card_html(written)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--html {path}: cannot be written: {error.strerror or error}. Name a file in a folder that is there."
        ) from error
