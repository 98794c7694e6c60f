"""Secrets are kept for a while, asked for again, and their fields taken out."""

from __future__ import annotations

import json
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from quality_platform.config.secret_text import SecretReference
from quality_platform.errors import (
    Location,
    SecretAccessError,
    SecretError,
    SecretNotFoundError,
    SecretUnreachableError,
    SecretValueError,
)
from quality_platform.secrets.store import SecretStore

CANARY = "canary-7f3a"


class Provider:
    """Answers, or raises, what it is told to, in this order; the last for ever."""

    def __init__(self, *answers) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def read(self, name: str):
        self.asked.append(name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def read(store: SecretStore, name: str = "db", key: str = "") -> str:
    return store.read(SecretReference(name, key, False, Location("runner.yaml", 7), "a.b"))


def test_an_answer_is_used_until_its_time_is_over():
    provider, clock = Provider("old", "new"), Clock()
    store = SecretStore(provider, ttl=60, clock=clock)
    assert read(store) == "old"
    clock.now += 59
    assert read(store) == "old"
    clock.now += 1
    assert read(store) == "new"
    assert provider.asked == ["db", "db"]


def test_without_a_time_the_provider_is_asked_each_time():
    store = SecretStore(Provider("old", "new"), clock=Clock())
    assert (read(store), read(store)) == ("old", "new")


def test_the_fields_of_a_secret_are_asked_for_once():
    provider = Provider({"user": "u", "password": "p"})
    store = SecretStore(provider, ttl=60)
    assert (read(store, key="user"), read(store, key="password")) == ("u", "p")
    assert provider.asked == ["db"]


def test_an_error_is_not_kept():
    store = SecretStore(Provider(SecretNotFoundError("none"), "there"), ttl=60)
    with pytest.raises(SecretNotFoundError):
        read(store)
    assert read(store) == "there"


def test_an_answer_whose_time_is_over_is_not_used_when_the_provider_is_gone():
    clock = Clock()
    store = SecretStore(Provider("old", SecretUnreachableError("gone")), ttl=60, clock=clock)
    assert read(store) == "old"
    clock.now += 61
    with pytest.raises(SecretUnreachableError):
        read(store)


def test_a_provider_that_does_not_answer_is_asked_again_as_often_as_allowed():
    gone = SecretUnreachableError("gone")
    provider = Provider(gone, gone, "there")
    assert read(SecretStore(provider, retries=2)) == "there"
    with pytest.raises(SecretUnreachableError):
        read(SecretStore(Provider(gone, gone, "there"), retries=1))


@pytest.mark.parametrize("kind", [SecretNotFoundError, SecretAccessError, SecretError])
def test_what_would_only_repeat_itself_is_asked_once(kind):
    provider = Provider(kind("no"))
    with pytest.raises(kind):
        read(SecretStore(provider, retries=5))
    assert len(provider.asked) == 1


def test_the_prefix_stands_before_every_name():
    provider = Provider("x")
    read(SecretStore(provider, prefix="tenant_a/"), "db")
    assert provider.asked == ["tenant_a/db"]


def test_two_stores_do_not_share_answers():
    one = SecretStore(Provider("of one"), ttl=60)
    other = SecretStore(Provider("of the other"), ttl=60)
    assert (read(one), read(other)) == ("of one", "of the other")


@pytest.mark.parametrize(
    ("found", "key", "text"),
    [
        ("whole", "", "whole"),
        ('{"a": "x"}', "", '{"a": "x"}'),
        ('{"a": "x"}', "a", "x"),
        ('{"port": 5432, "tls": true}', "port", "5432"),
        ('{"port": 5432, "tls": true}', "tls", "true"),
        ({"only": "x"}, "", "x"),
        ({"a": "x", "b": "y"}, "b", "y"),
    ],
)
def test_a_field_is_taken_out_of_a_secret(found, key, text):
    assert read(SecretStore(Provider(found)), key=key) == text


@pytest.mark.parametrize(
    ("found", "key"),
    [
        (CANARY, "a"),
        (json.dumps([CANARY]), "a"),
        (json.dumps({"a": CANARY}), "b"),
        (json.dumps({"a": [CANARY]}), "a"),
        (json.dumps({"a": None, "b": CANARY}), "a"),
        ({"a": CANARY, "b": CANARY}, ""),
        ({}, ""),
        ({"a": {"b": CANARY}}, "a"),
        ({"a": 1.5}, "a"),
        ("", ""),
    ],
)
def test_a_secret_that_is_something_else_is_told_without_its_value(found, key):
    with pytest.raises(SecretValueError) as raised:
        read(SecretStore(Provider(found)), key=key)
    assert raised.value.__cause__ is None
    told = "".join(traceback.format_exception(raised.value))
    assert CANARY not in told
    assert CANARY not in repr(raised.value.__context__)


def test_an_error_names_the_reference_and_its_place():
    error = SecretAccessError("refused", action="ask for it")
    with pytest.raises(SecretAccessError) as raised:
        read(SecretStore(Provider(error)), key="pw")
    assert str(raised.value).splitlines() == [
        "QP703 runner.yaml:7: a.b: refused",
        "    received: ${secret:db#pw}",
        "    to do: ask for it",
    ]


def test_threads_that_need_one_secret_ask_for_it_once():
    ready = threading.Barrier(8)

    def needed(store: SecretStore) -> str:
        ready.wait()
        return read(store)

    provider = Provider("x")
    store = SecretStore(provider, ttl=60)
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(needed, [store] * 8)} == {"x"}
    assert provider.asked == ["db"]


def test_a_store_does_not_show_what_it_knows():
    store = SecretStore(Provider(CANARY), ttl=60)
    read(store)
    assert CANARY not in repr(store)
