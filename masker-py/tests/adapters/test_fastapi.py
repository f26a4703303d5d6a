from __future__ import annotations

import gzip
import json

import httpx
import pytest
from fastapi import FastAPI, Form, Request, WebSocket
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

import masker
from masker.integrations.fastapi import MaskingMiddleware

from .conftest import SAID

SEEN: list = []


class Note(BaseModel):
    patient_name: str
    note: str
    mrn: str | int


def app_with(source, **options) -> FastAPI:
    app = FastAPI()
    app.add_middleware(MaskingMiddleware, source=source, **options)

    @app.post("/notes")
    async def notes(note: Note, request: Request):
        SEEN.append(note.model_dump_json())
        assert request.scope["masker.conversation"].value_count > 0
        return {"about": note.patient_name, "twice": [note.note, note.note], "mrn": note.mrn}

    @app.post("/form")
    async def form(phone: str = Form(), topic: str = Form()):
        SEEN.append(phone + topic)
        return {"phone": phone, "topic": topic}

    @app.post("/text")
    async def text(request: Request):
        body = (await request.body()).decode()
        SEEN.append(body)

        async def parts():
            for at in range(0, len(body), 5):
                yield body[at : at + 5]

        return StreamingResponse(parts(), media_type="text/plain")

    @app.post("/chat")
    async def chat(request: Request):
        body = await request.json()
        SEEN.append(json.dumps(body))
        said = body["messages"][-1]["content"]

        async def events():
            for at in range(0, len(said), 4):
                choice = {"index": 0, "delta": {"content": said[at : at + 4]}, "finish_reason": None}
                yield f"data: {json.dumps({'choices': [choice]})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.get("/find")
    async def find(request: Request, phone: str, page: int = 1):
        SEEN.append(str(request.url))
        return {"phone": phone, "page": page}

    @app.get("/bytes")
    async def raw():
        return JSONResponse({"a": 1}, headers={"x-a": "b"})

    @app.post("/raw")
    async def raw_body(request: Request):
        SEEN.append((await request.body()).decode())
        return PlainTextResponse(SEEN[-1])

    @app.get("/leak")
    async def leak(token: str):
        return PlainTextResponse(token)

    @app.websocket("/ws")
    async def ws(socket: WebSocket):
        await socket.accept()
        for _ in range(2):
            got = await socket.receive_text()
            SEEN.append(got)
            await socket.send_text(got)
        await socket.close()

    return app


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()
    yield
    shown = json.dumps(SEEN)
    for original in ("Sarah", "Chen", "0142", "7734215"):
        assert original not in shown, f"the application saw {original}"


@pytest.fixture
def client(surface):
    with TestClient(app_with(surface)) as client:
        yield client


def test_json(client):
    note = {"patient_name": "Sarah Chen", "note": SAID, "mrn": "7734215"}
    answer = client.post("/notes", json=note)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"about": "Sarah Chen", "twice": [SAID, SAID], "mrn": "7734215"}
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert len(SEEN) == 1


def test_forms_and_queries(client):
    answer = client.post("/form", data={"phone": "415-555-0142", "topic": "call Sarah Chen & co"})
    assert answer.json() == {"phone": "415-555-0142", "topic": "call Sarah Chen & co"}
    answer = client.get("/find", params={"phone": "415-555-0142", "page": 2})
    assert answer.json() == {"phone": "415-555-0142", "page": 2}
    assert "page=2" in SEEN[-1]


@pytest.mark.parametrize("body", ["call Sarah Chen at 415-555-0142", '{"phone": "415-555-0142"}', "415-555-0142"])
def test_what_is_sent_as_a_form_and_is_none(client, body):
    """What curl does with --data and no type."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/raw", content=body, headers=headers).status_code == 200
    assert len(SEEN) == 1
    answer = client.get("/find?415-555-0142&phone=415-555-0142")
    assert answer.json()["phone"] == "415-555-0142"


def test_streams(client):
    answer = client.post("/text", content=SAID + " \u00e9\U0001f600", headers={"content-type": "text/plain"})
    assert answer.text == SAID + " \u00e9\U0001f600"
    chat = {"messages": [{"role": "user", "content": SAID}]}
    with client.stream("POST", "/chat", json=chat) as answer:
        lines = [line[6:] for line in answer.iter_lines() if line.startswith("data: {")]
    said = "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines)
    assert said == SAID


def test_web_sockets(client):
    with client.websocket_connect("/ws") as socket:
        socket.send_text(SAID)
        assert socket.receive_text() == SAID
        socket.send_text(json.dumps({"phone": "415-555-0142"}))
        assert json.loads(socket.receive_text()) == {"phone": "415-555-0142"}
    assert len(SEEN) == 2


def test_what_cannot_be_masked_is_refused(client):
    for content, kind, status in [
        (b"\x00\x01", "application/octet-stream", 415),
        (b"\xff\xfe", "text/plain", 415),
        (b"{not json Sarah Chen", "application/json", 422),
    ]:
        answer = client.post("/text", content=content, headers={"content-type": kind})
        assert answer.status_code == status, kind
        assert "Sarah" not in answer.text
    packed = gzip.compress(SAID.encode())
    headers = {"content-type": "text/plain", "content-encoding": "gzip"}
    assert client.post("/text", content=packed, headers=headers).status_code == 415
    assert client.post("/notes", files={"file": b"x"}).status_code == 415
    assert not SEEN


def test_long_bodies_are_refused(surface):
    with TestClient(app_with(surface, max_body=1000)) as client:
        answer = client.post("/text", content="a" * 1001, headers={"content-type": "text/plain"})
        assert answer.status_code == 413


def test_nobody_is_given_the_value_of_another(client):
    client.post("/text", content=SAID, headers={"content-type": "text/plain"})
    token = next((word for word in SEEN[-1].split() if "PHONE" in word), "").rstrip(".")
    assert "0142" not in client.get("/leak", params={"token": token}).text


def test_sessions(aliased):
    """A callable may keep one conversation for many requests."""
    kept = aliased.conversation()
    with TestClient(app_with(lambda scope: kept)) as client:
        client.post("/text", content=SAID, headers={"content-type": "text/plain"})
        assert client.get("/leak", params={"token": "x"}).text == "x"
    assert kept.rehydrate("[PHONE_1]").text == "415-555-0142"


def test_one_way(surface):
    with TestClient(app_with(surface, responses=False)) as client:
        answer = client.post("/notes", json={"patient_name": "Sarah Chen", "note": SAID, "mrn": "7734215"})
        assert "Sarah" not in answer.text and "0142" not in answer.text


async def test_other_responses_pass(surface):
    transport = httpx.ASGITransport(app=app_with(surface))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/bytes")
    assert answer.json() == {"a": 1} and answer.headers["x-a"] == "b"


@pytest.mark.parametrize("inside", [False, True])
def test_compressed_answers(surface, inside):
    """Whichever of the two middlewares is around the other."""
    app = FastAPI()

    @app.post("/text")
    async def text(request: Request):
        SEEN.append((await request.body()).decode())
        return PlainTextResponse(SEEN[-1] * 100)

    app.add_middleware(*([GZipMiddleware] if inside else [MaskingMiddleware, surface]))
    app.add_middleware(*([MaskingMiddleware, surface] if inside else [GZipMiddleware]))
    with TestClient(app) as client:
        answer = client.post("/text", content=SAID, headers={"content-type": "text/plain"})
    assert answer.text == SAID * 100
    assert ("content-encoding" in answer.headers) is not inside


def test_the_source_is_checked(surface):
    for wrong in (None, surface):
        with TestClient(app_with(lambda scope, wrong=wrong: wrong)) as client, pytest.raises(TypeError, match="source"):
            client.post("/text", content=SAID, headers={"content-type": "text/plain"})
    with pytest.raises(TypeError):
        MaskingMiddleware(None, "masker")


def test_failures_do_not_let_text_through():
    def broken(text: str):
        raise ValueError(text)

    with TestClient(app_with(masker.Masker(recognizer=broken))) as client:
        answer = client.post("/text", content=SAID, headers={"content-type": "text/plain"})
    assert answer.status_code == 500 and answer.json() == {"detail": "masking failed: recognizer_failed"}
    assert not SEEN
