"""Filters select memories: `F` writes them, `parse` reads them from dicts."""
