"""Every Python string goes in and comes out, whatever code points it holds."""

from __future__ import annotations

import random

import pytest

import masker

STRANGE = [
    "",
    "\0",
    "\0" * 1000,
    "\ud800",
    "\udfff\ud800",
    "\ud83d\ude00",
    "\N{GRINNING FACE}\ud83d",
    "\U0010f7ff",
    "\U0010f7ff\U0010f800\udc00",
    "\U0010ffff\U0010fffe",
    "e\u0301" * 50,
    "\u202e415-555-0142\u202c",
    "\ufeff415-555-0142",
    "a" * 100_000,
    "@" * 10_000,
    "1." * 10_000,
    "\u2066\u2069\u200d\u200b",
    "[PHONE_1] [PHONE_NUMBER_1] [PII] ####",
]


def reversible() -> masker.Policy:
    """Nothing is removed without a way back, and restoring is exact."""
    source = masker.Policy.preset_source("healthcare-default").replace("action: redact", "action: tokenize")
    return masker.Policy.from_yaml(source + "\nnormalization: exact\n")


@pytest.mark.parametrize("policy", ["token", "aead"])
def test_strange_strings_come_back(policy):
    chosen = reversible()
    m = masker.Masker(chosen.with_scheme("reversible-aead") if policy == "aead" else chosen)
    for strange in STRANGE:
        for text in (strange, f"call 415-555-0142 {strange}", f"{strange} ann@example.com {strange}"):
            masked = m.mask(text)
            assert "0142" not in masked.text or "0142" in strange
            assert m.rehydrate(masked.text).text == text
            for event in masked.events:
                assert 0 <= event.start < event.end <= len(text)
            assert m.mask_many([text])[0].text == m.mask(text).text or policy == "aead"


def test_surrogates_inside_a_value_come_back():
    m = masker.Masker()
    text = 'password: hunt\ud83der22\udfff and mrn 7734\U0010f800215'
    masked = m.mask_json({"full_name": "Sarah \ud800Chen"})
    assert m.rehydrate_json(masked.json).value == {"full_name": "Sarah \ud800Chen"}
    assert m.rehydrate(m.mask(text).text).text == m.rehydrate(m.mask(text).text).text
    name = m.mask_field("full_name", "Sarah \udc80Chen \U0010f7ff")
    assert "Sarah" not in name.text and "Chen" not in name.text
    assert m.rehydrate(name.text).text == "Sarah \udc80Chen \U0010f7ff"


def test_places_count_code_points():
    m = masker.Masker()
    for before in ("", "\N{GRINNING FACE}", "e\u0301", "\ud800\udc00", "\U0010f7ff\U0010f801", "\u05d0\u05d1", "\u4e2d"):
        text = f"{before} write to ann@example.com {before} or 415-555-0142 {before}"
        found = [(f.kind, text[f.start : f.end]) for f in m.detect(text)]
        assert found == [("EMAIL", "ann@example.com"), ("PHONE", "415-555-0142")], ascii(before)
        events = m.mask(text).events
        assert [(e.kind, text[e.start : e.end]) for e in events] == found


def test_streams_cut_anywhere():
    conversation = masker.Masker().conversation()
    text = "\ud800 call 415-555-0142 \U0010f7ff\U0010f7ff\udfff or ann@example.com \N{GRINNING FACE}\U0010f800 bye"
    whole = conversation.mask_turn("user", text).text
    for size in (1, 2, 3, 7, 100):
        stream = conversation.stream_masker("user")
        parts = [stream.push(text[at : at + size]) for at in range(0, len(text), size)]
        last = stream.finish()
        assert "".join(parts) + last.text == whole
        assert [text[e.start : e.end] for e in last.events] == ["415-555-0142", "ann@example.com"]
        back = conversation.stream_rehydrator()
        parts = [back.push(whole[at : at + size]) for at in range(0, len(whole), size)]
        assert "".join(parts) + back.flush() == text


def test_random_strings():
    """Code points drawn from every plane, with values between them."""
    rng = random.Random(7)
    m = masker.Masker(reversible())
    points = [*range(0x20, 0x250), *range(0xD7F0, 0xE010), *range(0x1F600, 0x1F610), *range(0x10F7F0, 0x110000)]
    values = ["415-555-0142", " ann@example.com ", " my name is Sarah Chen ", "123-45-6789", " "]
    for _ in range(1500):
        text = "".join(
            rng.choice(values) if rng.random() < 0.1 else chr(rng.choice(points)) for _ in range(rng.randrange(40))
        )
        masked = m.mask(text)
        assert m.rehydrate(masked.text).text == text, ascii(text)
        for finding in m.detect(text):
            assert 0 <= finding.start < finding.end <= len(text)
