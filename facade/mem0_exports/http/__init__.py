"""The HTTP layer: requests, responses, retries and deadlines."""
