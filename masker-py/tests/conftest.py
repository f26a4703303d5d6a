from __future__ import annotations

from pathlib import Path

import pytest

import masker

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
KEY = bytes(range(32))


def keys() -> masker.KeyRing:
    """The ring of the fixtures with exact tokens."""
    return masker.KeyRing({"K_HEALTHCARE": KEY})


@pytest.fixture
def fixed() -> masker.Masker:
    return masker.Masker(keys=keys())


@pytest.fixture
def aliased() -> masker.Masker:
    return masker.Masker(masker.Policy.healthcare_default().with_surface("alias"))
