"""A LiveKit agent whose model never sees who calls.

    pip install ./masker-py livekit-agents
    python masker-py/examples/livekit_agent.py

The model is a stub that prints what it receives, so the program runs without an account or a room. In an agent of your own give the
session any model, speech recognition and a voice: the class stays the same.
"""

from __future__ import annotations

import asyncio
import json
import re

from livekit.agents import Agent, AgentSession, RunContext, function_tool, llm
from livekit.agents.llm import ChatChunk, ChoiceDelta, FunctionToolCall
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from masker import Masker, Policy
from masker.integrations.livekit import MaskingMixin


class Receptionist(MaskingMixin, Agent):
    def __init__(self, call_id: str) -> None:
        masker = Masker(Policy.healthcare_default().with_surface("alias"))
        super().__init__(instructions="You are a receptionist.", conversation=masker.conversation(call_id))

    @function_tool
    async def look_up(self, context: RunContext, name: str) -> dict:
        """Looks up a caller."""
        print(f"  the tool gets: {name}")
        return {"email": "sarah.chen@example.com"}


class StubStream(llm.LLMStream):
    async def _run(self) -> None:
        messages, _ = self._chat_ctx.to_provider_format("openai")
        print(f"  the model receives: {messages[-1]['content']}")
        values = list(dict.fromkeys(re.findall(r"\[[A-Z_]+_\d+\]", json.dumps(messages))))
        if any(message["role"] == "tool" for message in messages):
            words = f"Thank you, {values[0]}. I will call {values[1]} and write to {values[2]}."
            print(f"  the model says: {words}")
            for at in range(0, len(words), 3):
                delta = ChoiceDelta(role="assistant", content=words[at : at + 3])
                self._event_ch.send_nowait(ChatChunk(id="1", delta=delta))
        else:
            call = FunctionToolCall(name="look_up", arguments=json.dumps({"name": values[0]}), call_id="call_1")
            print(f"  the model calls: look_up({call.arguments})")
            self._event_ch.send_nowait(ChatChunk(id="1", delta=ChoiceDelta(role="assistant", tool_calls=[call])))


class StubModel(llm.LLM):
    """Calls the tool with what stands for the caller, then greets them, a few characters at a time."""

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        return StubStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


async def main() -> None:
    async with AgentSession(llm=StubModel()) as session:
        await session.start(Receptionist("call 17"))
        said = "hi, this is Sarah Chen, my number is 415-555-0142"
        print(f"caller: {said}")
        await session.run(user_input=said)
        print(f"agent:  {session.history.items[-1].text_content}")


if __name__ == "__main__":
    asyncio.run(main())
