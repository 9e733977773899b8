"""Fill schemas from the texts of memories, with a language model behind an OpenAI-compatible endpoint."""
