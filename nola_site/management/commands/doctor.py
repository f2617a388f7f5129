import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError

from nola_site.safety import doctor
from nola_site.safety.finding import ERROR, NOTE, OK, WARNING, DoctorFinding
from state.errors import DamagedDatabase
from state.files.atomic import CannotWrite, NoRoom
from state.progress import Progress

MARKS = {OK: "ok", NOTE: "note", WARNING: "WARNING", ERROR: "ERROR"}


class Command(BaseCommand):
    help = (
        "Look for damage, and for what may become one; each finding says what to do. Exit code 1: something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument("--no-leaks", action="store_true", help="do not look for secrets in what is remembered")
        parser.add_argument("--fix", action="store_true", help="set right what can be, without touching the memory")

    def handle(self, *, fix: bool, **options: Any) -> None:
        progress = Progress()
        found = []
        for finding in doctor.examine(progress, leaks=not options["no_leaks"]):
            if fix and finding.fix:
                self._fix(finding)
            found.append(finding)
            progress.end()
            if not options["json"]:
                self.stdout.write("\n".join(format_finding(finding)))
        bad = [finding for finding in found if finding.level == ERROR and not finding.fixed]
        self.stdout.write(format_json(found) if options["json"] else format_summary(found, len(bad)))
        if bad:
            raise SystemExit(1)

    def _fix(self, finding: DoctorFinding) -> None:
        try:
            finding.fixed = finding.fix() if finding.fix else ""
        except (OSError, DatabaseError, DamagedDatabase, NoRoom, CannotWrite) as error:
            finding.do = f"it could not be set right: {error}"


def format_finding(finding: DoctorFinding) -> list[str]:
    """A finding for people."""
    text = [f"{MARKS[finding.level]:>8}  {finding.check}: {finding.text}"]
    if finding.fixed:
        text.append(f"          fixed: {finding.fixed}")
    elif finding.level != OK and finding.do:
        text.append(f"          what to do: {finding.do}")
    return text


def format_summary(found: list[DoctorFinding], bad: int) -> str:
    if bad:
        return f"\n{bad} errors. What the findings say is to be done, from the top."
    warnings = sum(finding.level == WARNING and not finding.fixed for finding in found)
    return f"\nNothing is wrong.{f' {warnings} warnings.' if warnings else ''}"


def format_json(found: list[DoctorFinding]) -> str:
    members = ("check", "level", "text", "do", "fixed")
    return json.dumps([{name: getattr(one, name) for name in members} for one in found], indent=2, ensure_ascii=False)
