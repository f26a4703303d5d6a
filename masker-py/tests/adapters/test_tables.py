"""Arrow, pandas, Polars, DuckDB, and the others where they are installed and run."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import masker
from masker import arrow
from masker.integrations import pandas as masker_pandas
from masker.integrations import polars as masker_polars

NOTES = ["call 415-555-0142", None, "ok", "", "I'm Sarah Chen \U0001f600", "write to sarah.chen@example.com"]
COUNT = len(NOTES)


@pytest.fixture(scope="module")
def m() -> masker.Masker:
    return masker.Masker()


def clean(values: list) -> list:
    for value in values:
        assert pd.isna(value) or not any(p in value for p in ("0142", "Sarah", "example.com")), value
    return values


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())], ids=str
)
def test_arrays_of_every_type(m, kind):
    array = pa.array(NOTES).cast(kind) if kind != pa.string_view() else pa.array(NOTES, pa.string_view())
    for one in (array, array.slice(1), array.slice(2, 3), array.slice(3, 0), pa.chunked_array([array, array.slice(4)])):
        masked = arrow.mask_array(one, m)
        assert masked.type == one.type and len(masked) == len(one) and masked.null_count == one.null_count
        clean(masked.to_pylist())
        masked.validate(full=True)
        assert arrow.rehydrate_array(masked, m).to_pylist() == one.to_pylist()
        assert masked.to_pylist() == [v if v is None else m.mask(v).text for v in one.to_pylist()]


CALL = "call 415-555-0142"
PEOPLE = [
    {"mrn": "7734215", "n": 1, "note": CALL, "deep": {"first_name": "may"}},
    None,
    {"mrn": None, "n": 2, "note": "ok", "deep": None},
    {"mrn": "7734216", "n": 3, "note": CALL, "deep": {"first_name": None}},
]
LISTS = [[CALL, "ok"], None, [], [None, CALL], ["x"]]
NESTED = {
    "list": pa.array(LISTS),
    "large list": pa.array(LISTS, pa.large_list(pa.large_string())),
    "list of views": pa.array(LISTS, pa.list_(pa.string_view())),
    "dictionary in a list": pa.ListArray.from_arrays([0, 2, 2, 5, 6], pa.array([CALL, "a", CALL, None, "b", CALL]).dictionary_encode()),
    "fixed": pa.array([[CALL, "x"], None, ["a", CALL], [CALL, None]], pa.list_(pa.string(), 2)),
    "struct": pa.array(PEOPLE),
    "list of structs": pa.array([PEOPLE, None, [], PEOPLE[:2]]),
    "map": pa.array([[("phone", CALL), ("x", "y")], None, [(CALL, "z")], []], pa.map_(pa.string(), pa.string())),
    "map to numbers": pa.array([[(CALL, 1)], None, [("a", 2)]], pa.map_(pa.string(), pa.int32())),
    "none": pa.array([], pa.list_(pa.string())),
    "nulls": pa.array([None, None], pa.list_(pa.string())),
}


@pytest.mark.parametrize("name", NESTED)
def test_texts_inside_columns(m, name):
    array = NESTED[name]
    chunked = pa.chunked_array([array, array.slice(1)])
    for one in (array, array.slice(1), array.slice(1, 2), array.slice(2, 0), array.slice(max(len(array) - 1, 0)), chunked):
        masked = arrow.mask_array(one, m)
        masked.validate(full=True)
        assert masked.type == one.type and len(masked) == len(one) and masked.null_count == one.null_count
        shown = str(masked.to_pylist())
        assert "0142" not in shown and "773421" not in shown and "may" not in shown
        back = arrow.rehydrate_array(masked, m)
        back.validate(full=True)
        assert back.to_pylist() == one.to_pylist()


def test_every_column_that_holds_text(m):
    table = pa.table({"tags": pa.array([[CALL]]), "who": pa.array([{"phone": CALL}]), "n": [1], "b": [b"x"]})
    masked = arrow.mask_table(table, None, m)
    assert masked.schema == table.schema and "0142" not in str(masked.to_pylist())
    assert arrow.mask_array(pa.array([["7734215"]]), m, "mrn").to_pylist()[0][0].startswith("MSKV1.MRN.")
    ends = pa.RunEndEncodedArray.from_arrays(pa.array([2], pa.int32()), pa.array([CALL]))
    for odd in (ends, pa.array(["{}"], pa.json_()), pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([CALL])])):
        with pytest.raises(TypeError, match="make it a column of text first"):
            arrow.mask_table(pa.table({"a": odd}), None, m)
    for wrong in ([CALL], pa.scalar(CALL), pa.array([[1]])):
        with pytest.raises(TypeError):
            arrow.mask_array(wrong, m)
    with pytest.raises(TypeError, match="record batch"):
        list(arrow.mask_batches(table, None, m))


def test_slices_that_begin_in_the_middle_of_a_byte(m):
    array = pa.array([None if n % 3 else f"call 415-555-01{n % 100:02}" for n in range(200)])
    for start in (0, 1, 7, 8, 9, 63, 65):
        for length in (0, 1, 8, 100):
            one = array.slice(start, length)
            masked = arrow.mask_array(one, m)
            masked.validate(full=True)
            assert arrow.rehydrate_array(masked, m).to_pylist() == one.to_pylist()


def test_names_of_columns_are_labels(m):
    table = pa.table({"mrn": ["7734215"], "count": ["7734215"], "patient_name": ["Sarah Chen"], "n": [1]})
    masked = arrow.mask_table(table, None, m).to_pylist()[0]
    assert masked["mrn"].startswith("MSKV1.MRN.") and masked["count"] == "7734215" and masked["n"] == 1
    assert masked["patient_name"].startswith("MSKV1.NAME.")
    assert arrow.rehydrate_table(arrow.mask_table(table, ["mrn"], m), None, m).to_pylist() == table.to_pylist()


def test_wrong_columns(m):
    table = pa.table({"n": [1], "t": ["x"]})
    with pytest.raises(TypeError):
        arrow.mask_table(table, ["n"], m)
    with pytest.raises(TypeError):
        arrow.mask_table(table, "t", m)
    with pytest.raises(KeyError):
        arrow.mask_table(table, ["missing"], m)
    with pytest.raises(ValueError):
        m._mask_column(b"abc", b"", 4, None, 0, None)
    with pytest.raises(ValueError):
        m._mask_column(b"\xff\xff", b"\x00\x00\x00\x00\x02\x00\x00\x00", 4, None, 0, None)


def test_metadata_and_batches(m, capsys):
    schema = pa.schema([pa.field("t", pa.string(), metadata={"a": "b"})], metadata={"c": "d"})
    batch = pa.record_batch([pa.array(NOTES)], schema=schema)
    reader = pa.RecordBatchReader.from_batches(schema, [batch, batch])
    made = list(arrow.mask_batches(reader, ["t"], lambda: m, progress=True))
    assert [b.schema for b in made] == [schema, schema] and made[0].schema.metadata == {b"c": b"d"}
    clean(made[0]["t"].to_pylist())
    assert "masking" in capsys.readouterr().err
    back = list(arrow.rehydrate_batches(made, None, m))
    assert back[1].to_pydict() == batch.to_pydict()


def test_private_use_characters_agree_with_python(m):
    """What a Python string stands in for is the same text in a column."""
    text = "my name is Sarah \U0010f7ff\U0010fffe, call 415-555-0142"
    assert arrow.mask_array(pa.array([text]), m).to_pylist() == [m.mask(text).text]
    assert arrow.rehydrate_array(pa.array([m.mask(text).text]), m).to_pylist() == [text]


def test_large_columns(m):
    array = pa.array([f"call 415-555-01{n % 100:02}, note {n}" for n in range(50_000)])
    masked = arrow.mask_array(array, m)
    assert arrow.rehydrate_array(masked, m).equals(array)


@pytest.mark.parametrize(
    "dtype",
    [
        "str",
        object,
        "string[pyarrow]",
        "string[python]",
        pd.ArrowDtype(pa.string()),
        pd.ArrowDtype(pa.large_string()),
        pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
        "category",
    ],
    ids=str,
)
def test_pandas(m, dtype):
    frame = pd.DataFrame({"id": range(COUNT), "note": pd.Series(NOTES, dtype=dtype)}, index=list("abcdef"))
    frame["note"] = pd.Series(NOTES, dtype=dtype).values
    masked = masker_pandas.mask(frame, ["note"], m)
    assert masked["note"].dtype.name == frame["note"].dtype.name and list(masked.index) == list("abcdef")
    clean(masked["note"].tolist())
    assert frame["note"].tolist()[0] == NOTES[0], "the frame given stays as it is"
    back = masker_pandas.rehydrate(masked, ["note"], m)
    assert [None if pd.isna(v) else v for v in back["note"].tolist()] == NOTES
    assert masked["note"].isna().tolist() == [v is None for v in NOTES]
    assert list(masker_pandas.mask(frame, None, m)["id"]) == list(range(COUNT))


def test_pandas_odd_columns(m):
    frame = pd.DataFrame([["415-555-0142", "x", 1]], columns=["a", "a", "b"])
    masked = masker_pandas.mask(frame, ["a"], m)
    assert "0142" not in masked.iloc[0, 0] and masked.iloc[0, 1] == "x"
    surrogates = pd.DataFrame({"t": pd.Series(["\ud800 415-555-0142", None, np.nan], dtype=object)})
    masked = masker_pandas.mask(surrogates, ["t"], m)
    assert m.rehydrate(masked["t"][0]).text == "\ud800 415-555-0142" and masked["t"].isna().tolist() == [False, True, True]
    mixed = pd.DataFrame({"t": pd.Series(["415-555-0142", 4155550142], dtype=object)})
    for wrong in (lambda: masker_pandas.mask(mixed, ["t"], m), lambda: masker_pandas.mask(frame, ["b"], m)):
        with pytest.raises(TypeError) as caught:
            wrong()
        assert "0142" not in str(caught.value)
    for dtype in ("str", object, "category", pd.ArrowDtype(pa.string())):
        empty = masker_pandas.mask(pd.DataFrame({"t": pd.Series([], dtype=dtype)}), None, m)
        assert len(empty) == 0
    missing = pd.Series(["415-555-0142", pd.NA, None, np.nan, pd.NaT], dtype=object, name="t")
    masked = masker_pandas.mask_series(missing, m)
    assert clean([masked[0]]) and all(old is new for old, new in zip(missing[1:], masked[1:], strict=True))


def test_pandas_columns_of_objects(m):
    """Dates are no text and pass; what may hold text and cannot be looked into does not."""
    frame = pd.DataFrame(
        {
            "seen": pd.Series([date(2024, 3, 5), None], dtype=object),
            "paid": pd.Series([Decimal(3), 4], dtype=object),
            "note": ["415-555-0142", None],
            "nothing": pd.Series([None, None], dtype=object),
        }
    )
    masked = masker_pandas.mask(frame, None, m)
    assert masked["seen"].tolist() == frame["seen"].tolist() and "0142" not in masked["note"][0]
    assert masker_pandas.rehydrate(masked, None, m).equals(frame)
    for odd in (["415-555-0142"], {"phone": "415-555-0142"}, b"415-555-0142", np.array([1, 2]), ("x",)):
        odd_frame = frame.assign(odd=pd.Series([odd, None], dtype=object))
        with pytest.raises(TypeError, match="the column odd") as caught:
            masker_pandas.mask(odd_frame, None, m)
        assert "0142" not in str(caught.value)
    nested = pd.DataFrame({"t": pd.Series([["415-555-0142"], None], dtype=pd.ArrowDtype(pa.list_(pa.string())))})
    assert "0142" not in str(masker_pandas.mask(nested, None, m)["t"].tolist())
    for wrong in (frame["note"], ["x"], pl.DataFrame({"a": ["x"]})):
        with pytest.raises(TypeError):
            masker_pandas.mask(wrong, None, m)
    with pytest.raises(TypeError):
        masker_pandas.mask_series(["x"], m)


def test_polars(m):
    frame = pl.DataFrame({"id": range(COUNT), "note": NOTES})
    masked = masker_polars.mask(frame, ["note"], m)
    assert masked.schema == frame.schema
    clean(masked["note"].to_list())
    assert masker_polars.rehydrate(masked, None, m).equals(frame)
    lazy = masker_polars.mask(frame.lazy(), None, m)
    assert isinstance(lazy, pl.LazyFrame) and lazy.collect().equals(masked)
    assert lazy.filter(pl.col("id") == 0).collect()["note"].to_list() == [masked["note"][0]]
    category = frame.with_columns(pl.col("note").cast(pl.Categorical))
    assert clean(masker_polars.mask(category, ["note"], m)["note"].cast(pl.String).to_list()) == masked["note"].to_list()
    expression = pl.col("note").map_batches(lambda s: masker_polars.mask_series(s, m), return_dtype=pl.String)
    assert frame.select(expression)["note"].to_list() == masked["note"].to_list()
    nested = pl.DataFrame({"tags": [["call 415-555-0142"], None], "who": [{"mrn": "7734215", "n": 1}, None], "n": [1, 2]})
    for one in (nested, nested.lazy()):
        masked = masker_polars.mask(one, None, m).lazy().collect()
        assert masked.schema == nested.schema and "0142" not in str(masked.rows()) and "7734215" not in str(masked.rows())
        assert masker_polars.rehydrate(masked, None, m).equals(nested)
    for wrong in (pl.Series([1, 2]), ["x"]):
        with pytest.raises(TypeError):
            masker_polars.mask_series(wrong, m)
    with pytest.raises(TypeError, match="mask_series"):
        masker_polars.mask(nested["tags"], None, m)


def test_duckdb(m):
    notes = pa.table({"id": range(COUNT), "note": NOTES})
    connection = duckdb.connect()
    # One cursor reads while the other writes.
    reader = connection.cursor().sql("select * from notes where id != 2").to_arrow_reader(2)
    batches = arrow.mask_batches(reader, ["note"], m)
    masked = pa.RecordBatchReader.from_batches(reader.schema, batches)
    connection.sql("create table masked as select * from masked")
    clean([row[0] for row in connection.sql("select note from masked").fetchall()])
    assert connection.sql("select count(*) from masked").fetchall() == [(COUNT - 1,)]
    assert notes.num_rows == COUNT
