"""Arguments as they are stored: bounded, secrets hidden, whatever the application passes."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.recorder.arguments import HIDDEN, MAX_BYTES, Arguments

PLAIN = Arguments(frozenset())

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=50) | st.datetimes(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner) | st.sets(st.text())
    ),
)


def written(*args: Any, task: Any = None, **kwargs: Any) -> dict[str, Any]:
    """Return what is stored of these arguments."""
    return dict(json.loads(PLAIN.written(args, kwargs, task)))


def test_plain_arguments_are_stored_as_they_are() -> None:
    """What JSON can say is said exactly, so that a job can be sent again."""
    assert written(1, "two", [3.5, None], size="large") == {
        "args": [1, "two", [3.5, None]],
        "kwargs": {"size": "large"},
    }


@pytest.mark.parametrize(
    "name",
    ["password", "PASSWORD", "db_passwd", "secret_key", "auth", "authToken", "api-key", "apikey", "Authorization",
     "cookies", "aws_access_key_id", "credentials", "connection_string", "session_id", "dsn"],
)  # fmt: skip
def test_values_of_secret_names_are_hidden(name: str) -> None:
    """At any depth, whatever the value is."""
    assert written({"deep": [{name: ["hunter2"]}]}, **{name: "hunter2"}) == {
        "args": [{"deep": [{name: HIDDEN}]}],
        "kwargs": {name: HIDDEN},
    }


@pytest.mark.parametrize("name", ["author", "passenger_count", "pinned", "keyword", "monkey", "dsname", "session"])
def test_innocent_names_are_not_hidden(name: str) -> None:
    """A monitor that hides too much is of no use."""
    assert written(**{name: 1})["kwargs"] == {name: 1}


def test_the_application_s_own_names_are_hidden() -> None:
    """As listed in MONITOR_REDACT, in any case."""
    arguments = Arguments({"iban"})

    assert json.loads(arguments.written((), {"IBAN": "DE1"}))["kwargs"] == {"IBAN": HIDDEN}


def test_a_positional_secret_is_known_by_its_parameter() -> None:
    """The task's signature names it."""

    def login(user: str, password: str) -> None:
        del user, password

    task = SimpleNamespace(name="login", run=login)

    assert written("me", "hunter2", task=task)["args"] == ["me", HIDDEN]


@given(args=st.lists(ANYTHING, max_size=5), kwargs=st.dictionaries(st.text(), ANYTHING, max_size=5))
def test_anything_is_stored_bounded_and_as_json(args: list[Any], kwargs: dict[str, Any]) -> None:
    """No value of an application breaks the record."""
    text = PLAIN.written(args, kwargs)

    assert len(text.encode()) <= MAX_BYTES
    assert set(json.loads(text)) <= {"args", "kwargs", "cut", "begins"}


def test_what_is_cut_says_so() -> None:
    """A reader must know that a job cannot be sent again from this."""
    cyclic: list[Any] = []
    cyclic.append(cyclic)

    for value in ("x" * 100_000, list(range(100_000)), {str(n): n for n in range(100_000)}, cyclic):
        assert written(value)["cut"] is True


def test_a_broken_repr_costs_its_value_alone() -> None:
    """The job is recorded all the same."""

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert written(Broken(), 2)["args"] == ["<Broken: its repr raises RuntimeError>", 2]


def test_numbers_beyond_json_are_stored_as_they_can_be() -> None:
    """Huge integers as text, what is not a number as null."""
    assert written(2**100, math.nan)["args"] == [str(2**100), None]
