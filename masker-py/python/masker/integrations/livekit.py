"""Keeps PHI from the language model of a LiveKit agent, at its ``llm_node``::

    from livekit.agents import Agent
    from masker import Masker, Policy
    from masker.integrations.livekit import MaskingMixin

    class Receptionist(MaskingMixin, Agent):
        def __init__(self, call_id: str) -> None:
            conversation = Masker(Policy.healthcare_default().with_surface("alias")).conversation(call_id)
            super().__init__(instructions="You are a receptionist.", conversation=conversation)

Every call of the model goes through ``llm_node``, also those made early and those after a tool. The model gets a masked copy of
the chat; what it says and the arguments of its tool calls come back with originals, so tools, the transcript, the voice and
``session.history`` are as without the mix-in. Realtime models, which hear the caller themselves, have no ``llm_node``.

The mix-in stands before ``Agent``. An ``llm_node`` of your own belongs to a class below it (``class Masked(MaskingMixin, Own)``), or
calls ``super().llm_node``: ``Agent.default.llm_node`` would go around the mix-in.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from livekit.agents import ModelSettings, llm

from .._masker import Conversation, StreamRehydrator
from ..errors import PayloadError
from ._common import Source, check_source, conversation_of, mask_messages

if TYPE_CHECKING:
    from livekit.agents import Agent as _Base
else:
    _Base = object

__all__ = ["MaskingMixin", "mask_chat_context"]


def _as_message(item: Any) -> dict[str, Any] | None:
    """The texts of an item in the form of OpenAI's chats; nothing for an item that has none."""
    if isinstance(item, llm.ChatMessage):
        parts = [{"type": "text", "text": part} for part in item.content if isinstance(part, str)]
        return {"role": item.role, "content": parts}
    if isinstance(item, llm.FunctionCall):
        function = {"name": item.name, "arguments": item.arguments}
        return {"role": "assistant", "tool_calls": [{"id": item.call_id, "type": "function", "function": function}]}
    if isinstance(item, llm.FunctionCallOutput):
        return {"role": "tool", "tool_call_id": item.call_id, "content": item.output}
    instructions = getattr(item, "instructions", None)
    return {"role": "system", "content": str(instructions)} if instructions else None


def _with_message(item: Any, message: dict[str, Any], non_text: str) -> Any:
    """A copy of an item with the texts of its masked message."""
    if isinstance(item, llm.ChatMessage):
        texts = iter(message["content"])
        content: list[Any] = []
        for part in item.content:
            if isinstance(part, str):
                content.append(next(texts)["text"])
            elif not isinstance(part, llm.ImageContent | llm.AudioContent) or non_text == "pass":
                content.append(part)
            elif non_text != "drop":
                raise PayloadError("an image or audio part is not text and cannot be masked", code="unmaskable_content")
        return item.model_copy(update={"content": content})
    if isinstance(item, llm.FunctionCall):
        return item.model_copy(update={"arguments": message["tool_calls"][0]["function"]["arguments"]})
    if isinstance(item, llm.FunctionCallOutput):
        return item.model_copy(update={"output": message["content"]})
    return item.model_copy(update={"instructions": message["content"]})


def mask_chat_context(conversation: Conversation, chat_ctx: llm.ChatContext, *, hint: bool = True) -> llm.ChatContext:
    """A masked copy of a chat context. With ``hint`` its instructions tell the model about aliases, where there are any."""
    items = list(chat_ctx.items)
    messages = [_as_message(item) for item in items]
    masked = iter(mask_messages(conversation, [message for message in messages if message is not None]))
    non_text = str(conversation.masker.policy.to_dict().get("non_text"))
    copies = [
        item if message is None else _with_message(item, next(masked), non_text)
        for item, message in zip(items, messages, strict=True)
    ]
    note = conversation.system_hint if hint else ""
    if note:
        first = copies[0] if copies else None
        if isinstance(first, llm.ChatMessage) and first.role in ("system", "developer"):
            copies[0] = first.model_copy(update={"content": [*first.content, note]})
        else:
            copies.insert(0, llm.ChatMessage(role="system", content=[note]))
    return llm.ChatContext(copies)


def _piece(chunk: llm.ChatChunk, content: str | None, calls: list[Any]) -> llm.ChatChunk:
    assert chunk.delta is not None
    delta = chunk.delta.model_copy(update={"content": content, "tool_calls": calls})
    return chunk.model_copy(update={"delta": delta})


def _restore_chunk(conversation: Conversation, stream: StreamRehydrator, chunk: llm.ChatChunk) -> list[Any]:
    """What goes on in the place of a chunk."""
    delta = chunk.delta
    if delta is None or not (delta.content or delta.tool_calls):
        return [chunk]
    content = stream.push(delta.content) if delta.content else delta.content
    if not delta.tool_calls:
        # All of it may be held back; what else the chunk says still goes on.
        if not content and delta.extra is None and chunk.usage is None:
            return []
        return [_piece(chunk, content, [])]
    calls = [
        call.model_copy(update={"arguments": conversation.rehydrate_json(call.arguments).text})
        for call in delta.tool_calls
    ]
    # The text ends where the model goes on with a call.
    content = (content or "") + stream.flush()
    return [_piece(chunk, content or None, calls)]


class MaskingMixin(_Base):
    """Put it before ``Agent`` among the bases; see the module.

    ``conversation`` is a :class:`masker.Conversation`, or a callable that gives the one of this call.
    """

    def __init__(self, *args: Any, conversation: Source, hint: bool = True, **options: Any) -> None:
        check_source(conversation)
        self._masker_source: Source = conversation
        self._masker_hint = hint
        super().__init__(*args, **options)

    async def llm_node(
        self, chat_ctx: llm.ChatContext, tools: list[llm.Tool], model_settings: ModelSettings
    ) -> AsyncIterator[Any]:
        conversation = conversation_of(self._masker_source)
        masked = mask_chat_context(conversation, chat_ctx, hint=self._masker_hint)
        stream = conversation.stream_rehydrator()
        answer: Any = super().llm_node(masked, tools, model_settings)
        if inspect.isawaitable(answer):
            answer = await answer
        if answer is None:
            return
        if isinstance(answer, str):
            yield conversation.rehydrate(answer).text
            return
        if isinstance(answer, llm.ChatChunk):
            for out in _restore_chunk(conversation, stream, answer):
                yield out
        else:
            try:
                async for chunk in answer:
                    if isinstance(chunk, llm.ChatChunk):
                        for out in _restore_chunk(conversation, stream, chunk):
                            yield out
                    elif isinstance(chunk, str):
                        if piece := stream.push(chunk):
                            yield piece
                    else:
                        # A flush of what was said so far.
                        if rest := stream.flush():
                            yield rest
                        yield chunk
            finally:
                # Who stops reading here stops the model, at once and not when the garbage is collected.
                if (close := getattr(answer, "aclose", None)) is not None:
                    await close()
        if rest := stream.flush():
            yield rest
