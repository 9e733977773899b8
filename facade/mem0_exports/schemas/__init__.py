"""Schemas describe the result of an export: Python types, JSON Schemas, and the validation of results."""
