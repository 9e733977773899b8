"""Which memories: `F` writes filters, `parse` reads them out of dicts."""
