"""Shell 2: the engine as an ASGI application, which `mem0-exports serve` runs. Needs `mem0-exports[server]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount


if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from mem0_exports.local.engine import Engine


def build(engine: Engine) -> Starlette:
    """The application around an engine, which stays open: closing it is for whoever opened it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        query = scope["query_string"].decode("latin-1")
        answer = await run_in_threadpool(
            engine.respond, request.method, scope["path"], query, dict(request.headers), body
        )
        response = Response(answer.body, answer.status, {**answer.headers}, media_type="application/json")
        await response(scope, receive, send)

    # One route for everything: the engine itself knows which paths and methods there are.
    return Starlette(routes=[Mount("/", app=answer)])
