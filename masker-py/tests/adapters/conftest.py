"""A model on the loopback that records every byte it receives, and answers with what it finds in brackets or tokens."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import masker

# Said in the tests, and never to be seen by the model.
ORIGINALS = [
    "Sarah Chen",
    "Sarah",
    "Chen",
    "415-555-0142",
    "55-0142",
    "sarah.chen@example.com",
    "7734215",
    "Elm Street",
]
SAID = "Hi, this is Sarah Chen, my number is 415-555-0142."
STANDS = re.compile(r"\[[A-Z_]+_\d+\]|MSKV1\.[A-Z_]+\.[A-Z_0-9]+\.[A-Z2-7]{26}")


def stand_ins(text: str) -> list[str]:
    """Aliases and tokens in a text, each once."""
    return list(dict.fromkeys(STANDS.findall(text)))


def pieces(text: str, size: int = 3) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


class Model:
    """What the stub received, and what it answers."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.requests: list[dict[str, Any]] = []
        self.base_url = ""
        # ``refuse``: an error that repeats the request. ``cut``: half of a stream, and the connection ends. ``hang``: half of a
        # stream, and then nothing until the client goes.
        self.fault = ""
        self.left = threading.Event()

    def assert_saw_no_original(self) -> None:
        assert self.received, "the model was not called"
        for body in self.received:
            text = body.decode()
            unescaped = text.encode().decode("unicode_escape", "ignore")
            for original in ORIGINALS:
                assert original not in text and original not in unescaped, f"the model saw {original}: {text}"

    def answer(self, text: str, has_tools: bool, has_result: bool) -> tuple[str, dict[str, Any] | None]:
        """Words, and the arguments of a tool call where there are tools and no result yet."""
        found = stand_ins(text)
        if has_tools and not has_result:
            return "One moment. ", {"values": found, "note": "for " + " and ".join(found)}
        return f"Thank you, {', '.join(found) or 'whoever you are'}. Bye.", None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    @property
    def model(self) -> Model:
        return self.server.model  # type: ignore[attr-defined]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.model.received.append(body + str(self.headers).encode() + self.path.encode())
        request = json.loads(body)
        self.model.requests.append(request)
        if self.model.fault == "refuse":
            self.send_json({"error": {"message": "overloaded: " + json.dumps(request), "type": "server_error"}}, 503)
            return
        if self.path.endswith("/chat/completions"):
            self.answer_chat(request)
        elif self.path.endswith("/responses"):
            self.answer_responses(request)
        elif self.path.endswith("/embeddings"):
            self.send_json({"object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1},
                       "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}]})  # fmt: skip
        else:
            self.send_json({"error": {"message": "no such thing: " + json.dumps(request)}}, 404)

    def send_json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_events(self, events: list[tuple[str | None, Any]]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        data = b"".join(
            (f"event: {name}\n" if name else "").encode()
            + b"data: "
            + (value if isinstance(value, str) else json.dumps(value)).encode()
            + b"\n\n"
            for name, value in events
        )
        if self.model.fault:
            # In the middle of what stands for a name.
            data = data[: data.index(b"\n\n", data.index(b"NAM")) + 2]
        # Cut anywhere, so that no reader may count on whole events.
        for at in range(0, len(data), 37):
            piece = data[at : at + 37]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if not self.model.fault:
            self.wfile.write(b"0\r\n\r\n")
            return
        self.wfile.flush()
        self.close_connection = True
        if self.model.fault == "hang":
            # Nothing more is sent by a client that waits, so what comes is its end.
            self.connection.settimeout(10)
            with contextlib.suppress(OSError):
                if not self.connection.recv(1):
                    self.model.left.set()

    def answer_chat(self, request: dict[str, Any]) -> None:
        messages = request["messages"]
        has_result = any(message["role"] == "tool" for message in messages[-3:])
        words, arguments = self.model.answer(json.dumps(messages), bool(request.get("tools")), has_result)
        name = request["tools"][0]["function"]["name"] if request.get("tools") else ""
        base = {"id": "c1", "created": 1, "model": "m"}
        if not request.get("stream"):
            message: dict[str, Any] = {"role": "assistant", "content": words}
            if arguments is not None:
                function = {"name": name, "arguments": json.dumps(arguments)}
                message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
            choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if arguments else "stop"}
            self.send_json({**base, "object": "chat.completion", "choices": [choice]})
            return
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in pieces(words)]
        if arguments is not None:
            deltas.append(
                {"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                                 "function": {"name": name, "arguments": ""}}]}
            )  # fmt: skip
            deltas += [
                {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
                for piece in pieces(json.dumps(arguments))
            ]
        chunks: list[tuple[str | None, Any]] = [
            (None, {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            for delta in deltas
        ]
        end = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if arguments else "stop"}
        chunks.append((None, {**base, "object": "chat.completion.chunk", "choices": [end]}))
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        chunks.append((None, {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
        self.send_events([*chunks, (None, "[DONE]")])

    def answer_responses(self, request: dict[str, Any]) -> None:
        inputs = request["input"]
        has_result = isinstance(inputs, list) and any(i.get("type") == "function_call_output" for i in inputs)
        words, arguments = self.model.answer(json.dumps(inputs), bool(request.get("tools")), has_result)
        output: list[dict[str, Any]] = []
        if arguments is None:
            part = {"type": "output_text", "text": words, "annotations": [], "logprobs": []}
            output.append({"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]})
        else:
            output.append({"id": "f1", "type": "function_call", "call_id": "call_1", "status": "completed",
                           "name": request["tools"][0]["name"], "arguments": json.dumps(arguments)})  # fmt: skip
        response = {
            "id": "r1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": output,
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        }  # fmt: skip
        if not request.get("stream"):
            self.send_json(response)
            return
        events: list[dict[str, Any]] = [{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}]
        for index, item in enumerate(output):
            where = {"output_index": index, "item_id": item["id"]}
            if item["type"] == "message":
                empty = {**item, "status": "in_progress", "content": []}
                events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
                part = {**item["content"][0], "text": ""}
                events.append({"type": "response.content_part.added", **where, "content_index": 0, "part": part})
                for piece in pieces(words):
                    events.append({"type": "response.output_text.delta", **where, "content_index": 0, "delta": piece, "logprobs": []})
                events.append({"type": "response.output_text.done", **where, "content_index": 0, "text": words, "logprobs": []})
                events.append({"type": "response.content_part.done", **where, "content_index": 0, "part": item["content"][0]})
            else:
                empty = {**item, "status": "in_progress", "arguments": ""}
                events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
                for piece in pieces(item["arguments"]):
                    events.append({"type": "response.function_call_arguments.delta", **where, "delta": piece})
                events.append({"type": "response.function_call_arguments.done", **where, "name": item["name"], "arguments": item["arguments"]})
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        events.append({"type": "response.completed", "response": response})
        self.send_events([(event["type"], {**event, "sequence_number": n}) for n, event in enumerate(events)])


@pytest.fixture
def model() -> Iterator[Model]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Model()
    server.model = made  # type: ignore[attr-defined]
    made.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def quoted() -> tuple[masker.Conversation, str, str]:
    """A conversation, a name in it that JSON must escape, and what stands for it."""
    name = 'Zork "the\n\\ great"'
    m = masker.Masker(surface="alias", recognizer=lambda text: [(0, len(text), "NAME", 1.0)] if text == name else [])
    conversation = m.conversation()
    stands = conversation.mask_turn("user", name).text
    assert stands == "[NAME_1]"
    return conversation, name, stands


@pytest.fixture(params=["alias", "token"])
def surface(request: pytest.FixtureRequest) -> masker.Masker:
    return masker.Masker(masker.Policy.healthcare_default().with_surface(request.param))
