from __future__ import annotations

from soak import soak


def test_eight_threads_and_a_loop():
    result = soak(seconds=3)
    assert result["rounds"] > 100
    # Short runs still warm up; `python tests/soak.py --seconds 30` is stricter.
    assert result["end_mb"] - result["warm_mb"] < 8
