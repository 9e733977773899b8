"""Extractors, which fill a schema from memories. Each subpackage implements `ports.Extractor`."""
