"""Measure how well a language model reads: invented people with planted facts, and the figures of what was found."""
