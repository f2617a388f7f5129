from django.db import migrations, models

from conversations.search import index


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(index.CREATE)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TABLE IF EXISTS {index.TABLE}")


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0002_deleted_conversation'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='message',
            index=models.Index(
                fields=['conversation'], condition=models.Q(deleted_revision__isnull=False), name='conversation_deleted'
            ),
        ),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['timestamp'], name='message_by_time'),
        ),
        migrations.RunPython(create, drop),
    ]
