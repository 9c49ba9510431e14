"""What SQL text names: read from the text alone, before Spark starts."""

from sparkml_ops.errors import ConfigError


def table_names(sql: str) -> set[str]:
    """Names of the tables that a single SELECT reads; those it defines in WITH are left out.

    Raises:
        ConfigError: the text is not one SELECT, or a table is named with dots.
    """
    import sqlglot
    from sqlglot import exp

    try:
        statements = [statement for statement in sqlglot.parse(sql, read="spark") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        raise ConfigError(f"cannot read this SQL: {str(error).splitlines()[0]}\n{sql.strip()}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ConfigError(f"expected one SELECT, found:\n{sql.strip()}")
    defined = {cte.alias for cte in statements[0].find_all(exp.CTE)}
    tables = [table for table in statements[0].find_all(exp.Table) if table.name and table.name not in defined]
    dotted = [table.sql("spark") for table in tables if table.db]
    if dotted:
        raise ConfigError(f"tables go by their plain names here: {', '.join(dotted)}")
    return {table.name for table in tables}
