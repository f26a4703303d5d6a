from __future__ import annotations

import asyncio
import json

import pytest
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    LLMThoughtTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.workers.runner import WorkerRunner

import masker
from masker.integrations.pipecat import mask_context, mask_llm

from .conftest import SAID


class Seen(FrameProcessor):
    """Keeps what goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list = []
        self.ended = asyncio.Event()

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        if isinstance(frame, LLMFullResponseEndFrame):
            self.ended.set()
        await self.push_frame(frame, direction)

    def text(self, kind=LLMTextFrame) -> str:
        return "".join(frame.text for frame in self.frames if isinstance(frame, kind))


class Running:
    """A pipeline with the usual aggregators around an LLM."""

    def __init__(self, llm, context: LLMContext) -> None:
        self.seen = Seen()
        pair = LLMContextAggregatorPair(context)
        pipeline = Pipeline([pair.user(), llm, self.seen, pair.assistant()])
        self.worker = PipelineWorker(pipeline, params=PipelineParams(), cancel_on_idle_timeout=False)

    async def __aenter__(self) -> Running:
        self.runner = WorkerRunner(handle_sigint=False)
        await self.runner.add_workers(self.worker)
        self.task = asyncio.create_task(self.runner.run())
        return self

    async def __aexit__(self, *_) -> None:
        await self.worker.cancel()
        await asyncio.wait_for(self.task, 10)

    async def until(self, done) -> None:
        async def wait() -> None:
            while not done():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(wait(), 10)


def service(model, **options) -> OpenAILLMService:
    settings = OpenAILLMService.Settings(model="m", **options)
    return OpenAILLMService(base_url=model.base_url, api_key="k", settings=settings)


LOOK_UP = FunctionSchema(
    name="look_up",
    description="Looks up a caller, such as Sarah Chen.",
    properties={"values": {"type": "array", "items": {"type": "string"}}, "note": {"type": "string"}},
    required=["values"],
)


async def test_words(model, surface):
    llm = mask_llm(service(model, system_instruction="You serve Sarah Chen."), surface.conversation())
    context = LLMContext(messages=[{"role": "user", "content": SAID}])
    async with Running(llm, context) as running:
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.ended.is_set())
        await running.until(lambda: len(context.messages) == 2)
    assert running.seen.text() == "Thank you, Sarah Chen, 415-555-0142. Bye."
    assert len([f for f in running.seen.frames if isinstance(f, LLMTextFrame)]) > 5
    model.assert_saw_no_original()
    # The context of the application is clear, the answer included.
    assert context.messages[0]["content"] == SAID
    assert context.messages[1]["content"] == "Thank you, Sarah Chen, 415-555-0142. Bye."


async def test_tools_from_both_sides(model, surface):
    """The result of a tool reaches the service from the assistant's aggregator, upstream."""
    calls: list = []

    async def look_up(params: FunctionCallParams) -> None:
        calls.append((dict(params.arguments), params.context))
        await params.result_callback({"email": "sarah.chen@example.com", "mrn": 7734215})

    llm = mask_llm(service(model), surface.conversation())
    llm.register_function("look_up", look_up)
    context = LLMContext(messages=[{"role": "user", "content": SAID}], tools=ToolsSchema(standard_tools=[LOOK_UP]))
    async with Running(llm, context) as running:
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: len(model.requests) == 2 and "Bye." in running.seen.text())
    [(arguments, seen_context)] = calls
    assert arguments == {"values": ["Sarah Chen", "415-555-0142"], "note": "for Sarah Chen and 415-555-0142"}
    assert seen_context is context
    assert "Sarah Chen, 415-555-0142, sarah.chen@example.com, 7734215. Bye." in running.seen.text()
    assert "One moment. " in running.seen.text()
    [began] = [f for f in running.seen.frames if isinstance(f, FunctionCallInProgressFrame)]
    assert began.arguments["values"][0] == "Sarah Chen"
    [ended] = [f for f in running.seen.frames if isinstance(f, FunctionCallResultFrame)]
    assert ended.result["email"] == "sarah.chen@example.com"
    model.assert_saw_no_original()
    tool = next(message for message in context.messages if message["role"] == "tool")
    assert json.loads(tool["content"])["mrn"] == 7734215


async def test_one_shot_inference(model, surface):
    llm = mask_llm(service(model), surface.conversation())
    context = LLMContext(messages=[{"role": "user", "content": SAID}])
    answer = await llm.run_inference(context, system_instruction="Sum up what Sarah Chen says.")
    assert answer == "Thank you, Sarah Chen, 415-555-0142. Bye."
    model.assert_saw_no_original()


async def test_one_shot_inference_in_json(quoted):
    """A value that has quotes comes back escaped."""
    conversation, name, stands = quoted

    class Structured(LLMService):
        async def run_inference(self, context, **options):
            return json.dumps({"name": stands})

    answer = await mask_llm(Structured(), conversation).run_inference(LLMContext(messages=[{"role": "user", "content": "?"}]))
    assert json.loads(answer) == {"name": name}


class Scripted(LLMService):
    """Pushes pieces it is given, one at a time, and keeps what it got."""

    def __init__(self, script: list) -> None:
        super().__init__()
        self.script = script
        self.got: list = []
        self.gate = asyncio.Event()

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        self.got.append(frame.context.get_messages())
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            for piece in self.script:
                if piece is None:
                    await self.gate.wait()
                elif isinstance(piece, str):
                    await self._push_llm_text(piece)
                else:
                    await self.push_frame(piece)
        finally:
            await self.push_frame(LLMFullResponseEndFrame())


async def test_what_is_held_is_dropped_on_an_interruption(aliased):
    llm = mask_llm(Scripted(["I have [PHO", None, "NE_1]"]), aliased.conversation())
    context = LLMContext(messages=[{"role": "user", "content": SAID}])
    async with Running(llm, context) as running:
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.text() == "I have ")
        await running.worker.queue_frame(InterruptionFrame())
        await running.until(lambda: any(isinstance(f, InterruptionFrame) for f in running.seen.frames))
        # The next response begins with nothing left over.
        running.seen.ended.clear()
        llm.script = ["so [NAME", "_1]!"]
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.text().endswith("so Sarah Chen!"))
    assert running.seen.text() == "I have so Sarah Chen!"


async def test_thoughts_and_ends(aliased):
    script = [LLMThoughtTextFrame("it is [NAME"), LLMThoughtTextFrame("_1]"), "Hello [NAME_1"]
    llm = mask_llm(Scripted(script), aliased.conversation())
    context = LLMContext(messages=[{"role": "user", "content": SAID}])
    async with Running(llm, context) as running:
        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: running.seen.ended.is_set())
    assert running.seen.text(LLMThoughtTextFrame) == "it is Sarah Chen"
    assert running.seen.text() == "Hello [Sarah Chen"
    kinds = [type(frame) for frame in running.seen.frames]
    assert kinds.index(LLMTextFrame) < kinds.index(LLMFullResponseEndFrame)
    shown = json.dumps(llm.got)
    assert "Sarah" not in shown and "0142" not in shown and "square brackets" in shown


async def test_what_cannot_be_masked_is_not_sent(aliased):
    llm = mask_llm(Scripted(["never"]), aliased.conversation())
    image = LLMContext.create_image_url_message(url="data:image/png;base64,AAAA", text="me")
    context = LLMContext(messages=[image])
    errors: list = []
    async with Running(llm, context) as running:

        @running.worker.event_handler("on_pipeline_error")
        async def keep(_, frame) -> None:
            errors.append(frame)

        await running.worker.queue_frame(LLMContextFrame(context))
        await running.until(lambda: errors)
    assert isinstance(errors[0], ErrorFrame) and "cannot be masked" in errors[0].error
    assert not llm.got


def test_contexts_are_copied(aliased):
    conversation = aliased.conversation()
    context = LLMContext(
        messages=[
            {"role": "system", "content": "You serve Sarah Chen."},
            {"role": "user", "content": SAID},
            LLMSpecificMessage(llm="anthropic", message={"role": "user", "content": "I am Sarah Chen"}),
            LLMSpecificMessage(llm="google", message={"note": "call 415-555-0142"}),
        ]
    )
    copy = mask_context(conversation, context)
    shown = json.dumps(copy.messages, default=lambda one: one.message)
    assert "Sarah" not in shown and "0142" not in shown
    assert isinstance(copy.messages[2], LLMSpecificMessage) and copy.messages[3].llm == "google"
    assert context.messages[0]["content"] == "You serve Sarah Chen."
    assert "square brackets" in copy.messages[0]["content"]


def test_wrapping_is_checked(aliased):
    conversation = aliased.conversation()
    llm = Scripted([])
    assert mask_llm(llm, conversation) is llm
    assert type(llm) is Scripted
    with pytest.raises(ValueError):
        mask_llm(llm, conversation)
    with pytest.raises(TypeError):
        mask_llm("llm", conversation)
    with pytest.raises(TypeError):
        mask_llm(Scripted([]), aliased)
