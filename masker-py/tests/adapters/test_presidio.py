"""A program written for Presidio 2.2, run with Presidio's names taken from masker, and with its own recognisers."""

from __future__ import annotations

import datetime
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
    listed = analyzer.registry.get_recognizers(language="en", all_fields=True)
    out["registered"] = "TITLE" in {entity for one in listed for entity in one.get_supported_entities()}
    analyzer.registry.remove_recognizer("PatternRecognizer")

    # Context that comes with the text and does not stand in it, and that of another language.
    zip_code = analyzer_module.PatternRecognizer(
        supported_entity="ZIP_CODE",
        patterns=[analyzer_module.Pattern("weak", r"\b\d{5}\b", 0.01)],
        context=["zip", "postal"],
    )
    spanish = analyzer_module.PatternRecognizer("SALUDO", supported_language="es", deny_list=["code"])
    record = "My code is 90210"
    for name, options in {
        "alone": {},
        "outer": {"context": ["the zip column"]},
        "other": {"context": ["amount"]},
        "own": {"entities": ["ZIP_CODE"]},
    }.items():
        found = analyzer.analyze(record, language="en", ad_hoc_recognizers=[zip_code, spanish], **options)
        out[f"context_{name}"] = {(r.entity_type, r.score) for r in found if r.entity_type in ("ZIP_CODE", "SALUDO")}
    said = analyzer.analyze("zipcode: 90210", language="en", ad_hoc_recognizers=[zip_code], return_decision_process=True)
    [code] = [r for r in said if r.entity_type == "ZIP_CODE"]
    out["context_word"] = (code.score, code.analysis_explanation.supportive_context_word)
    out["textual"] = code.analysis_explanation.textual_explanation
    try:
        analyzer.analyze(record, language="en", entities=["NOBODY_FINDS_THIS"])
    except ValueError as error:
        out["no_recognizer"] = str(error)
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


def test_a_recognizer_written_for_presidio():
    """What the base class promises to those that derive from it."""

    class Ticket(presidio.EntityRecognizer):
        def load(self) -> None:
            self.words = ["TCK"]

        def analyze(self, text, entities, nlp_artifacts):
            found = [presidio.RecognizerResult("TICKET", m.start(), m.end(), 0.3) for m in re.finditer(r"TCK-\d+", text)]
            # Of an entity that was not announced: it is not lost.
            return [*found, *(presidio.RecognizerResult("NOTE", r.start, r.start + 3, 0.9) for r in found)]

        def enhance_using_context(self, text, raw_recognizer_results, other_raw_recognizer_results, nlp_artifacts, context=None):
            for result in raw_recognizer_results:
                if any(other.entity_type == "PHONE_NUMBER" for other in other_raw_recognizer_results):
                    result.score = 0.8
            return raw_recognizer_results

    engine = presidio.AnalyzerEngine(default_score_threshold=0.4)
    ticket = Ticket(supported_entities=["TICKET"], name="tickets")
    engine.registry.add_recognizer(ticket)

    def found(text: str) -> set:
        return {(r.entity_type, r.score) for r in engine.analyze(text, language="en") if r.entity_type != "PHONE_NUMBER"}

    assert found("TCK-12 is open") == {("NOTE", 0.9)}
    assert found("TCK-12 for 212-555-0142") == {("TICKET", 0.8), ("NOTE", 0.8)}
    ticket.score_thresholds = {"TICKET": 0.2, "default": 0.95}
    assert found("TCK-12 is open") == {("TICKET", 0.3)}
    assert Ticket.from_dict(ticket.to_dict()).name == "tickets" and ticket.get_version() == "0.0.1"
    assert presidio.EntityRecognizer.sanitize_value("12-34 5", [("-", ""), (" ", "")]) == "12345"


def test_recognizers_of_a_file(tmp_path):
    file = tmp_path / "recognizers.yaml"
    file.write_text(
        "recognizers:\n- name: Titles\n  supported_language: en\n  supported_entity: TITLE\n  deny_list: [Mr., Mrs.]\n"
        "  score_thresholds: { TITLE: 0.5 }\n"
    )
    registry = presidio.RecognizerRegistry()
    registry.add_recognizers_from_yaml(file)
    results = presidio.AnalyzerEngine(registry=registry).analyze("Mrs. who", language="en", entities=["TITLE"])
    assert [(r.entity_type, r.start, r.end) for r in results] == [("TITLE", 0, 4)]
    assert registry.recognizers[0].score_thresholds == {"TITLE": 0.5}
    with pytest.raises(ValueError):
        registry.get_recognizers(language="en", entities=["OTHER"])
    # A misspelt argument is not swallowed.
    with pytest.raises(TypeError):
        presidio.PatternRecognizer("TITLE", deny_list=["Mr."], pattern=[])


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
    with pytest.raises(presidio.InvalidParamError):
        anonymizer.remove_anonymizer(Shout)


def test_an_operator_that_counts():
    """The operator of Presidio's own guide to pseudonyms, on masker's base class."""

    class Counter(presidio.Operator):
        def operate(self, text, params=None):
            known = params["entity_mapping"].setdefault(params["entity_type"], {})
            return known.setdefault(text, f"<{params['entity_type']}_{len(known)}>")

        def validate(self, params=None):
            if "entity_mapping" not in params:
                raise ValueError("an entity_mapping is needed")

        def operator_name(self):
            return "entity_counter"

        def operator_type(self):
            return presidio.OperatorType.Anonymize

    anonymizer = presidio.AnonymizerEngine()
    anonymizer.add_anonymizer(Counter)
    mapping: dict = {}
    operators = {"DEFAULT": presidio.OperatorConfig("entity_counter", {"entity_mapping": mapping})}
    text = "212-555-0142, 212-555-0143, 212-555-0142"
    results = presidio.AnalyzerEngine().analyze(text, language="en")
    assert len(set(re.findall(r"<PHONE_NUMBER_\d>", anonymizer.anonymize(text, results, operators).text))) == 2
    assert set(mapping["PHONE_NUMBER"]) == {"212-555-0142", "212-555-0143"}

    class Back(Counter):
        def operate(self, text, params=None):
            return next(old for old, new in params["entity_mapping"][params["entity_type"]].items() if new == text)

        def operator_name(self):
            return "entity_counter_deanonymizer"

    made = anonymizer.anonymize(text, results, operators)
    engine = presidio.DeanonymizeEngine()
    engine.add_deanonymizer(Back)
    back = {"DEFAULT": presidio.OperatorConfig("entity_counter_deanonymizer", {"entity_mapping": mapping})}
    assert engine.deanonymize(made.text, made.items, back).text == text
    engine.remove_deanonymizer(Back)
    with pytest.raises(presidio.InvalidParamError):
        engine.deanonymize(made.text, made.items, back)


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


def test_keys_are_context_of_their_values():
    value = {"mrn": "7734215", "zip": "My code is 90210", "age": 42, "note": "7734215", "deep": {"first_name": "may"}}
    results = presidio.BatchAnalyzerEngine().analyze_dict(value, language="en")
    masked = presidio.BatchAnonymizerEngine().anonymize_dict(results)
    assert masked == {
        "mrn": "<MRN>",
        "zip": "My code is <LOCATION>",
        "age": 42,
        "note": "7734215",
        "deep": {"first_name": "<PERSON>"},
    }


@pytest.mark.parametrize(
    "value", [[{"name": "Sarah Chen"}], datetime.date(1982, 3, 14), b"Sarah Chen", [["Sarah Chen"]]], ids=lambda v: type(v).__name__
)
def test_what_cannot_be_looked_into_is_refused(value):
    with pytest.raises(ValueError, match="support") as caught:
        list(presidio.BatchAnalyzerEngine().analyze_dict({"a": value}, language="en"))
    assert "Sarah" not in str(caught.value)


def test_batches_go_back():
    key = {"key": "0123456789abcdef"}
    batch = presidio.BatchAnalyzerEngine()
    texts = ["call 212-555-0142", "ok", None]
    found = batch.analyze_iterator(texts, language="en")
    engine, sealing = presidio.AnonymizerEngine(), {"DEFAULT": presidio.OperatorConfig("encrypt", key)}
    sealed = [engine.anonymize(text or "", results, sealing) for text, results in zip(texts, found, strict=True)]
    opened = presidio.BatchDeanonymizeEngine().deanonymize_list(
        [one.text for one in sealed], [one.items for one in sealed], {"DEFAULT": presidio.OperatorConfig("decrypt", key)}
    )
    assert opened == ["call 212-555-0142", "ok", ""]
    assert presidio.BatchAnonymizerEngine().anonymize_list(["a", 7], []) == ["a", "7"]


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
    assert entity("my NHS number is 943 476 5919") == {"UK_NHS"}
    assert entity("medicare id 1EG4-TE5-MK73") == {"US_MBI"}
    with pytest.raises(ValueError):
        engine.analyze("x", language="de")
    with pytest.raises(ValueError):
        engine.analyze("x", allow_list=["x"], allow_list_match="fuzzy")
