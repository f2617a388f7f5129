"""The session beside the SDK's SQLiteSession, and in a run of an agent whose model is made up."""

import asyncio

from agents import Agent, Runner, SQLiteSession
from agents.items import ModelResponse
from agents.memory import Session, SessionSettings
from agents.models.interface import Model
from agents.usage import Usage
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from nola_client.openai_agents import NolaSession

TEXTS = st.text(max_size=8)
ROLES = st.sampled_from(["user", "system", "developer"])
SUMMARIES = st.builds(lambda text: [{"type": "summary_text", "text": text}], TEXTS)
ITEMS = st.one_of(
    st.builds(
        lambda role, text: {"role": role, "content": text}, st.sampled_from(["user", "system", "developer"]), TEXTS
    ),
    st.builds(
        lambda text, number: {
            "type": "message",
            "role": "assistant",
            "id": f"msg_{number}",
            "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": [0.5, 1.0, number]}],
        },
        TEXTS,
        st.integers(),
    ),
    st.builds(lambda text: {"type": "function_call", "name": "f", "arguments": text, "call_id": "1"}, TEXTS),
    st.builds(lambda text: {"type": "function_call_output", "output": text, "call_id": "1"}, TEXTS),
    st.builds(
        lambda text: {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": text}]}, TEXTS
    ),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add_items"), st.lists(ITEMS, max_size=4)),
        st.tuples(st.just("get_items"), st.none() | st.integers(0, 5)),
        st.tuples(st.just("pop_item")),
        st.tuples(st.just("clear_session")),
    ),
    min_size=1,
    max_size=12,
)


@given(STEPS)
def check_that_both_answer_the_same(count, waiting, run, fresh, steps):
    session, oracle = NolaSession(fresh(), waiting), SQLiteSession("one")

    for name, *arguments in [*steps, ("get_items",)]:
        expected = run(getattr(oracle, name)(*arguments))
        assert repr(run(getattr(session, name)(*arguments))) == repr(expected)
        count(1)
    oracle.close()


def check_that_it_is_a_session(waiting, run, fresh):
    session = NolaSession(fresh(), waiting, SessionSettings(limit=2))

    run(session.add_items([{"role": "user", "content": str(number)} for number in range(2500)]))

    assert isinstance(session, Session)
    assert [one["content"] for one in run(session.get_items())] == ["2498", "2499"]
    assert len(run(session.get_items(2100))) == 2100


def check_that_what_is_added_at_once_is_all_kept(waiting, run, fresh):
    session = NolaSession(fresh(), waiting)

    async def add_all():
        await asyncio.gather(*(session.add_items([{"role": "user", "content": str(number)}]) for number in range(20)))
        return await session.get_items()

    assert sorted(int(one["content"]) for one in run(add_all())) == list(range(20))


def check_that_what_another_door_has_said_is_read_too(nola, waiting, run, fresh):
    name = fresh()
    nola.append(name, "user", "by curl")
    nola.append(name, "tool", "42")

    session = NolaSession(name, waiting)

    assert run(session.get_items()) == [{"role": "user", "content": "by curl"}]
    assert run(session.pop_item()) == {"role": "user", "content": "by curl"}
    assert run(session.pop_item()) is None


class Echo(Model):
    """Answers with the number of items it was given."""

    async def get_response(self, system_instructions, input, *arguments, **more):
        text = ResponseOutputText(text=f"{len(input)} items", type="output_text", annotations=[])
        said = ResponseOutputMessage(id="m", role="assistant", status="completed", type="message", content=[text])
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *arguments, **more):
        raise NotImplementedError


def check_that_an_agent_remembers(waiting, nola, run, fresh):
    session, agent = NolaSession(fresh(), waiting), Agent(name="a", model=Echo())

    first = run(Runner.run(agent, "hello", session=session))
    second = run(Runner.run(agent, "again", session=session))

    assert (first.final_output, second.final_output) == ("1 items", "3 items")
    assert [(one["speaker"], one["message"]) for one in nola.messages(session.session_id)] == [
        ("user", "hello"),
        ("assistant", "1 items"),
        ("user", "again"),
        ("assistant", "3 items"),
    ]
