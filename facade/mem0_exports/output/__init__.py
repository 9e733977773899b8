"""Records and export results as files and data frames; see `save`, `to_pandas`, `to_polars` and `to_arrow`."""
