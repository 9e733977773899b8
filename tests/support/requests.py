"""Send requests to an engine in this process, without a server or a client."""

from __future__ import annotations

import json


def ask(engine, path, body, query="", key="Token k", method="POST"):
    """Send a request; return the status and the parsed JSON of the answer. `key=None` sends no key."""
    headers = {} if key is None else {"authorization": key}
    answer = engine.respond(
        method, path, query, headers, body if isinstance(body, bytes) else json.dumps(body).encode()
    )
    return answer.status, json.loads(answer.body)
