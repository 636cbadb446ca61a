"""titan.spans: which fields become span attributes, and which are never shown.

Owns both tables. Must never know a tracing library.
"""

from __future__ import annotations

from collections.abc import Iterator

from protoc_gen_titan.model import Contract
from protoc_gen_titan.text import module_header, quoted, tuple_of


def emit_spans(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields both tables, keyed by message full name."""
    lines = [
        module_header(
            "Span attributes and sensitive fields, by message.",
            "Owns the vocabulary of traces. Must never hold values.",
        ),
        "from collections.abc import Mapping",
        "",
        "SPAN_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {",
    ]
    for message in contract.messages:
        marked = [f for f in message.fields if f.span_attribute]
        if marked:
            pairs = ", ".join(f"{quoted(f.name)}: {quoted(f.span_attribute)}" for f in marked)
            lines.append(f"    {quoted(message.full_name)}: {{{pairs}}},")
    lines += ["}", "SENSITIVE_FIELDS: Mapping[str, frozenset[str]] = {"]
    for message in contract.messages:
        names = tuple_of(quoted(f.name) for f in message.fields if f.sensitive)
        if names != "()":
            lines.append(f"    {quoted(message.full_name)}: frozenset({names}),")
    yield "titan/spans.py", "\n".join([*lines, "}"]) + "\n"
