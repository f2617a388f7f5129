import pytest

from nola_client import Gone

pytestmark = pytest.mark.process


@pytest.mark.parametrize("inner", ["/", "..", ".", "~", "%2F", "ž 1", "?a#b"])
def test_a_conversation_has_any_name(nola, name, inner):
    session = inner if inner in (".", "..") else f"{name}{inner}"

    nola.append(session, "user", "hello")

    assert nola.conversation(session)["session_id"] == session
    assert nola.last_messages(session, 1)[0]["message"] == "hello"


def test_messages_are_kept_and_gone_through_page_by_page(nola, name):
    texts = [f"m{number}" for number in range(7)]

    appended = nola.append_many(name, [{"speaker": "user", "message": text} for text in texts])

    assert appended.added == 7
    assert [one["message"] for one in nola.messages(name, limit=3)] == texts
    assert [one["message"] for one in nola.messages(name, order="newest", limit=3)] == texts[::-1]
    assert [one["message"] for one in nola.last_messages(name, 2)] == ["m5", "m6"]


def test_a_message_sent_again_by_its_client_id_is_there_once(nola, name):
    one = {"speaker": "user", "message": "hi", "client_id": "mine"}

    first, again = nola.append_many(name, [one]), nola.append_many(name, [one])

    assert (first.added, again.added) == (1, 0)
    assert first.messages == again.messages


def test_a_message_and_a_conversation_can_be_changed(nola, name):
    message = nola.append(name, "user", "hi", metadata={"a": 1})

    changed = nola.change_message(name, message["id"], {"status": "error", "metadata": {"b": 2}})
    nola.change_conversation(name, {"title": "Greetings", "tags": ["t"]})

    assert (changed["status"], changed["metadata"]) == ("error", {"a": 1, "b": 2})
    assert [one["session_id"] for one in nola.conversations(title="Greetings", limit=1)][:1] == [name]


def test_a_cleared_conversation_goes_on_and_comes_back_by_undo(nola, name):
    nola.append_many(name, [{"speaker": "user", "message": str(number)} for number in range(1000)])
    nola.append(name, "user", "last")

    assert nola.clear(name, reason=f"anew {name}") == 1001
    assert nola.last_messages(name, 5) == []
    nola.append(name, "user", "again")
    nola.undo([one["revision"] for one in nola.history(limit=20) if one["reason"] == f"anew {name}"])

    assert len(list(nola.messages(name, limit=1000))) == 1002


def test_a_deleted_conversation_is_gone(nola, name):
    nola.append(name, "user", "hi")

    revision = nola.delete_conversation(name)

    with pytest.raises(Gone):
        nola.conversation(name)
    assert nola.last_messages(name, 1) == []
    nola.undo(revision)
    assert nola.last_messages(name, 1)[0]["message"] == "hi"


def test_a_context_and_a_search(nola, name):
    nola.put(name, {"garden": f"basil{name} and thyme"})
    nola.append(name, "user", "the thyme is dry")

    found = nola.search("thyme", session=name)["messages"]
    context = nola.context(budget=300, sections=[(name, "garden")], conversation=name, messages=3, q="thyme")

    assert [one["session_id"] for one in found] == [name]
    assert f"basil{name} and thyme" in context.text
    assert "the thyme is dry" in context.text
    assert 0 < context.tokens <= 300
    assert nola.search(f"basil{name}", where="state")["state"][0]["key"] == name
