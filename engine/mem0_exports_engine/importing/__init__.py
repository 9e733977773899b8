"""Import memories from the files that people have: `sources` reads them, `records` understands them."""
