"""Export jobs: starting them, waiting for them, many at once, and across crashes."""
