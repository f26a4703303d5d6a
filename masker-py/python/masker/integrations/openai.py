"""Keeps PHI from a model behind an OpenAI client, at the client's own HTTP transport.

Requests leave masked, answers arrive restored: chat completions and responses, whole and streamed, with tools. The code
around the client stays as it is::

    from openai import OpenAI
    from masker import Masker
    from masker.integrations.openai import masked_http_client

    client = OpenAI(http_client=masked_http_client(Masker()))

Give a :class:`masker.Masker`, and every request is a conversation of its own; a :class:`masker.Conversation`, and all requests
are that one; or a callable that gives the conversation at hand, for a client that serves many callers.

Other JSON requests (embeddings, for example) are masked as JSON. A body that is not JSON, such as an uploaded file, cannot
be masked and is refused with :class:`masker.PayloadError`, unless the policy says ``non_text: pass``. Realtime sessions do not
go through this transport.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import openai

from .._masker import Conversation, SseRehydrator
from ..errors import PayloadError
from ._common import Source, check_source, conversation_of, with_hint

if TYPE_CHECKING:
    import httpx2 as http
else:

    def _http() -> Any:
        """The HTTP library that this release of openai is built on."""
        for name in ("httpx2", "httpx"):
            try:
                module = import_module(name)
            except ImportError:
                continue
            if issubclass(openai.DefaultHttpxClient, module.Client):
                return module
        raise ImportError("the HTTP library of this release of openai is not known")

    http = _http()

__all__ = ["AsyncMaskingTransport", "MaskingTransport", "masked_async_http_client", "masked_http_client"]

# Protocol of requests that are no chats.
_LEAVE = ("/model", "/encoding_format", "/dimensions", "/max_tokens", "/n", "/seed", "/stream", "/stream_options")


class _Exchange:
    """One request and its answer."""

    def __init__(self, source: Source, hint: bool) -> None:
        self._conversation: Conversation = conversation_of(source)
        self._hint = hint
        self._json_answer = False

    def request(self, request: http.Request, body: bytes) -> http.Request:
        if not body:
            return request
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            if self._conversation.masker.policy.to_dict().get("non_text") == "pass":
                return request
            raise PayloadError("the body of the request is not JSON and cannot be masked", code="unmaskable_content")
        try:
            masked = self._conversation.mask_chat(body).json
        except PayloadError as error:
            if error.code != "not_a_chat":
                raise
            masked = self._conversation.mask_json(body, leave=_LEAVE).json
        else:
            masked = self._finish_chat(masked)
        content = masked.encode()
        headers = http.Headers(request.headers)
        headers["content-length"] = str(len(content))
        return http.Request(request.method, request.url, headers=headers, content=content, extensions=request.extensions)

    def _finish_chat(self, masked: str) -> str:
        hint = self._conversation.system_hint if self._hint else ""
        if not hint and "json" not in masked:
            return masked
        chat: Any = json.loads(masked)
        if not isinstance(chat, dict):
            return masked
        form = chat.get("response_format") or (chat.get("text") or {}).get("format")
        self._json_answer = isinstance(form, dict) and str(form.get("type", "")).startswith("json")
        if not hint:
            return masked
        if isinstance(chat.get("messages"), list):
            chat["messages"] = with_hint(chat["messages"], hint)
        elif "input" in chat:
            instructions = chat.get("instructions")
            chat["instructions"] = f"{instructions}\n\n{hint}" if isinstance(instructions, str) else hint
        return json.dumps(chat, ensure_ascii=False)

    def sse(self) -> SseRehydrator:
        return self._conversation.sse_rehydrator(json_answer=self._json_answer)

    def restore(self, body: bytes) -> bytes:
        try:
            return self._conversation.rehydrate_chat(body).json.encode()
        except PayloadError:
            pass
        try:
            return self._conversation.rehydrate_json(body.decode()).text.encode()
        except UnicodeDecodeError:
            return body


def _kind(response: http.Response) -> str:
    """``json`` and ``events`` are restored. Errors are not: applications log them."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code >= 400:
        return "other"
    if kind == "text/event-stream":
        return "events"
    return "json" if kind == "application/json" or kind.endswith("+json") else "other"


def _headers(response: http.Response) -> http.Headers:
    """Of a body that is decoded and has another length."""
    headers = http.Headers(response.headers)
    for name in ("content-length", "content-encoding", "transfer-encoding"):
        headers.pop(name, None)
    return headers


class _Events(http.SyncByteStream):
    def __init__(self, response: http.Response, sse: SseRehydrator) -> None:
        self._response = response
        self._sse = sse

    def __iter__(self) -> Iterator[bytes]:
        for data in self._response.iter_bytes():
            if restored := self._sse.push(data):
                yield restored
        if rest := self._sse.finish():
            yield rest

    def close(self) -> None:
        self._response.close()


class _AsyncEvents(http.AsyncByteStream):
    def __init__(self, response: http.Response, sse: SseRehydrator) -> None:
        self._response = response
        self._sse = sse

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._response.aiter_bytes():
            if restored := self._sse.push(data):
                yield restored
        if rest := self._sse.finish():
            yield rest

    async def aclose(self) -> None:
        await self._response.aclose()


class MaskingTransport(http.BaseTransport):
    """Masks what goes out over another transport and restores what comes back.

    With ``hint`` the model is told about aliases where the policy puts them in the text.
    """

    def __init__(self, source: Source, transport: http.BaseTransport | None = None, *, hint: bool = True) -> None:
        check_source(source)
        self._source: Source = source
        self._transport = transport if transport is not None else http.HTTPTransport()
        self._hint = hint

    def handle_request(self, request: http.Request) -> http.Response:
        exchange = _Exchange(self._source, self._hint)
        response = self._transport.handle_request(exchange.request(request, request.read()))
        kind = _kind(response)
        if kind == "events":
            stream = _Events(response, exchange.sse())
            return http.Response(
                response.status_code, headers=_headers(response), stream=stream, extensions=response.extensions
            )
        if kind == "json":
            try:
                body = exchange.restore(response.read())
            finally:
                response.close()
            return http.Response(
                response.status_code, headers=_headers(response), content=body, extensions=response.extensions
            )
        return response

    def close(self) -> None:
        self._transport.close()


class AsyncMaskingTransport(http.AsyncBaseTransport):
    """:class:`MaskingTransport` for asynchronous clients."""

    def __init__(self, source: Source, transport: http.AsyncBaseTransport | None = None, *, hint: bool = True) -> None:
        check_source(source)
        self._source: Source = source
        self._transport = transport if transport is not None else http.AsyncHTTPTransport()
        self._hint = hint

    async def handle_async_request(self, request: http.Request) -> http.Response:
        exchange = _Exchange(self._source, self._hint)
        response = await self._transport.handle_async_request(exchange.request(request, await request.aread()))
        kind = _kind(response)
        if kind == "events":
            stream = _AsyncEvents(response, exchange.sse())
            return http.Response(
                response.status_code, headers=_headers(response), stream=stream, extensions=response.extensions
            )
        if kind == "json":
            try:
                body = exchange.restore(await response.aread())
            finally:
                await response.aclose()
            return http.Response(
                response.status_code, headers=_headers(response), content=body, extensions=response.extensions
            )
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


def _mask_all_ways_out(client: Any, wrap: Callable[[Any], Any]) -> None:
    """Masks on everything that a client made: a transport that is given beside them is a way around it."""
    client._transport = wrap(client._transport)
    client._mounts = {way: inner if inner is None else wrap(inner) for way, inner in client._mounts.items()}


def masked_http_client(source: Source, *, hint: bool = True, **options: Any) -> http.Client:
    """An ``http_client`` for ``openai.OpenAI``, with that library's own time-outs and limits.

    ``options`` are those of ``openai.DefaultHttpxClient``. Whatever they make the way out (a transport, a proxy, mounts), and the
    proxies of the environment, everything on it is masked.
    """
    check_source(source)
    client = openai.DefaultHttpxClient(**options)
    _mask_all_ways_out(client, lambda inner: MaskingTransport(source, inner, hint=hint))
    return client


def masked_async_http_client(source: Source, *, hint: bool = True, **options: Any) -> http.AsyncClient:
    """An ``http_client`` for ``openai.AsyncOpenAI``; see :func:`masked_http_client`."""
    check_source(source)
    client = openai.DefaultAsyncHttpxClient(**options)
    _mask_all_ways_out(client, lambda inner: AsyncMaskingTransport(source, inner, hint=hint))
    return client
