from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="TimeOperators")


@_attrs_define
class TimeOperators:
    """Operators on a time. All that are given must match. There is no `eq`; write the time itself instead."""

    gt: str | Unset = UNSET
    """ A date or a date and time in ISO 8601. A date means midnight UTC; a time without an offset is in UTC. Times
    are
    compared in microseconds.
     """
    gte: str | Unset = UNSET
    """ A date or a date and time in ISO 8601. A date means midnight UTC; a time without an offset is in UTC. Times
    are
    compared in microseconds.
     """
    lt: str | Unset = UNSET
    """ A date or a date and time in ISO 8601. A date means midnight UTC; a time without an offset is in UTC. Times
    are
    compared in microseconds.
     """
    lte: str | Unset = UNSET
    """ A date or a date and time in ISO 8601. A date means midnight UTC; a time without an offset is in UTC. Times
    are
    compared in microseconds.
     """
    ne: str | Unset = UNSET
    """ A date or a date and time in ISO 8601. A date means midnight UTC; a time without an offset is in UTC. Times
    are
    compared in microseconds.
     """
    in_: list[str] | Unset = UNSET
    """ At one of these times. """

    def to_dict(self) -> dict[str, Any]:
        gt = self.gt

        gte = self.gte

        lt = self.lt

        lte = self.lte

        ne = self.ne

        in_: list[str] | Unset = UNSET
        if not isinstance(self.in_, Unset):
            in_ = self.in_

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if gt is not UNSET:
            field_dict["gt"] = gt
        if gte is not UNSET:
            field_dict["gte"] = gte
        if lt is not UNSET:
            field_dict["lt"] = lt
        if lte is not UNSET:
            field_dict["lte"] = lte
        if ne is not UNSET:
            field_dict["ne"] = ne
        if in_ is not UNSET:
            field_dict["in"] = in_

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        gt = d.pop("gt", UNSET)

        gte = d.pop("gte", UNSET)

        lt = d.pop("lt", UNSET)

        lte = d.pop("lte", UNSET)

        ne = d.pop("ne", UNSET)

        in_ = cast(list[str], d.pop("in", UNSET))

        time_operators = cls(
            gt=gt,
            gte=gte,
            lt=lt,
            lte=lte,
            ne=ne,
            in_=in_,
        )

        return time_operators
