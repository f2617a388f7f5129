"""How long somebody has to wait after wrong passwords: counted by name, by address, and by both together.

Five are free; after each further one the wait doubles, up to a quarter of an hour. It stands in the database, so it
holds over all processes and restarts. Where a person has signed in before, what others try from elsewhere, or under
other names, makes them wait for nothing.
"""

import ipaddress
from datetime import datetime, timedelta
from math import ceil

from django.utils import timezone
from django.utils.crypto import salted_hmac

from access.database import write_in_turn
from access.models import FailedSignIns, SecurityEvent
from access.security import Event

FREE = 5
LONGEST = 900  # seconds
FORGOTTEN = timedelta(days=1)  # without another failure
MOST = 10_000  # rows; the oldest go


def find_wait(name: str, address: str) -> int:
    """Seconds until a password is looked at for this name from this address; 0 for at once."""
    now = timezone.now()
    both, *apart = _list_places(name, address)
    waits = {row.place: _measure_wait(row, now) for row in FailedSignIns.objects.filter(place__in=[both, *apart])}
    elsewhere = max((waits.get(place, 0) for place in apart), default=0)
    wait = waits.get(both, 0)
    return wait if wait >= elsewhere or is_known(name, address) else elsewhere


def count_failure(name: str, address: str) -> None:
    """Count a wrong password. Waits for its turn to write: what is not counted is not slowed down."""
    with write_in_turn():
        now = timezone.now()
        FailedSignIns.objects.filter(at__lt=now - FORGOTTEN).delete()
        places = _list_places(name, address)
        counts = dict(FailedSignIns.objects.filter(place__in=places).values_list("place", "count"))
        rows = [FailedSignIns(place=place, count=counts.get(place, 0) + 1, at=now) for place in places]
        FailedSignIns.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["place"], update_fields=["count", "at"]
        )
        too_old = FailedSignIns.objects.order_by("-at").values_list("at", flat=True)[MOST : MOST + 1]
        for at in too_old:
            FailedSignIns.objects.filter(at__lte=at).delete()


def forgive(name: str, address: str) -> None:
    """Forget the failures of a name from an address: the right password came from there."""
    FailedSignIns.objects.filter(place=_list_places(name, address)[0]).delete()


def forgive_name(name: str) -> None:
    """Forget the failures of a name wherever they came from: its password is another one now."""
    FailedSignIns.objects.filter(place__startswith=_hash("name", name)).delete()


def is_known(name: str, address: str) -> bool:
    """Whether a person has signed in from an address before."""
    return SecurityEvent.objects.filter(event=Event.SIGNED_IN, actor=f"user:{name}", address=address).exists()


def _measure_wait(row: FailedSignIns, now: datetime) -> int:
    if row.count < FREE:
        return 0
    seconds = min(2 ** min(row.count - FREE, 20), LONGEST)
    passed = (now - row.at).total_seconds()
    return max(0, min(ceil(seconds - passed), LONGEST))


def _list_places(name: str, address: str) -> list[str]:
    """Both together, the name, the address."""
    person, network = _hash("name", name), _hash("address", _find_network(address))
    return [person + network, person, network]


def _hash(sort: str, text: str) -> str:
    """What stands for a name or an address: a password may have been typed for a name."""
    return salted_hmac(f"access.delays.{sort}", text, algorithm="sha256").hexdigest()[:32]


def _find_network(address: str) -> str:
    """What one person has: an address, of IPv6 the first half."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
