"""An extractor that uses no language model: it fills only what memories state in their fields and metadata."""
