"""A text column that holds a JSON document: Python values in code, nested JSON in fixtures, stored text untouched."""

import json
from typing import Any

from django.db import models

from state.jsondoc.text import dump_json


class JSONText(str):
    """Text that `dump_json` made: written to the database as it is."""


class JSONTextField(models.TextField):
    """JSON as text, because jsonb reorders members and changes numbers. A stored null is JSON null, never SQL NULL."""

    description = "JSON document"
    _pyi_private_set_type: Any
    _pyi_private_get_type: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["blank"] = True  # else null, "", {} and [] would not validate
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, *_: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return str(value) if isinstance(value, JSONText) else dump_json(value)

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        pass

    def value_to_string(self, obj: models.Model) -> Any:
        return self.value_from_object(obj)
