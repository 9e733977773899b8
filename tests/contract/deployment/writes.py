"""What takes writing: memories of a user of its own, an export of them, and taking away again what was written.

Everything that is written expires tomorrow from the beginning, so that it vanishes even where this program is killed.
The spec has no delete. Where the deployment has the Platform's `DELETE /v1/memories/{id}/`, each memory that was written
is deleted by its id: a delete by user would take everything from a service that overlooks its parameter.
"""

from __future__ import annotations

import secrets
import time

from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema_rs

from tests.contract.deployment.reads import paging
from tests.contract.deployment.session import CouldNotRun, Session


MOST = 80
"""Requests of this part: at most 8, and then some for waiting and for the end."""

PREFIX = "mem0-exports-contract-"
WAIT = 120.0
"""Seconds for an export, and for memories to show in a list."""

RESERVED = 10
"""Requests that are kept for taking away what was written."""

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "description": "Where they live."},
        "facts": {"type": "array", "items": {"type": "string"}, "default": []},
    },
}


class Writes:
    """One run that writes, and what it has written."""

    def __init__(self, session: Session) -> None:
        self.user = f"{PREFIX}{secrets.token_hex(6)}"
        self.expires = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
        self._session = session
        self._ids: list[str] = []
        self._filters = {"AND": [{"user_id": self.user}]}
        self._wrote = False
        self.left: list[str] = []
        """What became of what was written, in sentences."""

    def run(self) -> None:
        """All of it."""
        try:
            self._memories()
            self._export()
        finally:
            # Also after an error or Ctrl-C: the rest is what this run owes the deployment.
            if self._wrote:
                self.left = self._clean_up()

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
        added = session.ask("write.add", "memories_add", body, expect={200}, sent="three messages, one of the system")
        if added.status == 200 and added.fits:
            self._ids = [each["id"] for each in added.body["results"]]
            self._same(
                "write.add:results", "memories_add", texts, [each["data"]["memory"] for each in added.body["results"]]
            )
        again = session.ask("write.add-again", "memories_add", body, expect={200}, sent="the same messages again")
        if again.status == 200 and again.fits:
            self._ids += [each["id"] for each in again.body["results"]]
            self._same("write.add-again:results", "memories_add", [], again.body["results"])
        page = self._listed(len(texts))
        if page is None:
            return
        paging(session, "write.list", "memories_list", page, number=1, size=100)
        self._ids = sorted({*self._ids, *(each["id"] for each in page["results"])})
        self._same(
            "write.list:results", "memories_list", sorted(texts), sorted(each["memory"] for each in page["results"])
        )
        for each in page["results"]:
            wanted = {"user_id": self.user, "metadata": {"city": "Lisbon"}, "expiration_date": self.expires}
            for field, value in wanted.items():
                self._same(f"write.list:{field}", "memories_list", value, each.get(field))
            if datetime.fromisoformat(each["created_at"]) != made:
                self._same("write.list:created_at", "memories_list", made.isoformat(), each["created_at"])
        self._pages(len(texts))

    def _listed(self, count: int) -> dict[str, Any] | None:
        """The list of what was added, waiting until it shows."""
        deadline = time.monotonic() + WAIT
        name, body = "write.list", {"filters": self._filters}
        while True:
            page = self._session.ask(name, "memories_list", body, expect={200}, sent="filters by the new user")
            if page.status != 200 or not page.fits:
                return None
            if page.body["count"] >= count or time.monotonic() > deadline or self._session.left <= RESERVED + 30:
                return dict(page.body)
            time.sleep(2)

    def _pages(self, count: int) -> None:
        body = {"filters": self._filters}
        for number in (1, count):
            query = {"page": str(number), "page_size": "1"}
            name = "write.pages"
            page = self._session.ask(name, "memories_list", body, expect={200}, query=query, sent=f"page {number} of 1")
            if page.status == 200 and page.fits:
                paging(self._session, name, "memories_list", page.body, number=number, size=1)

    def _export(self) -> None:
        session = self._session
        body = {"schema": SCHEMA, "filters": self._filters, "export_instructions": "Größe: newest wins"}
        accepted = session.ask("write.create", "exports_create", body, expect={201}, sent="a schema and filters")
        if accepted.status != 201 or not accepted.fits:
            return
        found = self._ready(accepted.body["id"])
        if found is None:
            return
        misfit = next(jsonschema_rs.validator_for(SCHEMA).iter_errors(found), None)
        if misfit is not None:
            self._same("write.result:schema", "exports_get", "an object of the schema", misfit.message)
        by_filters = {"filters": self._filters}
        other = session.ask(
            "write.by-filters", "exports_get", by_filters, expect={200}, sent="the filters of the export"
        )
        if other.status == 200:
            self._same("write.by-filters:result", "exports_get", found, other.body)

    def _ready(self, export_id: str) -> Any:
        deadline = time.monotonic() + WAIT
        pause = 0.2
        body = {"memory_export_id": export_id}
        while True:
            last = time.monotonic() > deadline or self._session.left <= RESERVED + 2
            expect = {200} if last else {200, 404}
            answer = self._session.ask("write.result", "exports_get", body, expect=expect, sent="the id of the export")
            if answer.status == 200:
                return answer.body
            if answer.status != 404 or last:
                return None
            if answer.fits and "reason" in answer.body:
                self._same(
                    "write.result:failed", "exports_get", "a finished export", f"it failed: {answer.body['reason']}"
                )
                return None
            time.sleep(pause)
            pause = min(pause * 1.5, 10)

    def _same(self, name: str, operation: str, promised: Any, came: Any) -> None:
        if came != promised:
            sent = "what this program wrote before"
            self._session.note(name, operation, sent=sent, promised=str(promised)[:200], came=str(came)[:200])

    def _clean_up(self) -> list[str]:
        left = f"memories of {self.user} are left; they expire on {self.expires}, as they were written to"
        exports = "the export cannot be taken away; the spec keeps it for 7 days"
        try:
            if not self._ids:
                return [left, exports]
            statuses = [
                self._session.send("DELETE", f"/v1/memories/{memory_id}/").status_code for memory_id in self._ids
            ]
        except CouldNotRun as error:
            return [f"{left} ({error})", exports]
        gone = sum(200 <= status < 300 for status in statuses)
        if gone == len(statuses):
            return [f"{gone} memories of {self.user} were deleted", exports]
        return [f"no delete for {len(statuses) - gone} memories (DELETE gave {max(statuses)}): {left}", exports]
