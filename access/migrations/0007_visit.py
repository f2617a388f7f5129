"""What a person has seen of the memory, for what is new since."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('access', '0006_security_log_name'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to=settings.AUTH_USER_MODEL)),
                ('seen', models.BigIntegerField()),
                ('seen_at', models.DateTimeField()),
                ('before', models.BigIntegerField(null=True)),
                ('before_at', models.DateTimeField(null=True)),
            ],
        ),
    ]
