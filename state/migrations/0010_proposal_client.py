from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('state', '0009_proposals'),
    ]

    operations = [
        migrations.AddField(
            model_name='proposal',
            name='client',
            field=models.TextField(blank=True, default='', help_text='The program it was made with, if that has said so.'),
        ),
    ]
