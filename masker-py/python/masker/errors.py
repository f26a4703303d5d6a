"""What can go wrong: one class for each way a caller can act, all below :class:`MaskerError`.

No message holds any text that was given, an original, a token or a key. On any of these no text was produced.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._masker import PolicyProblem

__all__ = [
    "BlockedError",
    "KeyRingError",
    "LimitError",
    "MaskerError",
    "PayloadError",
    "PolicyError",
    "RecognizerError",
    "VaultError",
]


class MaskerError(Exception):
    """Base of everything masker raises, but for wrong types (``TypeError``) and malformed arguments (``ValueError``)."""

    code: str
    """A stable name in snake case, such as ``unknown_kid``. It never changes its meaning."""

    def __init__(self, message: str = "", *, code: str = "masker_error") -> None:
        super().__init__(message)
        self.code = code


class BlockedError(MaskerError):
    """The policy refuses the text: do not send it on."""

    kind: str
    """The kind that was found."""
    start: int | None
    """Where it begins, in code points; nothing for one of many texts or a part of a payload."""
    end: int | None
    """One past its end."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "blocked_by_policy",
        kind: str = "",
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.kind = kind
        self.start = start
        self.end = end


class KeyRingError(MaskerError):
    """A key is missing or malformed, or does not open what it is asked to: correct the configuration of keys."""


class LimitError(MaskerError):
    """A stated limit is reached: give the text in parts, or begin another conversation."""


class PayloadError(MaskerError):
    """The payload is not the JSON that was asked for, or holds what cannot be masked: correct the request."""


class PolicyError(MaskerError):
    """The policy is not valid."""

    problems: tuple[PolicyProblem, ...]
    """Every mistake with its line and column, at most 100, sorted by line."""
    omitted: int
    """How many more there are."""

    def __init__(
        self,
        message: str = "",
        *,
        code: str = "invalid_policy",
        problems: tuple[PolicyProblem, ...] = (),
        omitted: int = 0,
    ) -> None:
        super().__init__(message, code=code)
        self.problems = problems
        self.omitted = omitted


class RecognizerError(MaskerError):
    """A plugged-in recogniser failed or ran out of its time: mend it, or try again."""

    original: BaseException | None = None
    """What the recogniser raised. It is kept out of the message, the traceback and what is pickled, because it may hold the text."""

    def __reduce__(self) -> tuple[object, ...]:
        state = {name: value for name, value in vars(self).items() if name != "original"}
        return type(self), self.args, state


class VaultError(MaskerError):
    """The vault cannot be read or written: mend it, or try again."""
