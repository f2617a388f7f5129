import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.jsondoc.encoding import explain_encoding
from state.jsondoc.text import BOM, NotAcceptable, dump_json, parse_json

ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.one_of(st.integers(), texts, st.lists(texts), st.dictionaries(texts, texts)), st.sampled_from(ENCODINGS))
def test_json_in_another_encoding_is_told_by_name(value, encoding):
    raw = dump_json(value).encode(encoding)

    said = explain_encoding(raw)

    name = said.partition(",")[0]
    assert raw.decode(name) == dump_json(value)
    assert f"iconv -f {name} -t UTF-8" in said
    with pytest.raises(NotAcceptable, match=f"line 1, column 1: it is {name}, not UTF-8"):
        parse_json(raw)


@given(texts.map(dump_json) | texts)
def test_utf8_is_never_taken_for_another_encoding(text):
    text = text.lstrip("\0")
    if "\0" not in text[:4]:
        assert explain_encoding(text.encode()) == explain_encoding(BOM + text.encode()) == ""


@pytest.mark.parametrize("raw", [b"", b"\0", b"\0" * 500, b"caf\xe9", b"\x1f\x8b\x08\0\0\0"])
def test_bytes_that_show_no_encoding_are_given_none(raw):
    assert explain_encoding(raw) == ""
