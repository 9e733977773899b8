"""Where memories, jobs and keys are kept."""
