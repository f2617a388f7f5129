from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('state', '0007_totals'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='change',
            index=models.Index(condition=models.Q(('result_hash', '')), fields=['kind', '-revision', 'key'], name='state_change_removal'),
        ),
    ]
