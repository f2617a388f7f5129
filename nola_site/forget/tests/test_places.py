"""No column that holds texts is left out."""

from django.apps import apps
from django.db import models

from nola_site.forget import places
from nola_site.forget.redaction import list_spellings
from nola_site.forget.tests.memory import CARD, forget, put
from nola_site.safety import doctor
from state.history import audit
from state.models import Change


def test_every_column_that_holds_texts_is_in_a_list():
    known = {(table, column) for table, columns in places.COLUMNS.items() for column in columns}
    known |= {(table, column) for table, columns in places.HOLDS_NONE.items() for column in columns}
    known |= {(table, column) for table, columns in places.GOES.items() for column in columns}
    known |= {(places.HISTORY, column) for column in ("key", "forward", "inverse")}
    kinds = (models.CharField, models.TextField, models.BinaryField, models.JSONField, models.FileField)

    there = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, kinds)
    }

    tables = {table for table, _ in there}  # some may be of a release to come
    assert there == {(table, column) for table, column in known if table in tables}


def test_spellings():
    assert set(list_spellings("a/b")) >= {"a/b", "a\\/b"}
    assert "\\u017D" in set(list_spellings("Ž")) and "\\u017d" in set(list_spellings("Ž"))
    assert "\\ud83d\\ude00" in set(list_spellings("😀"))


def test_doctor_finds_nothing_wrong_after_it(db):
    put("/Card/number", CARD)
    forget(CARD)

    assert [one for one in doctor._history(audit.show_nothing) if one.level == "ERROR"] == []
    assert Change.objects.filter(kind="redaction").count() == 1
