from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.deleted_memory import DeletedMemory
from ...models.detail_error import DetailError
from ...models.reason_error import ReasonError
from ...types import Response


def _get_kwargs(
    memory_id: UUID,
) -> dict[str, Any]:

    _kwargs: dict[str, Any] = {
        "method": "delete",
        "url": "/v1/memories/{memory_id}/".format(
            memory_id=quote(str(memory_id), safe=""),
        ),
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> DeletedMemory | DetailError | ReasonError | None:
    if response.status_code == 200:
        response_200 = DeletedMemory.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ReasonError.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = DetailError.from_dict(response.json())

        return response_401

    if response.status_code == 404:
        response_404 = ReasonError.from_dict(response.json())

        return response_404

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[DeletedMemory | DetailError | ReasonError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    memory_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[DeletedMemory | DetailError | ReasonError]:
    """Delete a memory

     Deletes one memory for good. Deleting it again returns 404. A running export leaves the memory out
    if it
    has not read it yet. Finished exports do not change.

    Args:
        memory_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DeletedMemory | DetailError | ReasonError]
    """

    kwargs = _get_kwargs(
        memory_id=memory_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    memory_id: UUID,
    *,
    client: AuthenticatedClient,
) -> DeletedMemory | DetailError | ReasonError | None:
    """Delete a memory

     Deletes one memory for good. Deleting it again returns 404. A running export leaves the memory out
    if it
    has not read it yet. Finished exports do not change.

    Args:
        memory_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DeletedMemory | DetailError | ReasonError
    """

    return sync_detailed(
        memory_id=memory_id,
        client=client,
    ).parsed


async def asyncio_detailed(
    memory_id: UUID,
    *,
    client: AuthenticatedClient,
) -> Response[DeletedMemory | DetailError | ReasonError]:
    """Delete a memory

     Deletes one memory for good. Deleting it again returns 404. A running export leaves the memory out
    if it
    has not read it yet. Finished exports do not change.

    Args:
        memory_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DeletedMemory | DetailError | ReasonError]
    """

    kwargs = _get_kwargs(
        memory_id=memory_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    memory_id: UUID,
    *,
    client: AuthenticatedClient,
) -> DeletedMemory | DetailError | ReasonError | None:
    """Delete a memory

     Deletes one memory for good. Deleting it again returns 404. A running export leaves the memory out
    if it
    has not read it yet. Finished exports do not change.

    Args:
        memory_id (UUID):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DeletedMemory | DetailError | ReasonError
    """

    return (
        await asyncio_detailed(
            memory_id=memory_id,
            client=client,
        )
    ).parsed
