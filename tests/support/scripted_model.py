"""A server that talks like an OpenAI-compatible endpoint: an oracle that answers perfectly, and faults that bend it.

The oracle knows what each memory says, because the test has planted it. So an extractor that does everything right scores
1.00 with it, and whatever goes wrong comes from a fault.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading

from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mem0_exports_engine.evaluation.people import LISTS, SCHEMA, Person
from mem0_exports_engine.extract.llm.judge import EXAMPLES


Facts = dict[str, list[tuple[str, Any]]]
"""For each memory as it stands in a prompt, what it says: fields and values."""

_LABEL = re.compile(r"^\[(\d+)\] (\S+) (.*)$", re.MULTILINE)


def facts_of(people: Sequence[Person]) -> Facts:
    """Return what the memories of these people say. Stale ones say it too: the oracle knows that the newest one counts."""
    facts: Facts = {}
    for person in people:
        for planted in person.memories:
            if planted.kind in {"fact", "stale"} and planted.field is not None:
                facts.setdefault(" ".join(planted.text.split()), []).append((planted.field, planted.value))
    return facts


def asked_of(request: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of the schema in a prompt."""
    system = request["messages"][0]["content"]
    return json.loads(system.partition("Its JSON Schema is:\n")[2].partition("\n")[0])["properties"]


def oracle(facts: Facts) -> Callable[[dict[str, Any]], Any]:
    """Return a function that answers a request perfectly."""
    by_description = {schema.get("description"): field for field, schema in SCHEMA["properties"].items()}
    known = {(each.text, json.dumps(each.value)): each.is_true for each in EXAMPLES}

    def judge(user: str) -> dict[str, str]:
        memory = re.search(r"^The memory: (.*)$", user, re.MULTILINE)
        statement = re.search(r"^The statement: ([\w\[\].]+).* = (.*)$", user, re.MULTILINE)
        assert memory is not None
        assert statement is not None
        if (memory[1], statement[2]) in known:
            return {"answer": "yes" if known[memory[1], statement[2]] else "no"}
        value = json.loads(statement[2])
        said = facts.get(memory[1], [])
        values = [inner for _, each in said for inner in (each.values() if isinstance(each, dict) else [each])]
        return {"answer": "yes" if value in values else "no"}

    def answer(request: dict[str, Any]) -> Any:
        user = request["messages"][-1]["content"]
        if "The statement: " in user:
            return judge(user)
        properties = asked_of(request)
        names = {name: by_description.get(_description(schema), name) for name, schema in properties.items()}
        found: dict[str, Any] = {
            name: [] if schema.get("type") == "array" else None for name, schema in properties.items()
        }
        for _, _, text in _LABEL.findall(user):
            for field, value in facts.get(text, []):
                for name, asked in names.items():
                    if asked != field:
                        continue
                    if field in LISTS or isinstance(found[name], list):
                        found[name].append(value)
                    else:
                        found[name] = value
        return found

    return answer


def _description(schema: dict[str, Any]) -> str | None:
    inner = schema.get("anyOf", [{}])[0]
    return schema.get("description") or inner.get("description")


class Bent(Exception):
    """Raised by a fault that sends no ordinary answer."""


class Reply:
    """An answer that faults can bend."""

    def __init__(self, content: str, tokens_in: int) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.message: dict[str, Any] = {"role": "assistant", "content": content}
        self.finish = "stop"
        self.usage: dict[str, Any] | None = {
            "prompt_tokens": tokens_in,
            "completion_tokens": max(1, len(content) // 4),
            "total_tokens": tokens_in + max(1, len(content) // 4),
        }
        self.raw: bytes | None = None
        self.how = ""

    def error(self, status: int, message: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        self.status, self.headers = status, headers or {}
        self.raw = json.dumps({"error": {"message": message, **more}}).encode()

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish}
        document = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        return json.dumps(document | ({} if self.usage is None else {"usage": self.usage})).encode()


def _strings(value: Any, change: Callable[[str], Any]) -> Any:
    if isinstance(value, dict):
        return {key: _strings(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_strings(each, change) for each in value]
    return change(value) if isinstance(value, str) else value


def bend(fault: str, reply: Reply, content: Any, request: dict[str, Any]) -> None:  # noqa: C901 -- a table
    """Change a reply as a fault does."""
    text = reply.message["content"]
    match fault:
        case "ok":
            pass
        case "429":
            reply.error(429, "slow down", {"Retry-After": "1"}, code="rate_limit_exceeded")
        case "429_billing":
            message = "Rate limit reached. Visit /account/billing to raise your quota."
            reply.error(429, message, {"Retry-After": "1"}, code="rate_limit_exceeded")
        case "quota":
            reply.error(429, "You exceeded your current quota", type="insufficient_quota")
        case "concurrency":
            reply.error(429, "Too many concurrent requests")
        case "401":
            reply.error(401, "Incorrect API key provided")
        case "404":
            reply.error(404, "model not found")
        case "500" | "502" | "503":
            reply.error(int(fault), "The model is overloaded")
        case "400":
            reply.error(400, "Something is wrong")
        case "no_max_tokens" if "max_tokens" in request:
            reply.error(
                400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", param="max_tokens"
            )
        case "no_temperature" if "temperature" in request:
            reply.error(400, "Unsupported value: 'temperature' does not support 0")
        case "no_seed" if "seed" in request:
            reply.error(422, "seed: Extra inputs are not permitted")
        case "no_json_schema" if request.get("response_format", {}).get("type") == "json_schema":
            reply.error(400, "'response_format.type' must be 'text'")
        case "no_format" if "response_format" in request:
            reply.error(400, "'response_format' is not supported")
        case "500_on_schema" if request.get("response_format", {}).get("type") == "json_schema":
            reply.error(500, "Internal Server Error")
        case "context":
            reply.error(
                400, "request (9031 tokens) exceeds the available context size", type="exceed_context_size_error"
            )
        case "html":
            reply.raw = b"<html>502 Bad Gateway</html>"
        case "empty_body":
            reply.raw = b""
        case "no_choices":
            reply.raw = b'{"choices": []}'
        case "null_choice":
            reply.raw = b'{"choices": [null]}'
        case "list":
            reply.raw = b"[]"
        case "reset" | "hang" | "drip" | "half":
            reply.how = fault
        case "lie":
            reply.message["content"] = json.dumps(_strings(content, lambda each: f"Evil {each}"))
        case "translated":
            reply.message["content"] = json.dumps(_strings(content, lambda each: each[::-1]))
        case "empty_strings":
            reply.message["content"] = json.dumps(_strings(content, lambda _: ""))
        case "one_letter":
            reply.message["content"] = json.dumps(_strings(content, lambda each: each[:1]))
        case "numbers":
            reply.message["content"] = json.dumps(_strings(content, lambda _: 7))
        case "wrong_field":
            names, values = [*content], [*content.values()] if isinstance(content, dict) else []
            reply.message["content"] = json.dumps(dict(zip(names, [*values[1:], *values[:1]], strict=False)))
        case "other_schema":
            reply.message["content"] = json.dumps({"people": ["x"]})
        case "array":
            reply.message["content"] = json.dumps([content])
        case "scalar":
            reply.message["content"] = "7"
        case "prose":
            reply.message["content"] = "Sure! The user is called X."
        case "fenced":
            reply.message["content"] = f"```json\n{text}\n```"
        case "cut":
            reply.message["content"], reply.finish = text[: len(text) // 2], "length"
        case "cut_lying":
            reply.message["content"] = text[: len(text) // 2]
        case "whitespace":
            reply.message["content"], reply.finish = '{"full_name": ' + " \n\t" * 4000, "length"
        case "refuse":
            reply.message |= {"content": None, "refusal": "I can't help with that."}
        case "filter":
            reply.message["content"], reply.finish = "", "content_filter"
        case "in_reasoning":
            reply.message |= {"content": "", "reasoning_content": text}
        case "null_content":
            reply.message["content"] = None
        case "huge_number":
            reply.message["content"] = re.sub(r": (null|\d+)", ": 1e999", text, count=1)
        case "twice":
            reply.message["content"] = text[:-1] + ', "full_name": "Mallory", "full_name": null}'
        case "deep":
            reply.message["content"] = '{"full_name": ' + "[" * 500 + "]" * 500 + "}"
        case "surrogate":
            reply.message["content"] = '{"full_name": "\\ud800"}'
        case "ollama_cut":
            reply.usage = {"prompt_tokens": 50, "completion_tokens": 5}
        case "no_usage":
            reply.usage = None
        case "odd_usage":
            reply.usage = {"prompt_tokens": -1, "completion_tokens": "many"}
        case "huge_answer":
            reply.message["content"] = json.dumps({"full_name": "x" * 17_000_000})


SLOW = ("hang", "drip")
"""Faults that last until the deadline of the call."""

FAULTS = (
    *(
        "ok",
        "429",
        "429_billing",
        "quota",
        "concurrency",
        "401",
        "404",
        "500",
        "502",
        "503",
        "400",
        "no_max_tokens",
        "no_temperature",
    ),
    *("no_seed", "no_json_schema", "no_format", "500_on_schema", "context", "html", "empty_body", "no_choices"),
    *(
        "null_choice",
        "list",
        "reset",
        "half",
        "lie",
        "translated",
        "empty_strings",
        "one_letter",
        "numbers",
        "wrong_field",
    ),
    *("other_schema", "array", "scalar", "prose", "fenced", "cut", "cut_lying", "whitespace", "refuse", "filter"),
    *(
        "in_reasoning",
        "null_content",
        "huge_number",
        "twice",
        "deep",
        "surrogate",
        "ollama_cut",
        "no_usage",
        "odd_usage",
    ),
    *("huge_answer", "liar_judge", "naysayer", *SLOW),
)


class ScriptedModel:
    """The running server. It records all requests, and can be told what to do with the next ones."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.faults: list[str] = []
        """What to do with the requests, in order; the rest is answered well."""
        self.always: str | None = None
        """What to do with all requests."""
        self.before: Callable[[dict[str, Any]], object] = lambda _: None
        """Called before each answer, in a thread of its own for each request."""
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with contextlib.suppress(ConnectionError):
                    model.handle(self, json.loads(body))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def handle(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            fault = self.always or (self.faults[number] if number < len(self.faults) else "ok")
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.before(request)
            content = self.answer(request)
            is_judged = isinstance(content, dict) and content.keys() == {"answer"}
            if fault in {"liar_judge", "naysayer"}:
                content = {"answer": "yes" if fault == "liar_judge" else "no"} if is_judged else content
                fault = "ok"
            reply = Reply(json.dumps(content, ensure_ascii=False), len(json.dumps(request["messages"])) // 4)
            if not (is_judged and fault == "wrong_field"):
                bend(fault, reply, content, request)
        finally:
            with self._lock:  # before the answer: the client may send the next request at once
                self.at_once -= 1
        self._send(handler, reply)

    def _send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.how == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            _close(handler)
            return
        if reply.how == "hang":
            self._over.wait()
            return
        body = reply.body()
        handler.send_response(reply.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if reply.how == "half":
            handler.wfile.write(body[: len(body) // 2])
            _close(handler)
        elif reply.how == "drip":
            for byte in body:
                handler.wfile.write(bytes([byte]))
                handler.wfile.flush()
                if self._over.wait(0.05):
                    return
        else:
            handler.wfile.write(body)

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()


def _close(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection, which stays open as long as one of the handler's files is."""
    handler.close_connection = True
    for file in (handler.rfile, handler.wfile):
        file.close()
    handler.connection.close()


@contextlib.contextmanager
def scripted(people: Sequence[Person] = (), facts: Facts | None = None) -> Iterator[ScriptedModel]:
    """Run a server whose oracle knows these people, for as long as the context lasts."""
    model = ScriptedModel(oracle(facts_of(people) if facts is None else facts))
    try:
        yield model
    finally:
        model.close()
