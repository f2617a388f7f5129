from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.actors import cli_actor
from access.keys import (
    BadKeySettings,
    KeySettings,
    create_key,
    describe_key,
    describe_state,
    parse_place,
    parse_time,
    revoke_keys,
    rotate_key,
)
from access.models import ApiKey
from access.rights import SCOPES


class Command(BaseCommand):
    help = "Make, list, revoke and rotate API keys: who may come in over HTTP, and what they may do."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="create|list|revoke|rotate")
        create = commands.add_parser("create", help="make a key, and print it once")
        create.add_argument("name", help="history shows it with every change")
        create.add_argument(
            "--scopes", nargs="+", default=["read", "write"], metavar="SCOPE", help=f"of {', '.join(SCOPES)}"
        )
        create.add_argument(
            "--prefix",
            nargs="+",
            default=[],
            metavar="PLACE",
            help="only these keys, or paths in them: Persona Tasks/open",
        )
        create.add_argument("--user-id", default="", help="only the conversations of this user")
        create.add_argument("--expires", default="never", metavar="TIME", help="12h, 30d, 8w from now on, or never")
        commands.add_parser("list", help="all keys, by name")
        for name, what in (("revoke", "end a key at once"), ("rotate", "give it a new secret; both hold for a day")):
            commands.add_parser(name, help=what).add_argument("name")

    def handle(self, *, command: str, **options: Any) -> None:
        try:
            getattr(self, command)(**options)
        except BadKeySettings as error:
            raise CommandError(f"Nothing was changed: {error}") from None

    def create(self, *, name: str, scopes: list[str], prefix: list[str], user_id: str, expires: str, **_: Any) -> None:
        places = [parse_place(place) for place in prefix]
        key = create_key(name, KeySettings(scopes, places, user_id, parse_time(expires)), cli_actor())
        self.stderr.write(f"{describe_key(ApiKey.objects.get(name=name.strip()))}. The key, which is not shown again:")
        self.stdout.write(key)

    def list(self, **_: Any) -> None:
        now = timezone.now()
        for row in ApiKey.objects.all():
            used = f"used {row.last_used_at:%Y-%m-%d %H:%M} UTC" if row.last_used_at else "never used"
            self.stdout.write(f"{describe_state(row, now):8} {row.prefix}…  {used:27} {describe_key(row)}")

    def revoke(self, *, name: str, **_: Any) -> None:
        if not revoke_keys([find(name)], cli_actor()):
            raise CommandError(f"The key {name!r} is revoked already")
        self.stdout.write(f"{name} is revoked. Calls with it are refused from now on.")

    def rotate(self, *, name: str, **_: Any) -> None:
        key = rotate_key(find(name), cli_actor())
        self.stderr.write(f"{name} has a new key; the old one holds for a day more. The key, which is not shown again:")
        self.stdout.write(key)


def find(name: str) -> ApiKey:
    row = ApiKey.objects.filter(name=name).first()
    if row is None:
        raise BadKeySettings(f"there is no key {name!r}; `apikey list` shows all")
    return row
