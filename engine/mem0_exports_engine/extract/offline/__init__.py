"""The extractor without a language model: it fills what it can prove, and reports what it cannot."""
