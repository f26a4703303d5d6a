from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from importlib import import_module
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")


def _in_notebook() -> bool:
    shell: Any = sys.modules.get("IPython")
    return shell is not None and shell.get_ipython() is not None


def progress(
    items: Iterable[T], *, total: int | None = None, label: str = "masking", show: bool | None = None
) -> Iterator[T]:
    """Goes through items, with a progress bar on a terminal's stderr or in a notebook, and none elsewhere.

    With ``tqdm`` installed the bar is its; without, it is one line. ``total`` is how many items there are, where they have
    no length; ``show`` forces the bar on or off.

    >>> import masker
    >>> list(masker.progress([1, 2, 3]))
    [1, 2, 3]
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if show is None:
        show = sys.stderr.isatty() or _in_notebook()
    if not show:
        yield from items
        return
    try:
        bar = import_module("tqdm.auto").tqdm
    except ImportError:
        bar = None
    if bar is None:
        yield from _line(items, total, label)
    else:
        yield from bar(items, total=total, desc=label)


def _line(items: Iterable[T], total: int | None, label: str) -> Iterator[T]:
    started = shown = monotonic()
    done = 0

    def write(end: str) -> None:
        rate = done / max(monotonic() - started, 1e-9)
        of = f"/{total} ({done * 100 // max(total, 1)} %)" if total is not None else ""
        sys.stderr.write(f"\r{label}: {done}{of}, {rate:.0f}/s{end}")
        sys.stderr.flush()

    try:
        for item in items:
            yield item
            done += 1
            if monotonic() - shown >= 0.1:
                shown = monotonic()
                write("")
    finally:
        write("\n")
