"""What the adapters do where the model fails, stops in the middle, or is not wanted any more."""

from __future__ import annotations

import asyncio

import openai
import pytest
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from livekit.agents import AgentSession, llm
from pipecat.frames.frames import (
    ErrorFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext

import masker
from masker.integrations.langchain import MaskingMiddleware
from masker.integrations.openai import masked_async_http_client, masked_http_client
from masker.integrations.pipecat import mask_llm

from .conftest import ORIGINALS, SAID
from .test_livekit import Custom, Desk, StubLLM
from .test_pipecat import Running, service

ASKED = [{"role": "user", "content": SAID}]


def clean(*values: object) -> None:
    for original in ORIGINALS:
        for value in values:
            assert original not in f"{value} {value!r}"


@pytest.fixture
def conversation() -> masker.Conversation:
    return masker.Masker(surface="alias").conversation()


def client(model, conversation) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=model.base_url, api_key="k", max_retries=0, http_client=masked_http_client(conversation)
    )


@pytest.mark.parametrize("stream", [False, True])
def test_openai_refused(model, conversation, stream):
    model.fault = "refuse"
    with pytest.raises(openai.InternalServerError) as caught:
        client(model, conversation).chat.completions.create(model="m", messages=ASKED, stream=stream)
    clean(caught.value, caught.value.response.text)
    model.assert_saw_no_original()
    # A retry is masked the same.
    model.fault = ""
    answer = client(model, conversation).chat.completions.create(model="m", messages=ASKED)
    assert answer.choices[0].message.content == "Thank you, Sarah Chen, 415-555-0142. Bye."
    assert model.requests[0]["messages"] == model.requests[1]["messages"]


def test_openai_cut(model, conversation):
    """What was certain has come; half a token is not made up, and the client hears of the end."""
    model.fault = "cut"
    parts = []
    with pytest.raises(openai.OpenAIError) as caught:
        for chunk in client(model, conversation).chat.completions.create(model="m", messages=ASKED, stream=True):
            parts.append(chunk.choices[0].delta.content or "")
    assert "".join(parts) == "Thank you, "
    clean(caught.value)
    model.fault = ""
    answer = client(model, conversation).chat.completions.create(model="m", messages=ASKED)
    assert "Sarah Chen" in answer.choices[0].message.content


async def test_openai_cancelled(model, conversation):
    """The connection to the model ends with the task that reads, and the conversation goes on."""
    model.fault = "hang"
    api = openai.AsyncOpenAI(
        base_url=model.base_url, api_key="k", max_retries=0, http_client=masked_async_http_client(conversation)
    )
    parts: list[str] = []

    async def read() -> None:
        async with await api.chat.completions.create(model="m", messages=ASKED, stream=True) as stream:
            async for chunk in stream:
                parts.append(chunk.choices[0].delta.content or "")

    task = asyncio.create_task(read())
    while "".join(parts) != "Thank you, ":
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(model.left.wait, 10)
    model.fault = ""
    answer = await api.chat.completions.create(model="m", messages=ASKED)
    assert "Sarah Chen" in answer.choices[0].message.content
    await api.close()


def test_langchain_refused_and_cut(model, conversation):
    chat = ChatOpenAI(model="m", base_url=model.base_url, api_key="k", max_retries=0)
    agent = create_agent(chat, middleware=[MaskingMiddleware(conversation)])
    model.fault = "refuse"
    with pytest.raises(openai.InternalServerError) as caught:
        agent.invoke({"messages": [("user", SAID)]})
    clean(caught.value)
    model.fault = "cut"
    with pytest.raises(Exception) as caught:  # noqa: PT011
        list(agent.stream({"messages": [("user", SAID)]}, stream_mode="messages"))
    clean(caught.value)
    model.assert_saw_no_original()
    model.fault = ""
    assert "Sarah Chen" in agent.invoke({"messages": [("user", SAID)]})["messages"][-1].text


async def test_pipecat_refused(model, conversation):
    model.fault = "refuse"
    llm = mask_llm(service(model), conversation)
    context = LLMContext(messages=[*ASKED])
    errors: list[ErrorFrame] = []
    async with Running(llm, context) as running:

        @running.worker.event_handler("on_pipeline_error")
        async def keep(_, frame) -> None:
            errors.append(frame)

        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: errors)
        clean(errors[0].error)
        assert running.seen.text() == ""
        # The pipeline lives, and the next turn is as if nothing had been.
        model.fault = ""
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.text().endswith("Bye."))
    assert running.seen.text() == "Thank you, Sarah Chen, 415-555-0142. Bye."
    model.assert_saw_no_original()


async def test_pipecat_interrupted_in_the_middle_of_a_token(model, conversation):
    model.fault = "hang"
    llm = mask_llm(service(model), conversation)
    context = LLMContext(messages=[*ASKED])
    async with Running(llm, context) as running:
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.text() == "Thank you, ")
        model.fault = ""
        await running.worker.queue_frame(InterruptionFrame())
        await running.until(lambda: any(isinstance(f, InterruptionFrame) for f in running.seen.frames))
        await asyncio.wait_for(asyncio.to_thread(model.left.wait, 10), 15)
        before = running.seen.text()
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.text().endswith("Bye."))
    # What was held is gone: no bracket of it is left between the two answers.
    assert before == "Thank you, "
    assert running.seen.text() == "Thank you, Thank you, Sarah Chen, 415-555-0142. Bye."
    model.assert_saw_no_original()


async def test_pipecat_text_behind_an_interruption(model, conversation):
    """What a response gives out between the interruption and its end is not said, and leaves nothing behind."""
    llm = mask_llm(service(model), conversation)
    async with Running(llm, LLMContext(messages=[*ASKED])) as running:
        await running.worker.queue_frame(InterruptionFrame())
        await running.until(lambda: any(isinstance(f, InterruptionFrame) for f in running.seen.frames))
        await llm.push_frame(LLMTextFrame("and [NAM"))
        await llm.push_frame(LLMFullResponseEndFrame())
        await running.until(lambda: any(isinstance(f, LLMFullResponseEndFrame) for f in running.seen.frames))
    assert running.seen.text() == ""


async def test_pipecat_cancelled(model, conversation):
    """A pipeline that is cancelled in the middle of an answer ends, and the call to the model with it."""
    model.fault = "hang"
    context = LLMContext(messages=[*ASKED])
    async with Running(mask_llm(service(model), conversation), context) as running:
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.text() == "Thank you, ")
    assert await asyncio.to_thread(model.left.wait, 10)
    assert running.seen.text() == "Thank you, "


async def test_livekit_closed_in_the_middle(conversation):
    """Who stops reading stops the model as well, and nothing held back is given out."""
    closed: list[bool] = []

    class Endless(Custom):
        async def llm_node(self, chat_ctx, tools, model_settings):
            try:
                yield "I have [PHO"
                await asyncio.sleep(60)
            finally:
                closed.append(True)

    class Masked(Desk, Endless):
        pass

    conversation.mask_turn("user", SAID)
    agent = Masked(conversation)
    node = agent.llm_node(llm.ChatContext.empty(), [], None)
    assert await anext(node) == "I have "
    await node.aclose()
    assert closed == [True]


async def test_livekit_failing(conversation):
    class Failing(StubLLM):
        def chat(self, **options):
            raise RuntimeError("no connection")

    model = Failing()
    async with AgentSession(llm=model) as session:
        await session.start(Desk(conversation))
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await asyncio.wait_for(session.run(user_input=SAID), 10)
    clean(caught.value)
