"""Test that no command and no client changes a file that is not its own, nor the files beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sqlite3

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import click
import pytest

from mem0_exports import AsyncClient, Client, ConfigurationError, F, Ledger, Mem0ExportsError
from mem0_exports_cli import main as command_line
from mem0_exports_cli.commands import mem0_exports
from mem0_exports_engine.store import open_store
from tests.support.oss_folders import faiss_folder
from tests.support.timeouts import scaled


SCHEMA = {"type": "object", "properties": {"a": {}}}

# ---- files ---------------------------------------------------------------------------------------------------------


def _database(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def text(path: Path) -> None:
    path.write_bytes(b"Dear diary, this is longer than the header of a database. " * 9)


def other_program(path: Path) -> None:
    _database(path, "CREATE TABLE notes (x)", "INSERT INTO notes VALUES (1)")


def other_program_with_a_version(path: Path) -> None:
    _database(path, "CREATE TABLE notes (x)", "PRAGMA user_version = 3")


def looks_like_ours(path: Path) -> None:
    _database(path, "CREATE TABLE memories (x)", "CREATE TABLE exports (x)", "PRAGMA user_version = 2")


def wal_mode(path: Path) -> None:
    _database(path, "PRAGMA journal_mode = WAL", "CREATE TABLE notes (x)")


def left_by_a_crash(path: Path) -> None:
    """Make a database whose tables are only in its -wal file, as after a crash."""
    original = path.with_name("original")
    with contextlib.closing(sqlite3.connect(original, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (x)")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{original}{suffix}", f"{path}{suffix}")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{original}{suffix}").unlink(missing_ok=True)


def partly_moved(path: Path) -> None:
    """Make a database with a table of its own and more content in its -wal file."""
    left_by_a_crash(path)
    _database(path, "INSERT INTO notes VALUES (1)")  # closing moves the -wal file into the database
    copy = path.with_name("copy")
    shutil.copyfile(path, copy)
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("INSERT INTO notes VALUES (2)")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{copy}{suffix}", f"{path}{suffix}")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{copy}{suffix}").unlink(missing_ok=True)


def ledger(path: Path) -> None:
    Ledger(path).close()


def store(path: Path) -> None:
    with contextlib.closing(open_store(path)) as opened:
        opened.check()


def newer_store(path: Path) -> None:
    store(path)
    _database(path, "PRAGMA user_version = 99")


def folder(path: Path) -> None:
    path.mkdir()


def read_only(path: Path) -> None:
    other_program(path)
    path.chmod(0o400)


FOREIGN = (
    *(text, other_program, other_program_with_a_version, looks_like_ours, wal_mode, left_by_a_crash, partly_moved),
    *(newer_store, folder, read_only),
)


def snapshot(where: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Return the mode, the time of the last change and the content of everything in a folder."""
    found = {}
    for each in sorted(where.rglob("*")):
        status = each.stat()
        content = each.read_bytes() if each.is_file() else None
        found[str(each.relative_to(where))] = (status.st_mode, status.st_mtime_ns, content)
    return found


# ---- commands ------------------------------------------------------------------------------------------------------


def leaves(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Iterate over all commands of a group, with their names."""
    if not isinstance(command, click.Group):
        yield names, command
        return
    for name, each in command.commands.items():
        yield from leaves(each, (*names, name))


COMMANDS = {
    names: command
    for names, command in leaves(mem0_exports)
    if any(parameter.name == "store" for parameter in command.params)
}
VALUES = {
    "schema": "schema.json",
    "file": "lines.jsonl",
    "export_id": str(uuid4()),
    "export_ids": str(uuid4()),
    "key_id": "abcd1234",
    "source": "faiss.d",
}


def arguments(names: tuple[str, ...], file: Path) -> list[str]:
    """Return a command line for a command that has --store, with a value for each argument that it requires."""
    given = [*names, "--store", str(file)]
    for parameter in COMMANDS[names].params:
        if isinstance(parameter, click.Argument):
            value = VALUES[str(parameter.name)]
            given.append(str(file.parent / value) if "." in value else value)
    if any("-u" in parameter.opts for parameter in COMMANDS[names].params):
        given += ["-u", "a"]
    return [*given, "--port", "0"] if names == ("serve",) else given


def test_there_are_commands_with_a_store():
    assert {("import",), ("dump",), ("serve",), ("keys", "revoke"), ("export", "run"), ("status",)} <= COMMANDS.keys()


@pytest.mark.parametrize("make", [*FOREIGN, ledger], ids=lambda make: make.__name__)
@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_a_command_leaves_a_file_that_is_no_store_unchanged(tmp_path, capsys, names, make):
    file = tmp_path / "other.db"
    (tmp_path / "lines.jsonl").write_text('{"memory": "m", "user_id": "a"}\n', encoding="utf-8")
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    faiss_folder(tmp_path / "faiss.d", {})
    make(file)
    before = snapshot(tmp_path)

    code = command_line.main(arguments(names, file))

    assert code == 1
    assert "other.db" in capsys.readouterr().err
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "names", sorted(COMMANDS.keys() - {("import",), ("pull",), ("serve",), ("keys", "create")}), ids=" ".join
)
def test_a_command_that_only_reads_makes_no_store_of_an_empty_file(tmp_path, capsys, names):
    file = tmp_path / "other.db"
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    file.touch()
    before = snapshot(tmp_path)

    assert command_line.main(arguments(names, file)) == 1
    assert "is empty" in capsys.readouterr().err
    assert snapshot(tmp_path) == before


# ---- clients -------------------------------------------------------------------------------------------------------


def use_client(file: Path) -> None:
    with Client.local(file) as client:
        client.ping()


def use_async_client(file: Path) -> None:
    async def main() -> None:
        async with AsyncClient.local(file) as client:
            await client.ping()

    asyncio.run(main())


def use_engine(file: Path) -> None:
    with Client.local(file) as client:
        client.engine.import_lines([b'{"memory": "m", "user_id": "a"}'])


def use_ledger(file: Path) -> None:
    with Client.local() as client, Ledger(file) as opened:
        client.exports.run(SCHEMA, F.user_id == "a", ledger=opened, timeout=scaled(30))


USES: list[tuple[Callable[[Path], None], Callable[[Path], None]]] = [
    *((use, make) for use in (use_client, use_async_client, use_engine) for make in (*FOREIGN, ledger)),
    *((use_ledger, make) for make in (*FOREIGN, store)),
]


@pytest.mark.parametrize(("use", "make"), USES, ids=lambda each: each.__name__)
def test_a_client_leaves_a_file_that_is_not_its_own_unchanged(tmp_path, use, make):
    file = tmp_path / "other.db"
    make(file)
    before = snapshot(tmp_path)

    with pytest.raises(Mem0ExportsError, match=r"other\.db"):
        use(file)

    assert snapshot(tmp_path) == before


def test_a_store_whose_tables_are_only_in_its_wal_file_is_opened(tmp_path):
    original, file = tmp_path / "original.db", tmp_path / "copy.db"
    with Client.local(original) as client:
        client.memories.add("m", user_id="a")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{original}{suffix}", f"{file}{suffix}")

    with Client.local(file) as client:
        assert [memory.memory for memory in client.memories.list(F.user_id == "a")] == ["m"]


def test_a_database_that_another_program_has_open_is_left_as_it_is(tmp_path):
    file = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (x)")
        before = snapshot(tmp_path)

        with pytest.raises(ConfigurationError, match="another program"):
            use_client(file)

        assert snapshot(tmp_path) == before
