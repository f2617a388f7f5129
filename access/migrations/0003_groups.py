"""The groups viewer, editor and owner; and the first key may go on doing all that it might do."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

from access.rights import PERMISSIONS, Right

READS = [Right.READ_STATE, Right.READ_HISTORY, Right.READ_CONVERSATIONS]
GROUPS = {
    "viewer": READS,
    "editor": [*READS, Right.WRITE_STATE, Right.WRITE_CONVERSATIONS],
    "owner": list(Right),
}
PEOPLE = [  # what owners have beside rights: the pages of people and keys
    *(f"auth.{verb}_user" for verb in ("view", "add", "change", "delete")),
    *(f"access.{verb}_apikey" for verb in ("view", "add", "change")),
]


def make_groups(apps, schema_editor):
    alias = schema_editor.connection.alias
    for label in ("auth", "access", "state", "conversations"):  # permissions are made after all migrations
        config = apps.get_app_config(label)
        was, config.models_module = getattr(config, "models_module", None), True
        create_permissions(config, apps=apps, using=alias, verbosity=0)
        config.models_module = was
    permissions = {
        f"{one.content_type.app_label}.{one.codename}": one
        for one in apps.get_model("auth", "Permission").objects.using(alias).select_related("content_type")
    }
    for name, rights in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.using(alias).get_or_create(name=name)
        wanted = {permission for right in rights for permission in PERMISSIONS.get(right, ())}
        wanted |= {*PEOPLE} if name == "owner" else set()
        group.permissions.add(*(permissions[one] for one in wanted))


def let_first_key_purge(apps, schema_editor):
    keys = apps.get_model("access", "ApiKey").objects.using(schema_editor.connection.alias)
    keys.filter(name="default", scopes="read write").update(scopes="read write admin")


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_grants"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("conversations", "0009_purge"),
        ("state", "0008_removals"),
    ]

    operations = [
        migrations.RunPython(make_groups, migrations.RunPython.noop),
        migrations.RunPython(let_first_key_purge, migrations.RunPython.noop),
    ]
