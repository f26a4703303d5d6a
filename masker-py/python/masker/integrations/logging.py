"""Keeps PHI out of logs of the standard library. One way: with the default masker nothing can be restored from a log.

>>> import io, logging
>>> from masker.integrations.logging import MaskingFormatter
>>> out = io.StringIO()
>>> handler = logging.StreamHandler(out)
>>> handler.setFormatter(MaskingFormatter("%(levelname)s %(message)s"))
>>> logger = logging.getLogger("example")
>>> logger.addHandler(handler)
>>> logger.warning("no answer from %s", "415-555-0142")
>>> out.getvalue()
'WARNING no answer from [REDACTED:PHONE]\\n'

Both mask the message, the traceback, the stack, the names of the thread, process and task, and what came by ``extra``; the time, the
level and the name of the logger stay. :class:`MaskingFormatter` leaves the record as it is, and is the better choice where a handler takes a formatter.
:class:`MaskingFilter` is for handlers that take fields out of the record themselves, such as those that write JSON.
"""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Mapping
from typing import Any, Literal

from .._masker import Masker

__all__ = ["MaskingFilter", "MaskingFormatter"]

FAILED = "[REDACTED: masking failed]"
"""What stands in a log in place of text that could not be masked."""

# Names that a program gives, to a thread by the caller it serves for example.
_GIVEN = frozenset({"threadName", "processName", "taskName"})
# What a record has of its own; everything else in it came by ``extra``.
_OWN = (frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}) - _GIVEN

_TRACEBACKS = logging.Formatter()


def _masked(masker: Masker, text: str, name: str | None = None) -> str:
    try:
        return (masker.mask(text) if name is None else masker.mask_field(name, text)).text
    except Exception:  # A log call never fails, and never lets text through.
        return FAILED


def mask_value(masker: Masker, name: str, value: Any, depth: int = 8) -> Any:
    """A value of a log record, masked: strings under their name, what is in containers, and anything else that shows PHI when it
    is printed."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _masked(masker, value, name)
    if depth > 0:
        if isinstance(value, Mapping):
            # Keys may be values of the caller's own.
            return {
                _masked(masker, key) if isinstance(key, str) else key: mask_value(masker, str(key), item, depth - 1)
                for key, item in value.items()
            }
        if type(value) in (list, tuple, set, frozenset):
            return type(value)(mask_value(masker, name, item, depth - 1) for item in value)
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    except Exception:
        return FAILED
    masked = _masked(masker, text, name)
    return value if masked == text else masked


class MaskingFormatter(logging.Formatter):
    """Masks what a line is made of, with its traceback and stack.

    ``masker`` decides what becomes of PHI; by default it is removed. ``formatter`` is another formatter whose lines are
    masked; without it the arguments are those of :class:`logging.Formatter`.
    """

    def __init__(
        self,
        fmt: str | None = None,
        datefmt: str | None = None,
        style: Literal["%", "{", "$"] = "%",
        validate: bool = True,
        *,
        defaults: Mapping[str, Any] | None = None,
        masker: Masker | None = None,
        formatter: logging.Formatter | None = None,
    ) -> None:
        super().__init__(fmt, datefmt, style, validate, defaults=defaults)
        self._masker = masker if masker is not None else Masker("strict")
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        # Formatters keep the text of a traceback in the record, in clear; another handler keeps its own.
        own = copy.copy(record)
        mask_record(self._masker, own, self._formatter or self)
        return self._formatter.format(own) if self._formatter is not None else super().format(own)


def mask_record(masker: Masker, record: logging.LogRecord, formatter: logging.Formatter) -> None:
    """Masks a record in place, but for what logging itself writes into it: times and places in the program are no PHI."""
    try:
        message = record.getMessage()
    except Exception:
        # Arguments that do not fit the message.
        message = FAILED
    record.msg, record.args = _masked(masker, message), None
    if record.exc_info:
        record.exc_text = _masked(masker, formatter.formatException(record.exc_info))
        record.exc_info = None
    elif record.exc_text:
        record.exc_text = _masked(masker, record.exc_text)
    if record.stack_info:
        record.stack_info = _masked(masker, record.stack_info)
    for name, value in list(vars(record).items()):
        if name in _GIVEN and isinstance(value, str):
            setattr(record, name, _masked(masker, value))
        elif name not in _OWN:
            setattr(record, name, mask_value(masker, name, value))


class MaskingFilter(logging.Filter):
    """Masks records on their way into a handler: message, arguments, traceback, stack, and what came by ``extra``.

    Add it to a handler (``handler.addFilter``); on a logger it would not see what its children log. From Python 3.12 on the
    handler gets a copy; before, the record itself is changed, so handlers that come after see it masked, too.
    """

    def __init__(self, masker: Masker | None = None) -> None:
        super().__init__()
        self._masker = masker if masker is not None else Masker("strict")

    def filter(self, record: logging.LogRecord) -> Any:
        own = copy.copy(record) if sys.version_info >= (3, 12) else record
        mask_record(self._masker, own, _TRACEBACKS)
        return own if sys.version_info >= (3, 12) else True
