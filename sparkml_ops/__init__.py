"""Raw files go in, predictions that a SQL user can trust come out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkml_ops.notebook import open_project

__all__ = ["__version__", "open_project"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`open_project`, the door for notebooks, is imported when it is asked for: nothing else needs what it needs."""
    if name == "open_project":
        from sparkml_ops.notebook import open_project

        return open_project
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
