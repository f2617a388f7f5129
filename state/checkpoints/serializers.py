"""Django's JSON fixtures, read strictly: a text that is not acceptable JSON is refused with its place.

A checkpoint is a fixture with a header in front, which is taken out here, once it has proved the rest to be whole.
"""

from collections.abc import Iterator
from typing import IO, Any

from django.core.exceptions import FieldDoesNotExist
from django.core.serializers.base import DeserializationError, DeserializedObject
from django.core.serializers.json import Serializer
from django.core.serializers.python import Deserializer as PythonDeserializer

from state.checkpoints.header import Header, take_header
from state.files.sources import explain_error
from state.jsondoc.text import MAX_DEPTH, Document, JSONValue, NotAcceptable, parse_json

ENTRY = "state.stateentry"
ENVELOPE = 4  # levels that a fixture, or a request with one, puts around a document

__all__ = ["Deserializer", "Serializer"]


class Deserializer(PythonDeserializer):
    """Deserialize a fixture. Raises DeserializationError before it yields a row."""

    def __init__(self, stream_or_string: IO[Any] | bytes | str, **options: Any) -> None:
        raw = stream_or_string if isinstance(stream_or_string, (bytes, str)) else stream_or_string.read()
        super().__init__(parse_rows(raw), **options)

    def _handle_object(self, obj: dict[str, Any]) -> Iterator[DeserializedObject]:
        try:
            yield from super()._handle_object(obj)  # type: ignore[misc]  # the stubs do not know it
        except FieldDoesNotExist as error:
            raise DeserializationError(
                f"the row {obj['model']} {obj.get('pk')!r} does not fit: {error}. Correct it; --ignorenonexistent"
                " leaves such fields out"
            ) from None


def parse_rows(raw: bytes | str) -> list[dict[str, Any]]:
    """The rows of a fixture document. Raises DeserializationError, naming line or row."""
    return open_fixture(raw)[1]


def open_fixture(raw: bytes | str) -> tuple[Header | None, list[dict[str, Any]]]:
    """Header (None for a plain fixture) and rows of a fixture document. Raises DeserializationError."""
    try:
        return check_fixture(parse_json(raw, ENVELOPE + MAX_DEPTH))
    except NotAcceptable as error:
        raise DeserializationError(f"not acceptable JSON: {explain_error(error)}") from None


def check_fixture(fixture: Document) -> tuple[Header | None, list[dict[str, Any]]]:
    """Header and rows of a fixture, if that is what it is, and whole. Raises DeserializationError."""
    if not isinstance(fixture.value, list):
        raise DeserializationError("a fixture is a JSON array of rows")
    found, bare = take_header(fixture.text, fixture.value)
    return found, check_rows(bare)


def check_rows(bare: list[JSONValue]) -> list[dict[str, Any]]:
    """The rows after the header, if they are rows. Raises DeserializationError."""
    found: list[dict[str, Any]] = []
    keys: set[str] = set()
    for number, row in enumerate(bare, 1):
        checked_row = _checked_row(number, row)
        found.append(checked_row)
        if checked_row["model"].lower() == ENTRY:
            if checked_row["pk"] in keys:
                raise DeserializationError(f"row {number} of the fixture is the key {checked_row['pk']!r} once more")
            keys.add(checked_row["pk"])
    return found


def _checked_row(number: int, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict) or not isinstance(row.get("model"), str) or not isinstance(row.get("fields"), dict):
        raise DeserializationError(f'row {number} of the fixture is not {{"model": ..., "pk": ..., "fields": {{...}}}}')
    if row["model"].lower().startswith("nola."):
        raise DeserializationError(f"row {number} of the fixture is a {row['model']}, which stands first, or nowhere")
    if row["model"].lower() == ENTRY and not (isinstance(row.get("pk"), str) and "value_json" in row["fields"]):
        raise DeserializationError(f"row {number} of the fixture is a key without a text as pk, or without value_json")
    return row
