"""Each line has an answer, also one that cannot be read: for the id that stands where an id should."""

import pytest

from nola_site.mcp.messages import RpcError, Unreadable, read_message


def refused(raw):
    with pytest.raises(Unreadable) as caught:
        read_message(raw)
    return caught.value


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"a":1,"a":2}', 'the name "a" stands twice'),
        (b"NaN", "NaN is not JSON; send null or a string"),
        (b"1e400", "too large for a double"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'"\xff"', "not UTF-8"),
        (b"[" * 5000 + b"]" * 5000, "nested deeper"),
        (b'{"id":99,"x":}', "a value is missing"),
        (b'{"id":99,', "name in double quotes"),
    ],
)
@pytest.mark.parametrize(
    "opening",
    [
        b'{"id":7,"method":"tools/call","params":',
        b'{"x":{"id":1,"method":"ping"},"id":"7","method":"tools/call","params":',
    ],
)
def test_what_is_refused_is_answered_for_its_id(broken, reason, opening):
    error = refused(opening + broken + b"}")

    assert (str(error.id), error.method) == ("7", "tools/call")
    assert reason in str(error)


@pytest.mark.parametrize(
    "raw",
    [b"nonsense", b"{", b'{"params":{"id":7}', b'{"id":true,"x":}', b'{"id":"\\ud800",}', b"", b'{"a":"\\"id\\":7",}'],
)
def test_an_id_that_stands_elsewhere_or_is_none_is_not_taken(raw):
    assert refused(raw).id is None


def test_a_number_of_more_digits_than_fit_is_no_id():
    assert refused(b'{"id":' + b"9" * 5000 + b"}").id is None


@pytest.mark.parametrize("raw", [b"[]", b"3", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]'])
def test_what_is_no_single_message_is_refused(raw):
    with pytest.raises(RpcError):
        read_message(raw)


def test_values_are_read_as_they_stand():
    message = read_message(b'{"params":{"arguments":{"value":"{\\"a\\":1}","n":12345678901234567890123,"f":0.1}}}')

    assert message["params"]["arguments"] == {"value": '{"a":1}', "n": 12345678901234567890123, "f": 0.1}
