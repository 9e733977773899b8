"""What goes over the wire: requests, answers, retries and deadlines."""
