"""A contract's rules for a column, in words. Pure."""

from sparkml_ops.config.sources import Source


def list_rules(source: Source, column: str) -> tuple[str, ...]:
    """What the contract asks of a column; what only warns says so."""
    found = ["key: unique and never null"] if column in source.key else []
    rule = source.columns.get(column)
    if rule is None:
        return tuple(found)
    if not rule.nullable and column not in source.key:
        found.append("never null")
    if rule.between is not None:
        found.append(f"from {rule.between[0]:g} to {rule.between[1]:g}")
    if rule.allowed is not None:
        found.append(f"one of {', '.join(map(str, rule.allowed))}")
    if rule.length is not None:
        found.append(f"{rule.length[0]} to {rule.length[1]} characters")
    if rule.matches is not None:
        found.append(f"matches {rule.matches}")
    only_warns = (rule.on_violation or source.on_violation) == "warn"
    return tuple(f"{text} (only warns)" if only_warns and not text.startswith("key") else text for text in found)
