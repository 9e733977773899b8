"""The exception that ends a run."""

from __future__ import annotations


class CouldNotRun(Exception):
    """Raised when the deployment cannot be checked, such as when it does not answer or refuses the key.

    The message says what is wrong and what to do about it.
    """
