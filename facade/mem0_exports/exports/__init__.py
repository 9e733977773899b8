"""Export jobs: start them, wait for them, run many at once, and resume them after a crash."""
