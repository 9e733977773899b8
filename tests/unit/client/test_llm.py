"""Test the settings of a language model: what cannot be used is refused at once, and the key is never shown."""

from __future__ import annotations

import pickle

import pytest

from mem0_exports import LLM, Client, ConfigurationError
from mem0_exports_engine.engine import Engine
from mem0_exports_engine.extract.offline.extractor import OfflineExtractor


GOOD = {"url": "http://127.0.0.1:11434/v1", "model": "m"}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"url": "ftp://x/v1"}, "url"),
        ({"url": "127.0.0.1:11434"}, "url"),
        ({"url": "http://"}, "url"),
        ({"url": "http://x:99999/v1"}, "url"),
        ({"url": "http://x/v1?key=1"}, "url"),
        ({"url": 5}, "url"),
        ({"model": ""}, "model"),
        ({"model": "a\nb"}, "model"),
        ({"context": 100}, "context"),
        ({"context": 8192.0}, "context"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": "10"}, "timeout"),
        ({"temperature": 3}, "temperature"),
        ({"seed": -1}, "seed"),
        ({"dialect": "xml"}, "dialect"),
        ({"check": True}, "check"),
        ({"ungrounded": "keep"}, "ungrounded"),
        ({"max_tokens_total": 0}, "max_tokens_total"),
        ({"max_calls": 0}, "max_calls"),
        ({"extra": {"messages": []}}, "extra"),
        ({"extra": [1]}, "extra"),
        ({"extra": {"x": object()}}, "extra"),
        ({"extra": {"x": float("inf")}}, "extra"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_what_cannot_be_used_is_refused_with_its_name(changed, named):
    with pytest.raises(ConfigurationError, match=f"LLM: {named} must"):
        LLM(**{**GOOD, **changed})


def test_neither_keys_nor_passwords_are_shown():
    assert "secret" not in repr(LLM(**GOOD, api_key="secret"))
    for changed in ({"url": "http://user:secret@x/v1"}, {"api_key": "secret\u00e9"}):
        with pytest.raises(ConfigurationError) as caught:
            LLM(**{**GOOD, **changed})
        assert "secret" not in str(caught.value)


def test_the_url_can_be_written_in_several_ways():
    urls = {LLM(url, model="m").url for url in ("http://x/v1", "http://x/v1/", "http://x/v1/chat/completions")}

    assert urls == {"http://x/v1"}


def test_settings_are_plain_data():
    llm = LLM(**GOOD, extra={"top_p": 0.5})

    assert llm == LLM(**GOOD, extra={"top_p": 0.5}) != LLM(**GOOD)
    assert hash(llm) == hash(LLM(**GOOD))
    assert pickle.loads(pickle.dumps(llm)) == llm


def test_a_client_needs_no_model_and_sends_nothing_to_make_one():
    with Client.local(llm=LLM("http://127.0.0.1:1/v1", model="m")) as client:
        assert client.memories.add("Alex lives in Lisbon.", user_id="alex")


def test_an_engine_without_a_model_cannot_estimate():
    with Client.local() as client, pytest.raises(ConfigurationError, match="no language model"):
        client.engine.estimate({"type": "object"}, {"user_id": "alex"})


def test_an_engine_takes_a_model_or_an_extractor():
    with pytest.raises(ConfigurationError, match="not both"):
        Engine(llm=LLM(**GOOD), extractor=OfflineExtractor())
