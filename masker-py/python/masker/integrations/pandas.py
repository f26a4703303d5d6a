"""Masks columns of pandas data frames, through Arrow and on all cores.

>>> import pandas as pd
>>> from masker import Masker
>>> from masker.integrations.pandas import mask
>>> frame = pd.DataFrame({"id": [1, 2], "note": ["call 415-555-0142", None]})
>>> mask(frame, ["note"], Masker("strict"))["note"].tolist()[0]
'call [REDACTED:PHONE]'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, time, timedelta
from numbers import Number
from typing import Any, TypeVar
from uuid import UUID

import pandas as pd
import pyarrow as pa

from .. import arrow
from .._masker import Masker

__all__ = ["mask", "mask_series", "rehydrate", "rehydrate_series"]

Frame = TypeVar("Frame", bound=pd.DataFrame)


# What objects of a column may be that hold no text.
_NO_TEXT = (Number, date, time, timedelta, UUID)


def _holds_text(series: Any) -> bool:
    dtype = series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _holds_text(dtype.categories.to_series())
    if isinstance(dtype, pd.StringDtype):
        return True
    if isinstance(dtype, pd.ArrowDtype):
        return arrow._holds_text(dtype.pyarrow_dtype)  # noqa: SLF001
    # Anything else than these may hold text, and must not pass unseen.
    return bool(dtype == object) and not all(isinstance(value, _NO_TEXT) for value in series[series.notna()])


def _rewrite(series: Any, whole: Callable[[Any], Any], one: Callable[[str], str]) -> Any:
    if not isinstance(series, pd.Series):
        raise TypeError(f"expected a series of pandas, not a {type(series).__name__}")
    dtype = series.dtype
    if dtype != object and not _holds_text(series):
        raise TypeError(f"the column {series.name} of {dtype} holds no text")
    if isinstance(dtype, pd.CategoricalDtype):
        texts = _rewrite(dtype.categories.to_series(), whole, one)
        if texts.is_unique:
            return series.cat.rename_categories(texts.tolist())
        # Values that are one now.
        return series.map(dict(zip(dtype.categories, texts, strict=True))).astype("category")
    if isinstance(dtype, pd.ArrowDtype):
        made = pd.array(whole(pa.array(series)), dtype=dtype)
        return pd.Series(made, index=series.index, name=series.name)
    missing = series.isna()
    if dtype == object and not all(isinstance(value, str) for value in series[~missing]):
        raise TypeError(f"the column {series.name} of objects holds other values than text: make them text, or leave it out")
    try:
        column = pa.array(series, type=pa.large_string(), from_pandas=True)
    except UnicodeEncodeError:
        # Lone surrogates, which Arrow cannot hold.
        values = [one(value) if isinstance(value, str) else value for value in series]
        return pd.Series(values, index=series.index, name=series.name, dtype=dtype)
    done = whole(column)
    if dtype == object:
        values = [old if gone else new for old, new, gone in zip(series, done.to_pylist(), missing, strict=True)]
        return pd.Series(values, index=series.index, name=series.name, dtype=object)
    # Every type of Pandas for text has it, which its stubs do not say.
    from_arrow: Callable[[Any], Any] = getattr(dtype, "__from_arrow__")  # noqa: B009
    return pd.Series(from_arrow(done), index=series.index, name=series.name, dtype=dtype)


def mask_series(series: Any, masker: Masker, name: str | None = None) -> Any:
    """A series with its texts masked, of the same type and index. Missing values stay.

    ``name``, or else the series's own name, is read as a label of the values.
    """
    own = getattr(series, "name", None)
    label = name if name is not None else own if isinstance(own, str) else None

    def one(text: str) -> str:
        return (masker.mask(text) if label is None else masker.mask_field(label, text)).text

    return _rewrite(series, lambda array: arrow.mask_array(array, masker, label), one)


def rehydrate_series(series: Any, masker: Masker) -> Any:
    """A series with originals in the place of tokens."""
    return _rewrite(
        series, lambda array: arrow.rehydrate_array(array, masker), lambda text: masker.rehydrate(text).text
    )


def _columns(frame: pd.DataFrame, columns: Sequence[Any] | None) -> list[int]:
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"expected a data frame of pandas, not a {type(frame).__name__}; a series goes to mask_series")
    if isinstance(columns, str):
        raise TypeError("columns is a list of names, not one name")
    if columns is None:
        return [place for place in range(frame.shape[1]) if _holds_text(frame.iloc[:, place])]
    for name in columns:
        if name not in frame.columns:
            raise KeyError(f"no column {name}")
    wanted = set(columns)
    return [place for place, name in enumerate(frame.columns) if name in wanted]


def _replace(frame: Frame, columns: Sequence[Any] | None, work: Callable[[Any], Any]) -> Frame:
    places = _columns(frame, columns)
    made: Frame = frame.copy(deep=False)
    for place in places:
        made.isetitem(place, work(frame.iloc[:, place]))
    return made


def mask(frame: Frame, columns: Sequence[Any] | None, masker: Masker) -> Frame:
    """A data frame with some columns masked; with ``None`` every column that holds text. The one given stays as it is.

    ``TypeError`` where a column of objects has other values beside text, or such that may hold text, as lists do.
    """
    return _replace(frame, columns, lambda series: mask_series(series, masker))


def rehydrate(frame: Frame, columns: Sequence[Any] | None, masker: Masker) -> Frame:
    """A data frame with originals put back into some columns; with ``None`` into every column that holds text."""
    return _replace(frame, columns, lambda series: rehydrate_series(series, masker))
