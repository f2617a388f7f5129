"""What is asked of one push, pull or sync of a folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from state.report import Category, Report, Unit
from state.sync.step import SideText

COLUMNS = [one for one in Category if one not in (Category.DUPLICATE, Category.NOTED)]


def new_report() -> Report:
    return Report(columns=COLUMNS, rows=[Unit.FILES, Unit.KEYS])


@dataclass(frozen=True, slots=True)
class SyncOptions:
    """One push, pull or sync of a folder.

    `names` and `keys` pick files and keys, None for all; `links` has the keys of files that are named otherwise. `ask`
    is asked, with how many keys and files would go, whether deletions are carried over; None for no. `spared` are files
    that are being written just now, or were there a moment ago. A folder that is not there is made, if `makes`.
    """

    actor: str
    folder: Path
    pushes: bool = True
    pulls: bool = True
    makes: bool = True
    names: Sequence[str] | None = None
    keys: Sequence[str] | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    everything: bool = False
    level: int | None = None
    envelope: bool | None = None
    prefer: SideText | None = None
    delete: bool = False
    dry_run: bool = False
    ask: Callable[[int, int], bool] | None = None
    spared: frozenset[str] = frozenset()
    progress: Callable[[str], None] = lambda text: None
    report: Report = field(default_factory=new_report)
