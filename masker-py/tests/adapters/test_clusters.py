"""Spark and Ray Data: the functions of `masker.arrow` in other processes. `cargo xtask python --clusters` runs these."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest

import masker
from masker import arrow

from .test_tables import NOTES

pytestmark = pytest.mark.clusters

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def make_masker() -> masker.Masker:
    """In a worker: keys come from its environment, tokens need no vault."""
    source = masker.Policy.preset_source("healthcare-default") + "\naead: { deterministic: true }\n"
    policy = masker.Policy.from_yaml(source).with_scheme("reversible-aead")
    return masker.Masker(policy, keys=masker.KeyRing.from_env({"MASKER_KEY_K_HEALTHCARE": KEY}), threads=1)


def restored(values: list) -> list:
    assert not any(original in str(values) for original in ("0142", "Sarah", "example.com"))
    own = make_masker()
    return [v if v is None else own.rehydrate(v).text for v in values]


def test_spark(monkeypatch, tmp_path):
    from pyspark import cloudpickle
    from pyspark.sql import SparkSession

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path))
        .getOrCreate()
    )
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        frame = spark.createDataFrame(list(enumerate(NOTES)), "id int, note string")
        made = frame.mapInArrow(lambda batches: arrow.mask_batches(batches, ["note"], make_masker), frame.schema)
        assert restored([row.note for row in sorted(made.collect())]) == NOTES
    finally:
        spark.stop()


def test_ray(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.cloudpickle as cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(num_cpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False)
    try:
        data = ray.data.from_arrow(pa.table({"id": range(len(NOTES)), "note": NOTES}))
        made = data.map_batches(
            lambda table: arrow.mask_table(table, ["note"], make_masker()), batch_format="pyarrow"
        )
        rows = sorted(made.take_all(), key=lambda row: row["id"])
        assert restored([row["note"] for row in rows]) == NOTES
    finally:
        ray.shutdown()
