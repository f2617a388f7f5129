"""How often signing in has failed, for the wait after that."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0004_security_log'),
    ]

    operations = [
        migrations.CreateModel(
            name='FailedSignIns',
            fields=[
                ('place', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('count', models.PositiveIntegerField()),
                ('at', models.DateTimeField(db_index=True)),
            ],
        ),
    ]
