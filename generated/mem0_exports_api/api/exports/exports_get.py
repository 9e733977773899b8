from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.detail_error import DetailError
from ...models.get_memory_export_request import GetMemoryExportRequest
from ...models.memory_export_not_found import MemoryExportNotFound
from ...models.memory_export_result import MemoryExportResult
from ...models.message_error import MessageError
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: GetMemoryExportRequest,
    prefer: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(prefer, Unset):
        headers["Prefer"] = prefer

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/exports/get/",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> DetailError | MemoryExportNotFound | MemoryExportResult | MessageError | None:
    if response.status_code == 200:
        response_200 = MemoryExportResult.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = MessageError.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = DetailError.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = DetailError.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = MemoryExportNotFound.from_dict(response.json())

        return response_404

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[DetailError | MemoryExportNotFound | MemoryExportResult | MessageError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: GetMemoryExportRequest,
    prefer: str | Unset = UNSET,
) -> Response[DetailError | MemoryExportNotFound | MemoryExportResult | MessageError]:
    """Fetch the result of an export

     Returns the exported object itself, without an envelope. `memory_export_id` selects the export with
    this id.
    `filters` select the newest export that was created with the same filters; the order of the
    conditions does
    not matter.

    The response is 404 while the job runs, and also if the job has failed, the id is unknown or the
    export has
    expired. Mem0's documentation says that an export expires after 7 days.

    A service whose answers have the header `Mem0-Exports-Max-Wait` can hold the request until the job
    has ended; see
    the parameter `Prefer`. Only the embedded engine has this.

    Args:
        prefer (str | Unset):
        body (GetMemoryExportRequest): Which export to fetch, by its id or by the filters that it
            was created with. At least one of the two is
            required. In Mem0's OpenAPI document both are optional, but one of its examples is the 400
            for a request
            that has neither.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DetailError | MemoryExportNotFound | MemoryExportResult | MessageError]
    """

    kwargs = _get_kwargs(
        body=body,
        prefer=prefer,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: GetMemoryExportRequest,
    prefer: str | Unset = UNSET,
) -> DetailError | MemoryExportNotFound | MemoryExportResult | MessageError | None:
    """Fetch the result of an export

     Returns the exported object itself, without an envelope. `memory_export_id` selects the export with
    this id.
    `filters` select the newest export that was created with the same filters; the order of the
    conditions does
    not matter.

    The response is 404 while the job runs, and also if the job has failed, the id is unknown or the
    export has
    expired. Mem0's documentation says that an export expires after 7 days.

    A service whose answers have the header `Mem0-Exports-Max-Wait` can hold the request until the job
    has ended; see
    the parameter `Prefer`. Only the embedded engine has this.

    Args:
        prefer (str | Unset):
        body (GetMemoryExportRequest): Which export to fetch, by its id or by the filters that it
            was created with. At least one of the two is
            required. In Mem0's OpenAPI document both are optional, but one of its examples is the 400
            for a request
            that has neither.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DetailError | MemoryExportNotFound | MemoryExportResult | MessageError
    """

    return sync_detailed(
        client=client,
        body=body,
        prefer=prefer,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: GetMemoryExportRequest,
    prefer: str | Unset = UNSET,
) -> Response[DetailError | MemoryExportNotFound | MemoryExportResult | MessageError]:
    """Fetch the result of an export

     Returns the exported object itself, without an envelope. `memory_export_id` selects the export with
    this id.
    `filters` select the newest export that was created with the same filters; the order of the
    conditions does
    not matter.

    The response is 404 while the job runs, and also if the job has failed, the id is unknown or the
    export has
    expired. Mem0's documentation says that an export expires after 7 days.

    A service whose answers have the header `Mem0-Exports-Max-Wait` can hold the request until the job
    has ended; see
    the parameter `Prefer`. Only the embedded engine has this.

    Args:
        prefer (str | Unset):
        body (GetMemoryExportRequest): Which export to fetch, by its id or by the filters that it
            was created with. At least one of the two is
            required. In Mem0's OpenAPI document both are optional, but one of its examples is the 400
            for a request
            that has neither.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DetailError | MemoryExportNotFound | MemoryExportResult | MessageError]
    """

    kwargs = _get_kwargs(
        body=body,
        prefer=prefer,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: GetMemoryExportRequest,
    prefer: str | Unset = UNSET,
) -> DetailError | MemoryExportNotFound | MemoryExportResult | MessageError | None:
    """Fetch the result of an export

     Returns the exported object itself, without an envelope. `memory_export_id` selects the export with
    this id.
    `filters` select the newest export that was created with the same filters; the order of the
    conditions does
    not matter.

    The response is 404 while the job runs, and also if the job has failed, the id is unknown or the
    export has
    expired. Mem0's documentation says that an export expires after 7 days.

    A service whose answers have the header `Mem0-Exports-Max-Wait` can hold the request until the job
    has ended; see
    the parameter `Prefer`. Only the embedded engine has this.

    Args:
        prefer (str | Unset):
        body (GetMemoryExportRequest): Which export to fetch, by its id or by the filters that it
            was created with. At least one of the two is
            required. In Mem0's OpenAPI document both are optional, but one of its examples is the 400
            for a request
            that has neither.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DetailError | MemoryExportNotFound | MemoryExportResult | MessageError
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            prefer=prefer,
        )
    ).parsed
