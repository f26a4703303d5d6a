from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import time

import pytest
from conftest import keys

import masker


def test_memory_has_a_limit():
    m = masker.Masker(vault=masker.Vault.memory(limit=1))
    m.mask("415-555-0142")
    with pytest.raises(masker.VaultError) as caught:
        m.mask("415-555-0143")
    assert caught.value.code == "vault_full"


def test_a_file_outlives_the_masker(tmp_path):
    path = tmp_path / "vault.db"
    token = masker.Masker(keys=keys(), vault=masker.Vault.sqlite(path)).mask("415-555-0142").text
    assert b"0142" not in path.read_bytes()
    vault = masker.Vault.sqlite(str(path), durability="power")
    assert masker.Masker(keys=keys(), vault=vault).rehydrate(token).text == "415-555-0142"
    stats = vault.stats()
    assert (stats.rows, stats.by_kind, stats.by_kid) == (1, {"PHONE": 1}, {"K_HEALTHCARE": 1})
    assert stats.oldest is not None and stats.oldest <= stats.newest
    assert pickle.loads(pickle.dumps(stats)) == stats
    assert repr(vault) == "<Vault: sqlite>"
    check = vault.verify(keys())
    assert (check.readable, check.unreadable, check.damaged, check.orphans, check.keyless) == (1, 0, 0, 0, {})
    assert vault.verify(masker.KeyRing({"K_X": bytes(32)})).keyless == {"K_HEALTHCARE": 1}
    assert pickle.loads(pickle.dumps(check)) == check


def test_rows_end(tmp_path):
    vault = masker.Vault.sqlite(tmp_path / "vault.db")
    m = masker.Masker(keys=keys(), vault=vault, row_lifetime=0.05)
    token = m.mask("415-555-0142").text
    assert m.rehydrate(token).text == "415-555-0142"
    time.sleep(0.06)
    assert m.rehydrate(token).text == "[REDACTED:PHONE]"
    assert vault.delete(expired=True) == 1
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="row_lifetime"):
            masker.Masker(row_lifetime=wrong)


def test_deleting(tmp_path):
    vault = masker.Vault.sqlite(tmp_path / "vault.db")
    ring = keys()
    subject = ring.pseudonym("K_HEALTHCARE", "patient 7")
    m = masker.Masker(keys=ring, vault=vault, subject=subject, agent="desk")
    token = m.mask("415-555-0142").text
    assert vault.delete(subject=subject, dry_run=True) == 1
    assert vault.delete(subject="someone else") == 0
    assert vault.delete(subject=subject) == 1
    assert m.rehydrate(token).text == "[REDACTED:PHONE]"
    assert vault.stats().tombstones == 1
    assert m.mask("415-555-0142").text != token
    assert vault.delete(agent="desk") == 1
    m.mask("415-555-0143")
    assert vault.delete(unused_for_days=1) == 0
    assert vault.delete(expired=True) == 0
    assert vault.delete(kid="K_HEALTHCARE") == 1
    for wrong in ({}, {"subject": "a", "agent": "b"}):
        with pytest.raises(TypeError):
            vault.delete(**wrong)
    with pytest.raises(ValueError):
        vault.delete(unused_for_days=-1)


def test_rewrapping_and_moving(tmp_path):
    vault = masker.Vault.memory()
    both = masker.KeyRing({"K_HEALTHCARE": bytes(range(32)), "K_NEW": bytes([9] * 32)})
    token = masker.Masker(keys=both, vault=vault).mask("415-555-0142").text
    done = vault.rewrap(both, to="K_NEW", from_="K_HEALTHCARE")
    assert (done.rewrapped, done.current, done.unreadable) == (1, 0, 0)
    assert pickle.loads(pickle.dumps(done)) == done and repr(done).startswith("VaultRewrap(rewrapped=1,")
    assert vault.rewrap(both, to="K_NEW") == masker.VaultRewrap(0, 1, 0)
    assert masker.Masker(keys=both, vault=vault).rehydrate(token).text == "415-555-0142"

    path = tmp_path / "export"
    assert vault.export_to(path, both, "K_NEW") == 1
    with pytest.raises(masker.VaultError, match="No such file"):
        vault.export_to(tmp_path / "missing" / "export", both, "K_NEW")
    other = masker.Vault.sqlite(tmp_path / "other.db")
    assert other.import_from(path, both) == 1
    assert masker.Masker(keys=both, vault=other).rehydrate(token).text == "415-555-0142"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(masker.VaultError):
        other.import_from(path, both)
    with pytest.raises(masker.VaultError):
        other.import_from(tmp_path / "missing", both)


def test_what_is_no_vault(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are notes" * 100)
    with pytest.raises(masker.VaultError):
        masker.Vault.sqlite(path)
    assert path.read_text().startswith("these are notes")


def postgres(url: str) -> masker.Vault:
    try:
        return masker.Vault.postgres(url)
    except NotImplementedError as error:
        assert "vault-postgres" in str(error)
        pytest.skip("built without the cargo feature vault-postgres")


def test_a_database_that_does_not_answer():
    with pytest.raises(masker.VaultError) as caught:
        postgres("postgres://nobody@127.0.0.1:1/none")
    assert "nobody" not in str(caught.value)


async def test_postgres_where_built():
    url = os.environ.get("MASKER_TEST_POSTGRES")
    if not url:
        pytest.skip("MASKER_TEST_POSTGRES names no database")
    scope = f"python-{os.getpid()}-{time.time_ns()}"
    one, other = (masker.Masker(keys=keys(), vault=postgres(url), scope=scope) for _ in range(2))
    masked = await asyncio.gather(*(one.amask(f"call 415-555-01{n:02}") for n in range(40)))
    assert [(await other.arehydrate(m.text)).text for m in masked] == [f"call 415-555-01{n:02}" for n in range(40)]
    assert postgres(url).delete(scope=scope) == 40
    assert other.rehydrate(masked[0].text).text == "call [REDACTED:PHONE]"


def _mask(path: str, number: int) -> str:
    m = masker.Masker(keys=keys(), vault=masker.Vault.sqlite(path))
    return "; ".join(m.mask(f"write to person{number}.{n}@example.com").text for n in range(20))


def test_two_processes_share_a_file(tmp_path):
    path = str(tmp_path / "vault.db")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        texts = pool.starmap(_mask, [(path, number) for number in range(4)])
    m = masker.Masker(keys=keys(), vault=masker.Vault.sqlite(path))
    for number, text in enumerate(texts):
        assert m.rehydrate(text).text == "; ".join(f"write to person{number}.{n}@example.com" for n in range(20))
