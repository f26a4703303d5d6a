from __future__ import annotations

import json
import threading

import pytest

import masker


def test_turns_and_history(aliased):
    conversation = aliased.conversation("call 17")
    assert conversation.id == "call 17"
    first = conversation.mask_turn("user", "I'm Ann Reed, call me at 415-555-0142")
    assert first.text == "I'm [NAME_1], call me at [PHONE_1]"
    assert "[PHONE_n]" in conversation.system_hint
    assert conversation.value_count == 2
    history = [("user", "I'm Ann Reed, call me at 415-555-0142"), ("assistant", "ok"), ("user", "or 415-555-0143")]
    assert [m.text for m in conversation.mask_history(history)] == [first.text, "ok", "or [PHONE_2]"]
    assert conversation.rehydrate("[PHONE_2] and [NAME 1]").text == "415-555-0143 and Ann Reed"
    assert conversation.masker.policy.surface == "alias"
    assert json.loads(conversation.rehydrate_json('{"a": "[NAME_1]"}').text) == {"a": "Ann Reed"}


def test_only_its_own_are_restored():
    m = masker.Masker()
    one, other = m.conversation(), m.conversation()
    assert one.id != other.id
    token = one.mask_turn("user", "415-555-0142").text
    assert other.rehydrate(token).text == "[REDACTED:PHONE]"
    assert one.rehydrate(token).text == "415-555-0142"


def test_chat_with_tools(aliased):
    conversation = aliased.conversation()
    chat = {
        "model": "m",
        "messages": [
            {"role": "user", "content": "I'm Ann Reed, 415-555-0142"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"phone":"415-555-0142"}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": '{"email": "ann@example.com"}'},
        ],
    }
    masked = conversation.mask_chat(chat)
    text = masked.json
    assert not any(value in text for value in ("Ann", "0142", "example.com"))
    assert conversation.rehydrate_chat(masked.json).value == chat
    reply = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "bye [NAME_1]"}}]}
    assert conversation.rehydrate_chat(reply).value["choices"][0]["message"]["content"] == "bye Ann Reed"


def test_server_sent_events(aliased):
    conversation = aliased.conversation()
    conversation.mask_turn("user", "call 415-555-0142")

    def chunk(delta: dict, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"

    stream = b"".join([chunk({"content": "at ["}), chunk({"content": "PHONE_1"}), chunk({"content": "]."}), chunk({}, "stop")])
    stream += b"data: [DONE]\n\n"
    for size in (1, 7, 1000):
        sse = conversation.sse_rehydrator()
        out = b"".join([sse.push(stream[at : at + size]) for at in range(0, len(stream), size)]) + sse.finish()
        said = "".join(
            json.loads(line[6:])["choices"][0]["delta"].get("content", "")
            for line in out.decode().splitlines()
            if line.startswith("data: {")
        )
        assert said == "at 415-555-0142."
        assert (sse.totals.restored, sse.totals.unknown, sse.totals.text) == (1, 0, "")
        assert repr(sse) == "<SseRehydrator: 1 restored>"


def test_server_sent_events_of_responses_and_messages(aliased):
    conversation = aliased.conversation()
    conversation.mask_turn("user", 'I am "Ann" Reed, call 415-555-0142')

    def through(events: list[dict], size: int) -> list[dict]:
        stream = b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)
        sse = conversation.sse_rehydrator()
        out = b"".join([sse.push(stream[at : at + size]) for at in range(0, len(stream), size)]) + sse.finish()
        return [json.loads(line[6:]) for line in out.decode().splitlines() if line.startswith("data: ")]

    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    call = {"item_id": "f", "output_index": 1}
    responses = [
        {"type": "response.output_text.delta", **place, "delta": "at [PHO"},
        {"type": "response.output_text.delta", **place, "delta": "NE_1]"},
        {"type": "response.output_text.done", **place, "text": "at [PHONE_1]"},
        {"type": "response.function_call_arguments.delta", **call, "delta": '{"phone": "[PHONE'},
        {"type": "response.function_call_arguments.delta", **call, "delta": '_1]"}'},
        {"type": "response.function_call_arguments.done", **call, "arguments": '{"phone": "[PHONE_1]"}'},
    ]
    messages = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "at [PHONE"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "_1]"}},
        {"type": "content_block_stop", "index": 0},
    ]
    for size in (1, 13, 10_000):
        seen = through(responses, size)
        said = [e["delta"] for e in seen if e["type"] == "response.output_text.delta"]
        assert "".join(said) == "at 415-555-0142"
        assert [e["text"] for e in seen if e["type"] == "response.output_text.done"] == ["at 415-555-0142"]
        arguments = [e["delta"] for e in seen if e["type"] == "response.function_call_arguments.delta"]
        assert json.loads("".join(arguments)) == {"phone": "415-555-0142"}
        assert json.loads(seen[-1]["arguments"]) == {"phone": "415-555-0142"}
        seen = through(messages, size)
        assert "".join(e["delta"]["text"] for e in seen if e["type"] == "content_block_delta") == "at 415-555-0142"
        assert seen[-1]["type"] == "content_block_stop"


def test_streams_say_what_they_hold(aliased):
    conversation = aliased.conversation()
    conversation.mask_turn("user", "call 415-555-0142")
    stream = conversation.stream_rehydrator()
    assert stream.push("so [PHO") == "so "
    assert stream.held == 4 and repr(stream) == "<StreamRehydrator: 4 bytes held>"
    assert stream.flush() == "[PHO"
    assert stream.dangling == 4
    assert stream.push("[PHONE_1] ") + stream.flush() == "415-555-0142 "
    assert stream.totals.restored == 1 and stream.totals.text == ""
    quoted = conversation.stream_json_rehydrator()
    conversation.mask_turn("user", 'my name is "Ann" Reed')
    assert json.loads('"' + quoted.push("[NAME_1]") + quoted.flush() + '"')


def test_interim_remembers_nothing(aliased):
    conversation = aliased.conversation()
    stream = conversation.stream_masker("user")
    assert stream.interim("my number is 415 555 0142") == "my number is [REDACTED:PHONE]"
    assert conversation.value_count == 0 and stream.held == 0


def test_bytes(aliased):
    conversation = aliased.conversation("call")
    conversation.mask_turn("user", "call 415-555-0142")
    data = conversation.to_bytes()
    assert b"0142" not in data
    again = masker.Conversation.from_bytes(aliased, data)
    assert again.rehydrate("[PHONE_1]").text == "415-555-0142"
    for wrong in (b"", b"MSKC", data[:-1], data[:20] + b"x" + data[21:]):
        with pytest.raises(masker.KeyRingError) as caught:
            masker.Conversation.from_bytes(aliased, wrong)
        assert caught.value.code == "invalid_conversation"


def test_one_conversation_from_many_threads(aliased):
    conversation = aliased.conversation()
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(100):
                text = f"write to person{number}.{turn}@example.com"
                assert conversation.rehydrate(conversation.mask_turn("user", text).text).text == text
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert conversation.value_count == 800
