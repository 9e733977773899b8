"""The `mem0-exports` command line."""
