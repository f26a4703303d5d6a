from __future__ import annotations

import json

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

import masker
from masker.integrations.langchain import MaskedChatModel, MaskingMiddleware, _Stream

from .conftest import SAID, pieces, stand_ins

BYE = "Thank you, Sarah Chen, 415-555-0142. Bye."


def chat(model, **options) -> ChatOpenAI:
    return ChatOpenAI(model="m", base_url=model.base_url, api_key="k", max_retries=0, **options)


def made_agent(model, source, calls: list, **options):
    @tool
    def look_up(values: list[str], note: str) -> str:
        """Looks up a caller, such as Sarah Chen."""
        calls.append((values, note))
        return json.dumps({"email": "sarah.chen@example.com", "mrn": 7734215})

    return create_agent(
        chat(model, **options),
        tools=[look_up],
        system_prompt="You serve Sarah Chen.",
        middleware=[MaskingMiddleware(source)],
    )


def check(model, calls: list, messages: list) -> None:
    [(values, note)] = calls
    assert values == ["Sarah Chen", "415-555-0142"]
    assert note == "for Sarah Chen and 415-555-0142"
    [human, asks, result, says] = messages
    assert human.content == SAID
    assert asks.content == "One moment. "
    assert asks.tool_calls[0]["args"]["values"] == ["Sarah Chen", "415-555-0142"]
    assert json.loads(result.content)["email"] == "sarah.chen@example.com"
    assert "Sarah Chen, 415-555-0142, sarah.chen@example.com, 7734215" in says.content
    assert len(model.requests) == 2
    model.assert_saw_no_original()


def test_agent(model, surface):
    calls: list = []
    state = made_agent(model, surface, calls).invoke({"messages": [HumanMessage(SAID)]})
    check(model, calls, state["messages"])


async def test_agent_async(model, surface):
    calls: list = []
    state = await made_agent(model, surface, calls).ainvoke({"messages": [HumanMessage(SAID)]})
    check(model, calls, state["messages"])


def test_agent_streamed(model, surface):
    calls: list = []
    words, arguments, state = "", "", None
    agent = made_agent(model, surface, calls)
    pieces = 0
    for mode, event in agent.stream({"messages": [HumanMessage(SAID)]}, stream_mode=["messages", "values"]):
        if mode == "values":
            state = event
            continue
        message, _ = event
        if isinstance(message, AIMessageChunk):
            assert not stand_ins(str(message.content)), "an alias reached the application"
            words += message.content
            pieces += bool(message.content)
            arguments += "".join(call["args"] or "" for call in message.tool_call_chunks)
    assert words.startswith("One moment. Thank you, Sarah Chen, 415-555-0142, sarah.chen@example.com")
    assert json.loads(arguments)["values"] == ["Sarah Chen", "415-555-0142"]
    assert pieces > 8
    check(model, calls, state["messages"])


async def test_agent_streamed_async(model, surface):
    calls: list = []
    words = ""
    agent = made_agent(model, surface, calls)
    async for message, _ in agent.astream({"messages": [HumanMessage(SAID)]}, stream_mode="messages"):
        if isinstance(message, AIMessageChunk):
            words += message.content
    assert words.startswith("One moment. Thank you, Sarah Chen, 415-555-0142")
    assert len(calls) == 1
    model.assert_saw_no_original()


def test_chat_model(model, surface):
    wrapped = MaskedChatModel(inner=chat(model), source=surface.conversation())
    assert wrapped.invoke(SAID).content == BYE
    chunks = list(wrapped.stream([SystemMessage("For Sarah Chen."), HumanMessage(SAID)]))
    assert "".join(chunk.content for chunk in chunks) == BYE and len(chunks) > 5
    merged = chunks[0]
    for chunk in chunks[1:]:
        merged += chunk
    assert merged.content == BYE and merged.response_metadata["finish_reason"] == "stop"
    model.assert_saw_no_original()


def test_the_responses_api(model, surface):
    wrapped = MaskedChatModel(inner=chat(model, use_responses_api=True), source=surface.conversation())
    answer = wrapped.invoke([HumanMessage(SAID)])
    assert answer.content[0]["text"] == BYE
    said = "".join(
        block.get("text", "")
        for chunk in wrapped.stream([HumanMessage(SAID)])
        for block in (chunk.content if isinstance(chunk.content, list) else [])
    )
    assert said == BYE
    model.assert_saw_no_original()


def test_messages_of_every_kind(surface):
    seen: list = []

    class Recording(GenericFakeChatModel):
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            seen.extend(messages)
            return super()._generate(messages, stop, run_manager, **kwargs)

    inner = Recording(messages=iter([AIMessage("ok")]))
    history = [
        SystemMessage("Caller: Sarah Chen"),
        HumanMessage([{"type": "text", "text": SAID}], name="Sarah_Chen"),
        AIMessage(
            "",
            tool_calls=[{"name": "f", "args": {"phone": "415-555-0142", "n": 1}, "id": "c1"}],
            additional_kwargs={"reasoning_content": "it is Sarah Chen"},
        ),
        ToolMessage('{"mrn": 7734215}', tool_call_id="c1", artifact={"raw": "415-555-0142"}),
        AIMessage([{"type": "text", "text": "Hello Sarah Chen"}]),
    ]
    before = [message.model_copy(deep=True) for message in history]
    MaskedChatModel(inner=inner, source=surface, disable_streaming=True).invoke(history)
    shown = repr(seen) + json.dumps([message.model_dump() for message in seen], default=str)
    for original in ("Sarah", "Chen", "55-0142", "7734215"):
        assert original not in shown, f"{original} in {shown}"
    assert [message.type for message in seen[-5:]] == ["system", "human", "ai", "tool", "ai"]
    assert seen[-3].tool_calls[0]["args"]["n"] == 1
    # The history of the application is as it was.
    assert history == before


def test_pieces_are_held_and_flushed():
    conversation = masker.Masker(masker.Policy.healthcare_default().with_surface("alias")).conversation()
    conversation.mask_turn("user", SAID)
    stream = _Stream(conversation)

    def push(**fields) -> str:
        out = stream.push(ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **fields})))
        return "".join(chunk.message.content for chunk in out)

    assert push(content="at [PHO") == "at "
    assert push(content="NE_1") == ""
    assert push(content="]") == "415-555-0142"
    assert push(content=" or [NAME_1") == " or "
    assert push(response_metadata={"finish_reason": "stop"}) == "[Sarah Chen"
    assert stream.finish() == []


def test_a_conversation_for_each_thread(model):
    kept: dict[str, masker.Conversation] = {}

    def conversation_of(request) -> masker.Conversation:
        return kept.setdefault(request.state["messages"][0].name, masker.Masker(surface="alias").conversation())

    agent = create_agent(chat(model), middleware=[MaskingMiddleware(conversation_of)])
    for name, number in [("ann", "415-555-0142"), ("bo", "415-555-0143"), ("ann", "415-555-0144")]:
        said = agent.invoke({"messages": [HumanMessage(f"call {number}", name=name)]})["messages"][-1].content
        assert number in said
    assert kept["ann"].rehydrate("[PHONE_1] [PHONE_2]").text == "415-555-0142 415-555-0144"
    assert kept["bo"].rehydrate("[PHONE_1]").text == "415-555-0143"
    model.assert_saw_no_original()
    with pytest.raises(TypeError, match="source"):
        create_agent(chat(model), middleware=[MaskingMiddleware(lambda request: None)]).invoke({"messages": ["hi"]})


class Contact(BaseModel):
    """Who calls, such as Sarah Chen."""

    name: str
    phone: str


class Answering(BaseChatModel):
    """Answers what it is told to, in pieces, and keeps what it was asked."""

    text: str
    asked: list = []

    @property
    def _llm_type(self) -> str:
        return "answering"

    def bind_tools(self, tools, **options):
        return self.bind(**options)

    def _generate(self, messages, stop=None, run_manager=None, **options):
        self.asked.append((messages, stop, options))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self.text))])

    def _stream(self, messages, stop=None, run_manager=None, **options):
        self.asked.append((messages, stop, options))
        for piece in pieces(self.text):
            yield ChatGenerationChunk(message=AIMessageChunk(piece))


def test_structured_answers(quoted):
    """A value that has quotes comes back escaped, whole and streamed, and the model's own way to give structure is used."""
    conversation, name, stands = quoted
    inner = Answering(text=json.dumps({"name": stands, "phone": "x"}), profile={"structured_output": True})
    agent = create_agent(inner, middleware=[MaskingMiddleware(conversation)], response_format=Contact)
    assert agent.invoke({"messages": [HumanMessage("where?")]})["structured_response"] == Contact(name=name, phone="x")
    assert inner.asked[0][2]["response_format"]["type"] == "json_schema"
    form = {"type": "json_schema", "json_schema": {"name": "Contact", "schema": Contact.model_json_schema()}}
    for given in (form, {"type": "json_object"}, Contact):
        wrapped = MaskedChatModel(inner=inner, source=conversation).bind(response_format=given)
        said = "".join(chunk.content for chunk in wrapped.stream("where?"))
        assert json.loads(said) == {"name": name, "phone": "x"}


def test_what_is_said_beside_the_messages(aliased):
    inner = Answering(text="ok")
    wrapped = MaskedChatModel(inner=inner, source=aliased)
    options = {"user": "sarah.chen@example.com", "prediction": {"type": "content", "content": SAID}, "temperature": 0.2}
    wrapped.bind(**options).invoke(SAID, stop=["Sarah Chen", "\n"])
    list(wrapped.bind(**options).stream(SAID, stop=["Sarah Chen", "\n"]))
    wrapped.bind(tools=[object()]).invoke("hi")
    for messages, stop, given in inner.asked[:2]:
        shown = repr(messages) + repr(stop) + repr(given)
        assert not any(original in shown for original in ("Sarah", "0142", "example.com"))
        assert stop[1] == "\n" and given["temperature"] == 0.2
    assert inner.asked[2][1] is None


def test_images_are_refused(model):
    wrapped = MaskedChatModel(inner=chat(model), source=masker.Masker())
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(masker.PayloadError):
        wrapped.invoke([HumanMessage([image])])
    assert not model.received
