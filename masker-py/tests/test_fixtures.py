"""The shared fixtures give the same findings and tokens through Python as through Rust."""

from __future__ import annotations

import json
import sys

import pytest
from conftest import FIXTURES, keys

import masker

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def cases(folder: str) -> list:
    found = []
    for path in sorted((FIXTURES / folder).glob("*.toml")):
        for case in tomllib.loads(path.read_text())["case"]:
            found.append(pytest.param(case, id=f"{path.stem}-{case['name']}"))
    assert len(found) > 5
    return found


MASKERS = {name: masker.Masker(name) for name in masker.Policy.preset_names()}


@pytest.mark.parametrize("case", cases("detect"))
def test_detect(case):
    text = case["text"]
    findings = MASKERS[case.get("policy", "healthcare-default")].detect(text)
    got = [(finding.kind, text[finding.start : finding.end]) for finding in findings]
    assert got == [(finding["kind"], finding["text"]) for finding in case["findings"]]


def test_offsets_slice_the_str_wherever_the_text_stands():
    """Behind characters of every width in UTF-8, the same findings at places moved by code points."""
    default = MASKERS["healthcare-default"]
    before = "\N{GRINNING FACE}e\u0301\u05d0\u4e2d \n\n"
    checked = 0
    for param in cases("detect"):
        case = param.values[0]
        if "policy" in case:
            continue
        alone = default.detect(case["text"])
        moved = default.detect(before + case["text"])
        for finding in moved:
            assert (before + case["text"])[finding.start : finding.end].strip() != ""
        if [f.kind for f in alone] == [f.kind for f in moved]:
            checked += len(alone)
            assert [(f.start + len(before), f.end + len(before)) for f in alone] == [f.span for f in moved]
    assert checked > 250


@pytest.mark.parametrize("case", cases("mask"))
def test_mask(case):
    source = masker.Policy.preset_source(case["policy"])
    if case.get("deterministic"):
        source += "\naead: { deterministic: true }\n"
    policy = masker.Policy.from_yaml(source)
    if "scheme" in case:
        policy = policy.with_scheme(case["scheme"])
    m = masker.Masker(policy, keys=keys())
    masked = m.mask(case["text"])
    assert masked.text == case["masked"]
    assert masked.redaction_count == case["redaction_count"]
    assert m.rehydrate(masked.text).text == case.get("restored", case["text"])
    assert m.mask(masked.text).text == masked.text


@pytest.mark.parametrize("case", cases("turns"))
def test_turns(case):
    conversation = MASKERS["healthcare-default"].conversation()
    for turn, wanted in zip(case["turns"], case["findings"], strict=True):
        speaker, said = turn.split(": ", 1)
        events = conversation.mask_turn("assistant" if speaker == "Agent" else "user", said).events
        got = [(event.kind, said[event.start : event.end]) for event in events]
        assert got == [(finding["kind"], finding["text"]) for finding in wanted]


def test_positions_in_chats(fixed):
    rows = tomllib.loads((FIXTURES / "chat/positions.toml").read_text())["position"]
    assert len(rows) > 50
    for row in rows:
        text, name = row["json"], row["name"]
        if row["treatment"] == "not text":
            with pytest.raises(masker.PayloadError) as caught:
                fixed.mask_chat(text)
            assert caught.value.code == "unmaskable_content", name
            continue
        masked = fixed.mask_chat(text)
        if row["treatment"] == "kept":
            assert masked.json == text, name
            continue
        assert "0142" not in masked.json, name
        [event] = masked.events
        assert event.path == row["path"], name
        assert event.end - event.start in (12, 10), name
        assert fixed.rehydrate_chat(masked.json).json == text, name


@pytest.mark.parametrize("name", ["openai_request", "responses_request", "anthropic_request"])
def test_whole_requests(fixed, name):
    request = (FIXTURES / f"chat/{name}.json").read_text()
    wanted = (FIXTURES / f"chat/{name}.masked.json").read_text()
    assert fixed.mask_chat(request).json == wanted
    assert fixed.mask_chat(request.encode()).json == wanted
    # Python values go through Python's own writer, which has another spacing.
    assert fixed.mask_chat(json.loads(request)).value == json.loads(wanted)


def test_garbles(aliased):
    fixture = tomllib.loads((FIXTURES / "stream/garbles.toml").read_text())
    conversation = aliased.conversation("garbles")
    for turn in fixture["turns"]:
        conversation.mask_turn("user", turn)

    def streamed(text: str) -> str:
        stream = conversation.stream_rehydrator()
        return "".join([stream.push(c) for c in text] + [stream.flush()])

    assert len(fixture["garble"]) >= 60 and len(fixture["lookalike"]) >= 60
    for case in fixture["garble"]:
        assert conversation.rehydrate(case["text"]).text == case["restored"]
        assert streamed(case["text"]) == case["restored"]
    for case in fixture["lookalike"]:
        restored = conversation.rehydrate(case["text"])
        assert (restored.text, restored.restored) == (case["text"], 0)
        assert restored.ambiguous == case.get("ambiguous", 0)
        assert streamed(case["text"]) == case["text"]


def test_policies():
    def setting(text: str, name: str) -> str | None:
        return next((line.split(": ", 1)[1] for line in text.splitlines() if line.startswith(f"# {name}: ")), None)

    valid = sorted((FIXTURES / "policy/valid").glob("*.yaml"))
    assert valid
    for path in valid:
        assert masker.Policy.from_path(path).kinds
    checked = 0
    for path in sorted((FIXTURES / "policy/invalid").glob("*.yaml")):
        text = path.read_text()
        known = setting(text, "keys")
        # A malformed key is an error of the ring itself in Python, and a model is given to the masker.
        if "!" in (known or "") or setting(text, "ner") is not None:
            continue
        ring = None if known is None else masker.KeyRing({kid: bytes(32) for kid in known.split(", ") if kid})
        with pytest.raises(masker.PolicyError) as caught:
            masker.Policy.from_path(path, keys=ring)
        got = [f"{p.code}@{p.line}:{p.column}" for p in caught.value.problems]
        assert sorted(got) == sorted(setting(text, "expect").split(", ")), path.name
        checked += 1
    assert checked >= 20


def test_benign_lines_through_many():
    lines = [
        line
        for path in sorted((FIXTURES / "benign").glob("*.txt"))
        for line in path.read_text().splitlines()
        if line and not line.startswith("#")
    ]
    default = MASKERS["healthcare-default"]
    assert len(lines) > 400
    assert [m.text for m in default.mask_many(lines)] == [default.mask(line).text for line in lines]
