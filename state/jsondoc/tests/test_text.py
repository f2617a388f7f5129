import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc import text as jsontext
from state.jsondoc.tests.strategies import values
from state.jsondoc.text import NotAcceptable, NotPlain, decode_at, json_type, measure_depth, parse_json


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "1.0",
        "-0.0",
        "1.7e+308",
        "5e-324",
        "0.30000000000000004",
        str(2**200),
        "9" * 4300,
        '"00014"',
        '"\\u0000"',
        '"😀 é </script>{{x}}"',
        '"\x7f\u2028"',
        "null",
        "{}",
        "[]",
        '{"":{"b":1,"a":2,"0":3}}',
        "[" * 100 + "]" * 100,
    ],
)
def test_canonical_text_is_kept_to_the_byte(text):
    assert parse_json(text.encode()).text == text


@pytest.mark.parametrize(
    ("text", "stored"), [(" [1, 2 ]\n", "[1,2]"), ("1.50", "1.5"), ("1e2", "100.0"), ('"\\u00e9"', '"é"'), ("-0", "0")]
)
def test_equal_numbers_and_spaces_may_be_respelt(text, stored):
    assert parse_json(text).text == stored


@pytest.mark.parametrize(
    ("raw", "line", "column", "pointer", "reason"),
    [
        (b'{"a": NaN}', 1, 7, "/a", "NaN is not JSON"),
        (b"[1,\n -Infinity]", 2, 2, "/1", "-Infinity is not JSON"),
        (b"[1e400]", 1, 2, "/0", "too large for a double"),
        (b"[1e999999999999]", 1, 2, "/0", "too large for a double"),
        (b"0.1000000000000000055511151231257827", 1, 1, "", "more digits than a double holds"),
        (b"[1e-400]", 1, 2, "/0", "more digits than a double holds"),
        (b"1" * 4301, 1, 1, "", "more than 4300 digits"),
        (b'{"a":{"b":1,\n"b":2}}', 2, 1, "/a/b", "stands twice"),
        (b'{"a/b":["\\ud800"]}', 1, 9, "/a~1b/0", "surrogate"),
        (b'{"x":[1,{"y":tru}]}', 1, 14, "/x/1/y", "missing or not JSON"),
        (b'{"a":[1,2,]}', 1, 11, "/a/2", "missing or not JSON"),
        (b'{"a":1', 1, 7, "/a", "comma or the closing bracket"),
        (b'{"a" 1}', 1, 6, "/a", "colon"),
        (b"{a:1}", 1, 2, "", "name in double quotes"),
        (b'["a\nb"]', 1, 4, "/0", "control character"),
        (b"[1] 2", 1, 5, "", "after the end"),
        (b"01", 1, 2, "", "after the end"),
        (b"", 1, 1, "", "missing or not JSON"),
        (b'["\xc3\xa9", "\xff"]', 1, 8, None, "not UTF-8: byte 0xff"),
        (b"\xef\xbb\xbf{}", 1, 1, None, "byte order mark"),
        (b"[" * 101 + b"]" * 101, 1, 101, "/0" * 100, "deeper than 100"),
        (b"[" * 100_000, 1, 101, "/0" * 100, "deeper than 100"),
    ],
)
def test_what_is_not_acceptable_is_named_with_its_place(raw, line, column, pointer, reason):
    with pytest.raises(NotAcceptable) as caught:
        parse_json(raw)

    error = caught.value
    assert (error.line, error.column, error.pointer) == (line, column, pointer)
    assert reason in error.reason


def test_a_refusal_far_into_a_large_text_does_not_invent_a_place(monkeypatch):
    monkeypatch.setattr(jsontext, "MAX_SECONDS", 0)

    with pytest.raises(NotAcceptable) as syntax:
        parse_json("[" + "1," * 1000 + "x")
    with pytest.raises(NotAcceptable) as constant:
        parse_json("[" + "1," * 1000 + "NaN]")

    assert (syntax.value.column, syntax.value.pointer) == (2002, None)
    assert "too far in to name the place" in constant.value.reason


@pytest.mark.parametrize(("text", "levels"), [("1", 0), ("{}", 1), ('{"a":[{}],"b":[]}', 3)])
def test_depth_counts_containers(text, levels):
    assert measure_depth(parse_json(text).value) == levels


@pytest.mark.parametrize(
    ("text", "kind"),
    [("{}", "object"), ("[]", "array"), ('""', "text"), ("-1", "number"), ("true", "true/false"), ("null", "null")],
)
def test_kind_is_read_off_the_first_character(text, kind):
    assert json_type(text) == kind


@given(values, st.booleans(), st.sampled_from(["", "[", '{"a": ', "x"]), st.sampled_from(["", ",", "]", " y"]))
def test_a_value_inside_a_text_is_the_same_as_alone(value, is_ascii, before, after):
    text = json.dumps(value, ensure_ascii=is_ascii)
    if isinstance(value, int | float) and after == "":
        after = ","

    found, end = decode_at(before + text + after, len(before))

    assert (json.dumps(found), end) == (json.dumps(parse_json(text).value), len(before) + len(text))


@pytest.mark.parametrize(
    "text", ["NaN", '{"a":1,"a":2}', '"\\ud83d"', '"\\\\ud83d\\udc00"', "[" * 101 + "]" * 101, "[" * 100_000, "1e400"]
)
def test_what_is_not_acceptable_inside_a_text_is_left_to_be_told(text):
    with pytest.raises(NotPlain):
        decode_at(text, 0)
    with pytest.raises(NotAcceptable):
        parse_json(text)
