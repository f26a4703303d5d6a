"""Python callables as the pass `ner`."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

import masker


def places(text: str, word: str, kind: str = "NAME", score: float = 0.99):
    start = text.find(word)
    while start >= 0:
        yield start, start + len(word), kind, score
        start = text.find(word, start + 1)


def zork(text: str):
    return places(text, "zork")


def test_hits_are_masked_and_named():
    m = masker.Masker(recognizer=zork)
    text = "\N{GRINNING FACE}e\u0301 zork and zork \ud800 zork"
    masked = m.mask(text)
    assert "zork" not in masked.text
    assert {(e.kind, e.pass_, e.recognizer, text[e.start : e.end]) for e in masked.events} == {
        ("NAME", "ner", "zork", "zork")
    }
    assert m.rehydrate(masked.text).text == text
    assert masker.Masker().mask(text).redaction_count == 0


def test_lists_generators_and_findings_are_taken():
    for recognizer in (
        lambda text: [(0, 4, "NAME", 1)],
        lambda text: ((0, 4, "NAME", 0.9) for _ in range(1)),
        lambda text: [[0, 4, "NAME", 0.9]] and [(0, 4, "NAME", 0.9)],
        lambda text: [masker.Finding("NAME", 0, 4, 0.9)],
        lambda text: {(0, 4, "NAME", 0.9)},
    ):
        assert masker.Masker(recognizer=recognizer).mask("zork").redaction_count == 1
    assert masker.Masker(recognizer=lambda text: []).mask("zork").redaction_count == 0


def test_several_models():
    m = masker.Masker(recognizer=[zork, lambda text: places(text, "blip", "ID")])
    assert [(e.kind, e.recognizer) for e in m.mask("zork and blip").events] == [("NAME", "zork"), ("ID", "python")]
    for wrong in (7, ["zork"], [zork, None]):
        with pytest.raises(TypeError, match="recognizer"):
            masker.Masker(recognizer=wrong)


def test_the_threshold_of_the_kind_holds():
    weak = masker.Masker(recognizer=lambda text: places(text, "zork", score=0.69))
    strong = masker.Masker(recognizer=lambda text: places(text, "zork", score=0.7))
    assert weak.mask("zork").redaction_count == 0
    assert strong.mask("zork").redaction_count == 1


@pytest.mark.parametrize(
    "hit",
    [
        (0, 99, "NAME", 1.0),
        (-1, 2, "NAME", 1.0),
        (2, 2, "NAME", 1.0),
        (3, 2, "NAME", 1.0),
        (0, 2, "PERSON", 1.0),
        (0, 2, "sarah chen", 1.0),
        (0, 2, "NAME", 1.5),
        (0, 2, "NAME", float("nan")),
        (0, 2, "NAME"),
        (0, 2, None, 1.0),
        "zork",
        None,
    ],
)
def test_a_wrong_hit_fails_the_call(hit):
    m = masker.Masker(recognizer=lambda text: [hit])
    with pytest.raises(masker.RecognizerError) as caught:
        m.mask("zork zork")
    assert caught.value.code == "recognizer_failed"
    assert "zork" not in str(caught.value) and "sarah" not in str(caught.value)


def test_what_is_no_hit_is_told():
    """Not as if the callable had raised something itself."""
    for given, said in [
        (None, "it gave a NoneType, not an iterable"),
        ([{"start": 0, "end": 4, "entity_group": "PER"}], "it gave a dict, not (start, end, kind, score)"),
        ([(0, 4, "NAME")], "it gave a tuple, not (start, end, kind, score)"),
    ]:
        with pytest.raises(masker.RecognizerError) as caught:
            masker.Masker(recognizer=lambda text, given=given: given).mask("zork")
        assert said in str(caught.value) and caught.value.original is None


def test_it_is_called_and_not_awaited():
    async def model(text: str):
        return []

    class Model:
        async def __call__(self, text: str):
            return []

    for one in (model, Model()):
        with pytest.raises(TypeError, match="not awaited"):
            masker.Masker(recognizer=one)


def test_the_end_of_the_program_is_no_failure_of_the_model():
    def interrupted(text: str):
        raise KeyboardInterrupt

    for timeout in (1.0, None):
        with pytest.raises(KeyboardInterrupt):
            masker.Masker(recognizer=interrupted, recognizer_timeout=timeout).mask("zork")


def test_kinds_of_the_policy_are_known():
    source = masker.Policy.preset_source("healthcare-default").replace(
        "entities:", "entities:\n  ZORK_NAME: { action: redact }", 1
    )
    source += "\ndictionaries: [{ name: zorks, entity: ZORK_NAME, words: [zork] }]\n"
    m = masker.Masker(
        masker.Policy.from_yaml(source), recognizer=lambda text: places(text, "blib", "ZORK_NAME")
    )
    assert m.mask("blib").text == "[REDACTED:ZORK_NAME]"


def test_what_it_raises_stays_out_of_message_and_traceback():
    def broken(text: str):
        raise ValueError(f"cannot read {text}")

    import traceback

    for timeout in (1.0, None):
        m = masker.Masker(recognizer=broken, recognizer_timeout=timeout)
        text = "zork zork"
        with pytest.raises(masker.RecognizerError) as caught:
            m.mask(text)
        assert "it raised ValueError" in str(caught.value)
        assert isinstance(caught.value.original, ValueError)
        assert "zork" not in "".join(traceback.format_exception(caught.value))
        with pytest.raises(masker.RecognizerError) as caught:
            m.mask_many(["zork"] * 100)
        assert isinstance(caught.value.original, ValueError)


def test_it_is_late():
    release = threading.Event()

    def slow(text: str):
        release.wait(20)
        return places(text, "zork")

    try:
        started = time.monotonic()
        with pytest.raises(masker.RecognizerError, match="longer than 50 ms"):
            masker.Masker(recognizer=slow, recognizer_timeout=0.05).mask("zork")
        assert time.monotonic() - started < 5

        # The base policy with no other pass than patterns: the stand-ins find the name.
        minimum = masker.Policy.healthcare_minimum()
        m = masker.Masker(minimum, recognizer=slow, recognizer_timeout=0.05, on_timeout="degrade")
        text = "my name is Sarah Chen, zork"
        masked = m.mask(text)
        assert "Sarah" not in masked.text and "zork" in masked.text
    finally:
        release.set()


def test_late_calls_do_not_pile_up():
    release = threading.Event()

    def stuck(text: str):
        release.wait(60)
        return []

    m = masker.Masker(recognizer=stuck, recognizer_timeout=0.001)
    before = threading.active_count()
    messages = set()
    try:
        for _ in range(60):
            with pytest.raises(masker.RecognizerError) as caught:
                m.mask("x")
            messages.add(str(caught.value).split(": ")[-1])
        assert "too many of its calls run past their time" in messages
        assert threading.active_count() - before <= 33
    finally:
        release.set()


def test_the_time_of_the_policy_comes_first():
    source = masker.Policy.preset_source("healthcare-default").replace("gemma]", "ner: { timeout_ms: 30 }]")
    assert "timeout_ms" in source

    def slow(text: str):
        time.sleep(0.3)
        return []

    with pytest.raises(masker.RecognizerError, match="longer than 30 ms"):
        masker.Masker(masker.Policy.from_yaml(source), recognizer=slow, recognizer_timeout=10).mask("x")


def test_many_threads_ask_at_once():
    m = masker.Masker(recognizer=zork)
    texts = [f"{n} zork {n}" for n in range(400)]
    masked = m.mask_many(texts)
    assert all("zork" not in one.text for one in masked)
    assert [one.text for one in m.rehydrate_many([one.text for one in masked])] == texts


def test_it_must_be_callable():
    with pytest.raises(TypeError):
        masker.Masker(recognizer="zork")


def test_it_may_call_masker_itself():
    inner = masker.Masker()
    m = masker.Masker(recognizer=lambda text: [(f.start, f.end, f.kind, 1.0) for f in inner.detect(text)])
    assert m.mask("call 415-555-0142").redaction_count == 1


def test_a_fork_starts_threads_of_its_own():
    code = """
import os, masker
m = masker.Masker(recognizer=lambda text: [(0, 4, "NAME", 0.9)])
assert m.mask("zork").redaction_count == 1
child = os.fork()
if child == 0:
    os._exit(0 if m.mask("zork").redaction_count == 1 else 1)
_, status = os.waitpid(child, 0)
raise SystemExit(os.waitstatus_to_exitcode(status))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)
