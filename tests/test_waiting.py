"""What a test waits for on a page is a function: our policy lets no text be evaluated but at the first look."""

import ast
import re

from tests.server import ROOT

FUNCTION = re.compile(r"\s*(async )?(\([^()]*\)|\w+) =>")
SKIPPED = {".venv", ".venv-adapters", ".git"}


def test_what_is_waited_for_is_a_function():
    texts = [
        (path.name, call.lineno, call.args[0])
        for path in ROOT.rglob("*.py")
        if not SKIPPED & {*path.relative_to(ROOT).parts}
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "wait_for_function"
    ]

    assert len(texts) > 50
    assert [where for *where, text in texts if not may_be_function(text)] == []


def may_be_function(text):
    if isinstance(text, ast.JoinedStr):
        text = text.values[0]
    return not isinstance(text, ast.Constant) or FUNCTION.match(text.value)
