"""A folder to run commands in: a store with the sample memories, types to export into, and lists of users."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from mem0_exports_engine.importing.importer import import_lines
from mem0_exports_engine.store import open_store
from tests.support.oss_folders import faiss_folder, qdrant_folder
from tests.support.timeouts import scaled


MODELS = """
from datetime import datetime
from pydantic import BaseModel

class Profile(BaseModel):
    full_name: str | None = None
    city: str | None = None
    birth_year: int | None = None

class Event(BaseModel):
    created_at: datetime
    memory: str
    place: str | None = None

class Nothing(BaseModel):
    favourite_prime: int | None = None
"""

SAMPLE = files("mem0_exports_cli.demo").joinpath("sample.jsonl").read_bytes()


class Shop:
    """The folder, and a way to run commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(
        self, *arguments: str, given: bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command on the store of this folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MEM0_")}
        return subprocess.run(
            [sys.executable, "-m", "mem0_exports", *map(str, arguments)],
            cwd=self.folder,
            env={**kept, "MEM0_EXPORTS_STORE": "memories.db", **environment},
            input=given,
            capture_output=True,
            check=False,
            timeout=scaled(60),
        )

    def shell(self, line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Run a line in bash, where `mem0-exports` is the command of this environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MEM0_")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env={**kept, "PATH": path, "MEM0_EXPORTS_STORE": "memories.db", **environment},
            capture_output=True,
            check=False,
            timeout=scaled(60),
        )

    def json(self, *arguments: str, **more: Any) -> Any:
        """Run a command that must succeed, and return its output as JSON."""
        done = self.run(*arguments, **more)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


@pytest.fixture
def shop(tmp_path):
    store = open_store(tmp_path / "memories.db")
    import_lines(store.memories, SAMPLE.splitlines())
    store.close()
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "memories.jsonl").write_bytes(SAMPLE)
    payload = {"data": "Moved to Porto", "user_id": "alex", "city": "Porto"}
    for make, name in ((qdrant_folder, "qdrant"), (faiss_folder, "faiss")):
        make(tmp_path / name, {str(uuid4()): payload})
    (tmp_path / "users.txt").write_text("alex\nmara\n")
    (tmp_path / "notes.csv").write_text("memory,city\nLikes tea,Lisbon\n")
    (tmp_path / "profile.json").write_text('{"type": "object", "properties": {"city": {"type": "string"}}}')
    return Shop(tmp_path)
