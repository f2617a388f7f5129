import state.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('state', '0008_removals'),
    ]

    operations = [
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False, verbose_name='proposal')),
                ('at', models.DateTimeField(verbose_name='when')),
                ('actor', models.TextField(verbose_name='who')),
                ('source', models.CharField(max_length=16, verbose_name='through')),
                ('reason', models.TextField(blank=True, default='', verbose_name='why')),
                ('base', models.BigIntegerField(help_text='The revision that the patches apply to.')),
                ('patches', state.fields.JSONTextField(blank=True, help_text='The operations on each key.')),
                ('digest', models.CharField(help_text='SHA-256 of the patches.', max_length=64)),
                ('places', state.fields.JSONTextField(blank=True, default=list, help_text='Where the first operations are.')),
                ('operations', models.PositiveIntegerField(help_text='How many there are.')),
                ('state', models.CharField(default='waiting', max_length=16)),
                ('decided_at', models.DateTimeField(null=True, verbose_name='decided')),
                ('decided_by', models.TextField(blank=True, default='')),
                ('answer', models.TextField(blank=True, default='', help_text='Why it was decided so.')),
                ('accepted', state.fields.JSONTextField(blank=True, default=list, help_text='What was accepted of it, if in part.')),
                ('revision', models.BigIntegerField(help_text='The revision it became, if that changed anything.', null=True)),
            ],
            options={
                'db_table': 'state_proposal',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['state', 'actor'], name='state_proposal_state'), models.Index(fields=['actor', 'id'], name='state_proposal_of_actor')],
            },
        ),
    ]
