"""The sheets: what is on a scale stands in tokens.css once, and nothing is used that is nowhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
SHEETS = sorted(ROOT.glob("*/static/**/*.css"))
TOKENS = ROOT / "nola_site/static/nola/tokens.css"
SCRIPTS = sorted(ROOT.glob("*/static/**/*.js"))
THEMES = re.compile(r"--(color-[a-z]+-|font-sans|border-radius)")  # what the admin theme defines
DECLARATION = re.compile(r"(?:^|[{;\s])([-\w]+)\s*:\s*([^;{}]+);")
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|rgba|hsl|hsla|hwb|lab|lch|oklab|oklch)\(")
LENGTH = re.compile(r"(?<![\w-])\d*\.?\d+(?:rem|em|px|%)")


def declarations(sheet: Path) -> Iterator[tuple[str, str]]:
    yield from DECLARATION.findall(re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL))


def is_literal(name: str, value: str) -> bool:
    if COLOUR.search(value):
        return True
    if name.endswith("-radius"):
        return bool(LENGTH.search(value))
    size = value.split("/")[0] if name == "font" else value
    return name in ("font", "font-size") and bool(LENGTH.search(size))


def test_there_are_sheets():
    assert TOKENS in SHEETS
    assert len(SHEETS) > 8


@pytest.mark.parametrize("sheet", [one for one in SHEETS if one != TOKENS], ids=lambda one: one.name)
def test_colours_radii_and_sizes_of_type_are_tokens(sheet):
    found = [f"{name}: {value}" for name, value in declarations(sheet) if is_literal(name, value)]
    assert not found


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda one: one.name)
def test_what_a_sheet_uses_is_defined(sheet):
    defined = {name for one in SHEETS for name, _ in declarations(one) if name.startswith("--")}
    defined |= {name for one in SCRIPTS for name in re.findall(r"""["'](--[\w-]+)["']""", one.read_text())}
    used = set(re.findall(r"var\((--[\w-]+)", sheet.read_text()))
    assert not {name for name in used - defined if not THEMES.match(name)}


def test_every_token_is_used():
    tokens = {name for name, _ in declarations(TOKENS)}
    used = {name for one in SHEETS for name in re.findall(r"var\((--[\w-]+)", one.read_text())}
    assert tokens - used == {f"--tone-{n}" for n in range(6)} - used


@pytest.mark.parametrize("look", ["light", "dark"])
def test_a_colour_is_written_once(look):
    light, dark = re.sub(r"/\*.*?\*/", "", TOKENS.read_text(), flags=re.DOTALL).split(".dark {")
    names = [name for name, _ in DECLARATION.findall(light if look == "light" else dark)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("sheet", sorted(ROOT.glob("state/static/state/tree/*.css")), ids=lambda one: one.name)
def test_no_rule_searches_all_rows_of_the_tree(sheet):
    """A browser evaluates `:has()` again with each row that comes, among all below unless it asks for children."""
    assert re.findall(r":has\((?!>)[^)]*\)", sheet.read_text()) == []
