from django.db import migrations

from conversations.search import index


def empty(apps, schema_editor):
    """Begin anew: `index.ensure` fills it after the migration, with the words of what stands beside a message too."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TABLE IF EXISTS {index.TABLE}")
        schema_editor.execute(index.CREATE)


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0006_earlier'),
    ]

    operations = [
        migrations.RunPython(empty, empty),
    ]
