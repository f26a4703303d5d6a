"""What the package says of its work holds no text, no original and no token body."""

from __future__ import annotations

import inspect
import logging
import pickle
import traceback

import pytest

import masker

TEXT = "This is Zebediah Quixworth, call 415-555-0187, mail zeb.quixworth@example.com, ssn 219-09-9999"
MARKS = ("zebediah", "quixworth", "0187", "219-09-9999")

# Made of settings or numbers alone.
NEVER_SEE_TEXT = {"KindInfo", "OldKey", "PolicyChange", "PolicyProblem", "VaultCheck", "VaultRewrap"}
# Shows what was found in a notebook, to a person, because it was asked to.
SHOWS_TEXT = {"Highlight"}


def leak(said: str, tokens: list[str]) -> str | None:
    bodies = [token.rsplit(".", 1)[-1].lower() for token in tokens]
    return next((mark for mark in (*MARKS, *bodies) if mark in said.lower()), None)


def samples() -> tuple[list[object], list[str]]:
    m = masker.Masker()
    masked = m.mask(TEXT)
    tokens = [word.strip(",.") for word in masked.text.split() if word.startswith("MSKV1")]
    assert len(tokens) == 4
    payload = m.mask_json({"a": TEXT, TEXT: [TEXT]})
    conversation = m.conversation(TEXT)
    conversation.mask_turn("user", TEXT)
    stream = conversation.stream_masker("user")
    stream.push(TEXT)
    restoring = conversation.stream_rehydrator()
    restoring.push(masked.text)
    restoring.push(tokens[0][:20])
    sse = conversation.sse_rehydrator()
    sse.push(f"data: {TEXT}".encode())
    vault = masker.Vault.memory()
    return [
        m,
        masked,
        *masked.events,
        *m.detect(TEXT),
        *m.explain(TEXT),
        m.rehydrate(masked.text),
        payload,
        *payload.events,
        m.rehydrate_json(payload.json),
        conversation,
        stream,
        restoring,
        sse,
        vault,
        vault.stats(),
        masker.KeyRing({"K_A": bytes(range(32))}),
        masker.Policy.preset("healthcare-default"),
    ], tokens


def test_every_class_prints_nothing_that_was_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    values, tokens = samples()
    for value in values:
        logging.getLogger("app").warning("%s %r", value, value)
        for said in (repr(value), str(value), f"{value}"):
            assert leak(said, tokens) is None, (type(value), said)
    assert leak(caplog.text, tokens) is None


def test_a_class_that_is_new_has_its_sample() -> None:
    classes = {
        name
        for name in masker.__all__
        if inspect.isclass(getattr(masker, name)) and not issubclass(getattr(masker, name), Exception)
    }
    shown = {type(value).__name__ for value in samples()[0]}
    assert classes - shown - NEVER_SEE_TEXT - SHOWS_TEXT == set()


def test_errors_and_their_traces_say_nothing() -> None:
    m = masker.Masker()
    blocking = masker.Policy.from_yaml(
        "name: a\nversion: 1\nkid: K_A\ntokenization: vault-deterministic\npasses: [regex]\n"
        "entities: { PHONE: { action: block } }\n"
    )

    attempts = [
        lambda: m.mask_chat(TEXT),
        lambda: m.mask_chat([TEXT]),
        lambda: masker.Policy.from_yaml(TEXT),
        lambda: masker.Policy.from_yaml(f'name: a\nkid: "{TEXT}"'),
        lambda: masker.Masker(policy=blocking).mask(TEXT),
        lambda: masker.KeyRing({"K_A": TEXT}),
        lambda: masker.KeyRing({TEXT: bytes(range(32))}),
    ]
    seen = 0
    for attempt in attempts:
        try:
            attempt()
        except (masker.MaskerError, TypeError, ValueError) as error:
            seen += 1
            # The trace shows lines of source, not values; this file's own lines hold no mark.
            said = "".join(traceback.format_exception_only(error)) + repr(error) + str(error.args)
            assert leak(said, []) is None, said
    assert seen == len(attempts)


def test_what_a_recognizer_raised_is_not_pickled() -> None:
    def broken(text: str) -> list[tuple[int, int, str, float]]:
        raise ValueError(f"cannot read {text}")

    for call in (masker.Masker(recognizer=broken).mask, masker.Masker(recognizer=broken).detect):
        with pytest.raises(masker.RecognizerError) as caught:
            call(TEXT)
        error = caught.value
        assert leak(str(error.original), []) is not None
        said = "".join(traceback.format_exception(error)) + repr(error)
        assert leak(said + pickle.dumps(error).decode("latin-1"), []) is None
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), again.code, again.original) == (str(error), error.code, None)


def test_findings_and_events_are_pickled_without_text() -> None:
    m = masker.Masker()
    masked = m.mask(TEXT)
    for value in (*m.detect(TEXT), *m.explain(TEXT), *masked.events):
        assert leak(pickle.dumps(value).decode("latin-1"), []) is None, type(value)
