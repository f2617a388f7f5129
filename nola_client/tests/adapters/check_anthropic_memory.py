"""The memory tool beside the SDK's own store of files: whatever Claude does, it reads the same."""

import re
import tempfile

import pytest
from anthropic.lib.tools import ToolError
from anthropic.lib.tools._beta_builtin_memory_tool import BetaLocalFilesystemMemoryTool
from hypothesis import given
from hypothesis import strategies as st

from nola_client.anthropic_memory import AsyncNolaMemoryTool, NolaMemoryTool

DIRECTORIES = st.sampled_from(["/memories", "/memories/", "/memories/trips", "/memories/trips/old"])
FILES = st.sampled_from(["a.md", ".hidden", "trips/b", "trips/old/c", "trips/old/deep/d"]).map("/memories/{}".format)
BAD = st.sampled_from(["/memories/../x", "/etc/passwd", "/memories/trips/../a.md", "/memories/none"])
PATHS = FILES | FILES | DIRECTORIES | BAD
TEXTS = st.lists(st.sampled_from(["tea", "tea cup", "", "žluť", "\t"]), max_size=6).map("\n".join)
COMMANDS = st.one_of(
    st.fixed_dictionaries({"command": st.just("view"), "path": PATHS}),
    st.fixed_dictionaries(
        {
            "command": st.just("view"),
            "path": FILES,
            "view_range": st.tuples(st.integers(1, 4), st.integers(-1, 6)).filter(lambda one: one[1] != 0).map(list),
        }
    ),
    st.fixed_dictionaries({"command": st.just("create"), "path": FILES, "file_text": TEXTS}),
    st.fixed_dictionaries({"command": st.just("create"), "path": FILES, "file_text": TEXTS}),
    st.fixed_dictionaries(
        {
            "command": st.just("str_replace"),
            "path": PATHS,
            "old_str": st.sampled_from(["tea", "tea cup", "cup", "ž", "coffee"]),
            "new_str": TEXTS,
        }
    ),
    st.fixed_dictionaries(
        {"command": st.just("insert"), "path": PATHS, "insert_line": st.integers(-1, 6), "insert_text": TEXTS}
    ),
    st.fixed_dictionaries({"command": st.just("delete"), "path": PATHS}),
    st.fixed_dictionaries({"command": st.just("rename"), "old_path": FILES | DIRECTORIES, "new_path": FILES | BAD}),
)


def told(call):
    """An answer or an error; without the sizes of directories, and how a path that leads away is refused."""
    try:
        text = call()
    except ToolError as error:
        text = f"error: {error}"
    text = re.sub(r"Path .*(must start with|would escape).*", "Path leads away", text)
    lines = text.split("\n")
    if not text.startswith("Here're the files"):
        return text
    return "\n".join(re.sub(r"^[\d.]+[BKMG]\t(?=.*/$)", "\t", line) for line in [lines[0], *lines[2:]])


BEGIN = [
    {"command": "create", "path": path, "file_text": text}
    for path, text in (
        ("/memories/a.md", "one\ntwo\nthree\ntea\nfive\n"),
        ("/memories/.hidden", "tea"),
        ("/memories/trips/b", ""),
    )
]


@given(st.lists(COMMANDS, min_size=1, max_size=12))
def check_that_both_answer_the_same(count, nola, waiting, run, fresh, commands):
    with tempfile.TemporaryDirectory() as folder:
        tool, other = NolaMemoryTool(nola, fresh()), AsyncNolaMemoryTool(waiting, fresh())
        oracle = BetaLocalFilesystemMemoryTool(folder)

        for command in [*BEGIN, *commands, {"command": "view", "path": "/memories"}]:
            if command["command"] == "rename" and is_inside(command["new_path"], command["old_path"]):
                continue  # the file system refuses it in words of its own
            expected = told(lambda: oracle.call(command))  # noqa: B023  # called at once
            assert told(lambda: tool.call(command)) == expected, command  # noqa: B023
            assert told(lambda: run(other.call(command))) == expected, command  # noqa: B023
            count(2)


def is_inside(path, directory):
    return f"{path}/".startswith(directory.rstrip("/") + "/")


def check_that_each_command_can_be_undone(nola, fresh):
    key = fresh()
    tool = NolaMemoryTool(nola, key)
    tool.call({"command": "create", "path": "/memories/trips/a.md", "file_text": "one\ntwo\n"})
    tool.call({"command": "rename", "old_path": "/memories/trips/a.md", "new_path": "/memories/b.md"})

    assert nola.get(key) == {"trips": {}, "b.md": "one\ntwo\n"}
    nola.undo(next(nola.history(key))["revision"])
    assert nola.get(key) == {"trips": {"a.md": "one\ntwo\n"}}


def check_that_two_who_edit_one_file_at_once_are_told(nola, fresh, monkeypatch):
    key = fresh()
    tool = NolaMemoryTool(nola, key)
    tool.call({"command": "create", "path": "/memories/a", "file_text": "tea"})
    run, steps = nola.run, []

    def be_faster(flow):
        steps.append(flow)
        if len(steps) == 1:
            request = next(flow)
            response = nola.http.get(request.path, params=request.query)
            run(_put(key))
            return run(_rest(flow, response))
        return run(flow)

    monkeypatch.setattr(nola, "run", be_faster)
    with pytest.raises(ToolError, match="View it again"):
        tool.call({"command": "str_replace", "path": "/memories/a", "old_str": "tea", "new_str": "coffee"})


def _put(key):
    from nola_client import state

    return state.put((key, "a"), "water")


def _rest(flow, response):
    """What is left of a call whose first request has been answered."""
    try:
        request = flow.send(response)
        while True:
            try:
                answer = yield request
            except Exception as error:
                request = flow.throw(error)
            else:
                request = flow.send(answer)
    except StopIteration as done:
        return done.value


def check_that_it_is_the_tool_that_claude_knows(nola):
    assert NolaMemoryTool(nola).to_dict() == {"type": "memory_20250818", "name": "memory"}
