from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.detail_error import DetailError
from ...models.list_memories_request import ListMemoriesRequest
from ...models.memory_page import MemoryPage
from ...models.reason_error import ReasonError
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: ListMemoriesRequest,
    page: int | Unset = 1,
    page_size: int | Unset = 100,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    params: dict[str, Any] = {}

    params["page"] = page

    params["page_size"] = page_size

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v3/memories/",
        "params": params,
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> DetailError | MemoryPage | ReasonError | None:
    if response.status_code == 200:
        response_200 = MemoryPage.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ReasonError.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = DetailError.from_dict(response.json())

        return response_401

    if response.status_code == 404:
        response_404 = DetailError.from_dict(response.json())

        return response_404

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[DetailError | MemoryPage | ReasonError]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: ListMemoriesRequest,
    page: int | Unset = 1,
    page_size: int | Unset = 100,
) -> Response[DetailError | MemoryPage | ReasonError]:
    """List memories

     Returns one page of the memories that the filters select. The embedded engine returns the oldest
    first; the
    hosted service documents no order. The filters must select at least one user, agent, app or run by
    its id. `*`
    and ids below `NOT` do not count.

    Args:
        page (int | Unset):  Default: 1.
        page_size (int | Unset):  Default: 100.
        body (ListMemoriesRequest): Which memories to list. Other properties are refused, so that
            a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DetailError | MemoryPage | ReasonError]
    """

    kwargs = _get_kwargs(
        body=body,
        page=page,
        page_size=page_size,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: ListMemoriesRequest,
    page: int | Unset = 1,
    page_size: int | Unset = 100,
) -> DetailError | MemoryPage | ReasonError | None:
    """List memories

     Returns one page of the memories that the filters select. The embedded engine returns the oldest
    first; the
    hosted service documents no order. The filters must select at least one user, agent, app or run by
    its id. `*`
    and ids below `NOT` do not count.

    Args:
        page (int | Unset):  Default: 1.
        page_size (int | Unset):  Default: 100.
        body (ListMemoriesRequest): Which memories to list. Other properties are refused, so that
            a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DetailError | MemoryPage | ReasonError
    """

    return sync_detailed(
        client=client,
        body=body,
        page=page,
        page_size=page_size,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: ListMemoriesRequest,
    page: int | Unset = 1,
    page_size: int | Unset = 100,
) -> Response[DetailError | MemoryPage | ReasonError]:
    """List memories

     Returns one page of the memories that the filters select. The embedded engine returns the oldest
    first; the
    hosted service documents no order. The filters must select at least one user, agent, app or run by
    its id. `*`
    and ids below `NOT` do not count.

    Args:
        page (int | Unset):  Default: 1.
        page_size (int | Unset):  Default: 100.
        body (ListMemoriesRequest): Which memories to list. Other properties are refused, so that
            a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[DetailError | MemoryPage | ReasonError]
    """

    kwargs = _get_kwargs(
        body=body,
        page=page,
        page_size=page_size,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: ListMemoriesRequest,
    page: int | Unset = 1,
    page_size: int | Unset = 100,
) -> DetailError | MemoryPage | ReasonError | None:
    """List memories

     Returns one page of the memories that the filters select. The embedded engine returns the oldest
    first; the
    hosted service documents no order. The filters must select at least one user, agent, app or run by
    its id. `*`
    and ids below `NOT` do not count.

    Args:
        page (int | Unset):  Default: 1.
        page_size (int | Unset):  Default: 100.
        body (ListMemoriesRequest): Which memories to list. Other properties are refused, so that
            a misspelled name is not ignored.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        DetailError | MemoryPage | ReasonError
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            page=page,
            page_size=page_size,
        )
    ).parsed
