"""Finds PHI in text, replaces it with reversible tokens, and restores it."""

from ._masker import Masker, MaskerError

__all__ = ["Masker", "MaskerError"]
