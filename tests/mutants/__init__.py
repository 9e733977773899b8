"""Mutation testing with planted bugs: `python -m tests.mutants` reports which suite catches each bug.

The bugs are data (`catalogue`), and tests must not refer to them. One that survives shows a gap in the suites, or has
an explanation (`survives`).
"""
