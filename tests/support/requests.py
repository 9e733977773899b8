"""Asks an engine, without a server and without a client."""

from __future__ import annotations

import json


def ask(engine, path, body, query="", key="Token k", method="POST"):
    headers = {} if key is None else {"authorization": key}
    answer = engine.respond(
        method, path, query, headers, body if isinstance(body, bytes) else json.dumps(body).encode()
    )
    return answer.status, json.loads(answer.body)
