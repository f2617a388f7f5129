"""What the doctor tells of one thing that it looked at."""

from collections.abc import Callable
from dataclasses import dataclass

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"


@dataclass
class DoctorFinding:
    """One thing looked at. `fix` sets it right and says how; None where only a person can."""

    check: str
    level: str
    text: str
    do: str = ""
    fix: Callable[[], str] | None = None
    fixed: str = ""
