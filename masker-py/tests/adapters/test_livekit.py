from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable

import pytest
from livekit.agents import Agent, AgentSession, RunContext, function_tool, llm
from livekit.agents.llm import ChatChunk, ChoiceDelta, FunctionToolCall
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, FlushSentinel

import masker
from masker.integrations.livekit import MaskingMixin, mask_chat_context

from .conftest import SAID, pieces, stand_ins

BYE = "Thank you, Sarah Chen, 415-555-0142. Bye."


class StubStream(llm.LLMStream):
    async def _run(self) -> None:
        model: StubLLM = self._llm  # type: ignore[assignment]
        provider, _ = self._chat_ctx.to_provider_format("openai")
        model.received.append(json.dumps(provider))
        found = stand_ins(json.dumps(provider))
        has_result = any(message["role"] == "tool" for message in provider)
        if self._tools and not has_result:
            words, call = "One moment. ", {"values": found, "note": "for " + " and ".join(found)}
        else:
            words, call = f"Thank you, {', '.join(found)}. Bye.", None
        for piece in pieces(words):
            self._event_ch.send_nowait(ChatChunk(id="c1", delta=ChoiceDelta(role="assistant", content=piece)))
            await asyncio.sleep(0)
        if call is not None:
            tool = FunctionToolCall(name="look_up", arguments=json.dumps(call), call_id="call_1")
            self._event_ch.send_nowait(ChatChunk(id="c1", delta=ChoiceDelta(role="assistant", tool_calls=[tool])))
        usage = llm.CompletionUsage(completion_tokens=1, prompt_tokens=1, total_tokens=2)
        self._event_ch.send_nowait(ChatChunk(id="c1", usage=usage))


class StubLLM(llm.LLM):
    """Records what it receives, in the form it would be sent in."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[str] = []

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return StubStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)

    def assert_saw_no_original(self) -> None:
        assert self.received
        for text in self.received:
            for original in ("Sarah", "Chen", "55-0142", "example.com", "7734215"):
                assert original not in text, f"{original} in {text}"


class Desk(MaskingMixin, Agent):
    def __init__(self, source, **options) -> None:
        super().__init__(instructions="You serve Sarah Chen.", conversation=source, **options)


class DeskWithTools(Desk):
    def __init__(self, source) -> None:
        super().__init__(source)
        self.calls: list = []

    @function_tool
    async def look_up(self, context: RunContext, values: list[str], note: str) -> dict:
        """Looks up a caller."""
        self.calls.append((values, note))
        return {"email": "sarah.chen@example.com", "mrn": 7734215}


async def test_words(surface):
    model = StubLLM()
    async with AgentSession(llm=model) as session:
        await session.start(Desk(surface.conversation()))
        result = await session.run(user_input=SAID)
        result.expect.next_event().is_message(role="assistant")
        history = [item for item in session.history.items if item.type == "message"]
    assert history[-2].text_content == SAID
    assert history[-1].text_content == BYE
    model.assert_saw_no_original()


async def test_tools(surface):
    model = StubLLM()
    agent = DeskWithTools(surface.conversation())
    async with AgentSession(llm=model) as session:
        await session.start(agent)
        await session.run(user_input=SAID)
        items = list(session.history.items)
    [(values, note)] = agent.calls
    assert values == ["Sarah Chen", "415-555-0142"]
    assert note == "for Sarah Chen and 415-555-0142"
    call = next(item for item in items if item.type == "function_call")
    assert json.loads(call.arguments)["values"] == values
    output = next(item for item in items if item.type == "function_call_output")
    assert "sarah.chen@example.com" in output.output
    last = [item for item in items if item.type == "message"][-1]
    assert "Sarah Chen, 415-555-0142, sarah.chen@example.com, 7734215. Bye." in last.text_content
    assert len(model.received) == 2
    model.assert_saw_no_original()


async def test_the_transcript_has_originals(aliased):
    said: list[str] = []

    class Transcribed(Desk):
        async def transcription_node(self, text: AsyncIterable[str], model_settings):
            async for piece in text:
                said.append(str(piece))
                yield piece

    model = StubLLM()
    async with AgentSession(llm=model) as session:
        await session.start(Transcribed(lambda: conversation))
        conversation = aliased.conversation()
        await session.run(user_input=SAID)
    assert "".join(said) == BYE and len(said) > 5
    model.assert_saw_no_original()


class Custom(Agent):
    """An agent with a model of its own, which gives text instead of chunks."""

    script: list = []

    async def llm_node(self, chat_ctx, tools, model_settings):
        self.got = chat_ctx
        for piece in self.script:
            yield piece


class MaskedCustom(MaskingMixin, Custom):
    pass


async def collect(agent, chat_ctx) -> list:
    return [out async for out in agent.llm_node(chat_ctx, [], None)]


async def test_what_a_node_may_give(aliased):
    context = llm.ChatContext.empty()
    context.add_message(role="user", content=SAID)
    agent = MaskedCustom(instructions="x", conversation=aliased.conversation())
    agent.script = ["at [PHO", "NE_1", "]", FlushSentinel(), "[NAME_1"]
    out = await collect(agent, context)
    assert "".join(piece for piece in out if isinstance(piece, str)) == "at 415-555-0142[Sarah Chen"
    assert any(isinstance(piece, FlushSentinel) for piece in out)
    # Chunks of which all is held back are not given; usage is.
    agent.script = [
        ChatChunk(id="1", delta=ChoiceDelta(content="[NAM")),
        ChatChunk(id="1", delta=ChoiceDelta(content="E_1] ")),
        ChatChunk(id="1", usage=llm.CompletionUsage(completion_tokens=1, prompt_tokens=1, total_tokens=2)),
    ]
    first, second = await collect(agent, context)
    assert first.delta.content == "Sarah Chen " and second.usage.total_tokens == 2


def test_contexts_are_copied(aliased):
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="You serve Sarah Chen.")
    context.add_message(role="user", content=["I am", "Sarah Chen"])
    context.items.append(llm.FunctionCall(call_id="c", name="f", arguments='{"phone": "415-555-0142"}'))
    context.items.append(llm.FunctionCallOutput(call_id="c", name="f", output="7734215 is her mrn", is_error=False))
    context.items.append(llm.AgentConfigUpdate(instructions="Now serve Sarah Chen."))
    context.items.append(llm.AgentHandoff(new_agent_id="b"))
    before = json.dumps(context.to_dict(exclude_timestamp=False), default=str)
    copy = mask_chat_context(aliased.conversation(), context)
    shown = json.dumps(copy.to_dict(), default=str)
    for original in ("Sarah", "55-0142", "7734215"):
        assert original not in shown, shown
    assert [item.type for item in copy.items] == [item.type for item in context.items]
    assert "square brackets" in copy.items[0].text_content
    assert json.dumps(context.to_dict(exclude_timestamp=False), default=str) == before


def test_images(aliased):
    context = llm.ChatContext.empty()
    context.add_message(role="user", content=["me", llm.ImageContent(image="data:image/png;base64,AAAA")])
    with pytest.raises(masker.PayloadError):
        mask_chat_context(aliased.conversation(), context)
    source = masker.Policy.preset_source("healthcare-default")
    for non_text, left in (("drop", 1), ("pass", 2)):
        m = masker.Masker(masker.Policy.from_yaml(f"{source}\nnon_text: {non_text}\n"))
        assert len(mask_chat_context(m.conversation(), context).items[0].content) == left


def test_the_source_is_checked():
    with pytest.raises(TypeError):
        Desk("masker")
