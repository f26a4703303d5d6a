from __future__ import annotations

import copy
import io
import json
import logging
import logging.config
import logging.handlers
import queue
import sys
import threading
from datetime import date

import pytest
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


def test_formatters_keep_their_own_ways():
    class Short(logging.Formatter):
        def formatException(self, ei) -> str:
            return f"because of {ei[1]}"

    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(MaskingFormatter(formatter=Short("%(message)s")))
    try:
        raise ValueError("call 415-555-0142")
    except ValueError:
        logger_with(handler).exception("failed")
    assert clean(out.getvalue()) == "failed\nbecause of call [REDACTED:PHONE]\n"
    with pytest.raises(ValueError):
        MaskingFormatter("{message}")
    assert MaskingFormatter("no field", validate=False)


def test_settings_in_a_dictionary(capsys):
    """As Django and uvicorn configure logging."""
    formatter = "masker.integrations.logging.MaskingFormatter"
    logging.config.dictConfig(
        {
            "version": 1,
            "formatters": {
                "own": {"()": formatter, "fmt": "%(message)s %(turn)s", "defaults": {"turn": "-"}},
                "plain": {"class": formatter, "format": "%(message)s", "validate": True},
            },
            "filters": {"masking": {"()": "masker.integrations.logging.MaskingFilter"}},
            "handlers": {
                "one": {"class": "logging.StreamHandler", "formatter": "own", "stream": "ext://sys.stderr"},
                "two": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"},
                "three": {"class": "logging.StreamHandler", "filters": ["masking"], "stream": "ext://sys.stderr"},
            },
            "loggers": {"configured": {"handlers": ["one", "two", "three"], "level": "INFO", "propagate": False}},
        }
    )
    logging.getLogger("configured").info("call %s", "415-555-0142")
    said = "call [REDACTED:PHONE]"
    assert capsys.readouterr().err == f"{said} -\n{said}\n{said}\n"


def test_names_that_a_program_gives():
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(MaskingFormatter("%(threadName)s %(processName)s %(name)s %(message)s"))
    logger = logger_with(handler)
    logger.info("ready")
    thread = threading.Thread(target=logger.info, args=("ready",), name="call from Sarah Chen, 415-555-0142")
    thread.start()
    thread.join()
    first, second = clean(out.getvalue()).splitlines()
    assert first == "MainThread MainProcess test ready"
    assert second.startswith("call from [REDACTED:NAME], [REDACTED:PHONE] ")


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


def test_structlog_about_the_program():
    """What structlog says of the place of a call is no name of a person."""
    out = io.StringIO()
    places = structlog.processors.CallsiteParameterAdder()
    renderer = structlog.processors.JSONRenderer()
    logger = structlog.wrap_logger(structlog.PrintLogger(out), processors=[places, MaskingProcessor(), renderer])
    logger.info("call 415-555-0142", logger="clinic.health", process_name="MainProcess")
    line = json.loads(clean(out.getvalue()))
    assert (line["thread_name"], line["func_name"]) == ("MainThread", "test_structlog_about_the_program")
    assert (line["logger"], line["event"]) == ("clinic.health", "call [REDACTED:PHONE]")
