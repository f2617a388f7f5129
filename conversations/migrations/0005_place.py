from django.db import migrations, models

from conversations.order import settle_all
from state.progress import Progress

TABLE = "conversation_history"
ADD = f"ALTER TABLE {TABLE} ADD COLUMN place bigint NOT NULL DEFAULT 0"  # Django would copy the whole table
DROP = f"ALTER TABLE {TABLE} DROP COLUMN place"


def place(apps, schema_editor):
    progress = Progress()
    settle_all(apps.get_model("conversations", "Message").objects.using(schema_editor.connection.alias), progress)
    progress.end()


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0004_folded_words'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='message', name='conversation_in_order'),
        migrations.RunSQL(
            ADD,
            DROP,
            state_operations=[
                migrations.AddField(
                    model_name='message',
                    name='place',
                    field=models.BigIntegerField(
                        db_default=0,
                        editable=False,
                        help_text='Where it stands: its time, or right behind the message it answers, in microseconds since 1970.',
                        serialize=False,
                    ),
                )
            ],
        ),
        migrations.RunPython(place, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='message',
            index=models.Index(fields=['conversation', 'place', 'timestamp', 'id'], name='conversation_in_order'),
        ),
        migrations.AlterModelOptions(name='message', options={'ordering': ('place', 'timestamp', 'id')}),
    ]
