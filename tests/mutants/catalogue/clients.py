"""Bugs in the clients: retries, deadlines, polling and the parsing of answers."""

from __future__ import annotations

from typing import Final

from tests.mutants.model import Mutant


_ANSWERS = "facade/mem0_exports/http/responses.py"
_CLIENT = "facade/mem0_exports/client.py"
_CONNECTION = "facade/mem0_exports/http/connection.py"
_DRIVE = "facade/mem0_exports/http/driver.py"
_FLOW = "facade/mem0_exports/http/flow.py"
_RESOURCES = "facade/mem0_exports/http/resources.py"
_WIRE = "facade/mem0_exports/http/operations.py"
_EXPORTS = "facade/mem0_exports/http/export_operations.py"

MUTANTS: Final = (
    Mutant(
        "clients.size-before-decompression",
        "facade/mem0_exports/http/network_driver.py",
        "for chunk in response.iter_bytes() if",
        "for chunk in response.iter_raw() if",
        "two megabytes of a hostile answer become two gigabytes",
    ),
    Mutant(
        "clients.any-encoding",
        _CONNECTION,
        "self.is_readable = encoding in _ENCODINGS",
        'self.is_readable = encoding != "compress"',
        "one piece of an answer becomes gigabytes",
    ),
    Mutant(
        "clients.too-large-as-refusal",
        _FLOW,
        "return isinstance(error, ContractViolation | ResponseTooLarge)",
        "return isinstance(error, ContractViolation)",
        "a ledger asks again for an export that may exist",
    ),
    Mutant(
        "clients.create-retried",
        _FLOW,
        "return not error.sent",
        "return True",
        "if an answer is lost, a second job is created",
    ),
    Mutant(
        "clients.lost-answer-as-refusal",
        _FLOW,
        "return (error.status == 408 or error.status >= 500) and not _asks_to_wait(error)",
        "return error.status == 408",
        "a ledger records a create that may have been carried out as refused",
    ),
    Mutant(
        "clients.deadline-ignored",
        _FLOW,
        "timeout = settings.timeout if deadline is None else min(settings.timeout, deadline - clock())",
        "timeout = settings.timeout",
        "a call exceeds its timeout",
    ),
    Mutant(
        "clients.polls-forever",
        _FLOW,
        "while (began := clock()) < deadline:",
        "while (began := clock()) is not None:",
        "the wait for a job that never finishes does not end",
    ),
    Mutant(
        "clients.sleeps-past-the-deadline",
        _FLOW,
        "yield Sleep(max(0.0, min(max(pause, retry_after), deadline - clock())))",
        "yield Sleep(max(pause, retry_after))",
        "the timeout is raised too late",
    ),
    Mutant(
        "clients.retry-after-ignored",
        _FLOW,
        "    retry_after = error.retry_after\n    if retry_after is None:",
        "    retry_after = None\n    if retry_after is None:",
        "requests are retried before the service's Retry-After",
    ),
    Mutant(
        "clients.retry-after-by-local-clock",
        _ANSWERS,
        'now = _date(headers.get("date")) or datetime.now(UTC)',
        "now = datetime.now(UTC)",
        "a client with a wrong clock waits for hours, or not at all",
    ),
    Mutant(
        "clients.any-404-as-pending",
        _EXPORTS,
        'return not_found if are_strings and body.keys() <= {"error", "reason", NOTICE} else None',
        "return not_found",
        "a proxy's error is polled until the deadline",
    ),
    Mutant(
        "clients.failure-not-read",
        _EXPORTS,
        "reason = known_text(pending.reason)",
        "reason = None",
        "a failed job is polled until the deadline",
    ),
    Mutant(
        "clients.run-id-lost",
        _WIRE,
        "run_id=known_text(record.session_id) or known_text(record.run_id),",
        "run_id=None,",
        "memories have no run_id",
    ),
    Mutant(
        "clients.first-page-only",
        "facade/mem0_exports/http/fields.py",
        "more=next_page is not None",
        "more=next_page is None",
        "lists end after their first page",
    ),
    Mutant(
        "clients.no-content-type",
        _CONNECTION,
        'headers = {} if request.body is None else {"content-type": "application/json"}',
        "headers: dict[str, str] = {}",
        "the service cannot read the body",
    ),
    Mutant(
        "clients.key-in-messages",
        _CONNECTION,
        'return text.replace(key, "[key]") if len(key) >= _MIN_SECRET else text',
        "return text",
        "if a service echoes the key, it is in error messages",
    ),
    Mutant(
        "clients.key-in-repr",
        "facade/mem0_exports/client_parts.py",
        'where = f"base_url={address!r}" if local is None',
        'where = f"base_url={address!r}, headers={client._driver._headers}" if local is None',
        "the key is in every traceback with local variables",
    ),
    Mutant(
        "clients.redirect-target-not-shown",
        _ANSWERS,
        "return f\"redirected to {response.headers.get('location', '?')}; redirects are not followed, check base_url\"",
        'return "redirected"',
        "the error does not say that base_url is wrong",
    ),
    Mutant(
        "clients.async-without-deadline",
        "facade/mem0_exports/http/network_driver.py",
        "async with _within(command.timeout):",
        "async with _within(9e9):",
        "a server that sends byte by byte blocks an async call forever",
    ),
    Mutant(
        "clients.async-list-without-timeout",
        _RESOURCES,
        "page = await self._call(pages.next_call(), timeout, retry)",
        "page = await self._call(pages.next_call(), None, retry)",
        "the timeout of an async list is ignored",
    ),
    Mutant(
        "clients.async-close-does-nothing",
        "facade/mem0_exports/http/network_driver.py",
        "                    await http.aclose()\n",
        "                    pass\n",
        "the embedded engine still runs after AsyncClient.close",
    ),
)
