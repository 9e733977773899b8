"""What an export looks like: Python types and JSON Schemas, and values that fit them."""
