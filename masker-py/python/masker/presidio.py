"""The shapes of Microsoft Presidio 2.2 over masker's detection, for programs that move from one to the other.

Replace ``presidio_analyzer`` and ``presidio_anonymizer`` by ``masker.presidio`` in the imports::

    from masker.presidio import AnalyzerEngine, AnonymizerEngine, OperatorConfig, Pattern, PatternRecognizer

>>> from masker.presidio import AnalyzerEngine, AnonymizerEngine, OperatorConfig
>>> text = "My name is Sarah Chen, call 212-555-0142"
>>> results = AnalyzerEngine().analyze(text=text, language="en")
>>> [(result.entity_type, text[result.start : result.end]) for result in results]
[('PERSON', 'Sarah Chen'), ('PHONE_NUMBER', '212-555-0142')]
>>> AnonymizerEngine().anonymize(text=text, analyzer_results=results).text
'My name is <PERSON>, call <PHONE_NUMBER>'

What is different on purpose:

- Detection is masker's, so scores and some spans are others. There is no NLP engine; ``nlp_engine`` and ``nlp_artifacts`` are taken
  and not used. Languages are English or those of added recognisers.
- The operator ``encrypt`` seals with AES-256-GCM-SIV, authenticated, under a key derived from the one given. What Presidio
  encrypted must be decrypted by Presidio.
- Printing an object that holds text shows lengths instead of the text; ``to_json()`` of a result shows it.

The package of Presidio need not be installed. Its own recognisers, results and operator configurations are taken as well.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from importlib import import_module
from numbers import Number
from typing import Any, ClassVar

from ._masker import KeyRing, Masker
from .errors import KeyRingError

__all__ = [
    "AnalysisExplanation",
    "AnalyzerEngine",
    "AnonymizerEngine",
    "BatchAnalyzerEngine",
    "BatchAnonymizerEngine",
    "BatchDeanonymizeEngine",
    "ConflictResolutionStrategy",
    "DeanonymizeEngine",
    "DictAnalyzerResult",
    "DictRecognizerResult",
    "EngineResult",
    "EntityRecognizer",
    "InvalidParamError",
    "LemmaContextAwareEnhancer",
    "LocalRecognizer",
    "Operator",
    "OperatorConfig",
    "OperatorResult",
    "OperatorType",
    "Pattern",
    "PatternRecognizer",
    "RecognizerRegistry",
    "RecognizerResult",
    "RemoteRecognizer",
]

_logger = logging.getLogger("masker.presidio")

_FLAGS = re.DOTALL | re.MULTILINE | re.IGNORECASE

_ENTITIES = {
    "NAME": "PERSON",
    "ADDRESS": "LOCATION",
    "ZIP": "LOCATION",
    "DOB": "DATE_TIME",
    "DATE": "DATE_TIME",
    "AGE_OVER_89": "AGE",
    "PHONE": "PHONE_NUMBER",
    "FAX": "PHONE_NUMBER",
    "EMAIL": "EMAIL_ADDRESS",
    "SSN": "US_SSN",
    "CREDIT_CARD": "CREDIT_CARD",
    "IP_ADDRESS": "IP_ADDRESS",
    "URL": "URL",
    "ORGANIZATION": "ORGANIZATION",
}
# Kinds that are several entities.
_SEVERAL = {
    "SSN": ("US_SSN", "US_ITIN"),
    "ACCOUNT": ("US_BANK_NUMBER", "IBAN_CODE", "CRYPTO"),
    "HEALTH_PLAN": ("HEALTH_PLAN", "UK_NHS", "US_MBI"),
    "LICENSE": ("US_DRIVER_LICENSE", "US_PASSPORT", "MEDICAL_LICENSE"),
}
_PASSPORT = re.compile(r"passport\W+(?:\w+\W+){0,4}$", re.IGNORECASE)
_NHS = re.compile(r"\bNHS\W+(?:\w+\W+){0,4}$", re.IGNORECASE)
_WORD = re.compile(r"\w+")
# They do not count among the words around a finding.
_STOP_WORDS = frozenset(
    "a about am an and any are as at be been being but by can could did do does for from had has have he her his i if in is it its "
    "me my no not of on or our s she so that the their them there these they this those to too was we were what when where which "
    "who will with would you your".split()
)


def _entities_of(kind: str) -> tuple[str, ...]:
    return _SEVERAL.get(kind) or (_ENTITIES.get(kind, kind),)


def _entity(kind: str, recognizer: str, text: str, start: int, end: int) -> str:
    """Presidio's name of a finding."""
    if kind == "ACCOUNT":
        if recognizer.startswith("iban"):
            return "IBAN_CODE"
        return "CRYPTO" if recognizer.startswith("wallet") else "US_BANK_NUMBER"
    if kind == "LICENSE":
        if recognizer.startswith(("npi", "dea", "license_professional")):
            return "MEDICAL_LICENSE"
        return "US_PASSPORT" if _PASSPORT.search(text[max(0, start - 60) : start]) else "US_DRIVER_LICENSE"
    if kind == "HEALTH_PLAN":
        if recognizer.startswith("mbi"):
            return "US_MBI"
        return "UK_NHS" if _NHS.search(text[max(0, start - 60) : start]) else kind
    if kind == "SSN":
        return "US_ITIN" if text[start:end].lstrip().startswith("9") else "US_SSN"
    return _ENTITIES.get(kind, kind)


class InvalidParamError(Exception):
    """A parameter of an engine or operator is wrong."""

    def __init__(self, msg: str) -> None:
        super().__init__(msg)
        self.err_msg = msg


class AnalysisExplanation:
    """Why something was found."""

    def __init__(
        self,
        recognizer: str,
        original_score: float,
        pattern_name: str | None = None,
        pattern: str | None = None,
        validation_result: Any = None,
        textual_explanation: str | None = None,
        regex_flags: int | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.pattern_name = pattern_name
        self.pattern = pattern
        self.original_score = original_score
        self.score = original_score
        self.textual_explanation = textual_explanation
        self.score_context_improvement: float = 0
        self.supportive_context_word = ""
        self.validation_result = validation_result
        self.regex_flags = regex_flags

    def set_supportive_context_word(self, word: str) -> None:
        """Notes the word of the context that raised the score."""
        self.supportive_context_word = word

    def set_improved_score(self, score: float) -> None:
        """Notes what the context added."""
        self.score = score
        self.score_context_improvement = score - self.original_score

    def append_textual_explanation_line(self, text: str) -> None:
        """Adds a line."""
        lines = self.textual_explanation
        self.textual_explanation = text if lines is None else f"{lines}\n{text}"

    def to_dict(self) -> dict[str, Any]:
        """All of it."""
        return dict(vars(self))

    def __repr__(self) -> str:
        return str(self.to_dict())


class RecognizerResult:
    """One finding: its entity, its place in code points, its score. It holds no text."""

    RECOGNIZER_NAME_KEY: ClassVar[str] = "recognizer_name"
    RECOGNIZER_IDENTIFIER_KEY: ClassVar[str] = "recognizer_identifier"
    IS_SCORE_ENHANCED_BY_CONTEXT_KEY: ClassVar[str] = "is_score_enhanced_by_context"

    def __init__(
        self,
        entity_type: str,
        start: int,
        end: int,
        score: float,
        analysis_explanation: AnalysisExplanation | None = None,
        recognition_metadata: dict[str, Any] | None = None,
    ) -> None:
        self.entity_type = entity_type
        self.start = start
        self.end = end
        self.score = score
        self.analysis_explanation = analysis_explanation
        self.recognition_metadata = recognition_metadata

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RecognizerResult:
        """From a dictionary with ``entity_type``, ``start``, ``end`` and ``score``."""
        return cls(data["entity_type"], data["start"], data["end"], data["score"])

    def to_dict(self) -> dict[str, Any]:
        """All of it."""
        return dict(vars(self))

    def append_analysis_explanation_text(self, text: str) -> None:
        """Adds a line to the explanation."""
        if self.analysis_explanation is not None:
            self.analysis_explanation.append_textual_explanation_line(text)

    def intersects(self, other: RecognizerResult) -> int:
        """How many characters two results share; 0 as well where they only touch."""
        return max(0, min(self.end, other.end) - max(self.start, other.start))

    def contained_in(self, other: RecognizerResult) -> bool:
        """Whether the other result has all of this one."""
        return other.start <= self.start and self.end <= other.end

    def contains(self, other: RecognizerResult) -> bool:
        """Whether this result has all of the other."""
        return self.start <= other.start and other.end <= self.end

    def equal_indices(self, other: RecognizerResult) -> bool:
        """Whether both have the same place."""
        return (self.start, self.end) == (other.start, other.end)

    def has_conflict(self, other: RecognizerResult) -> bool:
        """Whether the other result makes this one go."""
        return self.score <= other.score if self.equal_indices(other) else other.contains(self)

    def _key(self) -> tuple[Any, ...]:
        return (self.start, self.end, self.score, self.entity_type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecognizerResult) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __gt__(self, other: RecognizerResult) -> bool:
        return (self.start, self.end) > (other.start, other.end)

    def __str__(self) -> str:
        return f"type: {self.entity_type}, start: {self.start}, end: {self.end}, score: {self.score}"

    __repr__ = __str__


class EntityRecognizer:
    """Base of recognisers of one's own: override :meth:`load` and :meth:`analyze`."""

    MIN_SCORE: ClassVar[float] = 0
    MAX_SCORE: ClassVar[float] = 1.0

    context: list[str] | None = None

    def __init__(
        self,
        supported_entities: list[str],
        name: str | None = None,
        supported_language: str = "en",
        version: str = "0.0.1",
        context: list[str] | None = None,
        country_code: str | None = None,
        score_thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self.supported_entities = supported_entities
        self.name = name if name is not None else type(self).__name__
        self.id = f"{self.name}_{id(self)}"
        self.supported_language = supported_language
        self.version = version
        self.context = context or []
        self.score_thresholds = dict(score_thresholds or {})
        self.is_loaded = False
        self.load()
        self.is_loaded = True

    def load(self) -> None:
        """Gets ready."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Finds things."""
        raise NotImplementedError

    def enhance_using_context(
        self,
        text: str,
        raw_recognizer_results: list[RecognizerResult],
        other_raw_recognizer_results: list[RecognizerResult],
        nlp_artifacts: Any = None,
        context: Sequence[str] | None = None,
    ) -> list[RecognizerResult]:
        """Its results in the light of those of others; override it to change scores."""
        return raw_recognizer_results

    def get_supported_entities(self) -> list[str]:
        """What it finds."""
        return self.supported_entities

    def get_supported_language(self) -> str:
        """In which language."""
        return self.supported_language

    def get_version(self) -> str:
        """Its version."""
        return self.version

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` makes it from."""
        return {
            "supported_entities": self.supported_entities,
            "supported_language": self.supported_language,
            "name": self.name,
            "version": self.version,
        }

    @classmethod
    def from_dict(cls, entity_recognizer_dict: dict[str, Any]) -> EntityRecognizer:
        """From a dictionary of its arguments."""
        return cls(**entity_recognizer_dict)

    @staticmethod
    def sanitize_value(text: str, replacement_pairs: Iterable[tuple[str, str]]) -> str:
        """The text with each first string of a pair replaced by its second."""
        for old, new in replacement_pairs:
            text = text.replace(old, new)
        return text

    @staticmethod
    def remove_duplicates(results: Iterable[Any]) -> list[Any]:
        """Without results of score 0, and without those that lie in another of their entity with no lower score."""
        kept: list[Any] = []
        # The widest of one entity comes first at each place.
        ordered = sorted(results, key=lambda r: (str(r.entity_type), r.start, -(r.end - r.start), -r.score))
        near: list[Any] = []
        for result in ordered:
            if result.score == 0:
                continue
            near = [r for r in near if r.entity_type == result.entity_type and r.end >= result.start]
            if not any(r.start <= result.start and result.end <= r.end and result.score <= r.score for r in near):
                kept.append(result)
                near.append(result)
        return sorted(kept, key=lambda r: (-r.score, r.start, -(r.end - r.start)))


LocalRecognizer = EntityRecognizer
RemoteRecognizer = EntityRecognizer


class Pattern:
    """A regular expression with a score."""

    def __init__(self, name: str, regex: str, score: float) -> None:
        try:
            re.compile(regex)
        except re.error as error:
            raise ValueError(f"Invalid regex pattern: {error}") from None
        if not 0 <= score <= 1:
            raise ValueError(f"Invalid score: {score}. Score should be between 0 and 1")
        self.name = name
        self.regex = regex
        self.score = score

    @classmethod
    def from_dict(cls, pattern_dict: dict[str, Any]) -> Pattern:
        """From a dictionary with ``name``, ``regex`` and ``score``."""
        return cls(**pattern_dict)

    def to_dict(self) -> dict[str, Any]:
        """All of it."""
        return {"name": self.name, "score": self.score, "regex": self.regex}

    def __repr__(self) -> str:
        return json.dumps(self.to_dict())


class PatternRecognizer(EntityRecognizer):
    """Finds one entity by regular expressions or a list of words."""

    def __init__(
        self,
        supported_entity: str,
        name: str | None = None,
        supported_language: str = "en",
        patterns: list[Any] | None = None,
        deny_list: list[str] | None = None,
        context: list[str] | None = None,
        deny_list_score: float = 1.0,
        global_regex_flags: int = _FLAGS,
        version: str = "0.0.1",
        country_code: str | None = None,
        score_thresholds: Mapping[str, float] | None = None,
    ) -> None:
        if not supported_entity:
            raise ValueError("Pattern recognizer should be initialized with entity")
        if not patterns and not deny_list:
            raise ValueError("Pattern recognizer should be initialized with patterns or with deny list")
        super().__init__(
            [supported_entity], name, supported_language, version, context, country_code, score_thresholds
        )
        self.patterns = list(patterns or [])
        self.deny_list = list(deny_list or [])
        self.deny_list_score = deny_list_score
        self.global_regex_flags = global_regex_flags
        if self.deny_list:
            words = "|".join(re.escape(word) for word in self.deny_list)
            regex = rf"(?<!\w)(?:{words})(?!\w)"
            self.patterns.append(Pattern("deny_list", regex, deny_list_score))

    @classmethod
    def from_dict(cls, entity_recognizer_dict: dict[str, Any]) -> PatternRecognizer:
        """From a dictionary, as JSON requests bring it."""
        options = dict(entity_recognizer_dict)
        if options.get("patterns"):
            options["patterns"] = [
                Pattern.from_dict(pattern) if isinstance(pattern, dict) else pattern for pattern in options["patterns"]
            ]
        entities = options.pop("supported_entities", None)
        if entities:
            options.setdefault("supported_entity", entities[0])
        return cls(**options)

    def to_dict(self) -> dict[str, Any]:
        """All of it."""
        plain = super().to_dict()
        del plain["supported_entities"]
        return {
            **plain,
            "supported_entity": self.supported_entities[0],
            "patterns": [pattern.to_dict() for pattern in self.patterns],
            "deny_list": self.deny_list,
            "context": self.context,
        }

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether a match is right for sure, or wrong for sure; override it for check digits."""
        return None

    def invalidate_result(self, pattern_text: str) -> bool | None:
        """Whether a match is wrong for sure."""
        return None

    @staticmethod
    def build_regex_explanation(
        recognizer_name: str,
        pattern_name: str,
        pattern: str,
        original_score: float,
        validation_result: bool | None,
        regex_flags: int,
    ) -> AnalysisExplanation:
        """Why a pattern matched."""
        said = f"Detected by `{recognizer_name}` using pattern `{pattern_name}`"
        return AnalysisExplanation(
            recognizer_name, original_score, pattern_name, pattern, validation_result, said, regex_flags
        )

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None, regex_flags: int | None = None
    ) -> list[RecognizerResult]:
        """Finds every match."""
        flags = regex_flags or self.global_regex_flags
        results = []
        for pattern in self.patterns:
            for match in re.compile(pattern.regex, flags).finditer(text):
                if not match.group():
                    continue
                score: float = pattern.score
                valid = self.validate_result(match.group())
                if valid is not None:
                    score = self.MAX_SCORE if valid else self.MIN_SCORE
                if self.invalidate_result(match.group()):
                    score = self.MIN_SCORE
                explanation = self.build_regex_explanation(
                    self.name, pattern.name, pattern.regex, pattern.score, valid, int(flags)
                )
                explanation.score = score
                metadata = {
                    RecognizerResult.RECOGNIZER_NAME_KEY: self.name,
                    RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                }
                results.append(
                    RecognizerResult(
                        self.supported_entities[0], match.start(), match.end(), score, explanation, metadata
                    )
                )
        return self.remove_duplicates(results)


class _BuiltIn(EntityRecognizer):
    """What masker itself finds, as one recogniser."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        kinds = [kind for kind in masker.policy.kinds if masker.policy.action(kind) is not None]
        entities = list(dict.fromkeys(entity for kind in kinds for entity in _entities_of(kind)))
        super().__init__(entities, "Masker")

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        return self.find(text, entities, None)

    def find(self, text: str, entities: list[str], context: Sequence[str] | None) -> list[RecognizerResult]:
        """The findings; what is known from outside of the text is read as a label of it."""
        label = " ".join(context or ())
        results = []
        for finding in self._masker.detect_field(label, text) if label else self._masker.detect(text):
            entity = _entity(finding.kind, finding.recognizer, text, finding.start, finding.end)
            if entity not in entities:
                continue
            metadata = {
                RecognizerResult.RECOGNIZER_NAME_KEY: finding.recognizer,
                RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
            }
            explanation = AnalysisExplanation(finding.recognizer, finding.confidence)
            results.append(
                RecognizerResult(entity, finding.start, finding.end, finding.confidence, explanation, metadata)
            )
        return results


class RecognizerRegistry:
    """The recognisers of an engine."""

    def __init__(
        self,
        recognizers: Iterable[Any] | None = None,
        global_regex_flags: int | None = _FLAGS,
        supported_languages: Sequence[str] | None = None,
    ) -> None:
        self.recognizers: list[Any] = list(recognizers or [])
        self.global_regex_flags = global_regex_flags
        self.supported_languages = list(supported_languages or ["en"])

    def load_predefined_recognizers(self, *_: Any, **__: Any) -> None:
        """Does nothing: what masker finds is always there."""

    def add_nlp_recognizer(self, nlp_engine: Any = None) -> None:
        """Does nothing: what masker finds is always there."""

    def get_recognizers(
        self,
        language: str,
        entities: Sequence[str] | None = None,
        all_fields: bool = False,
        ad_hoc_recognizers: Sequence[Any] | None = None,
    ) -> list[Any]:
        """The recognisers that were added, and find these entities in this language."""
        if entities is None and not all_fields:
            raise ValueError("No entities provided")
        found = [*self.recognizers, *(ad_hoc_recognizers or ())]
        return _supporting(found, language, None if all_fields else entities)

    def add_recognizer(self, recognizer: Any) -> None:
        """Adds one."""
        if not hasattr(recognizer, "analyze") or not hasattr(recognizer, "supported_entities"):
            raise ValueError("Input is not of type EntityRecognizer")
        self.recognizers.append(recognizer)

    def remove_recognizer(self, recognizer_name: str, language: str | None = None) -> None:
        """Removes those of a name."""
        self.recognizers = [
            one
            for one in self.recognizers
            if one.name != recognizer_name or (language is not None and one.supported_language != language)
        ]

    def add_pattern_recognizer_from_dict(self, recognizer_dict: dict[str, Any]) -> None:
        """Adds one that is given as a dictionary."""
        self.add_recognizer(PatternRecognizer.from_dict(recognizer_dict))

    def add_recognizers_from_yaml(self, yml_path: str | os.PathLike[str]) -> None:
        """Adds the pattern recognisers of a file. It needs the package PyYAML."""
        with open(yml_path, encoding="utf-8") as file:
            for one in import_module("yaml").safe_load(file)["recognizers"]:
                self.add_pattern_recognizer_from_dict(one)

    def get_supported_entities(self, languages: Sequence[str] | None = None) -> list[str]:
        """What its recognisers find."""
        return sorted(
            {
                entity
                for one in self.recognizers
                if languages is None or one.supported_language in languages
                for entity in one.supported_entities
            }
        )


class AnalyzerEngine:
    """Finds PII.

    ``masker`` decides what is looked for; without one all kinds of ``healthcare-default`` are. Other arguments are Presidio's.
    """

    def __init__(
        self,
        registry: Any = None,
        nlp_engine: Any = None,
        app_tracer: Any = None,
        log_decision_process: bool = False,
        default_score_threshold: float = 0,
        supported_languages: Sequence[str] | None = None,
        context_aware_enhancer: Any = None,
        *,
        masker: Masker | None = None,
    ) -> None:
        self.registry = registry if registry is not None else RecognizerRegistry()
        self.supported_languages = list(supported_languages or ["en"])
        self.default_score_threshold = default_score_threshold
        self.log_decision_process = log_decision_process
        self.nlp_engine = nlp_engine
        self.app_tracer = app_tracer
        self.context_aware_enhancer = context_aware_enhancer or LemmaContextAwareEnhancer()
        self._built_in = _BuiltIn(masker if masker is not None else Masker())

    def get_recognizers(self, language: str | None = None) -> list[Any]:
        """The recognisers of a language, masker's own first."""
        wanted = [language] if language else self.supported_languages
        found = [self._built_in] if "en" in wanted else []
        return [*found, *(one for one in self.registry.recognizers if one.supported_language in wanted)]

    def get_supported_entities(self, language: str | None = None) -> list[str]:
        """What can be found."""
        entities = (entity for one in self.get_recognizers(language) for entity in one.supported_entities)
        return list(dict.fromkeys(entities))

    def analyze(
        self,
        text: str,
        language: str = "en",
        entities: Sequence[str] | None = None,
        correlation_id: str | None = None,
        score_threshold: float | None = None,
        return_decision_process: bool | None = False,
        ad_hoc_recognizers: Sequence[Any] | None = None,
        context: Sequence[str] | None = None,
        allow_list: Sequence[str] | None = None,
        allow_list_match: str | None = "exact",
        regex_flags: int | None = _FLAGS,
        nlp_artifacts: Any = None,
    ) -> list[RecognizerResult]:
        """The findings, the surest first."""
        if allow_list and allow_list_match not in ("exact", "regex"):
            raise ValueError("allow_list_match must either be set to 'exact' or 'regex'.")
        every = [*self.get_recognizers(language), *(ad_hoc_recognizers or ())]
        recognizers = _supporting(every, language, entities)
        supported = (entity for one in recognizers for entity in one.supported_entities)
        wanted = list(dict.fromkeys(entities or supported))
        found = [(one, self._found_by(one, text, wanted, context, nlp_artifacts)) for one in recognizers]
        results: list[Any] = []
        for recognizer, own in found:
            enhance = getattr(recognizer, "enhance_using_context", None)
            if enhance is not None:
                others = [result for one, those in found if one is not recognizer for result in those]
                own = enhance(
                    text=text,
                    raw_recognizer_results=own,
                    other_raw_recognizer_results=others,
                    nlp_artifacts=nlp_artifacts,
                    context=context,
                )
            results += own
        results = self.context_aware_enhancer.enhance_using_context(
            text=text, raw_results=results, nlp_artifacts=nlp_artifacts, recognizers=recognizers, context=context
        )
        if score_threshold is None:
            results = self._above_own_thresholds(results, recognizers)
        else:
            results = [result for result in results if result.score >= score_threshold]
        results = EntityRecognizer.remove_duplicates(results)
        if allow_list:
            results = _without_allowed(results, text, allow_list, allow_list_match, regex_flags or 0)
        if not return_decision_process:
            for result in results:
                result.analysis_explanation = None
        return results

    def _found_by(
        self, recognizer: Any, text: str, entities: list[str], context: Sequence[str] | None, nlp_artifacts: Any
    ) -> list[RecognizerResult]:
        if recognizer is self._built_in:
            own: list[RecognizerResult] = self._built_in.find(text, entities, context)
            return own
        if not getattr(recognizer, "is_loaded", True):
            recognizer.load()
            recognizer.is_loaded = True
        found = recognizer.analyze(text=text, entities=entities, nlp_artifacts=nlp_artifacts)
        return [_own(result, recognizer) for result in found or ()]

    def _above_own_thresholds(self, results: list[Any], recognizers: list[Any]) -> list[Any]:
        thresholds = {one.id: getattr(one, "score_thresholds", None) or {} for one in recognizers}

        def least(result: Any) -> float:
            own = thresholds.get((result.recognition_metadata or {}).get(RecognizerResult.RECOGNIZER_IDENTIFIER_KEY), {})
            score: float = own.get(result.entity_type, own.get("default", self.default_score_threshold))
            return score

        return [result for result in results if result.score >= least(result)]


def _own(result: Any, recognizer: Any) -> RecognizerResult:
    """A result of this module, for one that a recogniser of Presidio made."""
    metadata = dict(result.recognition_metadata or {})
    metadata.setdefault(RecognizerResult.RECOGNIZER_IDENTIFIER_KEY, recognizer.id)
    metadata.setdefault(RecognizerResult.RECOGNIZER_NAME_KEY, recognizer.name)
    return RecognizerResult(
        result.entity_type, result.start, result.end, result.score, result.analysis_explanation, metadata
    )


def _supporting(recognizers: Iterable[Any], language: str, entities: Sequence[str] | None) -> list[Any]:
    """Those of a language that find one of the entities. None at all is an error, or everything would pass unseen."""
    found = [one for one in recognizers if one.supported_language == language]
    if entities:
        for entity in entities:
            if not any(entity in one.supported_entities for one in found):
                _logger.warning("no recognizer finds %s in the language %s", entity, language)
        found = [one for one in found if any(entity in one.supported_entities for entity in entities)]
    if not found:
        raise ValueError("No matching recognizers were found to serve the request.")
    return found


class LemmaContextAwareEnhancer:
    """Raises the score of a finding where a word of its recogniser's context stands near it, or was given with the text.

    Words are compared as they are written: there is no model to find their lemmas. By default a word counts that has the
    recogniser's word in it.
    """

    def __init__(
        self,
        context_similarity_factor: float = 0.35,
        min_score_with_context_similarity: float = 0.4,
        context_prefix_count: int = 5,
        context_suffix_count: int = 0,
        context_matching_mode: str = "substring",
    ) -> None:
        if context_matching_mode not in ("whole_word", "substring"):
            raise ValueError("context_matching_mode must be one of: 'whole_word', 'substring'.")
        self.context_similarity_factor = context_similarity_factor
        self.min_score_with_context_similarity = min_score_with_context_similarity
        self.context_prefix_count = context_prefix_count
        self.context_suffix_count = context_suffix_count
        self.context_matching_mode = context_matching_mode

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[Any],
        nlp_artifacts: Any,
        recognizers: Sequence[Any],
        context: Sequence[str] | None = None,
    ) -> list[Any]:
        """The results, with higher scores where the context speaks for them."""
        cues = {one.id: [word.lower() for word in getattr(one, "context", None) or ()] for one in recognizers}
        if not any(cues.values()):
            return raw_results
        words = [(match.end(), match.group().lower()) for match in _WORD.finditer(text)]
        words = [(end, word) for end, word in words if word not in _STOP_WORDS]
        outer = [word.lower() for word in context or ()]
        for result in raw_results:
            metadata = result.recognition_metadata or {}
            own = cues.get(metadata.get(RecognizerResult.RECOGNIZER_IDENTIFIER_KEY))
            if not own or metadata.get(RecognizerResult.IS_SCORE_ENHANCED_BY_CONTEXT_KEY):
                continue
            near = [*self._near(words, result.start), *outer]
            cue = next((cue for cue in own if any(self._matches(cue, word) for word in near)), None)
            if cue is None:
                continue
            raised = max(result.score + self.context_similarity_factor, self.min_score_with_context_similarity)
            result.score = min(EntityRecognizer.MAX_SCORE, raised)
            if result.analysis_explanation is not None:
                result.analysis_explanation.set_supportive_context_word(cue)
                result.analysis_explanation.set_improved_score(result.score)
        return raw_results

    def _near(self, words: list[tuple[int, str]], start: int) -> list[str]:
        """The words around a place, and the one that stands there: it may have the context's word in it."""
        at = bisect_right(words, start, key=lambda word: word[0])
        return [word for _, word in words[max(0, at - self.context_prefix_count) : at + 1 + self.context_suffix_count]]

    def _matches(self, cue: str, word: str) -> bool:
        return cue == word if self.context_matching_mode == "whole_word" else cue in word


def _without_allowed(
    results: list[RecognizerResult], text: str, allowed: Sequence[str], how: str | None, flags: int
) -> list[RecognizerResult]:
    if how == "exact":
        return [result for result in results if text[result.start : result.end] not in allowed]
    terms = [term for term in allowed if term]
    if not terms:
        return results
    pattern = re.compile("|".join(terms), flags)
    return [result for result in results if not pattern.search(text[result.start : result.end])]


class DictAnalyzerResult:
    """The findings in one value of a dictionary or list."""

    def __init__(self, key: str, value: Any, recognizer_results: Any) -> None:
        self.key = key
        self.value = value
        self.recognizer_results = recognizer_results

    def __repr__(self) -> str:
        return f"<DictAnalyzerResult: {type(self.value).__name__}>"


DictRecognizerResult = DictAnalyzerResult


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | Number) and not isinstance(value, bool)


class BatchAnalyzerEngine:
    """Finds PII in many texts."""

    def __init__(self, analyzer_engine: AnalyzerEngine | None = None) -> None:
        self.analyzer_engine = analyzer_engine if analyzer_engine is not None else AnalyzerEngine()

    def analyze_iterator(
        self, texts: Iterable[Any], language: str = "en", batch_size: int = 1, n_process: int = 1, **options: Any
    ) -> list[list[RecognizerResult]]:
        """The findings in each text or number. ``ValueError`` where there is something else that may hold text."""
        found: list[list[RecognizerResult]] = []
        for text in texts:
            if _is_plain(text):
                found.append(self.analyzer_engine.analyze(str(text), language, **options))
            elif text and not isinstance(text, bool):
                raise ValueError(f"lists of {type(text).__name__} are not supported, only texts and numbers")
            else:
                found.append([])
        return found

    def analyze_dict(
        self,
        input_dict: dict[str, Any],
        language: str = "en",
        keys_to_skip: Sequence[str] | None = None,
        batch_size: int = 1,
        n_process: int = 1,
        context: Sequence[str] | None = None,
        **options: Any,
    ) -> Iterator[DictAnalyzerResult]:
        """The findings in each value, one by one; keys are context of their values. ``ValueError`` where a value is nothing that can
        be looked into."""
        for key, value in input_dict.items():
            results: Any = []
            options["context"] = [*(context or ()), str(key)]
            if key in (keys_to_skip or ()) or value is None or isinstance(value, bool):
                pass
            elif _is_plain(value):
                results = self.analyzer_engine.analyze(str(value), language, **options)
            elif isinstance(value, dict):
                below = [name.partition(".")[2] for name in keys_to_skip or () if name.startswith(f"{key}.")]
                results = self.analyze_dict(value, language, below, **options)
            elif isinstance(value, Iterable) and not isinstance(value, bytes | bytearray | memoryview):
                value = list(value)
                results = self.analyze_iterator(value, language, **options)
            else:
                raise ValueError(f"type {type(value).__name__} is unsupported")
            yield DictAnalyzerResult(key, value, results)


class ConflictResolutionStrategy(Enum):
    """What happens to findings that overlap."""

    MERGE_SIMILAR_OR_CONTAINED = "merge_similar_or_contained"
    REMOVE_INTERSECTIONS = "remove_intersections"
    NONE = "none"


class OperatorConfig:
    """What becomes of an entity: ``replace``, ``redact``, ``mask``, ``hash``, ``encrypt``, ``keep`` or ``custom``."""

    def __init__(self, operator_name: str, params: dict[str, Any] | None = None) -> None:
        if not operator_name:
            raise InvalidParamError("Invalid input, operator config must contain operator_name")
        self.operator_name = operator_name
        self.params: dict[str, Any] = params or {}

    @classmethod
    def from_json(cls, params: dict[str, Any]) -> OperatorConfig:
        """From a dictionary with ``type`` and the parameters."""
        own = dict(params)
        return cls(own.pop("type", ""), own)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, OperatorConfig)
            and self.operator_name == other.operator_name
            and self.params == other.params
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        # A parameter may be a key.
        return f"<OperatorConfig: {self.operator_name}, {', '.join(self.params) or 'no parameters'}>"


class OperatorType(Enum):
    """What an operator is for."""

    Anonymize = 1
    Deanonymize = 2


class Operator(ABC):
    """Base of operators of one's own, for ``add_anonymizer`` and ``add_deanonymizer``."""

    @abstractmethod
    def operate(self, text: str, params: dict[str, Any] | None = None) -> str:
        """What stands in the place of a text; ``params`` also has its ``entity_type``."""

    @abstractmethod
    def validate(self, params: dict[str, Any] | None = None) -> None:
        """Raises :class:`InvalidParamError` where a parameter is wrong."""

    @abstractmethod
    def operator_name(self) -> str:
        """Its name in an :class:`OperatorConfig`."""

    @abstractmethod
    def operator_type(self) -> OperatorType:
        """What it is for."""


class OperatorResult:
    """What stands in the place of one entity, with its place in the new text."""

    def __init__(
        self,
        start: int,
        end: int,
        entity_type: str,
        text: str | None = None,
        operator: str | None = None,
        score: float | None = None,
    ) -> None:
        self.start = start
        self.end = end
        self.entity_type = entity_type
        self.text = text
        self.operator = operator
        self.score = score

    @classmethod
    def from_json(cls, json: dict[str, Any]) -> OperatorResult:
        """From a dictionary."""
        return cls(**{name: json.get(name) for name in ("start", "end", "entity_type", "text", "operator", "score")})  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, Any]:
        """All of it, with the text."""
        return dict(vars(self))

    def __eq__(self, other: object) -> bool:
        names = ("start", "end", "entity_type", "operator", "text")
        return isinstance(other, OperatorResult) and all(getattr(self, n) == getattr(other, n) for n in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<OperatorResult: {self.entity_type} {self.start}-{self.end}, {self.operator}>"


class EngineResult:
    """A new text and what was done to it."""

    def __init__(self, text: str | None = None, items: list[OperatorResult] | None = None) -> None:
        self.text = text
        self.items: list[OperatorResult] = items if items is not None else []

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps({"text": self.text, "items": [item.to_dict() for item in self.items]})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EngineResult) and (self.text, self.items) == (other.text, other.items)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<EngineResult: {len(self.text or '')} characters, {len(self.items)} items>"


def _param(params: dict[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    if name not in params:
        raise InvalidParamError(f"Expected parameter {name}")
    value = params[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InvalidParamError(f"Invalid parameter value for {name}. Expecting another type than {type(value).__name__}")
    return value


def _replace(text: str, params: dict[str, Any]) -> str:
    if not params.get("new_value"):
        return f"<{params['entity_type']}>"
    new: str = _param(params, "new_value", str)
    return new


def _mask(text: str, params: dict[str, Any]) -> str:
    char: str = _param(params, "masking_char", str)
    count: int = _param(params, "chars_to_mask", int)
    from_end = _param(params, "from_end", bool)
    if len(char) > 1:
        raise InvalidParamError("Invalid input, masking_char must be a character")
    count = min(len(text), max(count, 0))
    return text[: len(text) - count] + char * count if from_end else char * count + text[count:]


def _hash(text: str, params: dict[str, Any]) -> str:
    kind = params.get("hash_type") or "sha256"
    if kind not in ("sha256", "sha512"):
        raise InvalidParamError("Parameter hash_type must be sha256 or sha512")
    # Without a salt of the caller's, equal values do not match.
    salt = params.get("salt", os.urandom(32))
    salt = salt.encode() if isinstance(salt, str) else salt
    if not isinstance(salt, bytes) or len(salt) < 16:
        raise InvalidParamError("Salt must be at least 16 bytes (128 bits)")
    return hashlib.new(kind, text.encode("utf-8", "surrogatepass") + salt).hexdigest()


def _ring(params: dict[str, Any]) -> KeyRing:
    key = _param(params, "key", (str, bytes))
    key = key.encode() if isinstance(key, str) else key
    if len(key) not in (16, 24, 32):
        raise InvalidParamError("Invalid input, key must be of length 128, 192 or 256 bits")
    return KeyRing({"PRESIDIO": hashlib.sha256(b"masker presidio key v1" + key).digest()})


def _encrypt(text: str, params: dict[str, Any]) -> str:
    sealed = _ring(params).seal("PRESIDIO", "ID", text)
    if sealed is None:
        raise InvalidParamError("the text is too long to be encrypted")
    return sealed


def _decrypt(text: str, params: dict[str, Any]) -> str:
    ring = _ring(params)
    try:
        return ring.unseal(text)
    except (KeyRingError, ValueError):
        raise InvalidParamError("the text does not open under this key") from None


def _custom(text: str, params: dict[str, Any]) -> str:
    function = params.get("lambda")
    if not callable(function):
        raise InvalidParamError("New value must be a callable function")
    made: object = function(text)
    if not isinstance(made, str):
        raise InvalidParamError("Function return type must be a str")
    return made


_Operate = Callable[[str, dict[str, Any]], str]


class _Engine:
    def __init__(self, operators: dict[str, _Operate]) -> None:
        self._operators = operators

    def _add(self, operator: Any) -> None:
        made = operator()

        def operate(text: str, params: dict[str, Any]) -> str:
            made.validate(params=params)
            done: str = made.operate(text=text, params=params)
            return done

        self._operators[made.operator_name()] = operate

    def _remove(self, operator: Any) -> None:
        name = operator().operator_name()
        if self._operators.pop(name, None) is None:
            raise InvalidParamError(f"Operator {name} not found")

    def _operate(self, text: str, entities: Sequence[Any], operators: dict[str, Any]) -> EngineResult:
        spans: list[tuple[int, Any]] = []
        done = 0
        for entity in sorted(entities, key=lambda entity: (entity.start, entity.end)):
            if not 0 <= entity.start <= entity.end <= len(text):
                raise InvalidParamError(f"Invalid analyzer result, start: {entity.start} and end: {entity.end}")
            # Of overlapping ones the later begins where the earlier ended, so that nothing stays uncovered.
            start = max(entity.start, done)
            if start < entity.end:
                spans.append((start, entity))
                done = entity.end
        # From the end, as Presidio does: an operator may count.
        made: list[tuple[int, Any, str, str]] = []
        for start, entity in reversed(spans):
            config = operators.get(entity.entity_type) or operators["DEFAULT"]
            operate = self._operators.get(config.operator_name)
            if operate is None:
                raise InvalidParamError(f"Invalid operator class '{config.operator_name}'.")
            new = operate(text[start : entity.end], {**config.params, "entity_type": entity.entity_type})
            made.append((start, entity, new, config.operator_name))
        pieces: list[str] = []
        items: list[OperatorResult] = []
        done = length = 0
        for start, entity, new, name in reversed(made):
            pieces += [text[done:start], new]
            length += start - done
            score = getattr(entity, "score", None)
            items.append(OperatorResult(length, length + len(new), entity.entity_type, new, name, score))
            length += len(new)
            done = entity.end
        pieces.append(text[done:])
        return EngineResult("".join(pieces), items[::-1])


class AnonymizerEngine(_Engine):
    """Replaces findings. Everything that a finding covers is replaced, also where findings overlap."""

    def __init__(self) -> None:
        super().__init__(
            {
                "custom": _custom,
                "encrypt": _encrypt,
                "hash": _hash,
                "keep": lambda text, _: text,
                "mask": _mask,
                "redact": lambda *_: "",
                "replace": _replace,
            }
        )

    def get_anonymizers(self) -> list[str]:
        """The names of the operators."""
        return list(self._operators)

    def add_anonymizer(self, anonymizer_cls: Any) -> None:
        """Adds an operator: a class with ``operate``, ``validate`` and ``operator_name``."""
        self._add(anonymizer_cls)

    def remove_anonymizer(self, anonymizer_cls: Any) -> None:
        """Removes an operator."""
        self._remove(anonymizer_cls)

    def anonymize(
        self,
        text: str,
        analyzer_results: Sequence[Any],
        operators: dict[str, Any] | None = None,
        conflict_resolution: Any = ConflictResolutionStrategy.MERGE_SIMILAR_OR_CONTAINED,
        merge_entities_with_spaces: bool = True,
    ) -> EngineResult:
        """The text with each finding replaced by its entity's operator, or by that of ``DEFAULT``."""
        chosen = {"DEFAULT": OperatorConfig("replace"), **(operators or {})}
        results = [RecognizerResult(r.entity_type, r.start, r.end, r.score) for r in analyzer_results]
        results = _without_contained(_merged(results))
        if getattr(conflict_resolution, "value", None) == "remove_intersections":
            results = _without_intersections(results)
        if merge_entities_with_spaces:
            results = _joined(text, results)
        return self._operate(text, results, chosen)


def _merged(results: list[RecognizerResult]) -> list[RecognizerResult]:
    """Those of one entity that overlap, as one."""
    merged: list[RecognizerResult] = []
    last: dict[str, RecognizerResult] = {}
    for result in sorted(results, key=lambda r: (r.start, r.end)):
        before = last.get(result.entity_type)
        if before is not None and before.intersects(result):
            before.end = max(before.end, result.end)
            before.score = max(before.score, result.score)
            continue
        merged.append(result)
        last[result.entity_type] = result
    return merged


def _without_contained(results: list[RecognizerResult]) -> list[RecognizerResult]:
    kept: list[RecognizerResult] = []
    # Of equal ones the last, as in Presidio.
    for result in sorted(reversed(results), key=lambda r: (r.start, -r.end, -r.score)):
        if not any(result.contained_in(other) for other in kept[-8:] if other.end >= result.end):
            kept.append(result)
    return kept


def _without_intersections(results: list[RecognizerResult]) -> list[RecognizerResult]:
    """Of two that overlap the one with the lower score gives way at its edge."""
    ordered = sorted(results, key=lambda r: (r.start, r.end))
    for before, after in zip(ordered, ordered[1:], strict=False):
        if before.end > after.start:
            if before.score >= after.score:
                after.start = before.end
            else:
                before.end = after.start
    return [result for result in ordered if result.start < result.end]


def _joined(text: str, results: list[RecognizerResult]) -> list[RecognizerResult]:
    """Those of one entity with nothing but spaces between them, as one."""
    joined: list[RecognizerResult] = []
    for result in sorted(results, key=lambda r: (r.start, r.end)):
        before = joined[-1] if joined else None
        if before is not None and before.entity_type == result.entity_type:
            between = text[before.end : result.start]
            if between and not between.strip(" "):
                before.end = result.end
                before.score = max(before.score, result.score)
                continue
        joined.append(result)
    return joined


class DeanonymizeEngine(_Engine):
    """Puts back what ``encrypt`` replaced."""

    def __init__(self) -> None:
        super().__init__({"decrypt": _decrypt, "deanonymize_keep": lambda text, _: text})

    def get_deanonymizers(self) -> list[str]:
        """The names of the operators."""
        return list(self._operators)

    def add_deanonymizer(self, deanonymizer_cls: Any) -> None:
        """Adds an operator."""
        self._add(deanonymizer_cls)

    def remove_deanonymizer(self, deanonymizer_cls: Any) -> None:
        """Removes an operator."""
        self._remove(deanonymizer_cls)

    def deanonymize(self, text: str, entities: Sequence[Any], operators: dict[str, Any]) -> EngineResult:
        """The text with each entity put back by its operator, or by that of ``DEFAULT``."""
        if "DEFAULT" not in operators:
            missing = [entity for entity in entities if entity.entity_type not in operators]
            if missing:
                raise InvalidParamError("an entity has no operator, and there is no DEFAULT")
        return self._operate(text, entities, operators)


_Work = Callable[[str, Any], EngineResult]


def _in_list(texts: Iterable[Any], results: Iterable[Any], work: _Work) -> list[Any]:
    texts = list(texts)
    results = list(results) or [[]] * len(texts)
    return [
        work(str(text), found).text if _is_plain(text) else text for text, found in zip(texts, results, strict=True)
    ]


def _in_dict(results: Iterable[Any], work: _Work) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for result in results:
        value, found = result.value, result.recognizer_results
        if isinstance(value, dict):
            value = _in_dict(found, work)
        elif isinstance(value, str) or (_is_plain(value) and found):
            # A number in which nothing is found stays a number.
            value = work(str(value), found).text
        elif isinstance(value, Iterable):
            value = _in_list(value, found, work)
        made[result.key] = value
    return made


class BatchAnonymizerEngine:
    """Replaces findings in many texts."""

    def __init__(self, anonymizer_engine: AnonymizerEngine | None = None) -> None:
        self.anonymizer_engine = anonymizer_engine if anonymizer_engine is not None else AnonymizerEngine()

    def anonymize_list(
        self, texts: Iterable[Any], recognizer_results_list: Iterable[Any], **options: Any
    ) -> list[Any]:
        """The new texts; values that are no text stay."""
        return _in_list(texts, recognizer_results_list, self._work(options))

    def anonymize_dict(self, analyzer_results: Iterable[Any], **options: Any) -> dict[str, Any]:
        """The dictionary with new values."""
        return _in_dict(analyzer_results, self._work(options))

    def _work(self, options: dict[str, Any]) -> _Work:
        return lambda text, results: self.anonymizer_engine.anonymize(text, results, **options)


class BatchDeanonymizeEngine:
    """Puts back what ``encrypt`` replaced in many texts."""

    def __init__(self, deanonymize_engine: DeanonymizeEngine | None = None) -> None:
        self.deanonymize_engine = deanonymize_engine if deanonymize_engine is not None else DeanonymizeEngine()

    def deanonymize_list(
        self, texts: Iterable[Any], entities_list: Iterable[Any], operators: dict[str, Any]
    ) -> list[Any]:
        """The texts with originals; values that are no text stay."""
        return _in_list(texts, entities_list, self._work(operators))

    def deanonymize_dict(self, anonymizer_results: Iterable[Any], operators: dict[str, Any]) -> dict[str, Any]:
        """The dictionary with originals."""
        return _in_dict(anonymizer_results, self._work(operators))

    def _work(self, operators: dict[str, Any]) -> _Work:
        return lambda text, entities: self.deanonymize_engine.deanonymize(text, entities, operators)
