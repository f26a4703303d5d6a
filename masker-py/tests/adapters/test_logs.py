from __future__ import annotations

import copy
import io
import json
import logging
import logging.handlers
import queue
import sys
from datetime import date

import structlog

import masker
from masker.integrations.logging import FAILED, MaskingFilter, MaskingFormatter
from masker.integrations.structlog import MaskingProcessor

PHI = ("Sarah", "Chen", "0142", "example.com", "7734215")


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.Logger("test")
    logger.addHandler(handler)
    return logger


def clean(text: str) -> str:
    for value in PHI:
        assert value not in text, f"{value} in {text}"
    return text


def log_all(logger: logging.Logger) -> None:
    logger.info("caller %s at %s", "Sarah Chen", "415-555-0142")
    logger.info("my name is Sarah Chen", extra={"phone": "415-555-0142", "mrn": 7734215, "turn": 3})
    logger.info("%(email)s", {"email": "sarah.chen@example.com"})
    try:
        raise ValueError("no chart for Sarah Chen, 415-555-0142")
    except ValueError:
        logger.exception("failed", stack_info=True)


def test_formatter():
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(message)s"))
    log_all(logger_with(handler))
    text = clean(out.getvalue())
    assert "[REDACTED:PHONE]" in text and "[REDACTED:NAME]" in text and "Traceback" in text and "Stack" in text
    assert text.count("REDACTED") >= 5 and text.startswith("20"), "the time stays"


def test_formatter_around_another():
    class Json(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return json.dumps({"message": record.getMessage(), "phone": getattr(record, "phone", None)})

    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(MaskingFormatter(formatter=Json()))
    logger_with(handler).info("call %s", "415-555-0142", extra={"phone": "415-555-0142"})
    assert json.loads(clean(out.getvalue())) == {"message": "call [REDACTED:PHONE]", "phone": "[REDACTED:PHONE]"}


def test_the_record_stays_as_it_is_for_other_handlers():
    first, second = io.StringIO(), io.StringIO()
    masking, plain = logging.StreamHandler(first), logging.StreamHandler(second)
    masking.setFormatter(MaskingFormatter())
    logger = logger_with(masking)
    logger.addHandler(plain)
    try:
        raise ValueError("Sarah Chen")
    except ValueError:
        logger.exception("call %s", "415-555-0142")
    clean(first.getvalue())
    assert "415-555-0142" in second.getvalue() and "Sarah Chen" in second.getvalue()


def test_filter():
    records: queue.Queue = queue.Queue()
    handler = logging.handlers.QueueHandler(records)
    handler.addFilter(MaskingFilter())
    log_all(logger_with(handler))
    while not records.empty():
        record = records.get()
        clean(repr(vars(record)) + record.getMessage())
        if record.getMessage().startswith("my name"):
            assert (record.phone, record.mrn, record.turn) == ("[REDACTED:PHONE]", "[REDACTED:MRN]", 3)
    if sys.version_info >= (3, 12):
        record = logging.makeLogRecord({"msg": "415-555-0142"})
        assert MaskingFilter().filter(copy.copy(record)) is not record


def test_a_log_call_never_fails_and_never_leaks():
    out = io.StringIO()
    handler = logging.StreamHandler(out)

    def broken(text: str):
        raise ValueError(text)

    handler.setFormatter(MaskingFormatter(masker=masker.Masker(recognizer=broken)))
    logger = logger_with(handler)
    logger.info("call 415-555-0142")
    logger.info("call %d", "415-555-0142")

    class Strange:
        def __str__(self) -> str:
            raise RuntimeError("415-555-0142")

    logger.info("call", extra={"what": Strange(), "data": b"415-555-0142", "many": {"415-555-0142": ["415-555-0142"]}})
    assert clean(out.getvalue()).splitlines() == [FAILED] * 3


def test_tokens_in_logs_where_they_are_wanted():
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    m = masker.Masker()
    handler.setFormatter(MaskingFormatter(masker=m))
    logger_with(handler).info("call 415-555-0142")
    assert m.rehydrate(clean(out.getvalue())).text == "call 415-555-0142\n"


def test_structlog():
    out = io.StringIO()
    logger = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            MaskingProcessor(),
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    logger.info("caller is Sarah Chen", phone="415-555-0142", mrn=7734215, turn=3, ok=True, nothing=None)
    logger.info("x", nested={"note": ["call 415-555-0142", {"email": "sarah.chen@example.com"}]}, seen=date(2024, 3, 5))
    try:
        raise ValueError("no chart for Sarah Chen")
    except ValueError:
        logger.exception("failed", caller=("Sarah Chen", 1))
    lines = [json.loads(line) for line in clean(out.getvalue()).splitlines()]
    assert lines[0]["phone"] == "[REDACTED:PHONE]" and lines[0]["mrn"] == "[REDACTED:MRN]"
    assert (lines[0]["turn"], lines[0]["ok"], lines[0]["nothing"], lines[0]["level"]) == (3, True, None, "info")
    assert lines[0]["timestamp"].startswith("20")
    assert lines[1]["nested"]["note"][0] == "call [REDACTED:PHONE]"
    assert "2024" not in lines[1]["seen"]
    assert "Traceback" in lines[2]["exception"]
