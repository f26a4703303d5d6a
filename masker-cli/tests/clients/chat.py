"""The official Python client with nothing but its base URL changed."""

import asyncio
import json
import os

from openai import AsyncOpenAI, OpenAI

SAID = "I'm Ann Reed, call 415-555-0142 or mail ann.reed@example.com"
MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": SAID}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "book",
            "description": "Books a visit for somebody such as Bob Stone.",
            "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
        },
    }
]


def joined(chunks):
    content, arguments, name, finish = "", "", None, None
    for chunk in chunks:
        for choice in chunk.choices:
            content += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                name = call.function.name or name
                arguments += call.function.arguments or ""
            finish = choice.finish_reason or finish
    return content, arguments, name, finish


def check(client, tool_headers):
    ask = client.chat.completions.create
    whole = ask(model="gpt-4o-mini", messages=MESSAGES).choices[0]
    assert whole.message.content == f"Echo: {SAID}", whole
    content, _, _, finish = joined(ask(model="gpt-4o-mini", messages=MESSAGES, stream=True))
    assert (content, finish) == (whole.message.content, whole.finish_reason), content
    with_usage = list(ask(model="gpt-4o-mini", messages=MESSAGES, stream=True, stream_options={"include_usage": True}))
    assert with_usage[-1].usage.total_tokens > 0
    called = ask(model="gpt-4o-mini", messages=MESSAGES, tools=TOOLS, extra_headers=tool_headers).choices[0]
    function = called.message.tool_calls[0].function
    assert (function.name, json.loads(function.arguments)) == ("book", {"text": SAID}), function
    streamed = joined(ask(model="gpt-4o-mini", messages=MESSAGES, tools=TOOLS, stream=True, extra_headers=tool_headers))
    assert streamed == ("", function.arguments, "book", "tool_calls"), streamed
    answer = {"role": "tool", "tool_call_id": called.message.tool_calls[0].id, "content": json.dumps({"booked_for": SAID})}
    turn = [*MESSAGES, called.message.model_dump(exclude_none=True), answer, {"role": "user", "content": SAID}]
    assert ask(model="gpt-4o-mini", messages=turn).choices[0].message.content == f"Echo: {SAID}"
    with client.chat.completions.stream(model="gpt-4o-mini", messages=MESSAGES) as stream:
        assert stream.get_final_completion().choices[0].message.content == f"Echo: {SAID}"


async def check_async(client):
    stream = await client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
    assert joined([chunk async for chunk in stream])[0] == f"Echo: {SAID}"


for url, headers in ((os.environ["STUB"], {"Masker-Stub": "tool=1,chunk_bytes=5"}), (os.environ["UPSTREAM"], {})):
    check(OpenAI(base_url=url, api_key="sk-client", max_retries=0), headers)
    asyncio.run(check_async(AsyncOpenAI(base_url=url, api_key="sk-client", max_retries=0)))
print("python: ok")
