"""Masks columns of Arrow tables and record batches, without a Python object for each row.

>>> import pyarrow as pa
>>> from masker import Masker
>>> from masker.arrow import mask_table
>>> table = pa.table({"id": [1, 2], "note": ["call 415-555-0142", None]})
>>> mask_table(table, ["note"], Masker("strict"))["note"].to_pylist()
['call [REDACTED:PHONE]', None]

Rows are worked on by all cores. The name of a column is read as a label of its values, as a field's name in JSON is. Nulls
stay, other columns are not touched, and a masked column has the type it had, but for ``string`` columns that grow above 2 GiB,
which become ``large_string``.

:func:`mask_batches` goes from an iterator to an iterator, which is what Spark's ``mapInArrow``, Ray Data, Polars and DuckDB want;
``docs/python.md`` has an example for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import pyarrow as pa

from . import _progress
from ._masker import Masker

__all__ = [
    "mask_array",
    "mask_batches",
    "mask_table",
    "rehydrate_array",
    "rehydrate_batches",
    "rehydrate_table",
]

T = TypeVar("T", pa.Table, pa.RecordBatch)


class _Work(Protocol):
    def __call__(
        self, data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int
    ) -> tuple[bytes, bytes, int]: ...


def _bytes(buffer: Any) -> bytes:
    return b"" if buffer is None else buffer.to_pybytes()


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_view(kind))


def _is_view(kind: Any) -> bool:
    is_view: Callable[[Any], bool] | None = getattr(pa.types, "is_string_view", None)
    return is_view is not None and is_view(kind)


def _rewrite(array: Any, work: _Work) -> Any:
    """An array of the same type and length, with the texts that ``work`` makes."""
    if isinstance(array, pa.ChunkedArray):
        chunks = [_rewrite(chunk, work) for chunk in array.chunks]
        kinds = {chunk.type for chunk in chunks}
        if len(kinds) > 1:
            chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
        return pa.chunked_array(chunks, type=chunks[0].type if chunks else array.type)
    kind = array.type
    if pa.types.is_dictionary(kind):
        # Every value once, however often it stands in the column.
        dictionary = _rewrite(array.dictionary, work)
        return pa.DictionaryArray.from_arrays(array.indices, dictionary, ordered=kind.ordered)
    if pa.types.is_null(kind) or len(array) == 0:
        return array
    if not _is_text(kind):
        raise TypeError(f"a column of {kind} holds no text")
    if _is_view(kind):
        return _rewrite(array.cast(pa.large_string()), work).cast(kind)
    width = 8 if pa.types.is_large_string(kind) else 4
    validity, offsets, data = array.buffers()
    start, rows = array.offset, len(array)
    cut = offsets.slice(start * width, (rows + 1) * width)
    bits = validity.slice(start // 8, (start % 8 + rows + 7) // 8) if validity is not None else None
    new_data, new_offsets, _ = work(
        _bytes(data), _bytes(cut), width, _bytes(bits) if bits is not None else None, start % 8
    )
    buffers = [None, pa.py_buffer(new_offsets), pa.py_buffer(new_data)]
    if array.null_count:
        # Bits from another start: Arrow moves them.
        buffers[0] = pa.array(array.is_valid()).buffers()[1]
    made = pa.Array.from_buffers(pa.large_string(), rows, buffers, null_count=array.null_count)
    if width == 4 and len(new_data) < 2**31:
        return made.cast(pa.string())
    return made


def mask_array(array: Any, masker: Masker, name: str | None = None) -> Any:
    """An array or chunked array with its texts masked. ``name`` is read as a label of the values.

    Dictionary-encoded arrays have each of their values masked once. ``TypeError`` where the array holds no text.
    """

    def work(
        data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int
    ) -> tuple[bytes, bytes, int]:
        return masker._mask_column(data, offsets, width, validity, bit, name)  # noqa: SLF001

    return _rewrite(array, work)


def rehydrate_array(array: Any, masker: Masker) -> Any:
    """An array or chunked array with originals in the place of tokens."""
    return _rewrite(array, masker._rehydrate_column)  # noqa: SLF001


def _columns(table: T, columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError("columns is a list of names, not one name")
    if columns is None:
        return [
            field.name
            for field in table.schema
            if _is_text(field.type) or (pa.types.is_dictionary(field.type) and _is_text(field.type.value_type))
        ]
    missing = [name for name in columns if name not in table.schema.names]
    if missing:
        raise KeyError(f"no column {missing[0]}")
    return list(columns)


def _replace(table: T, columns: Sequence[str] | None, work: Callable[[Any, str], Any]) -> T:
    for name in _columns(table, columns):
        for place in table.schema.get_all_field_indices(name):
            column = work(table.column(place), name)
            field = table.schema.field(place)
            table = table.set_column(place, field.with_type(column.type), column)
    return table


def mask_table(table: T, columns: Sequence[str] | None, masker: Masker) -> T:
    """A table or record batch with some columns masked; with ``None`` every column of text."""
    return _replace(table, columns, lambda array, name: mask_array(array, masker, name))


def rehydrate_table(table: T, columns: Sequence[str] | None, masker: Masker) -> T:
    """A table or record batch with originals put back into some columns; with ``None`` into every column of text."""
    return _replace(table, columns, lambda array, _: rehydrate_array(array, masker))


def mask_batches(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[str] | None,
    masker: Masker | Callable[[], Masker],
    *,
    progress: bool | None = False,
) -> Iterator[pa.RecordBatch]:
    """Record batches with some columns masked, one after the other.

    ``masker`` may be what makes one: a masker holds keys and is not sent to other processes, so there each makes its own.
    ``progress=True`` shows a bar, ``None`` shows one on a terminal or in a notebook.
    """
    made = masker if isinstance(masker, Masker) else masker()
    for batch in _progress.progress(batches, show=progress, label="masking"):
        yield mask_table(batch, columns, made)


def rehydrate_batches(
    batches: Iterable[pa.RecordBatch],
    columns: Sequence[str] | None,
    masker: Masker | Callable[[], Masker],
    *,
    progress: bool | None = False,
) -> Iterator[pa.RecordBatch]:
    """Record batches with originals put back into some columns, one after the other; see :func:`mask_batches`."""
    made = masker if isinstance(masker, Masker) else masker()
    for batch in _progress.progress(batches, show=progress, label="restoring"):
        yield rehydrate_table(batch, columns, made)
