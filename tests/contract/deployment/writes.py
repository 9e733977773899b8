"""Checks that write: memories of a new user, an export of them, and the deletion of what was written.

All memories expire the next day from the beginning, so that they disappear even if this program is killed. They are
deleted one by one, by their ids: a deployment that ignores the parameter of a deletion by user would delete everything.
The user is new in every run, whatever the seed.
"""

from __future__ import annotations

import secrets
import time

from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs

from tests.contract.deployment.errors import CouldNotRun
from tests.contract.deployment.reads import REPORT_PATH, paging
from tests.contract.deployment.session import Session
from tests.support.spec import Operation


MOST = 80
"""The most requests of this part: about 10, and some to wait for results and to clean up."""

PREFIX = "mem0-exports-contract-"
WAIT = 120.0
"""Seconds to wait for an export, and for memories to be listed."""

RESERVED = 10
"""Requests that are kept to clean up."""

MEMORY_PATH = "/v1/memories/{memory_id}/"
EXPORT_PATH = "/v1/exports/{export_id}/"
CANCEL_PATH = "/v1/exports/{export_id}/cancel/"

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "description": "Where they live."},
        "facts": {"type": "array", "items": {"type": "string"}, "default": []},
    },
}


class Writes:
    """The checks of one run, and what they have written."""

    def __init__(self, session: Session) -> None:
        self.user = f"{PREFIX}{secrets.token_hex(6)}"
        self.expires = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
        self._session = session
        self._ids: list[str] = []
        self._filters = {"AND": [{"user_id": self.user}]}
        self._wrote = False
        self.left: list[str] = []
        """What became of the written data, in sentences."""

    def run(self) -> None:
        """Run all checks of this part, and clean up."""
        try:
            self._memories()
            self._export()
        finally:
            # Also after an error or Ctrl-C: a run must not leave more than it has to.
            if self._wrote:
                self._clean_up()

    def _memories(self) -> None:
        session = self._session
        made = datetime(2025, 3, 4, 18, 20, tzinfo=UTC)
        texts = ["Lives in Lisbon", "Größe 名前 😀"]
        body = {
            "messages": [
                {"role": "user", "content": texts[0]},
                {"role": "assistant", "content": texts[1]},
                {"role": "system", "content": "Be brief."},
            ],
            "user_id": self.user,
            "metadata": {"city": "Lisbon"},
            "timestamp": int(made.timestamp()),
            "expiration_date": self.expires,
            "infer": False,
        }
        self._wrote = True
        sent = "three messages, one of them a system message"
        added = session.ask("write.add", "memories_add", body, expected={200}, sent=sent)
        if added.status == 200 and added.valid:
            self._ids = [each["id"] for each in added.body["results"]]
            stored = [each["data"]["memory"] for each in added.body["results"]]
            self._compare("write.add", "results", "memories_add", texts, stored)
        again = session.ask("write.add-again", "memories_add", body, expected={200}, sent="the same messages again")
        if again.status == 200 and again.valid:
            self._ids += [each["id"] for each in again.body["results"]]
            self._compare("write.add-again", "results", "memories_add", [], again.body["results"])
        page = self._listed(len(texts))
        if page is None:
            return
        paging(session, "write.list", "memories_list", page, number=1, size=100)
        self._ids = sorted({*self._ids, *(each["id"] for each in page["results"])})
        listed = sorted(each["memory"] for each in page["results"])
        self._compare("write.list", "results", "memories_list", sorted(texts), listed)
        for each in page["results"]:
            wanted = {"user_id": self.user, "metadata": {"city": "Lisbon"}, "expiration_date": self.expires}
            for field, value in wanted.items():
                self._compare("write.list", field, "memories_list", value, each.get(field))
            if datetime.fromisoformat(each["created_at"]) != made:
                self._compare("write.list", "created_at", "memories_list", made.isoformat(), each["created_at"])
        self._pages(len(texts))
        self._memory(page["results"])

    def _listed(self, count: int) -> dict[str, Any] | None:
        """Return the list of what was added, as soon as it is complete; None if it cannot be read."""
        deadline = time.monotonic() + WAIT
        body = {"filters": self._filters}
        while True:
            page = self._session.ask(
                "write.list", "memories_list", body, expected={200}, sent="filters by the new user"
            )
            if page.status != 200 or not page.valid:
                return None
            if page.body["count"] >= count or time.monotonic() > deadline or self._session.left <= RESERVED + 30:
                return dict(page.body)
            time.sleep(2)

    def _pages(self, count: int) -> None:
        body = {"filters": self._filters}
        for number in (1, count):
            query = {"page": str(number), "page_size": "1"}
            sent = f"page={number}&page_size=1"
            page = self._session.ask("write.pages", "memories_list", body, expected={200}, query=query, sent=sent)
            if page.status == 200 and page.valid:
                paging(self._session, "write.pages", "memories_list", page.body, number=number, size=1)

    def _memory(self, listed: list[dict[str, Any]]) -> None:
        """Fetch one of the memories by its id, if the spec has that."""
        operation = self._session.find("GET", MEMORY_PATH)
        if operation is None or not listed:
            return
        path = _path(operation, listed[0]["id"])
        answer = self._session.ask("write.get", operation.id, expected={200}, sent="an id from the list", path=path)
        if answer.status == 200 and answer.valid:
            for field in ("id", "memory", "user_id", "metadata", "created_at"):
                self._compare("write.get", field, operation.id, listed[0].get(field), answer.body.get(field))

    def _export(self) -> None:
        session = self._session
        body = {"schema": SCHEMA, "filters": self._filters, "export_instructions": "Größe: newest wins"}
        accepted = session.ask("write.create", "exports_create", body, expected={201}, sent="a schema and filters")
        if accepted.status != 201 or not accepted.valid:
            return
        result = self._result(accepted.body["id"])
        if result is None:
            return
        misfit = next(jsonschema_rs.validator_for(SCHEMA).iter_errors(result), None)
        if misfit is not None:
            self._compare("write.result", "schema", "exports_get", "an object of the schema", misfit.message)
        self._report(accepted.body["id"])
        by_filters = {"filters": self._filters}
        sent = "the filters of the export"
        other = session.ask("write.by-filters", "exports_get", by_filters, expected={200}, sent=sent)
        if other.status == 200:
            self._compare("write.by-filters", "result", "exports_get", result, other.body)
        self._end(accepted.body["id"])

    def _report(self, export_id: str) -> None:
        """Fetch the report of the export, if the spec has that."""
        operation = self._session.find("GET", REPORT_PATH)
        if operation is None:
            return
        path = operation.path.replace("{export_id}", export_id)
        sent = "the id of the export"
        answer = self._session.ask("write.report", operation.id, expected={200}, sent=sent, path=path)
        if answer.status == 200 and answer.valid:
            self._compare("write.report", "memories", operation.id, 2, answer.body["memories"])

    def _end(self, export_id: str) -> None:
        """Cancel the export, which changes nothing because it has finished, and delete it, if the spec has that."""
        for name, method, template in (("cancel", "POST", CANCEL_PATH), ("delete", "DELETE", EXPORT_PATH)):
            operation = self._session.find(method, template)
            if operation is None:
                continue
            path = operation.path.replace("{export_id}", export_id)
            sent = "the id of the export"
            answer = self._session.ask(f"write.{name}", operation.id, expected={200}, sent=sent, path=path)
            if name == "cancel" and answer.status == 200 and answer.valid:
                self._compare("write.cancel", "state", operation.id, "done", answer.body["state"])

    def _result(self, export_id: str) -> Any:
        """Return the result of the export, as soon as it is ready; None if it does not become ready."""
        deadline = time.monotonic() + WAIT
        pause = 0.2
        body = {"memory_export_id": export_id}
        while True:
            last = time.monotonic() > deadline or self._session.left <= RESERVED + 2
            expected = {200} if last else {200, 404}
            answer = self._session.ask(
                "write.result", "exports_get", body, expected=expected, sent="the id of the export"
            )
            if answer.status == 200:
                return answer.body
            if answer.status != 404 or last:
                return None
            if answer.valid and "reason" in answer.body:
                failed = f"it failed: {answer.body['reason']}"
                self._compare("write.result", "failed", "exports_get", "a finished export", failed)
                return None
            time.sleep(pause)
            pause = min(pause * 1.5, 10)

    def _compare(self, check: str, kind: str, operation: str, promised: Any, received: Any) -> None:
        if received != promised:
            sent = "what this run wrote before"
            self._session.note(check, kind, operation, sent=sent, promised=str(promised), received=str(received))

    def _clean_up(self) -> None:
        """Delete the memories, and say in `left` what is left."""
        remaining = f"memories of {self.user} are left: they expire on {self.expires}, as they were added to"
        exports = "the export cannot be deleted: by openapi.yaml it is kept for 7 days"
        deleted = 0
        self.left = [remaining, exports]
        try:
            statuses = [self._delete(each) for each in self._ids]
            deleted = sum(200 <= status < 300 for status in statuses)
            if deleted < len(statuses):
                count = len(statuses) - deleted
                self.left = [f"{count} memories were not deleted (DELETE gave {max(statuses)}): {remaining}", exports]
            elif statuses:
                self._check_deleted()
                self.left = [f"{deleted} memories of {self.user} were deleted", exports]
        except CouldNotRun as error:
            self.left = [f"{remaining} ({error})", exports]

    def _delete(self, memory_id: str) -> int:
        """Delete a memory and return the status; compare the answer with the spec if that has the operation."""
        operation = self._session.find("DELETE", MEMORY_PATH)
        if operation is None:
            path = MEMORY_PATH.replace("{memory_id}", memory_id)
            return self._session.send("DELETE", path).status_code
        success = {status for status in operation.responses if 200 <= status < 300}
        sent = "the id of a memory of this run"
        path = _path(operation, memory_id)
        return self._session.ask("write.delete", operation.id, expected=success, sent=sent, path=path).status

    def _check_deleted(self) -> None:
        """Check that a deleted memory is gone, if the spec has the operation that deletes one."""
        session = self._session
        delete, get = session.find("DELETE", MEMORY_PATH), session.find("GET", MEMORY_PATH)
        if delete is None:
            return
        for check, operation in (("write.get-deleted", get), ("write.delete-again", delete)):
            if operation is not None:
                path = _path(operation, self._ids[0])
                session.ask(check, operation.id, expected={404}, sent="the id of a deleted memory", path=path)
        body = {"filters": self._filters}
        sent = "filters by the new user, after the deletion"
        page = session.ask("write.list-deleted", "memories_list", body, expected={200}, sent=sent)
        if page.status == 200 and page.valid:
            self._compare("write.list-deleted", "results", "memories_list", [], page.body["results"])


def _path(operation: Operation, memory_id: str) -> str:
    return operation.path.replace("{memory_id}", memory_id)
