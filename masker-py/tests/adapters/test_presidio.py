"""A program written for Presidio 2.2, run with Presidio's names taken from masker, and with its own recognisers."""

from __future__ import annotations

import json
import re
from collections import Counter

import presidio_analyzer
import presidio_anonymizer
import presidio_anonymizer.entities
import pytest
from presidio_anonymizer.entities import OperatorConfig as TheirConfig

import masker
from masker import presidio

TEXT = (
    "My name is Sarah Chen, call 212-555-0142 or write to sarah.chen@example.com. "
    "Card 4111 1111 1111 1111, from 192.0.2.7, see https://example.com/a."
)


def program(analyzer_module, anonymizer_module, engine, text: str = TEXT) -> dict:
    """What a service does with Presidio: analyze, ad-hoc recognisers, allow lists, operators, batches."""
    out: dict = {}
    analyzer, anonymizer = engine, anonymizer_module.AnonymizerEngine()
    config = anonymizer_module.OperatorConfig

    def shown(results, source=text):
        return {(result.entity_type, source[result.start : result.end]) for result in results}

    results = analyzer.analyze(text=text, language="en")
    out["found"] = shown(results)
    only = analyzer.analyze(text=text, language="en", entities=["PHONE_NUMBER", "EMAIL_ADDRESS"])
    out["only"] = shown(only)
    out["high"] = all(r.score >= 0.6 for r in analyzer.analyze(text=text, language="en", score_threshold=0.6))

    allowed = analyzer.analyze(text=text, language="en", allow_list=["212-555-0142"])
    out["allow_exact"] = "PHONE_NUMBER" not in {r.entity_type for r in allowed}
    allowed = analyzer.analyze(text=text, language="en", allow_list=[r".+@example\.com"], allow_list_match="regex")
    out["allow_regex"] = "EMAIL_ADDRESS" not in {r.entity_type for r in allowed}

    zip_pattern = analyzer_module.Pattern(name="rx", regex=r"\bRX-\d{6}\b", score=0.5)
    rx = analyzer_module.PatternRecognizer(
        supported_entity="RX_NUMBER", patterns=[zip_pattern], context=["prescription"]
    )
    titles = analyzer_module.PatternRecognizer(supported_entity="TITLE", deny_list=["Dr.", "Professor"])
    note = "Professor, the prescription is RX-123456; call 212-555-0142."
    ad_hoc = analyzer.analyze(text=note, language="en", ad_hoc_recognizers=[rx, titles], return_decision_process=True)
    out["ad_hoc"] = shown(ad_hoc, note)
    [number] = [r for r in ad_hoc if r.entity_type == "RX_NUMBER"]
    out["context"] = number.score
    out["explained"] = number.analysis_explanation.pattern_name
    out["metadata"] = set(number.recognition_metadata) >= {"recognizer_name", "recognizer_identifier"}
    out["not_there"] = shown(analyzer.analyze(text=note, language="en"), note)
    analyzer.registry.add_recognizer(titles)
    out["added"] = shown(analyzer.analyze(text=note, language="en"), note)
    out["supported"] = {"PHONE_NUMBER", "TITLE"} <= set(analyzer.get_supported_entities("en"))
    analyzer.registry.remove_recognizer("PatternRecognizer")
    out["dict"] = sorted(results[0].to_dict())[:2]

    plain = anonymizer.anonymize(text=text, analyzer_results=only)
    out["replaced"] = plain.text
    out["items"] = [(i.entity_type, i.operator, plain.text[i.start : i.end]) for i in plain.items]
    out["json"] = json.loads(plain.to_json())["text"]
    operators = {
        "PHONE_NUMBER": config("mask", {"masking_char": "*", "chars_to_mask": 8, "from_end": True}),
        "EMAIL_ADDRESS": config("hash", {"hash_type": "sha256", "salt": "0123456789abcdef"}),
        "DEFAULT": config("replace", {"new_value": "ANON"}),
    }
    out["operators"] = anonymizer.anonymize(text=text, analyzer_results=only, operators=operators).text
    operators = {"PHONE_NUMBER": config("redact", {}), "EMAIL_ADDRESS": config("keep")}
    out["redact"] = anonymizer.anonymize(text=text, analyzer_results=only, operators=operators).text
    counts: Counter = Counter()

    def number_it(value: str) -> str:
        counts[value] += 1
        return f"<{len(counts)}>"

    operators = {"DEFAULT": config("custom", {"lambda": number_it})}
    out["custom"] = anonymizer.anonymize(text=text, analyzer_results=only, operators=operators).text
    hashed = {"DEFAULT": config("hash", {})}
    twice = [anonymizer.anonymize(text=text, analyzer_results=only, operators=hashed).text for _ in range(2)]
    out["random_salt"] = twice[0] != twice[1]

    key = "0123456789abcdef"
    sealed = anonymizer.anonymize(text, only, {"DEFAULT": config("encrypt", {"key": key})})
    out["sealed"] = "0142" not in sealed.text
    opened = anonymizer_module.DeanonymizeEngine().deanonymize(
        text=sealed.text, entities=sealed.items, operators={"DEFAULT": config("decrypt", {"key": key})}
    )
    out["opened"] = opened.text

    result_class = anonymizer_module.RecognizerResult
    overlapping = [
        result_class("PERSON", 0, 10, 0.5),
        result_class("PERSON", 5, 15, 0.9),
        result_class("LOCATION", 2, 6, 0.9),
        result_class("NUMBER", 20, 25, 0.3),
        result_class("NUMBER", 20, 25, 0.8),
        result_class("PERSON", 16, 19, 0.8),
    ]
    out["conflicts"] = anonymizer.anonymize("abcdefghijklmnopqrstuvwxyz", overlapping).text
    errors = []
    for name, params in [
        ("mask", {"masking_char": "**", "chars_to_mask": 1, "from_end": False}),
        ("mask", {}),
        ("hash", {"salt": "short"}),
        ("encrypt", {"key": "short"}),
        ("custom", {"lambda": lambda _: 1}),
        ("nonsense", {}),
    ]:
        try:
            anonymizer.anonymize(text, only, {"DEFAULT": config(name, params)})
        except anonymizer_module.InvalidParamError:
            errors.append(name)
    out["errors"] = errors
    return out


def test_the_same_program_on_both():
    """Presidio without a language model: patterns alone, so names are not compared."""
    from presidio_analyzer.nlp_engine import NlpArtifacts
    from presidio_analyzer.predefined_recognizers import (
        CreditCardRecognizer,
        EmailRecognizer,
        IpRecognizer,
        PhoneRecognizer,
        UrlRecognizer,
        UsSsnRecognizer,
    )

    class NoModel(presidio_analyzer.nlp_engine.NlpEngine):
        def load(self) -> None: ...

        def is_loaded(self) -> bool:
            return True

        def process_text(self, text, language):
            words = [(match.start(), match.group().lower()) for match in re.finditer(r"\w+", text)]
            indices, lemmas = [start for start, _ in words], [word for _, word in words]
            return NlpArtifacts([], lemmas, indices, lemmas, self, "en", [])

        def process_batch(self, texts, language, **_):
            return ((text, self.process_text(text, language)) for text in texts)

        def is_stopword(self, word, language):
            return False

        def is_punct(self, word, language):
            return False

        def get_supported_entities(self):
            return []

        def get_supported_languages(self):
            return ["en"]

    registry = presidio_analyzer.RecognizerRegistry()
    for kind in (PhoneRecognizer, EmailRecognizer, CreditCardRecognizer, UsSsnRecognizer, IpRecognizer, UrlRecognizer):
        registry.add_recognizer(kind())
    theirs = program(
        presidio_analyzer,
        presidio_anonymizer,
        presidio_analyzer.AnalyzerEngine(registry=registry, nlp_engine=NoModel(), supported_languages=["en"]),
    )
    ours = program(presidio, presidio, presidio.AnalyzerEngine())
    assert ("PERSON", "Sarah Chen") in ours["found"]
    expected = {"PHONE_NUMBER", "EMAIL_ADDRESS", "CREDIT_CARD", "IP_ADDRESS", "URL"}
    for found in (theirs["found"], ours["found"]):
        assert {kind for kind, _ in found} >= expected
    for name in ("found", "ad_hoc", "added", "not_there"):
        # Detection is each one's own; what the program adds is found by both.
        wanted = {(kind, value) for kind, value in theirs[name] if kind in expected - {"URL"} | {"TITLE", "RX_NUMBER"}}
        assert wanted <= ours[name], name
    for name in theirs:
        if name not in ("found", "ad_hoc", "added", "not_there", "dict"):
            assert ours[name] == theirs[name], name
    assert ours["dict"] == theirs["dict"]
    assert ours["conflicts"] == "<PERSON>p<PERSON>t<NUMBER>z"
    assert ours["errors"] == ["mask", "mask", "hash", "encrypt", "custom", "nonsense"]


def test_their_objects_are_taken():
    rx = presidio_analyzer.PatternRecognizer(
        supported_entity="RX_NUMBER", patterns=[presidio_analyzer.Pattern("rx", r"\bRX-\d{6}\b", 0.5)]
    )
    text = "RX-123456 for 212-555-0142"
    results = presidio.AnalyzerEngine().analyze(text=text, language="en", ad_hoc_recognizers=[rx])
    assert {r.entity_type for r in results} == {"RX_NUMBER", "PHONE_NUMBER"}
    their_results = [presidio_analyzer.RecognizerResult(r.entity_type, r.start, r.end, r.score) for r in results]
    made = presidio.AnonymizerEngine().anonymize(
        text, their_results, {"RX_NUMBER": TheirConfig("replace", {"new_value": "RX"})}
    )
    assert made.text == "RX for <PHONE_NUMBER>"
    # And the other way round.
    theirs = presidio_anonymizer.AnonymizerEngine().anonymize(
        text, [presidio_anonymizer.RecognizerResult(r.entity_type, r.start, r.end, r.score) for r in results]
    )
    assert theirs.text == "<RX_NUMBER> for <PHONE_NUMBER>"


def test_an_operator_of_ones_own():
    from presidio_anonymizer.operators import Operator, OperatorType

    class Shout(Operator):
        def operate(self, text, params=None):
            return text.upper() + params.get("end", "")

        def validate(self, params=None):
            pass

        def operator_name(self):
            return "shout"

        def operator_type(self):
            return OperatorType.Anonymize

    anonymizer = presidio.AnonymizerEngine()
    anonymizer.add_anonymizer(Shout)
    assert "shout" in anonymizer.get_anonymizers()
    result = presidio.RecognizerResult("X", 0, 3, 1.0)
    operators = {"DEFAULT": presidio.OperatorConfig("shout", {"end": "!"})}
    assert anonymizer.anonymize("abc def", [result], operators).text == "ABC! def"
    anonymizer.remove_anonymizer(Shout)
    with pytest.raises(presidio.InvalidParamError):
        anonymizer.anonymize("abc def", [result], operators)


def test_batches():
    analyzer = presidio.BatchAnalyzerEngine()
    value = {"name": "Sarah Chen is my name", "ids": ["call 212-555-0142", 7], "deep": {"email": "a@example.com"}, "n": None}
    results = list(analyzer.analyze_dict(value, language="en"))
    value_again = presidio.BatchAnonymizerEngine().anonymize_dict(iter(analyzer.analyze_dict(value, language="en")))
    assert value_again["ids"][0] == "call <PHONE_NUMBER>" and value_again["n"] is None
    assert value_again["deep"] == {"email": "<EMAIL_ADDRESS>"}
    assert [result.key for result in results] == list(value)
    assert len(analyzer.analyze_iterator(["call 212-555-0142", None, "x"], language="en")[0]) == 1
    skipped = presidio.BatchAnonymizerEngine().anonymize_dict(
        analyzer.analyze_dict(value, language="en", keys_to_skip=["deep.email"])
    )
    assert skipped["deep"] == {"email": "a@example.com"}


def test_nothing_uncovered_where_findings_overlap():
    results = [presidio.RecognizerResult("A", 0, 6, 0.5), presidio.RecognizerResult("B", 3, 9, 0.9)]
    made = presidio.AnonymizerEngine().anonymize("abcdefghij", results)
    assert made.text == "<A><B>j"
    trimmed = presidio.AnonymizerEngine().anonymize(
        "abcdefghij", results, conflict_resolution=presidio.ConflictResolutionStrategy.REMOVE_INTERSECTIONS
    )
    assert trimmed.text == "<A><B>j"
    assert [(item.entity_type, made.text[item.start : item.end]) for item in made.items] == [("B", "<B>"), ("A", "<A>")]


def test_nothing_is_printed():
    engine = presidio.AnonymizerEngine()
    result = presidio.RecognizerResult("PHONE_NUMBER", 5, 17, 1.0)
    made = engine.anonymize("call 212-555-0142", [result], {"DEFAULT": presidio.OperatorConfig("keep")})
    config = presidio.OperatorConfig("encrypt", {"key": "0123456789abcdef"})
    shown = repr(made) + repr(made.items) + repr(result) + str(result) + repr(config)
    assert "0142" not in shown and "0123456789abcdef" not in shown
    with pytest.raises(presidio.InvalidParamError) as caught:
        presidio.DeanonymizeEngine().deanonymize(
            "call 212-555-0142",
            [presidio.OperatorResult(5, 17, "X")],
            {"DEFAULT": presidio.OperatorConfig("decrypt", {"key": "0123456789abcdef"})},
        )
    assert "0142" not in str(caught.value)


def test_entities_of_kinds():
    engine = presidio.AnalyzerEngine(masker=masker.Masker())

    def entity(text: str) -> set:
        return {result.entity_type for result in engine.analyze(text)}

    assert entity("my IBAN is GB82 WEST 1234 5698 7654 32") == {"IBAN_CODE"}
    assert "US_SSN" in entity("ssn 078-05-1120")
    assert "LOCATION" in entity("I live at 12 Elm Street")
    assert "MRN" in entity("mrn 7734215")
    with pytest.raises(ValueError):
        engine.analyze("x", language="de")
    with pytest.raises(ValueError):
        engine.analyze("x", allow_list=["x"], allow_list_match="fuzzy")
