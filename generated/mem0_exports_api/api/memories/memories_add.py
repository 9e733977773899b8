from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.add_memories_request import AddMemoriesRequest
from ...models.added_memories import AddedMemories
from ...models.detail_error import DetailError
from ...models.detailed_error import DetailedError
from ...types import Response


def _get_kwargs(
    *,
    body: AddMemoriesRequest,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v3/memories/add/",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> AddedMemories | DetailError | DetailedError | None:
    if response.status_code == 200:
        response_200 = AddedMemories.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = DetailedError.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = DetailError.from_dict(response.json())

        return response_401

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[AddedMemories | DetailError | DetailedError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: AddMemoriesRequest,
) -> Response[AddedMemories | DetailError | DetailedError]:
    """Store memories word for word

     Mem0's documentation calls this direct import: with `infer: false`, each user or assistant message
    becomes one
    memory, word for word. System messages are dropped. A text that the same user, agent, app and run
    already
    have is not stored again. `results` lists what was stored; `status` is the same in all cases.

    Args:
        body (AddMemoriesRequest): Memories to store, and what they belong to. Other properties
            are refused, so that a misspelled name is not
            ignored. Mem0's OpenAPI document has more properties. Most of them guide its language
            model, which
            does not run with `infer: false`.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AddedMemories | DetailError | DetailedError]
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
    body: AddMemoriesRequest,
) -> AddedMemories | DetailError | DetailedError | None:
    """Store memories word for word

     Mem0's documentation calls this direct import: with `infer: false`, each user or assistant message
    becomes one
    memory, word for word. System messages are dropped. A text that the same user, agent, app and run
    already
    have is not stored again. `results` lists what was stored; `status` is the same in all cases.

    Args:
        body (AddMemoriesRequest): Memories to store, and what they belong to. Other properties
            are refused, so that a misspelled name is not
            ignored. Mem0's OpenAPI document has more properties. Most of them guide its language
            model, which
            does not run with `infer: false`.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AddedMemories | DetailError | DetailedError
    """

    return sync_detailed(
        client=client,
        body=body,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: AddMemoriesRequest,
) -> Response[AddedMemories | DetailError | DetailedError]:
    """Store memories word for word

     Mem0's documentation calls this direct import: with `infer: false`, each user or assistant message
    becomes one
    memory, word for word. System messages are dropped. A text that the same user, agent, app and run
    already
    have is not stored again. `results` lists what was stored; `status` is the same in all cases.

    Args:
        body (AddMemoriesRequest): Memories to store, and what they belong to. Other properties
            are refused, so that a misspelled name is not
            ignored. Mem0's OpenAPI document has more properties. Most of them guide its language
            model, which
            does not run with `infer: false`.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AddedMemories | DetailError | DetailedError]
    """

    kwargs = _get_kwargs(
        body=body,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: AddMemoriesRequest,
) -> AddedMemories | DetailError | DetailedError | None:
    """Store memories word for word

     Mem0's documentation calls this direct import: with `infer: false`, each user or assistant message
    becomes one
    memory, word for word. System messages are dropped. A text that the same user, agent, app and run
    already
    have is not stored again. `results` lists what was stored; `status` is the same in all cases.

    Args:
        body (AddMemoriesRequest): Memories to store, and what they belong to. Other properties
            are refused, so that a misspelled name is not
            ignored. Mem0's OpenAPI document has more properties. Most of them guide its language
            model, which
            does not run with `infer: false`.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AddedMemories | DetailError | DetailedError
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
        )
    ).parsed
