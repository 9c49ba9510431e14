"""What a person says for the record: a name, a reason."""

from sparkml_ops.errors import ConfigError

LONGEST_NAME = 200  # characters of a person's name
_LONGEST = 2000  # characters; more is a text in the wrong place


def require_words(option: str, text: str, *, example: str, longest: int = _LONGEST) -> str:
    """Return the text on one line.

    Raises:
        ConfigError: it has nothing that can be recorded, or is too long.
    """
    whole = " ".join(text.split())
    if not whole or not whole.isprintable():
        raise ConfigError(f"{option} has no text that could be recorded; expected words, such as {option} '{example}'")
    if len(whole) > longest:
        raise ConfigError(
            f"{option} has {len(whole)} characters; expected at most {longest}, such as {option} '{example}'"
        )
    return whole
