from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from .._masker import Conversation, Masker

Source: TypeAlias = Conversation | Masker | Callable[[], Conversation]
"""A conversation; a masker, for a conversation of its own each time; or what gives the conversation at hand."""


def conversation_of(source: Source | Callable[..., Conversation], *given: Any) -> Conversation:
    """The conversation to use now; ``given`` is what a callable takes."""
    if isinstance(source, Conversation):
        return source
    if isinstance(source, Masker):
        return source.conversation()
    found: object = source(*given)
    if not isinstance(found, Conversation):
        raise TypeError(f"the source of conversations gave a {type(found).__name__}")
    return found


def check_source(source: object) -> None:
    """Refuses what :func:`conversation_of` could not take, when an adapter is made rather than when it is used."""
    if not isinstance(source, Conversation | Masker) and not callable(source):
        raise TypeError("expected a Conversation, a Masker, or a callable that gives a Conversation")


def with_hint(messages: list[Any], hint: str, role: str = "system") -> list[Any]:
    """Messages that begin with what the model must know about aliases."""
    if not hint:
        return messages
    first = messages[0] if messages else None
    if isinstance(first, dict) and first.get("role") in ("system", "developer") and isinstance(first.get("content"), str):
        text: str = first["content"]
        return [{**first, "content": f"{text}\n\n{hint}"}, *messages[1:]]
    return [{"role": role, "content": hint}, *messages]


def mask_messages(conversation: Conversation, messages: list[Any]) -> list[Any]:
    """Masked copies of messages in the form of OpenAI's chats."""
    masked: list[Any] = conversation.mask_chat(messages).value if messages else []
    if len(masked) != len(messages):
        raise RuntimeError("a masked chat has as many messages as the chat")
    return masked


def restore_arguments(conversation: Conversation, arguments: Any) -> Any:
    """The arguments of a tool call, or any other JSON value, with originals in its strings."""
    text = json.dumps(arguments, ensure_ascii=False)
    restored = conversation.rehydrate_json(text)
    return json.loads(restored.text) if restored.text != text else arguments
