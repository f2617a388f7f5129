"""The history beside LangChain's InMemoryChatMessageHistory, and behind a RunnableWithMessageHistory."""

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory

from nola_client.langchain import NolaChatMessageHistory

TEXTS = st.text(max_size=8)
PARTS = st.lists(st.builds(lambda text: {"type": "text", "text": text}, TEXTS), max_size=2)
CALL = {"name": "f", "args": {"x": 1.0, "y": [None, "ž"]}, "id": "1", "type": "tool_call"}
CALLS = st.sampled_from([[], [CALL]])
MESSAGES = st.one_of(
    st.builds(HumanMessage, TEXTS | PARTS),
    st.builds(AIMessage, TEXTS, tool_calls=CALLS, additional_kwargs=st.just({"n": 12345678901234567890})),
    st.builds(SystemMessage, TEXTS),
    st.builds(ToolMessage, TEXTS, tool_call_id=st.just("1")),
    st.builds(ChatMessage, TEXTS, role=st.just("critic")),
)
STEPS = st.lists(st.lists(MESSAGES, max_size=4) | st.just("clear"), max_size=8)


@given(STEPS)
def check_that_both_have_the_same(count, nola, run, fresh, steps):
    history, oracle = NolaChatMessageHistory(fresh(), nola), InMemoryChatMessageHistory()

    for step in steps:
        for one in (history, oracle):
            one.clear() if step == "clear" else one.add_messages(step)
        assert repr(history.messages) == repr(oracle.messages)
        count(2)
    assert run(history.aget_messages()) == oracle.messages


def check_that_a_chain_remembers(nola, fresh):
    chain = RunnableWithMessageHistory(
        RunnableLambda(lambda messages: AIMessage(f"{len(messages)} messages")),
        lambda session_id: NolaChatMessageHistory(session_id, nola),
    )
    session = fresh()

    for text in ("hello", "again"):
        chain.invoke([HumanMessage(text)], {"configurable": {"session_id": session}})

    assert [one["message"] for one in nola.messages(session)] == ["hello", "1 messages", "again", "3 messages"]


def check_that_what_another_door_has_said_is_read_too(nola, fresh):
    session = fresh()
    nola.append(session, "assistant", "by curl")

    assert NolaChatMessageHistory(session, nola).messages == [AIMessage("by curl")]
