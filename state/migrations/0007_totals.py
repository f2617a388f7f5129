import json

from django.db import migrations, models


def count(apps, schema_editor):
    """What is stored, as state/entries.py measures it."""
    keys = size = characters = 0
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT key_name, value_json FROM state_storage")
        for key, text in cursor:
            member = f"{json.dumps(key, ensure_ascii=False)}:{text},"
            keys, size, characters = keys + 1, size + len(member.encode()), characters + len(member)
        cursor.execute("UPDATE state_meta SET keys = %s, bytes = %s, characters = %s", [keys, size, characters])


class Migration(migrations.Migration):

    dependencies = [
        ('state', '0006_value_last'),
    ]

    operations = [
        migrations.AddField(
            model_name='storemeta',
            name='bytes',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='storemeta',
            name='characters',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='storemeta',
            name='keys',
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunPython(count, migrations.RunPython.noop),
    ]
