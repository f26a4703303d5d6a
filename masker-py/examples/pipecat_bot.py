"""A pipecat bot whose model never sees who calls.

    pip install ./masker-py pipecat-ai
    python masker-py/examples/pipecat_bot.py

The model is a stub that prints what it receives, so the program runs without an account. In a bot of your own, put any LLM service in
its place, and a transport, speech recognition and a voice around it: the line with `mask_llm` stays the same.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

from loguru import logger
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    FunctionCallFromLLM,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.settings import LLMSettings
from pipecat.workers.runner import WorkerRunner

from masker import Masker, Policy
from masker.integrations.pipecat import mask_llm

# pipecat logs what passes at the level DEBUG, originals included.
logger.remove()
logger.add(sys.stderr, level="WARNING")


class StubModel(LLMService):
    """Calls the tool with what stands for the caller, then greets them, a few characters at a time."""

    def __init__(self):
        unused = ["system_instruction", "temperature", "max_tokens", "top_p", "top_k", "frequency_penalty"]
        unused += ["presence_penalty", "seed", "filter_incomplete_user_turns", "user_turn_completion_config"]
        super().__init__(settings=LLMSettings(model="stub", **dict.fromkeys(unused)))

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        messages = frame.context.get_messages()
        print(f"  the model receives: {messages[-1]['content']}")
        values = list(dict.fromkeys(re.findall(r"\[[A-Z_]+_\d+\]", json.dumps(messages))))
        await self.push_frame(LLMFullResponseStartFrame())
        if any(message["role"] == "tool" for message in messages):
            words = f"Thank you, {values[0]}. I will call {values[1]} and write to {values[2]}."
            print(f"  the model says: {words}")
            for at in range(0, len(words), 3):
                await self.push_frame(LLMTextFrame(words[at : at + 3]))
        else:
            call = FunctionCallFromLLM("look_up", "call_1", {"name": values[0]}, frame.context)
            print(f"  the model calls: look_up({call.arguments})")
            await self.run_function_calls([call])
        await self.push_frame(LLMFullResponseEndFrame())


class Voice(FrameProcessor):
    """Stands for the speech synthesis: prints what would be spoken."""

    def __init__(self):
        super().__init__()
        self.words = ""
        self.done = asyncio.Event()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self.words += frame.text
        elif isinstance(frame, LLMFullResponseEndFrame) and self.words:
            print(f"bot:    {self.words}")
            self.done.set()
        await self.push_frame(frame, direction)


async def look_up(params: FunctionCallParams):
    print(f"  the tool gets: {dict(params.arguments)}")
    await params.result_callback({"email": "sarah.chen@example.com"})


async def main():
    conversation = Masker(Policy.healthcare_default().with_surface("alias")).conversation("call 17")
    llm = mask_llm(StubModel(), conversation)
    llm.register_function("look_up", look_up)
    schema = FunctionSchema(
        name="look_up",
        description="Looks up a caller.",
        properties={"name": {"type": "string"}},
        required=["name"],
    )
    said = "hi, this is Sarah Chen, my number is 415-555-0142"
    print(f"caller: {said}")
    context = LLMContext([{"role": "user", "content": said}], tools=ToolsSchema(standard_tools=[schema]))
    aggregators, voice = LLMContextAggregatorPair(context), Voice()
    worker = PipelineWorker(Pipeline([aggregators.user(), llm, voice, aggregators.assistant()]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await worker.queue_frame(LLMContextFrame(context))
    await asyncio.wait_for(voice.done.wait(), 30)
    await worker.queue_frame(EndFrame())
    await running


if __name__ == "__main__":
    asyncio.run(main())
