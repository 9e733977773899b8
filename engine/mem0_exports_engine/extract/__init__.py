"""Schema and memories in, an export out. Each folder here is one `ports.Extractor`."""
