"""RFC 8785 canonical JSON of documents without floats, and a reader that refuses all others.

Owns the canonical bytes. Must never know what a document means; policy_hash and instruments do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

from titan_mesh.errors import TitanError

Json: TypeAlias = bool | int | str | Sequence["Json"] | Mapping[str, "Json"] | None

# Beyond this a JSON reader that uses IEEE doubles would change the number; such integers travel as
# strings.
MAX_SAFE_INTEGER = (1 << 53) - 1
MAX_DEPTH = 32


def _refuse(message: str, value: object, limit: str) -> NoReturn:
    raise TitanError("JSON_NOT_CANONICAL", message, "json", value, limit)


def _no_float(token: str) -> NoReturn:
    _refuse("the document holds a float", token, "integers, or decimals as strings")


def _integer(token: str) -> int:
    number = int(token)
    if abs(number) > MAX_SAFE_INTEGER or token == "-0":
        _refuse(
            "the document holds an integer that not every reader keeps",
            token,
            f"+-{MAX_SAFE_INTEGER}, no -0",
        )
    return number


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    seen: dict[str, Json] = {}
    for key, value in pairs:
        if key in seen:
            _refuse("the document repeats a key", key, "each key once")
        seen[key] = value
    return seen


def parse(text: bytes) -> Json:
    """JSON of UTF-8 bytes; floats, unsafe integers and repeated keys are refused."""
    try:
        document: Json = json.loads(
            text.decode("utf-8"),
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_integer,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as fault:
        _refuse("the document is not JSON", fault, "UTF-8 JSON")
    return document


def _text(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        _refuse("a string holds a lone surrogate", ascii(value), "valid Unicode")
    # json.dumps escapes exactly what RFC 8785 3.2.2.2 asks for: quote, backslash and controls,
    # short forms first.
    return json.dumps(value, ensure_ascii=False)


def _emit(value: Json, depth: int) -> str:
    if depth > MAX_DEPTH:
        _refuse("the document is nested too deeply", depth, f"at most {MAX_DEPTH}")
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(_integer(str(value)))
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        # RFC 8785 3.2.3: keys in the order of their UTF-16 code units.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{_text(key)}:{_emit(value[key], depth + 1)}" for key in keys) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_emit(item, depth + 1) for item in value) + "]"
    _refuse(
        "the document holds a value that JSON cannot keep exactly",
        repr(value),
        "no floats, no other types",
    )


def canonical(value: Json) -> bytes:
    """Canonical bytes of a value."""
    return _emit(value, 0).encode("utf-8")


def first_difference(found: Json, expected: Json, path: str = "$") -> tuple[str, Json, Json] | None:
    """Path and both sides of the first place where two documents differ; None when equal."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in [*expected, *(extra for extra in found if extra not in expected)]:
            if key not in found or key not in expected:
                return f"{path}.{key}", found.get(key), expected.get(key)
            if deeper := first_difference(found[key], expected[key], f"{path}.{key}"):
                return deeper
        return None
    if _is_list(found) and _is_list(expected):
        assert isinstance(found, Sequence)
        assert isinstance(expected, Sequence)
        for index, (left, right) in enumerate(zip(found, expected, strict=False)):
            if deeper := first_difference(left, right, f"{path}[{index}]"):
                return deeper
        return (
            None if len(found) == len(expected) else (f"{path}.length", len(found), len(expected))
        )
    return None if type(found) is type(expected) and found == expected else (path, found, expected)


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
