"""Masks columns of Arrow tables and record batches, without a Python object for each row.

>>> import pyarrow as pa
>>> from masker import Masker
>>> from masker.arrow import mask_table
>>> table = pa.table({"id": [1, 2], "note": ["call 415-555-0142", None]})
>>> mask_table(table, ["note"], Masker("strict"))["note"].to_pylist()
['call [REDACTED:PHONE]', None]

Rows are worked on by all cores. The name of a column is read as a label of its values, as a field's name in JSON is, and so are the
names of fields inside a column: texts in lists, structs and maps are masked where they stand. Nulls stay, other columns are not
touched, and a masked column has the type it had, but for ``string`` columns that grow above 2 GiB, which become ``large_string``.

:func:`mask_batches` goes from an iterator to an iterator, which is what Spark's ``mapInArrow``, Ray Data, Polars and DuckDB want;
``docs/python.md`` has an example for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

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
        self, label: str | None, data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int, /
    ) -> tuple[bytes, bytes, int]: ...


def _bytes(buffer: Any) -> bytes:
    return b"" if buffer is None else buffer.to_pybytes()


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_view(kind))


def _is(name: str, kind: Any) -> bool:
    """A question that not every release of Arrow knows."""
    ask: Callable[[Any], bool] | None = getattr(pa.types, f"is_{name}", None)
    return ask is not None and ask(kind)


def _is_view(kind: Any) -> bool:
    return _is("string_view", kind)


def _holds_text(kind: Any) -> bool:
    """Whether texts may stand somewhere in a column of this type."""
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_text(kind.storage_type)
    if pa.types.is_dictionary(kind) or _is("run_end_encoded", kind):
        return _holds_text(kind.value_type)
    return _is_text(kind) or any(_holds_text(kind.field(at).type) for at in range(kind.num_fields))


def _rewrite(array: Any, work: _Work, label: str | None) -> Any:
    """An array of the same type and length, with the texts that ``work`` makes."""
    if isinstance(array, pa.ChunkedArray):
        chunks = [_rewrite(chunk, work, label) for chunk in array.chunks]
        kinds = {chunk.type for chunk in chunks}
        if len(kinds) > 1:
            chunks = [chunk.cast(pa.large_string()) for chunk in chunks]
        return pa.chunked_array(chunks, type=chunks[0].type if chunks else array.type)
    if not isinstance(array, pa.Array):
        raise TypeError(f"expected an array or chunked array of Arrow, not a {type(array).__name__}")
    kind = array.type
    if pa.types.is_null(kind):
        return array
    if not _holds_text(kind):
        raise TypeError(f"a column of {kind} holds no text")
    if len(array) == 0:
        return array
    if _is_text(kind):
        return _rewrite_texts(array, work, label)
    if pa.types.is_dictionary(kind):
        # Every value once, however often it stands in the column.
        dictionary = _rewrite(array.dictionary, work, label)
        return pa.DictionaryArray.from_arrays(array.indices, dictionary, ordered=kind.ordered)
    if pa.types.is_struct(kind):
        return _nested(array, [], [_rewrite_some(array.field(at), work, kind.field(at).name) for at in range(kind.num_fields)])
    if pa.types.is_fixed_size_list(kind):
        size = kind.list_size
        values = array.values.slice(array.offset * size, len(array) * size)
        return _nested(array, [], [_rewrite(values, work, label)])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        offsets = array.offsets
        first, last = offsets[0].as_py(), offsets[-1].as_py()
        values = array.values.slice(first, last - first)
        if pa.types.is_map(kind):
            keys, items = (values.field(at) for at in range(2))
            values = _nested(values, [], [_rewrite_some(keys, work, None), _rewrite_some(items, work, label)])
        else:
            values = _rewrite(values, work, label)
        return _nested(array, [pc.call_function("subtract", [offsets, offsets[0]]).buffers()[1]], [values])
    raise TypeError(f"a column of {kind} cannot be masked: make it a column of text first")


def _rewrite_some(array: Any, work: _Work, label: str | None) -> Any:
    return _rewrite(array, work, label) if _holds_text(array.type) else array


def _validity(array: Any) -> Any:
    """Which rows have a value, as bits from the first row on, wherever those of the array begin."""
    return pa.array(array.is_valid()).buffers()[1] if array.null_count else None


def _nested(array: Any, buffers: list[Any], children: list[Any]) -> Any:
    """An array of the same type with other children."""
    kind = array.type
    # Texts that grew above 2 GiB would not fit: that is an error of Arrow.
    children = [child.cast(kind.field(at).type) if child.type != kind.field(at).type else child for at, child in enumerate(children)]
    return pa.Array.from_buffers(
        kind, len(array), [_validity(array), *buffers], null_count=array.null_count, children=children
    )


def _rewrite_texts(array: Any, work: _Work, label: str | None) -> Any:
    kind = array.type
    if _is_view(kind):
        return _rewrite_texts(array.cast(pa.large_string()), work, label).cast(kind)
    width = 8 if pa.types.is_large_string(kind) else 4
    validity, offsets, data = array.buffers()
    start, rows = array.offset, len(array)
    cut = offsets.slice(start * width, (rows + 1) * width)
    bits = validity.slice(start // 8, (start % 8 + rows + 7) // 8) if validity is not None else None
    new_data, new_offsets, _ = work(
        label, _bytes(data), _bytes(cut), width, _bytes(bits) if bits is not None else None, start % 8
    )
    buffers = [_validity(array), pa.py_buffer(new_offsets), pa.py_buffer(new_data)]
    made = pa.Array.from_buffers(pa.large_string(), rows, buffers, null_count=array.null_count)
    if width == 4 and len(new_data) < 2**31:
        return made.cast(pa.string())
    return made


def mask_array(array: Any, masker: Masker, name: str | None = None) -> Any:
    """An array or chunked array with its texts masked. ``name`` is read as a label of the values.

    Dictionary-encoded arrays have each of their values masked once. ``TypeError`` where the array holds no text.
    """

    def work(
        label: str | None, data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int
    ) -> tuple[bytes, bytes, int]:
        return masker._mask_column(data, offsets, width, validity, bit, label)  # noqa: SLF001

    return _rewrite(array, work, name)


def rehydrate_array(array: Any, masker: Masker) -> Any:
    """An array or chunked array with originals in the place of tokens."""

    def work(
        label: str | None, data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int
    ) -> tuple[bytes, bytes, int]:
        return masker._rehydrate_column(data, offsets, width, validity, bit)  # noqa: SLF001

    return _rewrite(array, work, None)


def _columns(table: T, columns: Sequence[str] | None) -> list[str]:
    if isinstance(columns, str):
        raise TypeError("columns is a list of names, not one name")
    if columns is None:
        return list(dict.fromkeys(field.name for field in table.schema if _holds_text(field.type)))
    missing = [name for name in columns if name not in table.schema.names]
    if missing:
        raise KeyError(f"no column {missing[0]}")
    return list(columns)


def _replace(table: T, columns: Sequence[str] | None, work: Callable[[Any, str], Any]) -> T:
    if not isinstance(table, pa.Table | pa.RecordBatch):
        raise TypeError(f"expected a table or record batch of Arrow, not a {type(table).__name__}")
    for name in _columns(table, columns):
        for place in table.schema.get_all_field_indices(name):
            column = work(table.column(place), name)
            field = table.schema.field(place)
            table = table.set_column(place, field.with_type(column.type), column)
    return table


def mask_table(table: T, columns: Sequence[str] | None, masker: Masker) -> T:
    """A table or record batch with some columns masked; with ``None`` every column that holds text."""
    return _replace(table, columns, lambda array, name: mask_array(array, masker, name))


def rehydrate_table(table: T, columns: Sequence[str] | None, masker: Masker) -> T:
    """A table or record batch with originals put back into some columns; with ``None`` into every column that holds text."""
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
