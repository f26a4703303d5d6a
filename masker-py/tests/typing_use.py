"""What a user of masker writes, for the type checkers; it also runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Literal

import masker

# What type checkers infer where a test gives a type.
from typing_extensions import assert_type


def model(text: str) -> Iterator[tuple[int, int, str, float]]:
    start = text.find("zork")
    if start >= 0:
        yield start, start + 4, "NAME", 0.99


def main() -> None:
    m = masker.Masker(masker.Policy.strict(), recognizer=model, recognizer_timeout=None)
    findings = m.detect("call 415-555-0142")
    assert_type(findings, list[masker.Finding])
    assert_type(findings[0].span, tuple[int, int])
    masked = m.mask("call 415-555-0142")
    assert_type(masked.events, tuple[masker.Event, ...])
    assert_type(m.mask_many(["a"])[0].text, str)
    assert_type(m.rehydrate_many(text for text in ("a", "b"))[0].text, str)
    assert_type(m.rehydrate(masked.text).lost, tuple[str, ...])
    assert_type(asyncio.run(m.amask("x")), masker.Masked)
    conversation = m.conversation()
    assert_type(conversation.mask_turn("user", "hello").text, str)
    assert_type(conversation.stream_masker("user").finish(), masker.Masked)
    assert_type(conversation.sse_rehydrator().push(b""), bytes)
    assert_type(conversation.sse_rehydrator().totals, masker.Restored)
    assert_type(asyncio.run(m.amask_json({"a": "x"}, leave=["/a"])), masker.MaskedPayload)
    assert_type(m.mask_field_many("mrn", ["7734215"])[0].redaction_count, int)
    assert_type(m.policy.diff(masker.Policy.healthcare_default()), list[masker.PolicyChange])
    assert_type(masker.kinds()[0].title, str)
    several = masker.Masker(surface="alias", recognizer=[model, model], row_lifetime=60.0, wipe_buffers=True)
    assert_type(several.policy.surface, Literal["token", "alias"])
    try:
        masker.Policy.from_yaml("name: x")
    except masker.PolicyError as error:
        assert_type(error.code, str)
        assert_type(error.problems, tuple[masker.PolicyProblem, ...])
    ring = masker.KeyRing({"K_A": bytes(32)}, old={"K_A": [bytes(32)]})
    assert_type(ring.kids, list[str])
    assert_type(ring.old_keys[0].retired, int | None)
    vault = masker.Vault.memory(limit=5)
    assert_type(vault.stats().by_kind, dict[str, int])
    assert_type(vault.verify(ring).keyless, dict[str, int])
    assert_type(vault.rewrap(ring, to="K_A").unreadable, int)
    for number in masker.progress([1, 2]):
        assert_type(number, int)
    match findings[0]:
        case masker.Finding(kind="PHONE", start=start):
            assert_type(start, int)
        case _:
            pass


if __name__ == "__main__":
    main()
