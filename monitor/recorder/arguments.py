"""A job's arguments as they are stored: bounded, and with the values of secret names hidden."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

Shown = TypeVar("Shown")

HIDDEN = "[hidden]"
MAX_BYTES = 8_000
MAX_ITEMS = 200
MAX_TEXT = 2_000
MAX_DEPTH = 8

SECRET = re.compile(
    r"passw|passphrase|secret|token|api_?key|authori[sz]ation|cookie|credential|private_?key|access_?key|session_?id"
    r"|connection_?string|^(auth|dsn|pwd|pin|jwt|ssn|cvv)$"
)

_to_json = msgspec.json.Encoder(enc_hook=repr, order="deterministic").encode


class Arguments:
    """Writes arguments down as JSON `{"args": […], "kwargs": {…}}`, hiding what is secret.

    A name is secret when it matches SECRET or is among `redact`; so is a positional argument whose parameter has such
    a name. What is too long, too deep or too many is cut, and the JSON says so in `"cut": true`.
    """

    def __init__(self, redact: Iterable[str]) -> None:
        self._redact = frozenset(redact)
        self.is_secret = lru_cache(maxsize=4096)(self._is_secret)
        self._secret_positions: dict[str, frozenset[int]] = {}

    def written(self, args: Sequence[Any], kwargs: Mapping[str, Any], task: Any = None) -> str:
        """Return the arguments as JSON text of at most MAX_BYTES."""
        if not isinstance(args, (list, tuple)):
            args = [args]  # a foreign message may hold anything
        walk = _Walk(self.is_secret)
        secret = self._positions(task) if args and task is not None else frozenset()
        shown = {
            "args": [HIDDEN if at in secret else walk.shown(value, 1) for at, value in enumerate(args[:MAX_ITEMS])],
            "kwargs": walk.shown(kwargs, 1),
        }
        if walk.is_cut or len(args) > MAX_ITEMS:
            shown["cut"] = True
        text = _to_json(shown)
        if len(text) <= MAX_BYTES:
            return text.decode()
        short = text[: MAX_BYTES // 2].decode(errors="ignore")
        return _to_json({"cut": True, "begins": short}).decode()

    def _positions(self, task: Any) -> frozenset[int]:
        """Return the positions of a task's parameters with secret names."""
        if task.name not in self._secret_positions:
            try:
                parameters = list(inspect.signature(task.run).parameters)
            except (TypeError, ValueError):
                parameters = []
            found = frozenset(at for at, name in enumerate(parameters) if self.is_secret(name))
            self._secret_positions[task.name] = found
        return self._secret_positions[task.name]

    def _is_secret(self, name: str) -> bool:
        lower = name.lower()
        return lower in self._redact or SECRET.search(lower.replace("-", "_")) is not None


class _Walk:
    """One walk through a value, which notes whether anything was cut."""

    def __init__(self, is_secret: Any) -> None:
        self._is_secret = is_secret
        self.is_cut = False

    def shown(self, value: Any, depth: int) -> Any:
        """Return the value as it is shown: plain, bounded, secrets hidden."""
        kind = type(value)
        if kind in {int, float, bool, type(None)}:
            return value if kind is not int or -(2**63) <= value < 2**63 else str(value)
        if kind is str:
            return self._text(value)
        if depth > MAX_DEPTH:
            return self._cut("…")
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(value, depth)
        return self._text(_repr(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        for key, inner in value.items():
            if len(shown) == MAX_ITEMS:
                return self._cut(shown)
            name = key if type(key) is str else _repr(key)
            shown[self._text(name)] = HIDDEN if self._is_secret(name) else self.shown(inner, depth + 1)
        return shown

    def _items(self, value: Iterable[Any], depth: int) -> list[Any]:
        shown: list[Any] = []
        for inner in value:
            if len(shown) == MAX_ITEMS:
                return self._cut(shown)
            shown.append(self.shown(inner, depth + 1))
        return shown

    def _text(self, text: str) -> str:
        if len(text) > MAX_TEXT:
            text = self._cut(text[:MAX_TEXT] + "…")
        return text if text.isascii() else text.encode("utf-8", "replace").decode()

    def _cut(self, shown: Shown) -> Shown:
        self.is_cut = True
        return shown


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as fault:  # noqa: BLE001 (somebody's __repr__ is broken: the job is recorded all the same)
        return f"<{type(value).__name__}: its repr raises {type(fault).__name__}>"
