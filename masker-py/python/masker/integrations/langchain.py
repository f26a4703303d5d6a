"""Keeps PHI from the models of LangChain agents::

    from langchain.agents import create_agent
    from masker import Masker
    from masker.integrations.langchain import MaskingMiddleware

    agent = create_agent("openai:gpt-4o-mini", tools=[...], middleware=[MaskingMiddleware(Masker())])

The model gets masked copies of the messages, the instructions and the tools' descriptions. Its answers, streamed or whole, and
the arguments of its tool calls come back with originals, so the state of the agent, its tools and its streams are as without the
middleware. Tracers and callbacks of the agent belong to the application and see originals, too.

:class:`MaskedChatModel` does the same around a chat model outside an agent, and around that of a middleware which has one of its own,
for summaries say. Give a :class:`masker.Masker`, and every call of the model is a conversation of its own, which is right for
agents that serve many threads; a :class:`masker.Conversation` serves one thread only.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableBinding
from pydantic import ConfigDict

from .._masker import Conversation, StreamRehydrator
from ._common import Source, check_source, conversation_of, mask_messages, restore_arguments

__all__ = ["MaskedChatModel", "MaskingMiddleware"]

# What a call says beside its messages. The rest are settings, or schemas that are made from classes.
_SAID = ("metadata", "prediction", "safety_identifier", "stop", "tools", "user")
_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system", "tool": "tool", "function": "tool"}


def _as_message(message: BaseMessage) -> dict[str, Any]:
    """The texts of a message in the form of OpenAI's chats."""
    role = _ROLES.get(message.type) or getattr(message, "role", "user")
    plain: dict[str, Any] = {"role": role, "content": message.content}
    if message.name is not None:
        plain["name"] = message.name
    if message.additional_kwargs:
        plain["additional_kwargs"] = message.additional_kwargs
    if isinstance(message, AIMessage):
        calls = [*message.tool_calls, *message.invalid_tool_calls]
        if calls:
            plain["tool_calls"] = [
                {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["args"]}}
                for call in calls
            ]
    if isinstance(message, ToolMessage):
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _with_message(message: BaseMessage, masked: dict[str, Any]) -> BaseMessage:
    """A copy of a message with the texts of its masked form."""
    update: dict[str, Any] = {"content": masked["content"], "name": masked.get("name")}
    update["additional_kwargs"] = masked.get("additional_kwargs", {})
    if isinstance(message, AIMessage):
        arguments = [call["function"]["arguments"] for call in masked.get("tool_calls", [])]
        own = [*message.tool_calls, *message.invalid_tool_calls]
        made: list[Any] = [{**call, "args": args} for call, args in zip(own, arguments, strict=True)]
        update["tool_calls"] = made[: len(message.tool_calls)]
        update["invalid_tool_calls"] = made[len(message.tool_calls) :]
        if isinstance(message, AIMessageChunk):
            # Pieces of the same calls, in clear.
            update["tool_call_chunks"] = []
    if isinstance(message, ToolMessage):
        # For the application; providers do not get it, and nothing says what it holds.
        update["artifact"] = None
    return message.model_copy(update=update)


def _mask(conversation: Conversation, messages: Sequence[BaseMessage], hint: bool) -> list[BaseMessage]:
    masked = mask_messages(conversation, [_as_message(message) for message in messages])
    copies = [_with_message(message, plain) for message, plain in zip(messages, masked, strict=True)]
    note = conversation.system_hint if hint else ""
    if note:
        first = copies[0] if copies else None
        if isinstance(first, SystemMessage) and isinstance(first.content, str):
            copies[0] = first.model_copy(update={"content": f"{first.content}\n\n{note}"})
        else:
            copies.insert(0, SystemMessage(content=note))
    return copies


def _restore(conversation: Conversation, message: BaseMessage) -> BaseMessage:
    """A copy of an answer with originals."""
    plain = conversation.rehydrate_chat([{"role": "assistant", "content": message.content}]).value[0]
    update: dict[str, Any] = {"content": plain["content"]}
    if message.additional_kwargs:
        update["additional_kwargs"] = restore_arguments(conversation, message.additional_kwargs)
    if isinstance(message, AIMessage):
        update["tool_calls"] = [
            {**call, "args": restore_arguments(conversation, call["args"])} for call in message.tool_calls
        ]
        update["invalid_tool_calls"] = [
            {**call, "args": conversation.rehydrate_json(call["args"]).text if call["args"] else call["args"]}
            for call in message.invalid_tool_calls
        ]
    return message.model_copy(update=update)


class _Stream:
    """Restores one streamed answer, chunk by chunk."""

    def __init__(self, conversation: Conversation, is_json: bool = False) -> None:
        self._conversation = conversation
        self._is_json = is_json
        self._texts: dict[Any, StreamRehydrator] = {}
        self._calls: dict[Any, StreamRehydrator] = {}
        self._first = True
        self._last_id: str | None = None

    def _text(self, key: Any, piece: str) -> str:
        stream = self._texts.get(key)
        if stream is None:
            make = self._conversation.stream_json_rehydrator if self._is_json else self._conversation.stream_rehydrator
            stream = self._texts[key] = make()
        return stream.push(piece)

    def push(self, chunk: ChatGenerationChunk) -> list[ChatGenerationChunk]:
        message = chunk.message
        if not isinstance(message, AIMessageChunk):
            return [ChatGenerationChunk(message=_restore(self._conversation, message))]  # type: ignore[arg-type]
        self._last_id = message.id
        out: list[ChatGenerationChunk] = []
        ends = bool(message.response_metadata.get("finish_reason")) or message.chunk_position == "last"
        if message.tool_call_chunks:
            out += self._flush_texts()
        had = bool(message.content)
        content = self._content(message.content)
        extra = {
            name: self._text(("extra", name), value) if isinstance(value, str) else value
            for name, value in message.additional_kwargs.items()
            # The raw form of the calls below.
            if name not in ("tool_calls", "function_call")
        }
        calls = []
        for call in message.tool_call_chunks:
            args = call["args"]
            if args:
                stream = self._calls.get(call["index"])
                if stream is None:
                    stream = self._calls[call["index"]] = self._conversation.stream_json_rehydrator()
                args = stream.push(args)
            calls.append(tool_call_chunk(name=call["name"], args=args, id=call["id"], index=call["index"]))
        if ends:
            # What the chunk itself says comes before what ends the answer.
            if content or calls or extra:
                out.append(self._chunk(content, calls, extra))
                content, calls, extra, had = "", [], {}, False
            out += self.finish()
        says = content or extra or message.response_metadata or message.usage_metadata
        says = says or any(call["name"] or call["id"] or call["args"] for call in calls)
        if not says and had and not self._first:
            return out
        self._first = False
        copy = AIMessageChunk(
            content=content,
            additional_kwargs=extra,
            response_metadata=message.response_metadata,
            name=message.name,
            id=message.id,
            usage_metadata=message.usage_metadata,
            tool_call_chunks=calls,
            chunk_position=message.chunk_position,
        )
        out.append(ChatGenerationChunk(message=copy, generation_info=chunk.generation_info))
        return out

    def _content(self, content: Any) -> Any:
        if isinstance(content, str):
            return self._text("content", content) if content else content
        made: list[Any] = []
        for block in content:
            if isinstance(block, str):
                made.append(self._text("content", block))
            elif block.get("type") in ("text", "refusal") or ("text" in block and "signature" not in block):
                key = (block.get("type"), block.get("index"))
                made.append({**block, **{name: self._text((key, name), block[name]) for name in ("text", "refusal") if isinstance(block.get(name), str)}})
            elif block.get("type") in ("input_json_delta", "tool_use") and isinstance(block.get("partial_json"), str):
                stream = self._calls.setdefault(("block", block.get("index")), self._conversation.stream_json_rehydrator())
                made.append({**block, "partial_json": stream.push(block["partial_json"])})
            else:
                made.append(block)
        return made

    def _chunk(self, content: Any, calls: list[Any], extra: dict[str, Any] | None = None) -> ChatGenerationChunk:
        message = AIMessageChunk(
            content=content, tool_call_chunks=calls, additional_kwargs=extra or {}, id=self._last_id
        )
        return ChatGenerationChunk(message=message)

    def _flush_texts(self) -> list[ChatGenerationChunk]:
        out = []
        for key, stream in self._texts.items():
            if not (rest := stream.flush()):
                continue
            if key == "content":
                out.append(self._chunk(rest, []))
            elif key[0] == "extra":
                out.append(self._chunk("", [], {key[1]: rest}))
            else:
                (kind, index), name = key
                block: dict[str, Any] = {"type": kind or "text", name: rest}
                if index is not None:
                    block["index"] = index
                out.append(self._chunk([block], []))
        self._texts = {}
        return out

    def finish(self) -> list[ChatGenerationChunk]:
        """What was held back."""
        out = self._flush_texts()
        for index, stream in self._calls.items():
            if not (rest := stream.flush()):
                continue
            if isinstance(index, tuple):
                block = {"type": "input_json_delta", "partial_json": rest, "index": index[1]}
                out.append(self._chunk([block], []))
            else:
                out.append(self._chunk("", [tool_call_chunk(name=None, args=rest, id=None, index=index)]))
        self._calls = {}
        return out


def _is_json(value: Any) -> bool:
    """Whether a value is made of what JSON has; tools may be objects of a provider's library."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return value is None or isinstance(value, str | int | float)


def _takes_one(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return False
    return any(one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)


def _answers_in_json(options: dict[str, Any]) -> bool:
    form = options.get("response_format")
    if isinstance(form, dict):
        return str(form.get("type", "")).startswith("json")
    # A class that the provider's library makes a schema of.
    return isinstance(form, type)


class MaskedChatModel(BaseChatModel):
    """A chat model around another, to which everything goes masked; see the module."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    inner: BaseChatModel
    """The model that gets masked messages."""
    source: Any
    """A conversation, a masker, or what gives a conversation."""
    hint: bool = True
    """Whether the model is told about aliases, where the policy puts them in the text."""

    def model_post_init(self, context: Any, /) -> None:
        check_source(self.source)
        super().model_post_init(context)
        # What the model can do decides how agents ask it for structured answers. The first releases have no such field.
        if "profile" in type(self).model_fields and self.profile is None:
            self.profile = self.inner.profile

    @property
    def _llm_type(self) -> str:
        return f"masked-{self.inner._llm_type}"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return dict(self.inner._identifying_params)

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Runnable[Any, Any]:
        bound = self.inner.bind_tools(tools, **options)
        if isinstance(bound, RunnableBinding) and isinstance(bound.bound, BaseChatModel):
            return self.model_copy(update={"inner": bound.bound}).bind(**bound.kwargs)
        if isinstance(bound, BaseChatModel):
            return self.model_copy(update={"inner": bound})
        raise NotImplementedError(f"the tools of {type(self.inner).__name__} cannot be bound through masker")

    def _begin(
        self, messages: list[BaseMessage], stop: list[str] | None, options: dict[str, Any]
    ) -> tuple[Conversation, list[BaseMessage], dict[str, Any]]:
        source: Source = self.source
        conversation = conversation_of(source)
        options = {**options, "stop": stop}
        said = {name: options[name] for name in _SAID if options.get(name) and _is_json(options[name])}
        if said:
            masked = conversation.mask_chat({"messages": [], **said}).value
            options.update((name, masked[name]) for name in said)
        return conversation, _mask(conversation, messages, self.hint), options

    @staticmethod
    def _end(conversation: Conversation, result: ChatResult) -> ChatResult:
        generations = [
            ChatGeneration(message=_restore(conversation, made.message), generation_info=made.generation_info)
            for made in result.generations
        ]
        return ChatResult(generations=generations, llm_output=result.llm_output)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        conversation, masked, options = self._begin(messages, stop, kwargs)
        return self._end(conversation, self.inner._generate(masked, **options))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        conversation, masked, options = self._begin(messages, stop, kwargs)
        return self._end(conversation, await self.inner._agenerate(masked, **options))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        conversation, masked, options = self._begin(messages, stop, kwargs)
        stream = _Stream(conversation, _answers_in_json(options))
        for chunk in self.inner._stream(masked, **options):
            yield from stream.push(chunk)
        yield from stream.finish()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        conversation, masked, options = self._begin(messages, stop, kwargs)
        stream = _Stream(conversation, _answers_in_json(options))
        async for chunk in self.inner._astream(masked, **options):
            for out in stream.push(chunk):
                yield out
        for out in stream.finish():
            yield out

    def _should_stream(self, **options: Any) -> bool:
        # Streaming is what the inner model can do, and what it was told to do.
        kind = type(self.inner)
        if kind._stream is BaseChatModel._stream and kind._astream is BaseChatModel._astream:
            return False
        if options.get("async_api") is False and kind._stream is BaseChatModel._stream:
            return False
        if self.inner.disable_streaming is True:
            return False
        if getattr(self.inner, "streaming", False) is True:
            return True
        return super()._should_stream(**options)


class MaskingMiddleware(AgentMiddleware[Any, Any, Any]):
    """Puts a :class:`MaskedChatModel` around the model of every call. Last in the list, it is closest to the model.

    ``source`` may also take the request and give the conversation of its thread.
    """

    def __init__(self, source: Source | Callable[[ModelRequest[Any]], Conversation], *, hint: bool = True) -> None:
        super().__init__()
        check_source(source)
        self._source: Any = source
        self._takes_request = callable(source) and _takes_one(source)
        self._hint = hint

    def _masked(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        model = MaskedChatModel(
            inner=request.model,
            source=conversation_of(self._source, request) if self._takes_request else self._source,
            hint=self._hint,
            disable_streaming=request.model.disable_streaming,
        )
        return request.override(model=model)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        return handler(self._masked(request))

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        return await handler(self._masked(request))
