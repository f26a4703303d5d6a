"""Masks columns of Polars data frames and lazy frames, through Arrow and on all cores.

>>> import polars as pl
>>> from masker import Masker
>>> from masker.integrations.polars import mask
>>> frame = pl.DataFrame({"id": [1, 2], "note": ["call 415-555-0142", None]})
>>> mask(frame, ["note"], Masker("strict"))["note"].to_list()
['call [REDACTED:PHONE]', None]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import polars as pl

from .. import arrow
from .._masker import Masker

__all__ = ["mask", "mask_series", "rehydrate", "rehydrate_series"]

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def _holds_text(dtype: Any) -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _holds_text(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return any(_holds_text(field.dtype) for field in dtype.fields)
    return bool(dtype in (pl.String, pl.Categorical, pl.Enum))


def _masked_type(dtype: Any) -> Any:
    """An enum knows its old values only."""
    return pl.Categorical if dtype in (pl.Categorical, pl.Enum) else dtype


def _rewrite(series: pl.Series, work: Callable[[Any], Any]) -> pl.Series:
    if not isinstance(series, pl.Series):
        raise TypeError(f"expected a series of Polars, not a {type(series).__name__}")
    dtype = series.dtype
    if dtype == pl.Null:
        return series
    if not _holds_text(dtype):
        raise TypeError(f"a column of {dtype} holds no text")
    texts = series.cast(pl.String) if dtype in (pl.Categorical, pl.Enum) else series
    masked: pl.Series = pl.Series(series.name, work(texts.to_arrow())).cast(_masked_type(dtype))
    return masked


def mask_series(series: pl.Series, masker: Masker, name: str | None = None) -> pl.Series:
    """A series with its texts masked. ``name``, or else the series's own name, is read as a label of the values.

    For an expression: ``pl.col("note").map_batches(lambda s: mask_series(s, masker), return_dtype=pl.String)``.
    """
    label = (getattr(series, "name", None) or None) if name is None else name
    return _rewrite(series, lambda array: arrow.mask_array(array, masker, label))


def rehydrate_series(series: pl.Series, masker: Masker) -> pl.Series:
    """A series with originals in the place of tokens."""
    return _rewrite(series, lambda array: arrow.rehydrate_array(array, masker))


def _replace(frame: Frame, columns: Sequence[str] | None, work: Callable[[pl.Series], pl.Series]) -> Frame:
    if not isinstance(frame, pl.DataFrame | pl.LazyFrame):
        raise TypeError(f"expected a data frame of Polars, not a {type(frame).__name__}; a series goes to mask_series")
    if isinstance(columns, str):
        raise TypeError("columns is a list of names, not one name")
    schema = frame.collect_schema()
    names = [name for name, dtype in schema.items() if _holds_text(dtype)] if columns is None else list(columns)
    expressions = []
    for name in names:
        if name not in schema:
            raise KeyError(f"no column {name}")
        expressions.append(pl.col(name).map_batches(work, return_dtype=_masked_type(schema[name])))
    return frame.with_columns(expressions)


def mask(frame: Frame, columns: Sequence[str] | None, masker: Masker) -> Frame:
    """A data frame with some columns masked; with ``None`` every column that holds text, also in lists and structs. A lazy frame
    stays lazy."""
    return _replace(frame, columns, lambda series: mask_series(series, masker))


def rehydrate(frame: Frame, columns: Sequence[str] | None, masker: Masker) -> Frame:
    """A data frame with originals put back into some columns; with ``None`` into every column that holds text."""
    return _replace(frame, columns, lambda series: rehydrate_series(series, masker))
