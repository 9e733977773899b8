from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.detail_error import DetailError
from ...models.memory_export_accepted import MemoryExportAccepted
from ...models.memory_export_request import MemoryExportRequest
from ...models.message_error import MessageError
from ...models.reason_error import ReasonError
from ...types import Response


def _get_kwargs(
    *,
    body: MemoryExportRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/exports/",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> DetailError | MemoryExportAccepted | MessageError | ReasonError | None:
    if response.status_code == 201:
        response_201 = MemoryExportAccepted.from_dict(response.json())

        return response_201

    if response.status_code == 400:

        def _parse_response_400(data: object) -> MessageError | ReasonError:
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_memory_export_rejected_type_0 = MessageError.from_dict(data)

                return componentsschemas_memory_export_rejected_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, dict):
                raise TypeError()
            componentsschemas_memory_export_rejected_type_1 = ReasonError.from_dict(data)

            return componentsschemas_memory_export_rejected_type_1

        response_400 = _parse_response_400(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = DetailError.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = DetailError.from_dict(response.json())

        return response_403

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[DetailError | MemoryExportAccepted | MessageError | ReasonError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: MemoryExportRequest,
) -> Response[DetailError | MemoryExportAccepted | MessageError | ReasonError]:
    """Create an export job

     Returns the id of a new job at once; fetch its result with `exports_get`. The operation is not
    idempotent: two equal requests create two jobs.

    Write the filters in the structured form, `{"AND": [{"user_id": "alex"}]}`. The flat form,
    `{"user_id": "alex"}`, is in the older published document of this operation; Mem0's newer OpenAPI
    document
    says that it is rejected with 400. The embedded engine accepts both. It requires filters that select
    at least
    one user, agent, app or run, as for `memories_list`. It does not export expired memories.

    Args:
        body (MemoryExportRequest): What to export, and in what shape. Other properties are
            refused, so that a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DetailError | MemoryExportAccepted | MessageError | ReasonError]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: MemoryExportRequest,
) -> DetailError | MemoryExportAccepted | MessageError | ReasonError | None:
    """Create an export job

     Returns the id of a new job at once; fetch its result with `exports_get`. The operation is not
    idempotent: two equal requests create two jobs.

    Write the filters in the structured form, `{"AND": [{"user_id": "alex"}]}`. The flat form,
    `{"user_id": "alex"}`, is in the older published document of this operation; Mem0's newer OpenAPI
    document
    says that it is rejected with 400. The embedded engine accepts both. It requires filters that select
    at least
    one user, agent, app or run, as for `memories_list`. It does not export expired memories.

    Args:
        body (MemoryExportRequest): What to export, and in what shape. Other properties are
            refused, so that a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DetailError | MemoryExportAccepted | MessageError | ReasonError
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: MemoryExportRequest,
) -> Response[DetailError | MemoryExportAccepted | MessageError | ReasonError]:
    """Create an export job

     Returns the id of a new job at once; fetch its result with `exports_get`. The operation is not
    idempotent: two equal requests create two jobs.

    Write the filters in the structured form, `{"AND": [{"user_id": "alex"}]}`. The flat form,
    `{"user_id": "alex"}`, is in the older published document of this operation; Mem0's newer OpenAPI
    document
    says that it is rejected with 400. The embedded engine accepts both. It requires filters that select
    at least
    one user, agent, app or run, as for `memories_list`. It does not export expired memories.

    Args:
        body (MemoryExportRequest): What to export, and in what shape. Other properties are
            refused, so that a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DetailError | MemoryExportAccepted | MessageError | ReasonError]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: MemoryExportRequest,
) -> DetailError | MemoryExportAccepted | MessageError | ReasonError | None:
    """Create an export job

     Returns the id of a new job at once; fetch its result with `exports_get`. The operation is not
    idempotent: two equal requests create two jobs.

    Write the filters in the structured form, `{"AND": [{"user_id": "alex"}]}`. The flat form,
    `{"user_id": "alex"}`, is in the older published document of this operation; Mem0's newer OpenAPI
    document
    says that it is rejected with 400. The embedded engine accepts both. It requires filters that select
    at least
    one user, agent, app or run, as for `memories_list`. It does not export expired memories.

    Args:
        body (MemoryExportRequest): What to export, and in what shape. Other properties are
            refused, so that a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DetailError | MemoryExportAccepted | MessageError | ReasonError
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
