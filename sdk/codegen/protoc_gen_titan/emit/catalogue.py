"""The golden catalogue: every fact that the contract states in our own options, as JSON.

Owns its layout. buf does not see changed custom options; a diff of this file does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from protoc_gen_titan.model import Contract, FieldSpec, RuleSpec


def emit_catalogue(contract: Contract) -> Iterator[tuple[str, str]]:
    """Yields descriptor/catalogue.json."""
    catalogue: dict[str, Any] = {
        "streams": {s.name: asdict(s) for s in contract.streams},
        "events": {
            e.message.full_name: {
                "subject": e.subject,
                "keys": e.keys,
                "stream": e.stream,
                "policy_hash_exempt": e.policy_hash_exempt,
            }
            for e in contract.events
        },
        "participants": {p.name: asdict(p) for p in contract.participants},
        "authorization": {
            m.path: {"roles": m.roles, "deadline_exempt": m.deadline_exempt}
            for m in contract.methods
        },
        "denials": {
            d.value: {"hint": d.hint, "grpc_status": d.grpc_status, "retryable": d.retryable}
            for d in contract.denials
        },
        "hot": [m.full_name for m in contract.messages if m.hot],
        "fields": {
            f"{m.full_name}.{f.name}": facts
            for m in contract.messages
            for f in m.fields
            if (facts := _facts(f))
        },
    }
    yield "descriptor/catalogue.json", json.dumps(catalogue, indent=1, sort_keys=True) + "\n"


def _facts(field: FieldSpec) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    empty = asdict(RuleSpec())
    rule = {name: value for name, value in asdict(field.rule).items() if value != empty[name]}
    if rule:
        facts["rule"] = rule
    if field.span_attribute:
        facts["span_attribute"] = field.span_attribute
    if field.sensitive:
        facts["sensitive"] = True
    if field.hot != "expand":
        facts["hot_field"] = field.hot
    return facts
