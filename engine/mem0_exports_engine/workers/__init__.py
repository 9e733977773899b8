"""What runs the jobs."""
