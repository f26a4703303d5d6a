"""ASGI middleware: the application behind it works with masked text, its callers with originals::

    from fastapi import FastAPI
    from masker import Masker
    from masker.integrations.fastapi import MaskingMiddleware

    app = FastAPI()
    app.add_middleware(MaskingMiddleware, source=Masker())

What comes in is masked before the application, its logs and the services it calls see it: JSON, forms, plain text, the query, and
messages of web sockets. What goes out has originals put back where it holds tokens of the same conversation: JSON, text, and
server-sent events of chats, streamed as they come.

Give a :class:`masker.Masker`, and every request is a conversation of its own, so nobody gets an original that is not in their own
request; or a callable that takes the ASGI scope and gives the conversation of the session it belongs to. The application finds it
in ``request.scope["masker.conversation"]``.

Headers and the path are not masked, and the application is not told that its caller takes compressed answers, which could not be
restored. Bodies of another kind, such as uploads, are refused with status 415, unless the policy says
``non_text: pass``.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .._masker import Conversation, Masker
from ..errors import LimitError, MaskerError, PayloadError
from ._common import conversation_of

__all__ = ["MaskingMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def _header(headers: list[tuple[bytes, bytes]], name: bytes) -> str:
    for key, value in headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return ""


def _kind(headers: list[tuple[bytes, bytes]]) -> str:
    kind = _header(headers, b"content-type").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    if kind in ("application/x-ndjson", "application/jsonl"):
        return "lines"
    if kind == "application/x-www-form-urlencoded":
        return "form"
    if kind == "text/event-stream":
        return "events"
    return "text" if kind.startswith("text/") else "other"


def _without(headers: list[tuple[bytes, bytes]], *names: bytes) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in headers if key.lower() not in names]


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class MaskingMiddleware:
    """Masks requests and restores responses.

    ``requests`` and ``responses`` switch either way off. ``max_body`` is the longest body that is taken, in bytes: it is held in
    memory as a whole.
    """

    def __init__(
        self,
        app: App,
        source: Masker | Callable[[Scope], Conversation],
        *,
        requests: bool = True,
        responses: bool = True,
        max_body: int = 16 << 20,
    ) -> None:
        if not isinstance(source, Masker) and not callable(source):
            raise TypeError("source is a Masker, or a callable that takes the ASGI scope and gives a Conversation")
        self.app = app
        self._source = source
        self._requests = requests
        self._responses = responses
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        conversation = conversation_of(self._source, scope)
        own = {**scope, "masker.conversation": conversation}
        if scope["type"] == "websocket":
            await self._web_socket(own, receive, send, conversation)
            return
        restoring = _Restoring(conversation, send) if self._responses else None
        give = restoring.send if restoring is not None else send
        if self._responses:
            # A compressed answer could not be restored; who compresses around this middleware still does.
            own["headers"] = _without(own["headers"], b"accept-encoding")
        if self._requests:
            try:
                receive = await self._masked(own, receive, conversation)
            except _Refused as refused:
                await _refuse(send, refused.status, str(refused))
                return
            except LimitError as error:
                await _refuse(send, 413, str(error))
                return
            except PayloadError as error:
                await _refuse(send, 422, str(error))
                return
            except MaskerError as error:
                # Nothing goes on unmasked.
                await _refuse(send, 500, f"masking failed: {error.code}")
                return
        await self.app(own, receive, give)

    async def _masked(self, scope: Scope, receive: Receive, conversation: Conversation) -> Receive:
        if scope.get("query_string"):
            scope["query_string"] = _mask_form(conversation, scope["query_string"])
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return _once(message, receive)
            body += message.get("body", b"")
            if len(body) > self._max_body:
                raise _Refused(413, "the body is too long")
            if not message.get("more_body", False):
                break
        data = self._mask_body(conversation, headers, bytes(body)) if body else b""
        if data != body:
            scope["headers"] = [
                *_without(headers, b"content-length", b"transfer-encoding"),
                (b"content-length", str(len(data)).encode()),
            ]
        return _once({"type": "http.request", "body": data, "more_body": False}, receive)

    def _mask_body(self, conversation: Conversation, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        passes = conversation.masker.policy.to_dict().get("non_text") == "pass"
        if _header(headers, b"content-encoding") not in ("", "identity"):
            raise _Refused(415, "a compressed body cannot be masked")
        kind = _kind(headers)
        if kind == "other":
            if passes:
                return body
            raise _Refused(415, "a body of this type cannot be masked")
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise _Refused(415, "the body is not UTF-8") from None
        if kind == "json":
            return _mask_json(conversation, text).encode()
        if kind == "lines":
            return "\n".join(_mask_json(conversation, line) if line.strip() else line for line in text.split("\n")).encode()
        if kind == "form":
            return _mask_form(conversation, body)
        return conversation.mask_turn("user", text).text.encode("utf-8", "surrogatepass")

    async def _web_socket(self, scope: Scope, receive: Receive, send: Send, conversation: Conversation) -> None:
        async def masked() -> Message:
            message = await receive()
            if self._requests and message["type"] == "websocket.receive":
                if message.get("text") is not None:
                    message = {**message, "text": _mask_frame(conversation, message["text"])}
                elif message.get("bytes") and conversation.masker.policy.to_dict().get("non_text") != "pass":
                    raise PayloadError("a binary message cannot be masked", code="unmaskable_content")
            return message

        async def restored(message: Message) -> None:
            if self._responses and message["type"] == "websocket.send" and message.get("text") is not None:
                message = {**message, "text": _restore_frame(conversation, message["text"])}
            await send(message)

        if self._requests and scope.get("query_string"):
            scope["query_string"] = _mask_form(conversation, scope["query_string"])
        await self.app(scope, masked, restored)


def _once(first: Message, then: Receive) -> Receive:
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await then()
        given = True
        return first

    return receive


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _mask_json(conversation: Conversation, text: str) -> str:
    try:
        return conversation.mask_chat(text).json
    except PayloadError as error:
        if error.code != "not_a_chat":
            raise
    return conversation.mask_json(text).json


def _mask_frame(conversation: Conversation, text: str) -> str:
    return _mask_json(conversation, text) if _is_json(text) else conversation.mask_turn("user", text).text


def _restore_frame(conversation: Conversation, text: str) -> str:
    return (conversation.rehydrate_json(text) if _is_json(text) else conversation.rehydrate(text)).text


def _mask_form(conversation: Conversation, body: bytes) -> bytes:
    fields = parse_qsl(body.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    # As objects, so that the name of a field is read as a label of its value. A name that is text is masked as well: a body that is
    # no form at all, sent as one, is a name without a value.
    masked = [conversation.mask_json({key: value}).value.popitem() for key, value in fields]
    return body if masked == fields else urlencode(masked, errors="surrogateescape").encode()


async def _refuse(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class _Restoring:
    """Restores one response on its way out."""

    def __init__(self, conversation: Conversation, send: Send) -> None:
        self._conversation = conversation
        self._send = send
        self._start: Message | None = None
        self._work: Callable[[bytes, bool], bytes] | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[tuple[bytes, bytes]] = list(message.get("headers", []))
            if _header(headers, b"content-encoding") in ("", "identity"):
                self._work = self._choose(_kind(headers))
            if self._work is None:
                await self._send(message)
                return
            self._start = {**message, "headers": headers}
            return
        if self._work is None or message["type"] != "http.response.body":
            if self._start is not None:
                start, self._start = self._start, None
                await self._send(start)
            await self._send(message)
            return
        last = not message.get("more_body", False)
        body = self._work(message.get("body", b""), last)
        if self._start is not None:
            start, self._start = self._start, None
            headers = _without(start["headers"], b"content-length")
            if last and _header(start["headers"], b"content-length"):
                headers.append((b"content-length", str(len(body)).encode()))
            await self._send({**start, "headers": headers})
        await self._send({**message, "body": body})

    def _choose(self, kind: str) -> Callable[[bytes, bool], bytes] | None:
        if kind == "events":
            sse = self._conversation.sse_rehydrator()
            return lambda body, last: sse.push(body) + (sse.finish() if last else b"")
        if kind not in ("json", "lines", "text"):
            return None
        if kind == "text":
            stream = self._conversation.stream_rehydrator()
        else:
            stream = self._conversation.stream_json_rehydrator()
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

        def work(body: bytes, last: bool) -> bytes:
            text = stream.push(decoder.decode(body, last))
            return (text + (stream.flush() if last else "")).encode("utf-8", "surrogateescape")

        return work
