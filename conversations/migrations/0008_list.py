from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('conversations', '0007_words_of_parts'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('deleted_revision', None)), fields=['-started', '-id'], name='conversation_listed'),
        ),
    ]
