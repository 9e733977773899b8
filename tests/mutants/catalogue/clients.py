"""The clients: retries, deadlines, polling, and what is read out of answers."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_ANSWERS = "facade/mem0_exports/http/responses.py"
_CLIENT = "facade/mem0_exports/client.py"
_CONNECTION = "facade/mem0_exports/http/connection.py"
_DRIVE = "facade/mem0_exports/http/driver.py"
_FLOW = "facade/mem0_exports/http/flow.py"
_MEMORIES = "facade/mem0_exports/memories.py"
_WIRE = "facade/mem0_exports/http/operations.py"

MUTANTS: Final = (
    Mutant(
        "clients.create-sent-again",
        _FLOW,
        "return not error.sent",
        "return True",
        "a second job where the answer of the first was lost",
    ),
    Mutant(
        "clients.lost-answer-as-refusal",
        _FLOW,
        "return (error.status == 408 or error.status >= 500) and not _asks_to_wait(error)",
        "return error.status == 408",
        "a ledger takes a create that may be done for one that is not",
    ),
    Mutant(
        "clients.deadline-ignored",
        _FLOW,
        "timeout = settings.timeout if deadline is None else min(settings.timeout, deadline - clock())",
        "timeout = settings.timeout",
        "a call lasts longer than it was allowed to",
    ),
    Mutant(
        "clients.polls-for-ever",
        _FLOW,
        "while clock() < deadline:",
        "while True:",
        "a job that never comes is waited for without end",
    ),
    Mutant(
        "clients.sleeps-past-the-deadline",
        _FLOW,
        "yield Sleep(max(0.0, min(max(next(delays), retry_after), deadline - clock())))",
        "yield Sleep(max(next(delays), retry_after))",
        "the timeout comes too late",
    ),
    Mutant(
        "clients.retry-after-ignored",
        _FLOW,
        "    retry_after = error.retry_after\n    if retry_after is None:",
        "    retry_after = None\n    if retry_after is None:",
        "a service that asks for time gets none",
    ),
    Mutant(
        "clients.retry-after-by-own-clock",
        _ANSWERS,
        'now = _date(headers.get("date")) or datetime.now(UTC)',
        "now = datetime.now(UTC)",
        "a clock that goes wrong waits for hours, or not at all",
    ),
    Mutant(
        "clients.any-404-as-pending",
        _WIRE,
        'return not_found if are_strings and body.keys() <= {"error", "reason", NOTICE} else None',
        "return not_found",
        "the error of a proxy is polled until the deadline",
    ),
    Mutant(
        "clients.failure-not-read",
        _WIRE,
        "reason = _known_text(pending.reason)",
        "reason = None",
        "a failed job is polled until the deadline",
    ),
    Mutant(
        "clients.run-lost",
        _WIRE,
        "run_id=_known_text(record.session_id),",
        "run_id=None,",
        "memories lose their run",
    ),
    Mutant(
        "clients.last-page-only",
        _WIRE,
        "more=next_page is not None",
        "more=next_page is None",
        "lists end after their first page",
    ),
    Mutant(
        "clients.no-content-type",
        _CONNECTION,
        '"headers": None if request.body is None else {"content-type": "application/json"},',
        '"headers": None,',
        "the service does not read the body",
    ),
    Mutant(
        "clients.key-in-messages",
        _CONNECTION,
        'return text.replace(key, "[key]") if len(key) >= _MIN_SECRET else text',
        "return text",
        "a service that repeats what it was sent puts the key into logs",
    ),
    Mutant(
        "clients.key-in-repr",
        _CLIENT,
        'where = f"base_url={client._driver.base_url!r}" if local is None',
        'place = f"base_url={client._driver.base_url!r}, headers={client._driver._headers}" if local is None',
        "the key stands in every traceback with local variables",
    ),
    Mutant(
        "clients.redirects-followed-to",
        _ANSWERS,
        "return f\"redirected to {response.headers.get('location', '?')}; redirects are not followed, check base_url\"",
        'return "redirected"',
        "nobody learns that base_url is wrong",
    ),
    Mutant(
        "clients.async-without-deadline",
        _DRIVE,
        "async with _within(command.timeout):",
        "async with _within(3600):",
        "a server that drips bytes holds an awaited call for ever",
    ),
    Mutant(
        "clients.async-lists-without-timeout",
        _MEMORIES,
        "page = await self._call(pages.next_call(), timeout, retry)",
        "page = await self._call(pages.next_call(), None, retry)",
        "the timeout of an awaited list is overlooked",
    ),
    Mutant(
        "clients.async-close-does-nothing",
        _DRIVE,
        "                await closing.aclose()\n",
        "                pass\n",
        "the embedded engine of an AsyncClient goes on when it is closed",
    ),
)
