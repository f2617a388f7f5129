from django.db import migrations, models

FILL = '''
    UPDATE conversation SET user_id = (
        SELECT CASE WHEN min(user_id) = max(user_id) THEN min(user_id) WHEN min(user_id) IS NOT NULL THEN '' END
        FROM conversation_history WHERE conversation_id = conversation.id
    )
'''


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0009_purge'),
    ]

    operations = [
        migrations.AddField(
            model_name='conversation',
            name='user_id',
            field=models.TextField(editable=False, help_text='That of all its messages; empty where they have several, null where there are none. See .users.', null=True, serialize=False),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('deleted_revision', None)), fields=['user_id', '-started', '-id'], name='conversation_of_user'),
        ),
    ]
