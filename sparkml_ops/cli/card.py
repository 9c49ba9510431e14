"""The verb that shows a model's card."""

from pathlib import Path
from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, ModelName, load, split_model
from sparkml_ops.cli.output import print_result
from sparkml_ops.errors import ConfigError


def card(
    context: typer.Context,
    model: ModelName,
    html: Annotated[Path | None, typer.Option(help="Write it as a page to this file instead.")] = None,
    *,
    as_json: Json = False,
) -> int:
    """Show what is recorded of a version of the model, as Markdown or as a page.

    Examples:
        sparkml-ops card flights@champion

        sparkml-ops card flights@3 --html card.html
    """
    asked = split_model(model)
    use_case = load(asked.name, context.obj)
    from sparkml_ops.models import find_version, load_version, prepare_tracking, write_card

    tracking = prepare_tracking(use_case.environment)
    version = find_version(tracking, use_case.name, version=asked.version, alias=asked.alias)
    written = write_card(version, load_version(tracking, version))
    result = {"model": version.name, "version": version.version, "card": written, "page": html}
    if html is None:
        return print_result(result, as_json=as_json, lines=lambda: [written.rstrip("\n")])
    _write_page(html, written)
    return print_result(result, as_json=as_json, lines=lambda: [str(html)])


def _write_page(path: Path, written: str) -> None:
    from sparkml_ops.reporting import render_card_html

    page = render_card_html(written)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--html {path}: cannot be written: {error.strerror or error}. Name a file in a folder that is there."
        ) from error
