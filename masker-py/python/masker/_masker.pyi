from typing import final

__all__ = ["Masker", "MaskerError"]

class MaskerError(Exception):
    """Masking failed, and no text was produced. The message holds none of the input."""

@final
class Masker:
    """Masks text with the policy ``healthcare-default`` and a random key that lives as long as this value.

    Originals are kept encrypted in memory; nothing is written or sent anywhere.
    """

    def __new__(cls) -> Masker: ...
    def mask(self, text: str) -> str:
        """Return ``text`` with every piece of PHI replaced.

        Other Python threads run meanwhile. A string with a lone surrogate raises ``UnicodeEncodeError``.
        """

    @property
    def is_ephemeral(self) -> bool:
        """Whether the key dies with this value."""
