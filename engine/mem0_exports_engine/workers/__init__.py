"""Workers, which run export jobs."""
