"""RFC 8785 without floats."""

from __future__ import annotations

import pytest
from titan_mesh.canonical_json import canonical, first_difference, parse
from titan_mesh.errors import TitanError


def test_the_property_order_of_the_rfc():
    # RFC 8785 3.2.3: sorted by UTF-16 code units, so the emoji comes before U+FB33.
    text = (
        '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter",'
        '"1":"One","\\ud83d\\ude00":"Emoji","\\u0080":"Control","\\u00f6":"Latin Small"}'
    )
    keys = [line.split(":")[0] for line in canonical(parse(text.encode())).decode().split(",")]
    assert keys == [
        '{"\\r"',
        '"1"',
        '"\u0080"',
        '"\u00f6"',
        '"\u20ac"',
        '"\U0001f600"',
        '"\ufb33"',
    ]


def test_strings_keep_all_but_what_must_be_escaped():
    text = '{"a":"\\u20ac$\\u000f\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"}'
    assert canonical(parse(text.encode())).decode() == (
        '{"a":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_spaces_and_literals():
    assert canonical(parse(b' { "b" : [ true , false , null , -7 ] , "a" : 0 } ')) == (
        b'{"a":0,"b":[true,false,null,-7]}'
    )


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":9007199254740992}',
        b'{"a":-0}',
        b'{"a":1,"a":1}',
        b'{"a":"\xff"}',
        b'{"a":',
        b"",
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(text):
    with pytest.raises(TitanError) as refused:
        parse(text)
    assert refused.value.code == "JSON_NOT_CANONICAL"


def test_lone_surrogates_floats_and_depth_are_refused_on_the_way_out():
    deep = []
    for _ in range(40):
        deep = [deep]
    for value in ("\ud800", 1.5, deep, {"a": b"x"}):
        with pytest.raises(TitanError):
            canonical(value)


@pytest.mark.parametrize(
    ("left", "right", "path"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": 1}, {"a": "1"}, "$.a"),
        ({"a": True}, {"a": 1}, "$.a"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "$.a[1]"),
        ({"a": [1]}, {"a": [1, 2]}, "$.a.length"),
        ({}, {"a": 1}, "$.a"),
        ({"a": 1, "b": 2}, {"a": 1}, "$.b"),
    ],
)
def test_the_first_difference_is_a_path(left, right, path):
    found = first_difference(left, right)
    assert (found and found[0]) == path
