"""Finds PHI in text, replaces it with reversible tokens, and restores it.

>>> import masker
>>> masked = masker.mask("Hi, this is Sarah Chen, call me at 415-555-0142.")
>>> masker.rehydrate(masked.text).text
'Hi, this is Sarah Chen, call me at 415-555-0142.'

The functions of this module share one :class:`Masker` with a random key that lives as long as the process. A service
makes its own, with a policy, keys and a vault.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

from ._highlight import Highlight, highlight
from ._masker import (
    KINDS,
    Conversation,
    Event,
    Explanation,
    Finding,
    KeyRing,
    KindInfo,
    Masked,
    MaskedPayload,
    Masker,
    OldKey,
    Policy,
    PolicyChange,
    PolicyProblem,
    Restored,
    RestoredPayload,
    SseRehydrator,
    StreamMasker,
    StreamRehydrator,
    Vault,
    VaultCheck,
    VaultRewrap,
    VaultStats,
    __version__,
    kinds,
)
from ._progress import progress
from .errors import (
    BlockedError,
    KeyRingError,
    LimitError,
    MaskerError,
    PayloadError,
    PolicyError,
    RecognizerError,
    VaultError,
)

__all__ = [
    "KINDS",
    "BlockedError",
    "Conversation",
    "Event",
    "Explanation",
    "Finding",
    "Highlight",
    "KeyRing",
    "KeyRingError",
    "KindInfo",
    "LimitError",
    "Masked",
    "MaskedPayload",
    "Masker",
    "MaskerError",
    "OldKey",
    "PayloadError",
    "Policy",
    "PolicyChange",
    "PolicyError",
    "PolicyProblem",
    "RecognizerError",
    "Restored",
    "RestoredPayload",
    "SseRehydrator",
    "StreamMasker",
    "StreamRehydrator",
    "Vault",
    "VaultCheck",
    "VaultError",
    "VaultRewrap",
    "VaultStats",
    "__version__",
    "default_masker",
    "detect",
    "highlight",
    "kinds",
    "mask",
    "mask_chat",
    "mask_json",
    "mask_many",
    "progress",
    "rehydrate",
    "rehydrate_chat",
    "rehydrate_json",
    "rehydrate_many",
]

_default: Masker | None = None
_lock = Lock()


def default_masker() -> Masker:
    """The masker behind the functions of this module: policy ``healthcare-default``, a random key, a vault in memory.

    What it masks can be restored by this process alone.
    """
    global _default
    if _default is None:
        with _lock:
            if _default is None:
                _default = Masker()
    return _default


def detect(text: str) -> list[Finding]:
    """:meth:`Masker.detect` of the :func:`default_masker`."""
    return default_masker().detect(text)


def mask(text: str) -> Masked:
    """:meth:`Masker.mask` of the :func:`default_masker`."""
    return default_masker().mask(text)


def mask_many(texts: Iterable[str]) -> list[Masked]:
    """:meth:`Masker.mask_many` of the :func:`default_masker`."""
    return default_masker().mask_many(texts)


def rehydrate(text: str) -> Restored:
    """:meth:`Masker.rehydrate` of the :func:`default_masker`."""
    return default_masker().rehydrate(text)


def rehydrate_many(texts: Iterable[str]) -> list[Restored]:
    """:meth:`Masker.rehydrate_many` of the :func:`default_masker`."""
    return default_masker().rehydrate_many(texts)


def mask_json(data: Any, *, only: Iterable[str] | None = None, leave: Iterable[str] = ()) -> MaskedPayload:
    """:meth:`Masker.mask_json` of the :func:`default_masker`."""
    return default_masker().mask_json(data, only=only, leave=leave)


def rehydrate_json(data: Any) -> RestoredPayload:
    """:meth:`Masker.rehydrate_json` of the :func:`default_masker`."""
    return default_masker().rehydrate_json(data)


def mask_chat(data: Any) -> MaskedPayload:
    """:meth:`Masker.mask_chat` of the :func:`default_masker`."""
    return default_masker().mask_chat(data)


def rehydrate_chat(data: Any) -> RestoredPayload:
    """:meth:`Masker.rehydrate_chat` of the :func:`default_masker`."""
    return default_masker().rehydrate_chat(data)
