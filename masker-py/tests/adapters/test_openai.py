from __future__ import annotations

import asyncio
import json

import openai
import pytest

import masker
from masker.integrations.openai import MaskingTransport, masked_async_http_client, masked_http_client
from masker.integrations.openai import http as httpx

from .conftest import SAID

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks up a caller.",
            "parameters": {"type": "object", "properties": {"values": {"type": "array"}, "note": {"type": "string"}}},
        },
    }
]
FLAT = [{"type": "function", **TOOLS[0]["function"], "strict": False}]
WANTED = {"values": ["Sarah Chen", "415-555-0142"], "note": "for Sarah Chen and 415-555-0142"}
BYE = "Thank you, Sarah Chen, 415-555-0142. Bye."


def client(model, source) -> openai.OpenAI:
    return openai.OpenAI(base_url=model.base_url, api_key="k", max_retries=0, http_client=masked_http_client(source))


def test_chat(model, surface):
    answer = client(model, surface).chat.completions.create(model="m", messages=[{"role": "user", "content": SAID}])
    assert answer.choices[0].message.content == BYE
    model.assert_saw_no_original()
    assert model.requests[0]["model"] == "m"


def test_chat_streamed(model, surface):
    stream = client(model, surface).chat.completions.create(
        model="m", messages=[{"role": "user", "content": SAID}], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    parts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(parts) == BYE
    assert len([part for part in parts if part]) > 5, "the answer was not streamed"
    assert chunks[-1].usage.total_tokens == 2
    model.assert_saw_no_original()


@pytest.mark.parametrize("stream", [False, True])
def test_tools(model, surface, stream):
    conversation = surface.conversation()
    api = client(model, conversation)
    messages = [{"role": "system", "content": "You serve Sarah Chen."}, {"role": "user", "content": SAID}]
    if stream:
        with api.chat.completions.stream(model="m", messages=messages, tools=TOOLS) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = api.chat.completions.create(model="m", messages=messages, tools=TOOLS).choices[0].message
    assert message.content == "One moment. "
    [call] = message.tool_calls
    assert (call.id, call.function.name, json.loads(call.function.arguments)) == ("call_1", "look_up", WANTED)
    messages.append(message.model_dump(exclude_none=True, exclude={"parsed": True}))
    for one in messages[-1]["tool_calls"]:
        one["function"].pop("parsed_arguments", None)
    result = {"email": "sarah.chen@example.com", "mrn": 7734215}
    messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)})
    if stream:
        with api.chat.completions.stream(model="m", messages=messages, tools=TOOLS) as events:
            said = events.get_final_completion().choices[0].message.content
    else:
        said = api.chat.completions.create(model="m", messages=messages, tools=TOOLS).choices[0].message.content
    assert "Sarah Chen, 415-555-0142, sarah.chen@example.com, 7734215" in said
    assert len(model.requests) == 2
    model.assert_saw_no_original()


@pytest.mark.parametrize("stream", [False, True])
def test_responses(model, surface, stream):
    api = client(model, surface.conversation())
    if stream:
        with api.responses.stream(model="m", input=SAID, instructions="Sarah Chen calls.") as events:
            deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
            answer = events.get_final_response()
        assert "".join(deltas) == BYE and len(deltas) > 5
    else:
        answer = api.responses.create(model="m", input=SAID, instructions="Sarah Chen calls.")
    assert answer.output_text == BYE
    model.assert_saw_no_original()


@pytest.mark.parametrize("stream", [False, True])
def test_responses_with_tools(model, surface, stream):
    api = client(model, surface.conversation())
    inputs = [{"role": "user", "content": SAID}]
    if stream:
        with api.responses.stream(model="m", input=inputs, tools=FLAT) as events:
            deltas = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
            answer = events.get_final_response()
        assert json.loads("".join(deltas)) == WANTED
    else:
        answer = api.responses.create(model="m", input=inputs, tools=FLAT)
    [call] = answer.output
    assert json.loads(call.arguments) == WANTED
    inputs.append({"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments})
    output = json.dumps({"email": "sarah.chen@example.com"})
    inputs.append({"type": "function_call_output", "call_id": call.call_id, "output": output})
    answer = api.responses.create(model="m", input=inputs, tools=FLAT)
    assert "sarah.chen@example.com" in answer.output_text
    model.assert_saw_no_original()


async def test_async(model, surface):
    api = openai.AsyncOpenAI(
        base_url=model.base_url, api_key="k", max_retries=0, http_client=masked_async_http_client(surface)
    )
    messages = [{"role": "user", "content": SAID}]
    answer = await api.chat.completions.create(model="m", messages=messages)
    assert answer.choices[0].message.content == BYE
    parts = []
    async for chunk in await api.chat.completions.create(model="m", messages=messages, stream=True):
        if chunk.choices:
            parts.append(chunk.choices[0].delta.content or "")
    assert "".join(parts) == BYE
    async with api.responses.stream(model="m", input=SAID) as events:
        deltas = [event.delta async for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == BYE
    await api.close()
    model.assert_saw_no_original()


def test_json_answers_stay_json(model):
    source = masker.Masker(masker.Policy.healthcare_default().with_surface("alias"))
    api = client(model, source)
    for stream in (False, True):
        answer = api.chat.completions.create(
            model="m", messages=[{"role": "user", "content": SAID}], response_format={"type": "json_object"}, stream=stream
        )
        if stream:
            said = "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
        else:
            said = answer.choices[0].message.content
        assert said == BYE


def test_the_model_is_told_of_aliases(model):
    source = masker.Masker(masker.Policy.healthcare_default().with_surface("alias"))
    client(model, source).chat.completions.create(model="m", messages=[{"role": "user", "content": SAID}])
    first = model.requests[0]["messages"][0]
    assert first["role"] == "system" and "square brackets" in first["content"]
    quiet = openai.OpenAI(
        base_url=model.base_url, api_key="k", http_client=masked_http_client(source, hint=False)
    )
    quiet.chat.completions.create(model="m", messages=[{"role": "user", "content": SAID}])
    assert len(model.requests[1]["messages"]) == 1
    client(model, source).responses.create(model="m", input="hi", instructions="Be kind.")
    assert model.requests[2]["instructions"].startswith("Be kind.\n\n")


def test_other_requests_and_bodies(model):
    api = client(model, masker.Masker())
    api.embeddings.create(model="text-embedding-3-small", input=[SAID], encoding_format="float")
    assert model.requests[0]["model"] == "text-embedding-3-small"
    model.assert_saw_no_original()
    with pytest.raises(masker.PayloadError):
        api.files.create(file=("note.txt", SAID.encode()), purpose="assistants")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(masker.PayloadError) as caught:
        api.chat.completions.create(model="m", messages=[{"role": "user", "content": [image]}])
    assert caught.value.code == "unmaskable_content"
    assert len(model.received) == 1


def test_errors_are_not_restored(model):
    api = client(model, masker.Masker())
    with pytest.raises(openai.NotFoundError) as caught:
        api.post("/nowhere", body={"text": SAID}, cast_to=object)
    assert "0142" not in str(caught.value)
    model.assert_saw_no_original()


def test_nobody_is_given_the_value_of_another(model):
    """A token of one request, read aloud in another, is not restored."""
    source = masker.Masker()
    client(model, source).chat.completions.create(model="m", messages=[{"role": "user", "content": SAID}])
    token = next(word for word in model.requests[0]["messages"][0]["content"].split() if "MSKV1.PHONE" in word)
    answer = client(model, source).chat.completions.create(model="m", messages=[{"role": "user", "content": token}])
    assert "0142" not in answer.choices[0].message.content


@pytest.mark.parametrize("way", ["proxy", "mounts", "environment", "transport"])
async def test_no_way_around(model, surface, way, monkeypatch):
    """A client with a proxy has a transport of its own for it."""
    proxy = model.base_url.removesuffix("/v1")
    http = {True: httpx.HTTPTransport, False: httpx.AsyncHTTPTransport}
    if way == "environment":
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.delenv("NO_PROXY", raising=False)

    def options(sync: bool) -> dict:
        return {
            "proxy": {"proxy": proxy},
            "mounts": {"mounts": {"all://": http[sync](proxy=proxy)}},
            "environment": {},
            "transport": {"transport": http[sync](proxy=proxy)},
        }[way]

    base: dict = {"base_url": "http://model.example.com/v1", "api_key": "k", "max_retries": 0}
    messages = [{"role": "user", "content": SAID}]
    with openai.OpenAI(http_client=masked_http_client(surface, **options(True)), **base) as api:
        answer = await asyncio.to_thread(api.chat.completions.create, model="m", messages=messages)
    assert answer.choices[0].message.content == BYE
    async with openai.AsyncOpenAI(http_client=masked_async_http_client(surface, **options(False)), **base) as api:
        answer = await api.chat.completions.create(model="m", messages=messages)
    assert answer.choices[0].message.content == BYE
    assert len(model.received) == 2
    model.assert_saw_no_original()


def test_settings_of_the_client_hold(surface):
    client = masked_http_client(surface, timeout=3.0, limits=httpx.Limits(max_connections=7))
    assert client.timeout.read == 3.0 and client.follow_redirects
    assert client._transport._transport._pool._max_connections == 7


def test_the_source_is_checked():
    for wrong in (MaskingTransport, masked_http_client, masked_async_http_client):
        with pytest.raises(TypeError):
            wrong("masker")
    calls = masker.Masker().conversation()
    assert MaskingTransport(lambda: calls)
