from __future__ import annotations

import asyncio
import base64
import collections
import copy
import enum
import json
import os
import pickle
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest

import masker

SAID = "Hi, this is Sarah Chen, call me at 415-555-0142."


def test_three_lines():
    masked = masker.mask(SAID)
    assert "Sarah" not in masked.text and "0142" not in masked.text
    assert masker.rehydrate(masked.text).text == SAID


def test_functions_of_the_module():
    assert masker.default_masker() is masker.default_masker()
    assert [finding.kind for finding in masker.detect(SAID)] == ["NAME", "PHONE"]
    assert [masked.redaction_count for masked in masker.mask_many([SAID, "ok"])] == [2, 0]
    assert [restored.text for restored in masker.rehydrate_many([masker.mask(SAID).text])] == [SAID]
    assert masker.rehydrate_json(masker.mask_json({"a": SAID}).json).value == {"a": SAID}
    chat = [{"role": "user", "content": SAID}]
    assert masker.rehydrate_chat(masker.mask_chat(chat).json).value == chat


def test_results_are_frozen_equal_hashable_and_can_be_pickled():
    m = masker.Masker()
    masked = m.mask(SAID)
    payload = m.mask_json({"phone": "415-555-0142"})
    values = [
        masked,
        masked.events[0],
        m.detect(SAID)[0],
        m.rehydrate(masked.text),
        m.rehydrate("MSKV1.PHONE.K_OTHER.HSEMBUYQUW2TTUOL35UE5SIDMY"),
        payload,
        payload.events[0],
        m.rehydrate_json(payload.json),
        m.explain(SAID)[0],
    ]
    for value in values:
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(value, protocol)) == value
        assert copy.copy(value) == value and copy.deepcopy(value) == value
        assert hash(pickle.loads(pickle.dumps(value))) == hash(value)
        assert value != "text" and value != 1
        for name in ("text", "kind", "start", "chosen", "anything"):
            with pytest.raises(AttributeError):
                setattr(value, name, "x")
        shown = repr(value) + str(value)
        assert "Sarah" not in shown and "0142" not in shown and "MSKV1" not in shown, shown


def test_repr_is_useful():
    m = masker.Masker()
    assert repr(m.mask(SAID)) == "<Masked: 111 characters, 2 redactions (NAME, PHONE)>".replace(
        "111", str(len(m.mask(SAID).text))
    )
    assert repr(m.detect("call 415-555-0142")[0]).startswith("Finding(kind='PHONE', start=5, end=17, confidence=0.")
    assert repr(m.rehydrate("x")) == "<Restored: 1 characters, 0 restored, 0 unknown, 0 foreign, 0 ambiguous>"
    assert repr(m) == "<Masker: policy healthcare-default, ephemeral key>"
    assert repr(m.conversation("415-555-0142")) == "<Conversation: 0 values>"


def test_matching():
    match masker.detect(SAID)[1]:
        case masker.Finding("PHONE", start, end):
            assert SAID[start:end] == "415-555-0142"
        case other:
            pytest.fail(repr(other))


@pytest.mark.parametrize("wrong", [None, 7, b"bytes", ["text"], 1.5])
def test_wrong_types(wrong):
    m = masker.Masker()
    conversation = m.conversation()
    calls = [
        m.detect,
        m.mask,
        m.rehydrate,
        m.explain,
        lambda value: m.mask_many([SAID, value]),
        lambda value: m.mask_field("a", value),
        lambda value: conversation.mask_turn("user", value),
        lambda value: conversation.mask_turn(value, "text"),
        lambda value: conversation.rehydrate(value),
        lambda value: conversation.stream_rehydrator().push(value),
        lambda value: masker.Policy.from_yaml(value),
        lambda value: masker.Masker(keys=value) if value is not None else masker.Masker(keys=7),
        lambda value: masker.Masker(value) if value is not None else masker.Masker(7),
        lambda value: masker.KeyRing({"K": value}) if not isinstance(value, bytes) else masker.KeyRing(value),
    ]
    for call in calls:
        with pytest.raises(TypeError):
            call(wrong)


def test_texts_of_any_iterable():
    m = masker.Masker("strict")
    texts = [SAID, "ok"]
    expected = [masked.text for masked in m.mask_many(texts)]
    for given in (tuple(texts), (text for text in texts), dict.fromkeys(texts).keys(), collections.deque(texts)):
        assert [masked.text for masked in m.mask_many(given)] == expected
    assert m.mask_json({"a": SAID, "b": SAID}, only=iter(["/a"])).value["b"] == SAID
    turns = m.conversation().mask_history(("user", text) for text in texts)
    assert [masked.redaction_count for masked in turns] == [2, 0]


def test_what_is_no_list_of_texts_is_told_apart():
    m = masker.Masker()
    for call, said in [
        (lambda: m.mask_many(SAID), "expected a list of str, not one str"),
        (lambda: m.mask_many({SAID: 1}), "expected a list of str, not one dict"),
        (lambda: m.mask_many([SAID, None]), "item 1 is no str but a NoneType"),
        (lambda: m.mask_json({}, leave="/a"), "expected a list of str, not one str"),
        (lambda: masker.Policy.strict().with_passes("regex"), "expected a list of str, not one str"),
        (lambda: m.conversation().mask_history([{"role": "user", "content": SAID}]), "go to mask_chat"),
        (lambda: m.conversation().mask_history([("user", None)]), "item 0 is no"),
        (lambda: masker.Masker(Path("policy.yaml")), "Policy.from_path"),
    ]:
        with pytest.raises(TypeError) as caught:
            call()
        assert said in str(caught.value) and "Sarah" not in str(caught.value)
    with pytest.raises(ValueError, match="Policy.from_path"):
        masker.Masker("policy.yaml")


def test_strings_of_other_classes_are_strings():
    class Own(str):
        pass

    class Named(str, enum.Enum):
        SAID = "call 415-555-0142"

    m = masker.Masker()
    for text in (Own(SAID), Named.SAID):
        masked = m.mask(text)
        assert type(masked.text) is str and m.rehydrate(masked.text).text == text.encode().decode()


def test_errors_have_a_code_and_one_base():
    m = masker.Masker()
    classes = [
        masker.BlockedError,
        masker.KeyRingError,
        masker.LimitError,
        masker.PayloadError,
        masker.PolicyError,
        masker.RecognizerError,
        masker.VaultError,
    ]
    assert all(issubclass(one, masker.MaskerError) and one is not masker.MaskerError for one in classes)

    def code(expected: type, call) -> str:
        with pytest.raises(expected) as caught:
            call()
        error = caught.value
        assert isinstance(error, masker.MaskerError)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.code, str(again)) == (type(error), error.code, str(error))
        assert "Sarah" not in str(error) and "0142" not in str(error)
        return error.code

    block = masker.Policy.preset_source("healthcare-default").replace(
        "PHONE: ", "PHONE: { action: block, regex: true, ner: true, confidence_threshold: 0.6 } #"
    )
    blocking = masker.Masker(masker.Policy.from_yaml(block))
    assert code(masker.BlockedError, lambda: blocking.mask("\N{GRINNING FACE} 415-555-0142")) == "blocked_by_policy"
    with pytest.raises(masker.BlockedError) as caught:
        blocking.mask("\N{GRINNING FACE} 415-555-0142")
    assert (caught.value.kind, caught.value.start, caught.value.end) == ("PHONE", 2, 14)
    with pytest.raises(masker.BlockedError) as caught:
        blocking.mask_many(["ok", "415-555-0142"])
    assert (caught.value.kind, caught.value.start, caught.value.end) == ("PHONE", None, None)
    assert code(masker.KeyRingError, lambda: masker.Masker(keys=masker.KeyRing({"K_X": bytes(32)}))) == "unknown_kid"
    assert code(masker.KeyRingError, lambda: masker.KeyRing({"K_X": "short"})) == "invalid_key"
    assert code(masker.KeyRingError, lambda: masker.KeyRing({"K_X": b"short"})) == "invalid_key"
    assert code(masker.PayloadError, lambda: m.mask_json("{Sarah Chen")) == "not_json"
    assert code(masker.PayloadError, lambda: m.mask_chat('{"name": "Sarah Chen"}')) == "not_a_chat"
    assert code(masker.LimitError, lambda: m.mask_json("[" * 1000 + "]" * 1000)) == "too_deep"
    assert code(masker.PolicyError, lambda: masker.Policy.from_yaml("Sarah Chen")) == "invalid_policy"
    assert code(masker.VaultError, lambda: masker.Vault.sqlite("/nowhere/at/all.db")) == "vault_failed"


def test_malformed_arguments():
    for call in [
        lambda: masker.Masker("no-such-policy"),
        lambda: masker.Masker(scope="\n"),
        lambda: masker.Masker(threads=0),
        lambda: masker.Masker(threads=-1),
        lambda: masker.Masker(seed=-1),
        lambda: masker.Masker(seed=2**64),
        lambda: masker.Vault.memory(limit=-1),
        lambda: masker.KeyRing({"K_A": bytes(32)}, grace_days=-1),
        lambda: masker.Policy.strict().with_seed(-1),
        lambda: masker.Masker(recognizer=len, recognizer_timeout=0.0),
        lambda: masker.Masker(recognizer=len, recognizer_timeout=float("nan")),
        lambda: masker.Masker(on_timeout="never"),
        lambda: masker.KeyRing({"lower": bytes(32)}),
        lambda: masker.Masker().conversation().mask_turn("caller", "x"),
        lambda: masker.Masker().mask_json("{}", leave=["no slash"]),
        lambda: masker.Masker().mask_json(b'"\xff"'),
        lambda: masker.Masker().mask_json({"a": float("nan")}),
        lambda: masker.Finding("phone", 0, 1),
        lambda: masker.Finding("PHONE", 1, 1),
        lambda: masker.Finding("PHONE", 0, 1, 1.0, "guess"),
        lambda: masker.Policy.healthcare_default().with_surface("x"),
        lambda: masker.Masker(surface="x"),
        lambda: masker.Policy.healthcare_default().with_scheme("x"),
    ]:
        with pytest.raises(ValueError):
            call()


def test_what_holds_keys_is_not_pickled():
    m = masker.Masker()
    for value in (m, m.conversation(), masker.KeyRing.ephemeral()):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(value)


def test_keys_from_the_environment(monkeypatch):
    monkeypatch.setenv("MASKER_KEY_K_HEALTHCARE", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    ring = masker.KeyRing.from_env()
    assert "K_HEALTHCARE" in ring and "K_OTHER" not in ring and len(ring) >= 1
    assert masker.KeyRing.from_env({"HOME": "/"}).kids == []
    # As it is, and where another program's variable is no UTF-8.
    monkeypatch.setitem(os.environb, b"OTHER", b"\xff\xfe")
    for given in (masker.KeyRing.from_env(), masker.KeyRing.from_env(os.environ)):
        assert "K_HEALTHCARE" in given
    frozen = types.MappingProxyType({"K_A": bytes(32)})
    assert masker.KeyRing(frozen, old=types.MappingProxyType({"K_A": (bytes([1] * 32),)})).old_keys[0].kid == "K_A"
    for wrong in ([("K_A", bytes(32))], "K_A", bytes(32)):
        with pytest.raises(TypeError):
            masker.KeyRing(wrong)
    text = masker.Masker(keys=ring).mask("415-555-0142").text
    assert text == "MSKV1.PHONE.K_HEALTHCARE.HSEMBUYQUW2TTUOL35UE5SIDMY"
    assert len(ring.pseudonym("K_HEALTHCARE", "patient 7")) == 32
    with pytest.raises(masker.KeyRingError):
        masker.KeyRing.from_env({"MASKER_KEY_K_HEALTHCARE": "not base64"})


def test_old_keys_open():
    aead = masker.Policy.healthcare_default().with_scheme("reversible-aead")
    old = masker.Masker(aead, keys=masker.KeyRing({"K_HEALTHCARE": bytes(32)}))
    token = old.mask("415-555-0142").text
    ring = masker.KeyRing({"K_HEALTHCARE": bytes([7] * 32)}, old={"K_HEALTHCARE": [bytes(32)]})
    assert masker.Masker(aead, keys=ring).rehydrate(token).text == "415-555-0142"
    alone = masker.Masker(aead, keys=masker.KeyRing({"K_HEALTHCARE": bytes([7] * 32)})).rehydrate(token)
    assert (alone.text, alone.unknown, alone.lost) == ("[REDACTED:PHONE]", 1, ("PHONE",))


def test_old_keys_are_told_of_and_fall_due(tmp_path):
    file = tmp_path / "keys"
    active, old = (base64.b64encode(bytes([n] * 32)).decode() for n in (2, 1))
    lines = [f"MASKER_KEY_K_A={active}", f"MASKER_KEY_K_A_OLD={old}@2026-01-01", "MASKER_KEY_ROTATION_GRACE_DAYS=7"]
    file.write_text("# keys\n" + "\n".join(lines) + "\n")
    ring = masker.KeyRing.from_path(file)
    assert (ring.kids, ring.grace_days) == (["K_A"], 7)
    [key] = ring.old_keys
    day = 86_400_000
    assert key.retired is not None and key.retired % day == 0
    assert ring.overdue(key.retired + 7 * day) == [] and ring.overdue(key.retired + 7 * day + 1) == [key]
    assert ring.overdue() == [key]
    assert key.kid == "K_A" and old not in repr(key) + key.fingerprint
    assert pickle.loads(pickle.dumps(key)) == key and len({key, pickle.loads(pickle.dumps(key))}) == 1
    undated = masker.KeyRing({"K_A": active}, old={"K_A": [old]}, grace_days=0)
    assert undated.old_keys[0].fingerprint == key.fingerprint and undated.overdue() == [] and undated.grace_days == 0
    with pytest.raises(masker.KeyRingError):
        masker.KeyRing({"K_A": active}, grace_days=10_000)
    file.write_text("nonsense")
    with pytest.raises(masker.KeyRingError):
        masker.KeyRing.from_path(file)


def test_the_surface_may_be_chosen_over_the_policy():
    conversation = masker.Masker(surface="alias", wipe_buffers=True).conversation()
    assert conversation.mask_turn("user", "call 415-555-0142").text == "call [PHONE_1]"
    assert masker.Masker("strict", surface="token").policy.surface == "token"


def test_what_a_policy_says_of_itself():
    policy = masker.Policy.healthcare_default()
    assert (policy.version, policy.scheme, policy.surface) == (1, "vault-deterministic", "token")
    assert (policy.token_scope, policy.normalization, policy.non_text) == ("kid", "value", "reject")
    assert "PHONE" in policy.kinds and "ORGANIZATION" not in policy.kinds
    synthetic = policy.with_scheme("synthetic").with_seed(7)
    said = [masker.Masker(synthetic).mask("call 415-555-0142").text for _ in range(2)]
    assert said[0] == said[1] and "0142" not in said[0]
    assert policy.with_epsilon(2.0).diff(policy)[0].path == "epsilon"
    with pytest.raises(masker.PolicyError):
        policy.with_epsilon(0.0)


def test_a_policy_can_be_checked_without_a_failure():
    problems = masker.Policy.check("name: clinic\nversion: 2\n")
    with pytest.raises(masker.PolicyError) as caught:
        masker.Policy.from_yaml("name: clinic\nversion: 2\n")
    assert problems == list(caught.value.problems) and len(problems) > 1
    assert json.loads(masker.Policy.schema())["properties"]["version"]["const"] == 1


def test_changes_of_a_policy():
    policy = masker.Policy.healthcare_default()
    assert policy.diff(policy) == []
    [change] = policy.diff(policy.with_surface("alias"))
    assert (change.path, change.before, change.after, change.effect) == ("surface", "token", "alias", "neutral")
    assert pickle.loads(pickle.dumps(change)) == change and len({change, change}) == 1
    assert all(c.effect == "weaker" for c in policy.diff(policy.with_threshold(0.99)))
    assert str(change) == "surface: token -> alias (neutral)"


def test_kinds_say_what_they_are():
    known = {info.kind: info for info in masker.kinds()}
    assert set(known) == set(masker.KINDS)
    assert known["PHONE"].letter == "D" and known["PHONE"].title
    assert pickle.loads(pickle.dumps(known["PHONE"])) == known["PHONE"]


def test_many_values_of_a_field():
    m = masker.Masker("strict")
    values = ["7734215", "", "7734216"] * 20
    masked = [one.text for one in m.mask_field_many("patientMrn", values)]
    assert masked == [m.mask_field("patientMrn", value).text for value in values]
    assert masked[:2] == ["[REDACTED:MRN]", ""]


def test_scopes_do_not_see_each_other(fixed):
    from conftest import keys

    vault = masker.Vault.memory()
    one, other = (masker.Masker(keys=keys(), vault=vault, scope=scope) for scope in ("one", "two"))
    token = one.mask("415-555-0142").text
    assert one.rehydrate(token).text == "415-555-0142"
    assert other.rehydrate(token).text == "[REDACTED:PHONE]"
    assert one.scope == "one"


def test_json_in_every_form():
    m = masker.Masker("strict")
    value = {"phone": "415-555-0142", "notes": ["ok", None, True, 1.5, {"mrn": 7734215}]}
    for data in (value, json.dumps(value), json.dumps(value).encode(), b"\xef\xbb\xbf" + json.dumps(value).encode()):
        masked = m.mask_json(data)
        assert masked.value["phone"] == "[REDACTED:PHONE]"
        assert masked.value["notes"] == ["ok", None, True, 1.5, {"mrn": "[REDACTED:MRN]"}]
        assert [event.path for event in masked.events] == ["/phone", "/notes/4/mrn"]
    assert m.mask_json(value, leave=["/notes"]).value["notes"] == value["notes"]
    assert m.mask_json(value, only=["/notes/*/mrn"]).value["phone"] == value["phone"]
    emoji = m.mask_json({"a": "\N{GRINNING FACE} 415-555-0142"})
    assert emoji.events[0].span == (2, 14)


def test_many_keeps_the_order_on_any_number_of_threads():
    texts = [f"note {n}: write to person{n}@example.com" for n in range(500)]
    for threads in (None, 1, 3):
        m = masker.Masker(threads=threads)
        masked = m.mask_many(texts)
        assert [restored.text for restored in m.rehydrate_many([one.text for one in masked])] == texts
        assert [len(found) for found in m.detect_many(texts)] == [1] * len(texts)
    assert m.mask_many([]) == []
    assert m.mask_many(tuple(texts[:2])) == masked[:2]


def test_other_threads_run_meanwhile():
    """A counter in another thread goes on while one long call works."""
    m = masker.Masker(threads=1)
    texts = [SAID * 20] * 3000
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    before = counted
    m.mask_many(texts)
    during = counted - before
    stop.set()
    thread.join()
    # A call that held the lock would let the counter run for a few switches only.
    assert during > 50_000


async def test_async_forms(tmp_path):
    m = masker.Masker(vault=masker.Vault.sqlite(tmp_path / "vault.db"))
    masked = await m.amask(SAID)
    assert (await m.arehydrate(masked.text)).text == SAID
    assert [one.redaction_count for one in await m.amask_many([SAID, "x"])] == [2, 0]
    assert [one.text for one in await m.arehydrate_many([masked.text])] == [SAID]
    conversation = m.conversation("a")
    turn = await conversation.amask_turn("user", SAID)
    assert (await conversation.arehydrate(turn.text)).text == SAID
    chat = await conversation.amask_chat([{"role": "user", "content": SAID}])
    assert (await conversation.arehydrate_chat(chat.json)).value == [{"role": "user", "content": SAID}]
    [again] = await conversation.amask_history([("user", SAID)])
    assert (await conversation.arehydrate_json(again.text)).text == SAID
    assert (await conversation.amask_json({"a": SAID}, leave=["/a"])).value == {"a": SAID}
    chat = await m.amask_chat([{"role": "user", "content": SAID}])
    assert (await m.arehydrate_chat(chat.json)).value == [{"role": "user", "content": SAID}]
    document = await m.amask_json({"a": SAID, "b": SAID}, only=["/a"])
    assert document.value["b"] == SAID != document.value["a"]
    assert (await m.arehydrate_json(document.json)).value == {"a": SAID, "b": SAID}
    texts = [f"call 415-555-01{n:02}" for n in range(100)]
    answers = await asyncio.gather(*(m.amask(text) for text in texts))
    assert [m.rehydrate(answer.text).text for answer in answers] == texts


def test_highlight_shows_text_as_html_only():
    shown = masker.highlight("<b> call 415-555-0142 & more \ud800")
    assert repr(shown) == "<Highlight: 30 characters, PHONE 9-21>"
    html = shown._repr_html_()
    assert "&lt;b&gt; call <mark" in html and "415-555-0142" in html and "&amp; more" in html
    assert not hasattr(masker.mask(SAID), "_repr_html_")


def test_progress(capsys):
    assert list(masker.progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    assert list(masker.progress(range(3), label="notes", show=True)) == [0, 1, 2]
    assert "notes" in capsys.readouterr().err
    from masker._progress import _line

    assert list(_line(iter("abc"), None, "files")) == ["a", "b", "c"]
    assert "files: 3" in capsys.readouterr().err


def test_nothing_is_imported_but_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import masker; new = set(sys.modules) - before\n"
        "foreign = {m.split('.')[0] for m in new} - set(sys.stdlib_module_names) - {'masker'}\n"
        "assert not foreign, foreign\n"
        "heavy = {'asyncio', 'json', 'uuid', 'html', 'socket', 'ssl', 'logging'} & new\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_socket_is_opened():
    """Masking calls nothing that could reach a network, as the interpreter's audit hooks see it."""
    code = (
        "import sys, masker\n"
        "seen = []\n"
        "sys.addaudithook(lambda event, args: seen.append(event) if event.startswith('socket.') else None)\n"
        "m = masker.Masker(); m.rehydrate(m.mask('call 415-555-0142').text); m.mask_many(['a@example.com'] * 100)\n"
        "assert not seen, seen\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
