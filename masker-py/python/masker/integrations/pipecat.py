"""Keeps PHI from the LLM service of a pipecat pipeline::

    from masker import Masker, Policy
    from masker.integrations.pipecat import mask_llm

    conversation = Masker(Policy.healthcare_default().with_surface("alias")).conversation(call_id)
    llm = mask_llm(OpenAILLMService(api_key=...), conversation)

The service gets a masked copy of the context, from whichever side it comes; the context of the application stays clear. What
the model says, thinks and calls leaves the service with originals, so text frames, function calls, their handlers, and the
aggregators are as without masker. Text that may still become a token is held back until it is certain, given out at the end
of the response, and dropped on an interruption or where the pipeline is cancelled. One-shot inferences, such as summaries, are
masked and restored as well.

It is for services that take a context of text. Realtime services hear the caller themselves and cannot be wrapped. Images, audio
and files in a context are refused, dropped or passed as the policy's ``non_text`` says; refused content becomes an error frame, and
the model is not called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pipecat.frames.frames import (
    CancelFrame,
    Frame,
    FunctionCallFromLLM,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    LLMThoughtEndFrame,
    LLMThoughtStartFrame,
    LLMThoughtTextFrame,
)
from pipecat.processors.aggregators.llm_context import LLMContext, LLMSpecificMessage
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService

from .._masker import Conversation, StreamRehydrator
from ..errors import MaskerError, PayloadError
from ._common import mask_messages, restore_arguments, with_hint

__all__ = ["mask_context", "mask_llm"]

Service = TypeVar("Service", bound=LLMService)


class _MaskedContext(LLMContext):
    """A masked copy that knows what it is a copy of."""

    original: LLMContext

    def remove_invalid_file_message(self) -> bool:
        return self.original.remove_invalid_file_message()


def mask_context(conversation: Conversation, context: LLMContext, *, hint: bool = True) -> LLMContext:
    """A masked copy of a context, with the same tools. With ``hint`` it tells the model about aliases, where there are any."""
    messages: list[Any] = list(context.get_messages())
    plain = [message for message in messages if not isinstance(message, LLMSpecificMessage)]
    masked = iter(mask_messages(conversation, plain))
    copies: list[Any] = []
    for message in messages:
        if not isinstance(message, LLMSpecificMessage):
            copies.append(next(masked))
            continue
        # In a provider's own form: signatures are told from text where the form is known.
        try:
            [inner] = mask_messages(conversation, [message.message])
        except PayloadError as error:
            if error.code != "not_a_chat":
                raise
            inner = conversation.mask_json(message.message).value
        copies.append(LLMSpecificMessage(llm=message.llm, message=inner))
    copy = _MaskedContext(
        messages=with_hint(copies, conversation.system_hint if hint else "", "developer"),
        tools=context.tools,
        tool_choice=context.tool_choice,
    )
    copy.original = context
    return copy


class _MaskingAdapter:
    """A service's adapter that masks the instructions and tools which do not come with the context."""

    def __init__(self, adapter: Any, conversation: Conversation) -> None:
        self._adapter = adapter
        self._conversation = conversation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    async def get_llm_invocation_params(self, context: Any, **options: Any) -> Any:
        instruction = options.get("system_instruction")
        if isinstance(instruction, str):
            [message] = mask_messages(self._conversation, [{"role": "system", "content": instruction}])
            options["system_instruction"] = message["content"]
        params = await self._adapter.get_llm_invocation_params(context, **options)
        tools = params.get("tools")
        # The forms of OpenAI and Anthropic; others hold objects of the provider's library.
        if isinstance(tools, list) and tools and all(isinstance(tool, dict) for tool in tools):
            params["tools"] = self._conversation.mask_chat({"messages": [], "tools": tools}).value["tools"]
        return params


class _Masking:
    """Stands in the place of a service's own methods, which it calls in turn."""

    def __init__(self, service: LLMService, conversation: Conversation, hint: bool) -> None:
        self._conversation = conversation
        self._hint = hint
        self._texts: dict[type[Frame], StreamRehydrator] = {}
        self._interrupted = False
        own: Any = service
        self._get_llm_adapter = own.get_llm_adapter
        self._process_frame = own.process_frame
        self._push_error = own.push_error
        self._push_frame = own.push_frame
        self._run_function_calls = own.run_function_calls
        self._run_inference = own.run_inference
        # On the object, not on its class: other services of the class stay as they are.
        own.get_llm_adapter = self.get_llm_adapter
        own.process_frame = self.process_frame
        own.push_frame = self.push_frame
        own.run_function_calls = self.run_function_calls
        own.run_inference = self.run_inference
        own.masker_masking = self

    def get_llm_adapter(self) -> Any:
        return _MaskingAdapter(self._get_llm_adapter(), self._conversation)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InterruptionFrame | CancelFrame):
            # Before the response is cancelled, or its end would give out what is held; what comes of it until then is nobody's.
            self._texts = {}
            self._interrupted = True
        elif isinstance(frame, LLMContextFrame):
            try:
                context = mask_context(self._conversation, frame.context, hint=self._hint)
            except MaskerError as error:
                await self._push_error(f"the context cannot be masked: {error}", exception=error)
                return
            masked = type(frame)(context=context)
            masked.speculation = getattr(frame, "speculation", False)
            masked.pts = frame.pts
            frame = masked
            self._interrupted = False
        await self._process_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = FrameDirection.DOWNSTREAM) -> None:
        if isinstance(frame, LLMContextFrame) and isinstance(frame.context, _MaskedContext):
            # Handed on by a service that has nothing to say to it.
            frame.context = frame.context.original
        elif isinstance(frame, LLMFullResponseStartFrame):
            self._texts = {}
            self._interrupted = False
        elif isinstance(frame, LLMTextFrame | LLMThoughtTextFrame):
            if self._interrupted:
                return
            stream = self._texts.get(type(frame))
            if stream is None:
                stream = self._texts[type(frame)] = self._conversation.stream_rehydrator()
            frame.text = stream.push(frame.text)
            if not frame.text:
                return
        elif isinstance(frame, LLMFullResponseEndFrame):
            await self._flush()
        elif isinstance(frame, LLMThoughtStartFrame | LLMThoughtEndFrame):
            await self._flush(LLMThoughtTextFrame)
        await self._push_frame(frame, direction)

    async def _flush(self, *only: type[Frame]) -> None:
        for kind in only or tuple(self._texts):
            stream = self._texts.pop(kind, None)
            if stream is not None and (rest := stream.flush()):
                make: Any = kind
                await self._push_frame(make(rest), FrameDirection.DOWNSTREAM)

    async def run_function_calls(self, function_calls: Sequence[FunctionCallFromLLM]) -> None:
        # What the model said before it called is complete.
        await self._flush()
        restored = []
        for call in function_calls:
            context = call.context.original if isinstance(call.context, _MaskedContext) else call.context
            arguments: Mapping[str, Any] = restore_arguments(self._conversation, dict(call.arguments))
            restored.append(
                FunctionCallFromLLM(
                    function_name=call.function_name,
                    tool_call_id=call.tool_call_id,
                    arguments=arguments,
                    context=context,
                )
            )
        await self._run_function_calls(restored)

    async def run_inference(self, context: LLMContext, *args: Any, **options: Any) -> str | None:
        masked = mask_context(self._conversation, context, hint=self._hint)
        answer: str | None = await self._run_inference(masked, *args, **options)
        if answer is None:
            return None
        # As a message, so that an answer in JSON stays JSON.
        [message] = self._conversation.rehydrate_chat([{"role": "assistant", "content": answer}]).value
        text: str = message["content"]
        return text


def mask_llm(service: Service, conversation: Conversation, *, hint: bool = True) -> Service:
    """Makes a service mask what it sends and restore what it gets, and gives it back. See the module.

    The service stays what it was. Call this once for each, before the pipeline runs. With ``hint`` the model is told about
    aliases, where the policy puts them in the text.
    """
    if not isinstance(service, LLMService):
        raise TypeError("mask_llm wraps an LLMService")
    if not isinstance(conversation, Conversation):
        raise TypeError("mask_llm takes the Conversation of the call")
    if getattr(service, "masker_masking", None) is not None:
        raise ValueError("the service is wrapped already")
    _Masking(service, conversation, hint)
    return service
