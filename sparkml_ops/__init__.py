"""Raw files go in, predictions that a SQL user can trust come out."""

__version__ = "0.1.0"
