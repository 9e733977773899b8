"""Measure the CPU that the extractor takes to read texts, beside a scripted model, for each call and for 20 memories.

The baselines are the same requests made with bare httpx, and the same memories read by the extractor without a model. What
is left is the work of its own: packing, prompts, validation, and finding values in texts.
"""

from __future__ import annotations

import sys
import time

from pathlib import Path
from typing import TYPE_CHECKING

import httpx


sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from tests.support.scripted_model import ScriptedModel, facts_of, oracle  # noqa: E402

from mem0_exports import LLM  # noqa: E402 -- the tests are beside this folder
from mem0_exports_engine.evaluation.people import SCHEMA, person  # noqa: E402
from mem0_exports_engine.extract.llm.extractor import LLMExtractor  # noqa: E402
from mem0_exports_engine.extract.llm.notebook import Memories, Notebook  # noqa: E402
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor  # noqa: E402


if TYPE_CHECKING:
    from collections.abc import Callable

PEOPLE = 60
NOISE = 180


def main() -> None:
    """Print the figures."""
    people = [person(seed, noise=NOISE) for seed in range(PEOPLE)]
    records = [who.records() for who in people]
    memories = sum(map(len, records))
    model = ScriptedModel(oracle(facts_of(people)))
    reading = LLMExtractor(LLM(model.url, model="m", concurrency=1, check="off"))
    bench = Notebook()
    ours = cpu(lambda: [reading.extract(SCHEMA, Memories(each), bench) for each in records])
    requests = [*model.requests]
    kept = cpu(lambda: [reading.extract(SCHEMA, Memories(each), bench) for each in records])
    offline = cpu(lambda: [OfflineExtractor().extract(SCHEMA, Memories(each), Notebook()) for each in records])
    with httpx.Client() as http:
        bare = cpu(lambda: [http.post(f"{model.url}/chat/completions", json=each).json() for each in requests])
    reading.close()
    model.close()
    calls = len(requests)
    own = ours - bare - offline
    print(f"{PEOPLE} exports, {memories} memories, {calls} calls; CPU with that of the scripted server")
    print(f"the same requests with bare httpx     {bare * 1000 / calls:6.2f} ms a call")
    print(f"the same memories without a model     {offline * 1000 / PEOPLE:6.2f} ms an export")
    print(
        f"with a model                          {ours * 1000 / calls:6.2f} ms a call, {ours / (bare + offline):.1f} x both"
    )
    print(f"  the work of its own                 {own * 1000 / calls:6.2f} ms a call")
    print(f"  for 20 memories                     {own * 1000 / memories * 20:6.2f} ms")
    print(f"the same exports again, with no call  {kept * 1000 / PEOPLE:6.2f} ms an export")


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds that a piece of work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()
