"""Keeps PHI out of structlog's events. One way: with the default masker nothing can be restored from a log::

    structlog.configure(processors=[..., MaskingProcessor(), structlog.processors.JSONRenderer()])

Put it right before the renderer, so that it sees everything that is written.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from structlog.processors import format_exc_info

from .._masker import Masker
from .logging import mask_value

__all__ = ["MaskingProcessor"]

# Written by structlog itself.
_KEPT = frozenset({"level", "timestamp", "log_level", "logger"})
# Names of no person, and of what is no field: nothing to read as a label.
_NO_LABEL = frozenset({"event", "func_name", "process_name", "qual_name", "thread_name"})


class MaskingProcessor:
    """Masks every value of an event, with its name as a label, and its traceback."""

    def __init__(self, masker: Masker | None = None) -> None:
        self._masker = masker if masker is not None else Masker("strict")

    def __call__(
        self, logger: Any, name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if "exc_info" in event_dict:
            event_dict = format_exc_info(logger, name, event_dict)
        for key, value in list(event_dict.items()):
            if key not in _KEPT:
                event_dict[key] = mask_value(self._masker, "" if key in _NO_LABEL else key, value)
        return event_dict
