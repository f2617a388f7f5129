"""The small files that the project shares, each in the shape of a program; what is right is written beside them."""

from pathlib import Path

import pytest

from conversations.imports.tests.reading import read
from state.report import Category

SHARED = Path(__file__).parents[4] / "shared" / "chats"
RIGHT = {  # sources, conversations, messages, and documents of the state
    "02-chatgpt-times-backwards.json": ("ChatGPT", 1, 5, 0),
    "03-chatgpt-kinds.json": ("ChatGPT", 1, 13, 0),
    "04-deepseek.json": ("DeepSeek", 2, 3, 0),
    "06-claude-empty-middle.json": ("Claude", 1, 5, 0),
    "08-claude-memories.zip": ("Claude", 1, 1, 2),
    "09-openai-toolcalls.json": ("lists of messages", 1, 4, 0),
    "10-openai-toolcalls.jsonl": ("lines of messages", 3, 3, 0),  # pieces of one
    "11-anthropic-blocks.jsonl": ("lines of messages", 3, 3, 0),
    "13-open-webui.json": ("open-webui", 1, 3, 0),
    "14-librechat-flat.json": ("LibreChat", 1, 2, 0),
    "15-librechat-tree.json": ("LibreChat", 1, 2, 0),
    "16-sillytavern.jsonl": ("SillyTavern", 1, 4, 0),
    "17-memory.jsonl": (None, 0, 0, 1),
    "19-letta-new.af": ("Letta", 1, 2, 1),
    "20-letta-old.af": ("Letta", 1, 2, 1),
    "21-sharegpt.json": ("ShareGPT", 1, 2, 0),
    "30-cat-of-shards.json": ("ChatGPT", 2, 2, 0),
    "32-grow-1.json": ("ChatGPT", 1, 4, 0),
    "33-grow-2.json": ("ChatGPT", 1, 6, 0),
    "34-trailing-comma.json": ("ChatGPT", 1, 1, 0),
    "43-agent-transcript.jsonl": ("Claude Code", 1, 2, 0),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_shared_file_comes_over_whole(name):
    if not (SHARED / name).exists():
        pytest.skip("the shared files are not here")
    source, chats, messages, documents = RIGHT[name]

    found = read(SHARED / name)

    assert set(found.sources) == ({source} if source else set())
    assert (len(found.chats), sum(len(chat.messages) for chat in found.chats), len(found.state)) == (
        chats, messages, documents,
    )  # fmt: skip
    assert all(
        one.message.strip() or any(one.metadata.get(name) for name in ("parts", "tool_calls", "attachments"))
        for chat in found.chats
        for one in chat.messages.values()
    )
    failed = found.told(Category.FAILED)
    assert failed == (["line 1, column 696: a comma after the last item; delete it"] if "comma" in name else [])
