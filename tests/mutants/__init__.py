"""Planted bugs: small realistic faults, and a runner that says which suite catches each. `python -m tests.mutants`.

The faults are data (`catalogue`). No test knows of them: one that survives shows a hole in the suites, or is explained.
"""
