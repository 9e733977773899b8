"""The extractor without a language model: metadata and the memories' own fields."""
