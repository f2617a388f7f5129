from django.db import migrations

REBUILD = """
    CREATE TABLE state_rebuilt (
        key_name text NOT NULL PRIMARY KEY, created_at datetime NOT NULL, updated_at datetime NOT NULL,
        revision bigint NOT NULL, value_json text NOT NULL);
    INSERT INTO state_rebuilt SELECT key_name, created_at, updated_at, revision, value_json FROM state_storage;
    DROP TABLE state_storage;
    ALTER TABLE state_rebuilt RENAME TO state_storage
"""


def put_value_last(apps, schema_editor):
    """SQLite reads what stands behind a large value by going through all of it."""
    if schema_editor.connection.vendor == "sqlite":
        for statement in REBUILD.split(";"):
            schema_editor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('state', '0005_receipts'),
    ]

    operations = [
        migrations.RunPython(put_value_last, migrations.RunPython.noop),
    ]
