"""Write the properties of the generated models of requests, and read those of responses.

The generated models check only which properties there are. These functions check the types of the values, so that a
service that answers something else gets a ContractViolation instead of a crash elsewhere.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast


if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from mem0_exports.models import Page
    from mem0_exports_api.types import Unset

T = TypeVar("T")


@cache
def _unset_type() -> type[Unset]:
    from mem0_exports_api.types import Unset  # noqa: PLC0415 -- see prepare()

    return Unset


def sent(value: T | None) -> T | Unset:
    """Return the value of an optional property of a request, or UNSET for None, so that None is not sent.

    The generated models would send None as null.
    """
    from mem0_exports_api.types import UNSET  # noqa: PLC0415 -- see prepare()

    return UNSET if value is None else value


def known(value: T | Unset | None) -> T | None:
    """Return the value of an optional property of a response; None if it is missing or null."""
    if isinstance(value, _unset_type()):
        return None
    return cast("T | None", value)  # the checkers cannot know that no property has the type Unset itself


def as_text(value: str) -> str:
    """Return a string of a response; raise TypeError for anything else. The generated models do not check this."""
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {type(value).__name__}")
    return value


def known_text(value: str | Unset | None) -> str | None:
    """Return a string of a response; None if it is missing or null."""
    text = known(value)
    return None if text is None else as_text(text)


def as_count(value: int) -> int:
    """Return an integer of a response; raise TypeError for anything else. The generated models do not check this.

    In JSON, 7.0 is an integer too.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise TypeError(f"expected an integer, got {type(value).__name__}")
    return int(value)


def known_count(value: int | Unset | None) -> int | None:
    """Return an integer of a response; None if it is missing or null."""
    count = known(value)
    return None if count is None else as_count(count)


def id_text(value: UUID) -> str:
    """Return an id of a response as the text that the other operations take."""
    return str(value)


def id_as_written(parsed: UUID, written: object) -> str:
    """Return an id as the service wrote it. The model has read it as a UUID, but the service compares ids as text."""
    return written if isinstance(written, str) else id_text(parsed)


class Verbatim:
    """A checked document that is used instead of a generated model, which would only copy it.

    Copying takes longer than the rest of a call. tests/unit/client/filters/test_filters.py checks that the copy would be equal.
    """

    __slots__ = ("_document",)

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def to_dict(self) -> Mapping[str, Any]:
        """Return the document, as a generated model does."""
        return self._document


def page_of(items: list[T], count: int, next_page: str | None) -> Page[T]:
    """Return a page of a list. `count` is the length of the list, and `next_page` the address of the next page."""
    from mem0_exports.models import Page  # noqa: PLC0415 -- see prepare()

    return Page(items=items, count=count, more=next_page is not None)
