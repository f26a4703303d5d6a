"""The compiled part of masker, and its manual. Import the names from ``masker``."""

import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, final

__all__ = [
    "KINDS",
    "Conversation",
    "Event",
    "Explanation",
    "Finding",
    "KeyRing",
    "KindInfo",
    "Masked",
    "MaskedPayload",
    "Masker",
    "OldKey",
    "Policy",
    "PolicyChange",
    "PolicyProblem",
    "Restored",
    "RestoredPayload",
    "SseRehydrator",
    "StreamMasker",
    "StreamRehydrator",
    "Vault",
    "VaultCheck",
    "VaultRewrap",
    "VaultStats",
    "__version__",
    "kinds",
]

_Role: TypeAlias = Literal["user", "assistant", "system", "developer", "tool", "function"]
_Pass: TypeAlias = Literal["regex", "dictionary", "spoken", "ner", "diarize"]
_Action: TypeAlias = Literal["tokenize", "redact", "passthrough", "block"]
_TokenKind: TypeAlias = Literal["MSK1", "MSKV1", "REDACTED", "SYNTHETIC"]
_Scheme: TypeAlias = Literal["vault-deterministic", "reversible-aead", "synthetic"]
_Surface: TypeAlias = Literal["token", "alias"]
_TokenScope: TypeAlias = Literal["kid", "agent", "session"]
_Normalization: TypeAlias = Literal["value", "exact"]
_Recognizer: TypeAlias = Callable[[str], Iterable[tuple[int, int, str, float] | Finding]]

__version__: Final[str]

KINDS: Final[tuple[str, ...]]
"""The built-in kinds, upper snake case. Policies may add others.

>>> import masker
>>> masker.KINDS[:3]
('NAME', 'ADDRESS', 'ZIP')
"""

def kinds() -> list[KindInfo]:
    """The built-in kinds and what they are.

    >>> import masker
    >>> masker.kinds()[0].letter
    'A'
    """

@final
class KindInfo:
    """A kind of PHI."""

    def __new__(cls, kind: str, letter: str, title: str) -> KindInfo: ...
    @property
    def kind(self) -> str:
        """Its name."""

    @property
    def letter(self) -> str:
        """Its letter in the Safe Harbor list, 45 CFR 164.514(b)(2)(i); ``-`` where it has none."""

    @property
    def title(self) -> str:
        """What it is, in words."""

    def __hash__(self) -> int: ...

@final
class Masker:
    """Detects, masks and rehydrates under one policy, with one key ring and one vault.

    Immutable and safe to share between threads and event loops: other Python threads run while it works. Every call stands
    for itself; only the vault remembers. To change the policy, make another masker and swap it in.

    >>> import masker
    >>> m = masker.Masker()
    >>> masked = m.mask("Hi, this is Sarah Chen, call me at 415-555-0142.")
    >>> masked
    <Masked: 121 characters, 2 redactions (NAME, PHONE)>
    >>> m.rehydrate(masked.text).text
    'Hi, this is Sarah Chen, call me at 415-555-0142.'

    ``policy``
        A :class:`Policy`, or the name of a shipped one: ``healthcare-default`` (used if none is given),
        ``healthcare-minimum``, ``strict``.
    ``surface``
        What stands in the text of a conversation, over the policy's own choice: ``token`` or ``alias``.
    ``keys``
        The keys the policy names. Without them one random key stands in for all, which dies with the masker:
        :attr:`is_ephemeral`.
    ``vault``
        Where originals are kept encrypted; in memory if none is given.
    ``recognizer``
        A model of your own as the pass ``ner``: any callable that takes a ``str`` and gives ``(start, end, kind, score)``
        for each hit, in code points, the end exclusive, the score 0 to 1 (or a :class:`Finding`). Hits below the kind's
        ``confidence_threshold`` are dropped. A kind must be one of :data:`KINDS` or of the policy; another one, or a
        place outside the text, is an error, so that no label is lost unnoticed. It is called from many threads at once.
        A sequence of callables is several models: what any of them finds counts.
    ``recognizer_timeout``
        Seconds one call may take; ``None`` waits for ever. A ``timeout_ms`` of the policy's ``ner`` pass comes first. Python
        cannot stop a call that is late: it goes on in its thread, and at most 32 may.
    ``on_timeout``
        ``"reject"``: a late call is a :class:`masker.RecognizerError`, and no text is given. ``"degrade"``: the other
        passes stand in, as if no model were loaded.
    ``scope``
        Where tokens are made and restored: a token of one scope is nothing in another.
    ``agent``, ``subject``
        On whose behalf rows are written to the vault, so that they can be deleted by it. They are stored in clear: for a
        subject use :meth:`KeyRing.pseudonym`.
    ``seed``
        Fixes the draw of the scheme ``synthetic``.
    ``threads``
        The most threads that the calls for many texts use; all cores if none is given.
    ``row_lifetime``
        Seconds after which a row of the vault ends, counted from when its value was last masked; ``None`` keeps rows until they
        are deleted. The token of a row that ended is as dead as a deleted one.
    ``wipe_buffers``
        Whether the folded copies of a text that detection works on are overwritten once they are no longer needed. Originals on
        their way to and from the vault always are; a ``str`` of Python never is.

    A masker holds keys and cannot be pickled: make one in each process.
    """

    def __new__(
        cls,
        policy: Policy | str | None = None,
        *,
        surface: _Surface | None = None,
        keys: KeyRing | None = None,
        vault: Vault | None = None,
        recognizer: _Recognizer | Sequence[_Recognizer] | None = None,
        recognizer_timeout: float | None = 1.0,
        on_timeout: Literal["reject", "degrade"] = "reject",
        scope: str = "",
        agent: str = "",
        subject: str = "",
        seed: int | None = None,
        threads: int | None = None,
        row_lifetime: float | None = None,
        wipe_buffers: bool = False,
    ) -> Masker: ...
    @property
    def policy(self) -> Policy:
        """The policy in force."""

    @property
    def is_ephemeral(self) -> bool:
        """Whether the keys die with this value."""

    @property
    def scope(self) -> str:
        """Where tokens are made and restored; empty if none was given."""

    def detect(self, text: str) -> list[Finding]:
        """Find PHI: disjoint findings in order, whatever the policy does with them.

        >>> import masker
        >>> text = "\N{GRINNING FACE} my email is ada@example.com"
        >>> [finding] = masker.Masker().detect(text)
        >>> finding.kind, text[finding.start : finding.end]
        ('EMAIL', 'ada@example.com')
        """

    def detect_many(self, texts: Iterable[str]) -> list[list[Finding]]:
        """:meth:`detect` for many texts of any iterable on all cores; the answers keep the order."""

    def detect_field(self, name: str, text: str) -> list[Finding]:
        """:meth:`detect` for the value of a named field, whose name is read as a label of the value."""

    def explain(self, text: str) -> list[Explanation]:
        """Tell what every pass found, and which of it was acted on: for tuning a policy."""

    def mask(self, text: str) -> Masked:
        """Replace PHI as the policy says.

        With the scheme ``vault-deterministic`` every row is in the vault before this returns. A ``str`` may hold lone
        surrogates; they come through masking and restoring unchanged.

        >>> import masker
        >>> masker.Masker("strict").mask("dob 03/14/1982").text
        'dob [REDACTED:DOB]'

        Raises :class:`masker.BlockedError` when the policy blocks what was found, :class:`masker.VaultError`,
        :class:`masker.RecognizerError`, and :class:`masker.LimitError` above 1 GiB. Then no text is given.
        """

    def mask_many(self, texts: Iterable[str]) -> list[Masked]:
        """:meth:`mask` for many texts of any iterable on all cores; the answers keep the order. The first text that fails fails the
        call.

        >>> import masker
        >>> [masked.redaction_count for masked in masker.Masker().mask_many(["ok", "ann@example.com"])]
        [0, 1]
        """

    def mask_field(self, name: str, text: str) -> Masked:
        """:meth:`mask` for the value of a named field, whose name is read as a label of the value.

        >>> import masker
        >>> m = masker.Masker()
        >>> m.mask("7734215").redaction_count, m.mask_field("patientMrn", "7734215").redaction_count
        (0, 1)
        """

    def mask_field_many(self, name: str, texts: Iterable[str]) -> list[Masked]:
        """:meth:`mask_field` for many values of one field, such as a column of a table, on all cores; the answers keep the
        order."""

    def rehydrate(self, text: str) -> Restored:
        """Put originals back in the place of tokens.

        A token that cannot be restored (purged, damaged, of another scope or another key) becomes ``[REDACTED:KIND]`` and is
        counted. Labels of other vendors stay.
        """

    def rehydrate_many(self, texts: Iterable[str]) -> list[Restored]:
        """:meth:`rehydrate` for many texts on all cores; the answers keep the order."""

    def mask_json(self, data: Any, *, only: Iterable[str] | None = None, leave: Iterable[str] = ...) -> MaskedPayload:
        """Mask the strings of a JSON document, and its whole numbers of four or more digits.

        ``data`` is JSON as ``str`` or UTF-8 ``bytes``, or any value that :mod:`json` can write. Names of fields are read as
        labels of their values. JSON Pointers, with ``*`` for any one key or index, say which values are masked alone
        (``only``) or left (``leave``); the longest pointer that covers a value decides.

        >>> import masker
        >>> masked = masker.Masker("strict").mask_json({"phone": "415-555-0142", "desk": "415-555-0100"}, leave=["/desk"])
        >>> masked.value
        {'phone': '[REDACTED:PHONE]', 'desk': '415-555-0100'}
        >>> masked.events[0].path
        '/phone'
        """

    def rehydrate_json(self, data: Any) -> RestoredPayload:
        """Put originals back into a JSON document, escaped so that it stays JSON."""

    def mask_chat(self, data: Any) -> MaskedPayload:
        """Mask a chat: a request or reply of OpenAI chat completions, OpenAI responses or Anthropic messages, or a list of
        messages. Model names, ids, function names and schemas stay.

        >>> import masker
        >>> chat = [{"role": "user", "content": "call 415-555-0142"}]
        >>> masker.Masker("strict").mask_chat(chat).value
        [{'role': 'user', 'content': 'call [REDACTED:PHONE]'}]

        Raises :class:`masker.PayloadError` when it is no chat, or holds an image, audio or file that the policy refuses.
        """

    def rehydrate_chat(self, data: Any) -> RestoredPayload:
        """Put originals back into a chat, mostly a reply; the arguments of tool calls stay JSON."""

    def conversation(self, id: str | None = None) -> Conversation:
        """Begin a conversation. Under ``token_scope: session`` the id is the scope of its tokens; without one it is random."""

    def amask(self, text: str) -> Coroutine[Any, Any, Masked]:
        """:meth:`mask` in a thread of the event loop's pool, for vaults that are a file or a database.

        >>> import asyncio, masker
        >>> asyncio.run(masker.Masker("strict").amask("415-555-0142")).text
        '[REDACTED:PHONE]'
        """

    def amask_many(self, texts: Iterable[str]) -> Coroutine[Any, Any, list[Masked]]:
        """:meth:`mask_many` in a thread of the event loop's pool."""

    def arehydrate(self, text: str) -> Coroutine[Any, Any, Restored]:
        """:meth:`rehydrate` in a thread of the event loop's pool."""

    def arehydrate_many(self, texts: Iterable[str]) -> Coroutine[Any, Any, list[Restored]]:
        """:meth:`rehydrate_many` in a thread of the event loop's pool."""

    def amask_json(
        self, data: Any, *, only: Iterable[str] | None = None, leave: Iterable[str] = ...
    ) -> Coroutine[Any, Any, MaskedPayload]:
        """:meth:`mask_json` in a thread of the event loop's pool."""

    def arehydrate_json(self, data: Any) -> Coroutine[Any, Any, RestoredPayload]:
        """:meth:`rehydrate_json` in a thread of the event loop's pool."""

    def amask_chat(self, data: Any) -> Coroutine[Any, Any, MaskedPayload]:
        """:meth:`mask_chat` in a thread of the event loop's pool."""

    def arehydrate_chat(self, data: Any) -> Coroutine[Any, Any, RestoredPayload]:
        """:meth:`rehydrate_chat` in a thread of the event loop's pool."""

    def _time_mask(self, text: str, rounds: int) -> float: ...
    def _mask_column(
        self, data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int, label: str | None
    ) -> tuple[bytes, bytes, int]: ...
    def _rehydrate_column(
        self, data: bytes, offsets: bytes, width: int, validity: bytes | None, bit: int
    ) -> tuple[bytes, bytes, int]: ...

@final
class Conversation:
    """One call or chat: what earlier turns say about later ones, and which tokens and aliases stand for which values.

    It may be used from several threads, one call after the other. It holds originals in memory, in the spelling masked last.
    At most 65,536 values fit.

    >>> import masker
    >>> policy = masker.Policy.healthcare_default().with_surface("alias")
    >>> conversation = masker.Masker(policy).conversation("call 17")
    >>> conversation.mask_turn("user", "I'm Ann Reed, call me at 415-555-0142").text
    "I'm [NAME_1], call me at [PHONE_1]"
    >>> conversation.rehydrate("Thank you, [name 1]. I have **PHONE_1**.").text
    'Thank you, Ann Reed. I have **415-555-0142**.'

    Made by :meth:`Masker.conversation`.
    """

    @property
    def id(self) -> str:
        """The id it was begun with."""

    @property
    def masker(self) -> Masker:
        """The masker it was begun by."""

    @property
    def system_hint(self) -> str:
        """What to tell a model about the aliases, in its instructions; empty where the policy puts none in the text."""

    @property
    def value_count(self) -> int:
        """How many values have been masked."""

    def mask_turn(self, role: _Role, text: str) -> Masked:
        """Mask what is said next."""

    def mask_history(self, history: Iterable[tuple[_Role, str]]) -> list[Masked]:
        """Mask a history as clients of language models resend it every turn, from its first message on.

        Messages that were masked before as the same history come back as they were and cost next to nothing.
        """

    def rehydrate(self, text: str) -> Restored:
        """Put originals back in the place of the tokens and aliases that this conversation gave out. Every other token becomes
        ``[REDACTED:KIND]``."""

    def rehydrate_json(self, text: str) -> Restored:
        """:meth:`rehydrate` for JSON text, or a part of it: what is restored is escaped as JSON strings need it."""

    def mask_json(self, data: Any, *, only: Iterable[str] | None = None, leave: Iterable[str] = ...) -> MaskedPayload:
        """:meth:`Masker.mask_json` in this conversation, so that :meth:`rehydrate_json` restores what it replaced."""

    def mask_chat(self, data: Any) -> MaskedPayload:
        """:meth:`Masker.mask_chat` in the light of this conversation. A chat that is sent again, longer, is masked the same up
        to where it was."""

    def rehydrate_chat(self, data: Any) -> RestoredPayload:
        """Put originals back into a chat, mostly a reply; the arguments of tool calls stay JSON."""

    def stream_masker(self, role: _Role) -> StreamMasker:
        """Mask what is said next while it is being said."""

    def stream_rehydrator(self) -> StreamRehydrator:
        """Restore text that comes in parts."""

    def stream_json_rehydrator(self) -> StreamRehydrator:
        """Restore JSON text that comes in parts, such as the arguments of a function call."""

    def sse_rehydrator(self, *, json_answer: bool = False) -> SseRehydrator:
        """Restore the answers in a stream of server-sent events. ``json_answer`` says that the answer is JSON text."""

    def to_bytes(self) -> bytes:
        """The conversation as encrypted bytes, for a process that stops in the middle of a call."""

    @staticmethod
    def from_bytes(masker: Masker, data: bytes) -> Conversation:
        """Take a conversation up again, with a masker that has the keys, the scope and the vault of the first.

        >>> import masker
        >>> m = masker.Masker()
        >>> conversation = m.conversation("call 21")
        >>> token = conversation.mask_turn("user", "415-555-0142").text
        >>> masker.Conversation.from_bytes(m, conversation.to_bytes()).rehydrate(token).text
        '415-555-0142'
        """

    def amask_turn(self, role: _Role, text: str) -> Coroutine[Any, Any, Masked]:
        """:meth:`mask_turn` in a thread of the event loop's pool."""

    def amask_history(self, history: Iterable[tuple[_Role, str]]) -> Coroutine[Any, Any, list[Masked]]:
        """:meth:`mask_history` in a thread of the event loop's pool."""

    def amask_json(
        self, data: Any, *, only: Iterable[str] | None = None, leave: Iterable[str] = ...
    ) -> Coroutine[Any, Any, MaskedPayload]:
        """:meth:`mask_json` in a thread of the event loop's pool."""

    def arehydrate_json(self, text: str) -> Coroutine[Any, Any, Restored]:
        """:meth:`rehydrate_json` in a thread of the event loop's pool."""

    def arehydrate(self, text: str) -> Coroutine[Any, Any, Restored]:
        """:meth:`rehydrate` in a thread of the event loop's pool."""

    def amask_chat(self, data: Any) -> Coroutine[Any, Any, MaskedPayload]:
        """:meth:`mask_chat` in a thread of the event loop's pool."""

    def arehydrate_chat(self, data: Any) -> Coroutine[Any, Any, RestoredPayload]:
        """:meth:`rehydrate_chat` in a thread of the event loop's pool."""

@final
class StreamMasker:
    """Masks a message that comes in parts of any size: what it gives is, joined, what the whole message would give.

    >>> import masker
    >>> stream = masker.Masker("strict").conversation().stream_masker("user")
    >>> stream.interim("my number is 415 555 0142")
    'my number is [REDACTED:PHONE]'
    >>> parts = [stream.push("my number is 415 55"), stream.push("5 0142 thanks"), stream.finish().text]
    >>> "".join(parts)
    'my number is [REDACTED:PHONE] thanks'

    Made by :meth:`Conversation.stream_masker`.
    """

    def push(self, text: str) -> str:
        """Take the next part; give what has become certain, masked."""

    def interim(self, text: str) -> str:
        """How the message would go on if ``text`` came next and were its end. Nothing is remembered: this is for the partial
        results of speech recognisers."""

    def finish(self) -> Masked:
        """End the message: the rest of it, and the events of all of it. What is pushed then is the next message."""

    @property
    def held(self) -> int:
        """How many bytes of UTF-8 are held back."""

@final
class StreamRehydrator:
    """Restores text that comes in parts of any size, and holds back only an end that may still become a token or a live alias.

    >>> import masker
    >>> conversation = masker.Masker().conversation()
    >>> token = conversation.mask_turn("user", "415-555-0142").text
    >>> stream = conversation.stream_rehydrator()
    >>> [stream.push("Calling "), stream.push(token[:9]), stream.push(token[9:] + "."), stream.flush()]
    ['Calling ', '', '415-555-0142.', '']

    Made by :meth:`Conversation.stream_rehydrator` and :meth:`Conversation.stream_json_rehydrator`.
    """

    def push(self, text: str) -> str:
        """Take the next part; give what has become certain, restored."""

    def flush(self) -> str:
        """End the text and give what was held back. Then another may begin."""

    @property
    def held(self) -> int:
        """How many bytes of UTF-8 are held back."""

    @property
    def dangling(self) -> int:
        """How many bytes the last :meth:`flush` gave as they were, that might have become a token."""

    @property
    def totals(self) -> Restored:
        """What was restored so far and what was not; its text is empty."""

@final
class SseRehydrator:
    """Restores the answers in the server-sent events of OpenAI chat completions and responses and Anthropic messages, bytes to
    bytes. Every choice, tool call, item and block is a text of its own, and what one holds back is sent before it ends.

    Made by :meth:`Conversation.sse_rehydrator`.
    """

    def push(self, data: bytes) -> bytes:
        """Take bytes from the server, cut anywhere, and give the bytes to send on."""

    def finish(self) -> bytes:
        """End the stream and give the bytes that are left."""

    @property
    def totals(self) -> Restored:
        """What was restored so far and what was not; its text and its list of lost kinds are empty."""

@final
class Finding:
    """Something found: its kind and where it stands in code points, so that ``text[start:end]`` is it. Never the text itself."""

    __match_args__ = ("kind", "start", "end")
    def __new__(
        cls, kind: str, start: int, end: int, confidence: float = 1.0, pass_: str = "ner", recognizer: str = ""
    ) -> Finding: ...
    @property
    def kind(self) -> str:
        """What it is, such as ``PHONE``."""

    @property
    def start(self) -> int:
        """The first code point."""

    @property
    def end(self) -> int:
        """One past the last code point."""

    @property
    def span(self) -> tuple[int, int]:
        """Both of them."""

    @property
    def confidence(self) -> float:
        """How sure the pass is, 0 to 1."""

    @property
    def pass_(self) -> _Pass:
        """The stage that found it."""

    @property
    def recognizer(self) -> str:
        """The pattern, list or plug-in that found it."""

    def __hash__(self) -> int: ...

@final
class Event:
    """A finding that was acted on. It holds no text, original or token."""

    __match_args__ = ("kind", "start", "end", "action")
    def __new__(
        cls,
        kind: str,
        start: int,
        end: int,
        confidence: float,
        pass_: str,
        recognizer: str,
        action: str,
        token_kind: str | None = None,
        kid: str | None = None,
        path: str | None = None,
    ) -> Event: ...
    @property
    def kind(self) -> str:
        """What it is, such as ``PHONE``."""

    @property
    def start(self) -> int:
        """The first code point in the original text."""

    @property
    def end(self) -> int:
        """One past the last code point."""

    @property
    def span(self) -> tuple[int, int]:
        """Both of them."""

    @property
    def confidence(self) -> float:
        """How sure the pass was, 0 to 1."""

    @property
    def pass_(self) -> _Pass:
        """The stage that found it."""

    @property
    def recognizer(self) -> str:
        """The pattern, list or plug-in that found it."""

    @property
    def action(self) -> _Action:
        """What was done."""

    @property
    def token_kind(self) -> _TokenKind | None:
        """What stands in its place; nothing where it passed through."""

    @property
    def kid(self) -> str | None:
        """The key id of the token, where it has one."""

    @property
    def path(self) -> str | None:
        """In a payload, the JSON Pointer of the value that the places are counted in."""

    def __hash__(self) -> int: ...

@final
class Masked:
    """A masked text with the events of its making. It can be pickled, and ``repr`` shows lengths and kinds only."""

    __match_args__ = ("text", "events")
    def __new__(cls, text: str, events: Sequence[Event]) -> Masked: ...
    @property
    def text(self) -> str:
        """The text with every acted-on finding replaced."""

    @property
    def events(self) -> tuple[Event, ...]:
        """What was found and done, in order."""

    @property
    def redaction_count(self) -> int:
        """How many findings were replaced; those that pass through do not count."""

    def __hash__(self) -> int: ...

@final
class MaskedPayload:
    """A masked payload with the events of its making."""

    def __new__(cls, json: str, events: Sequence[Event]) -> MaskedPayload: ...
    @property
    def json(self) -> str:
        """The JSON text."""

    @property
    def value(self) -> Any:
        """The JSON text as Python values."""

    @property
    def events(self) -> tuple[Event, ...]:
        """What was found and done, in order, each with its path."""

    @property
    def redaction_count(self) -> int:
        """How many findings were replaced."""

    def __hash__(self) -> int: ...

@final
class Restored:
    """A text with originals put back, and what became of its tokens. ``repr`` shows no text."""

    def __new__(
        cls,
        text: str,
        restored: int = 0,
        unknown: int = 0,
        foreign: int = 0,
        ambiguous: int = 0,
        lost: Sequence[str] = ...,
    ) -> Restored: ...
    @property
    def text(self) -> str:
        """The text."""

    @property
    def restored(self) -> int:
        """Tokens replaced by their originals."""

    @property
    def unknown(self) -> int:
        """Tokens of a known key that do not open: purged, damaged, or of another scope. Now ``[REDACTED:KIND]``."""

    @property
    def foreign(self) -> int:
        """Tokens whose key is not here. Now ``[REDACTED:KIND]``."""

    @property
    def ambiguous(self) -> int:
        """Aliases that more than one value could stand for; left as they are."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Kinds of the tokens that were not restored, in order."""

    def __hash__(self) -> int: ...

@final
class RestoredPayload:
    """A payload with originals put back, and what became of its tokens; see :class:`Restored`."""

    def __new__(
        cls,
        json: str,
        restored: int = 0,
        unknown: int = 0,
        foreign: int = 0,
        ambiguous: int = 0,
        lost: Sequence[str] = ...,
    ) -> RestoredPayload: ...
    @property
    def json(self) -> str:
        """The JSON text."""

    @property
    def value(self) -> Any:
        """The JSON text as Python values."""

    @property
    def restored(self) -> int:
        """Tokens replaced by their originals."""

    @property
    def unknown(self) -> int:
        """Tokens of a known key that do not open: purged, damaged, or of another scope. Now ``[REDACTED:KIND]``."""

    @property
    def foreign(self) -> int:
        """Tokens whose key is not here. Now ``[REDACTED:KIND]``."""

    @property
    def ambiguous(self) -> int:
        """Aliases that more than one value could stand for; left as they are."""

    @property
    def lost(self) -> tuple[str, ...]:
        """Kinds of the tokens that were not restored, in order."""

    def __hash__(self) -> int: ...

@final
class Explanation:
    """One candidate, and whether it was chosen."""

    def __new__(cls, finding: Finding, chosen: bool, within: tuple[int, int] | None = None) -> Explanation: ...
    @property
    def finding(self) -> Finding:
        """The candidate."""

    @property
    def chosen(self) -> bool:
        """Whether it decided the kind of the finding that covers it."""

    @property
    def within(self) -> tuple[int, int] | None:
        """The finding that covers it, in code points."""

    def __hash__(self) -> int: ...

@final
class Policy:
    """What is looked for and what happens to it; valid by construction. ``docs/policy.md`` describes the file.

    >>> import masker
    >>> masker.Policy.healthcare_default().action("PHONE")
    'tokenize'
    >>> try:
    ...     masker.Policy.from_yaml("name: clinic\\nversion: 2\\n")
    ... except masker.PolicyError as error:
    ...     print(error.problems[0])
    line 1, column 1: entities: the field entities is required (missing_field)
    """

    @staticmethod
    def healthcare_default() -> Policy:
        """Every identifier that text shows, tokens for almost all."""

    @staticmethod
    def healthcare_minimum() -> Policy:
        """The nine kinds and two passes that every policy of this format knows."""

    @staticmethod
    def strict() -> Policy:
        """Every kind, removed without a way back."""

    @staticmethod
    def preset(name: str) -> Policy:
        """A shipped policy by its name."""

    @staticmethod
    def preset_names() -> list[str]:
        """The names of the shipped policies."""

    @staticmethod
    def preset_source(name: str) -> str:
        """The YAML of a shipped policy, to start one's own from."""

    @staticmethod
    def schema() -> str:
        """The JSON Schema (draft 7) of the policy file, for editors. Loading finds what needs two places at once, too."""

    @staticmethod
    def from_yaml(text: str, *, keys: KeyRing | None = None) -> Policy:
        """Check a policy; with ``keys``, also that every key it names is there. :class:`masker.PolicyError` lists every
        mistake. Its dictionaries may not name files."""

    @staticmethod
    def from_path(path: str | os.PathLike[str], *, keys: KeyRing | None = None) -> Policy:
        """Read and check a policy file and the dictionary files beside it."""

    @staticmethod
    def check(text: str) -> list[PolicyProblem]:
        """Every mistake of a policy, at most 100; none where it is valid.

        >>> import masker
        >>> masker.Policy.check(masker.Policy.preset_source("strict"))
        []
        """

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def description(self) -> str:
        """What it says about itself."""

    @property
    def version(self) -> int:
        """The version of the format."""

    @property
    def kid(self) -> str:
        """The key id of its tokens."""

    @property
    def kids(self) -> list[str]:
        """Every key id it names."""

    @property
    def scheme(self) -> _Scheme:
        """How tokens are made, where a kind says nothing else: the field ``tokenization``."""

    @property
    def token_scope(self) -> _TokenScope:
        """Within what equal values get equal tokens."""

    @property
    def normalization(self) -> _Normalization:
        """Which spellings of a value count as equal."""

    @property
    def non_text(self) -> Literal["reject", "drop", "pass"]:
        """What becomes of images, sound and files in chats."""

    @property
    def surface(self) -> _Surface:
        """What stands in the text of a conversation."""

    @property
    def kinds(self) -> list[str]:
        """The kinds that are looked for."""

    @property
    def notices(self) -> list[PolicyProblem]:
        """Warnings and notes that do not stop it from loading."""

    def action(self, kind: str) -> _Action | None:
        """What happens to a kind; nothing where it is off."""

    def to_dict(self) -> dict[str, Any]:
        """The policy with every default filled in. Word lists show their length only."""

    def with_scheme(self, scheme: _Scheme) -> Policy:
        """The policy with another scheme, for kinds that have their own too."""

    def with_surface(self, surface: _Surface) -> Policy:
        """The policy with ``alias`` or ``token`` as what stands in the text of a conversation."""

    def with_passes(self, passes: Iterable[str]) -> Policy:
        """The policy with other passes. A pass that was listed before keeps its options."""

    def with_threshold(self, threshold: float) -> Policy:
        """The policy with one threshold, 0 to 1, for every kind and pass."""

    def with_seed(self, seed: int | None) -> Policy:
        """The policy with a fixed seed for synthetic values, or with none."""

    def with_epsilon(self, epsilon: float) -> Policy:
        """The policy with another epsilon for synthetic values, above 0 and at most 10."""

    def diff(self, next: Policy) -> list[PolicyChange]:
        """What changes from this policy to ``next``: defaults, order of fields and comments do not count.

        >>> import masker
        >>> default, minimum = masker.Policy.healthcare_default(), masker.Policy.healthcare_minimum()
        >>> any(change.effect == "weaker" for change in default.diff(minimum))
        True
        >>> print(default.diff(default.with_surface("alias"))[0])
        surface: token -> alias (neutral)
        """

@final
class PolicyChange:
    """One difference between two policies. ``str`` shows it as one line, with words of lists counted, not shown."""

    __match_args__ = ("path", "effect")
    def __new__(cls, path: str, before: str, after: str, effect: str) -> PolicyChange: ...
    @property
    def path(self) -> str:
        """The field: ``entities.PHONE.action``."""

    @property
    def before(self) -> str:
        """How it was; ``absent`` for what was added."""

    @property
    def after(self) -> str:
        """How it is; ``absent`` for what was removed."""

    @property
    def effect(self) -> str:
        """``weaker`` where more is let through, kept or linkable, ``stronger`` where less is, else ``neutral``."""

    def __hash__(self) -> int: ...

@final
class PolicyProblem:
    """One mistake, warning or note of a policy. It never holds a word of a list."""

    __match_args__ = ("code", "path")
    def __new__(
        cls, code: str, path: str, line: int, column: int, message: str, suggestion: str | None = None
    ) -> PolicyProblem: ...
    @property
    def code(self) -> str:
        """What kind of mistake, such as ``unknown_field``."""

    @property
    def path(self) -> str:
        """The field: ``entities.PHONE.action``; empty for the file as a whole."""

    @property
    def line(self) -> int:
        """From 1."""

    @property
    def column(self) -> int:
        """In characters, from 1."""

    @property
    def message(self) -> str:
        """One sentence, without position."""

    @property
    def suggestion(self) -> str | None:
        """What was probably meant."""

    def __hash__(self) -> int: ...

@final
class KeyRing:
    """Keys by key id: one active key each, and any number of old ones that still open what they sealed.

    A key is 32 random bytes, or base64 of them.

    >>> import masker
    >>> masker.KeyRing({"K_HEALTHCARE": bytes(range(32))}, old={"K_HEALTHCARE": [bytes(32)]})
    <KeyRing: K_HEALTHCARE>
    """

    def __new__(
        cls,
        keys: Mapping[str, bytes | str],
        *,
        old: Mapping[str, Sequence[bytes | str]] | None = None,
        grace_days: int | None = None,
    ) -> KeyRing: ...
    @staticmethod
    def from_env(environ: Mapping[str, str] | None = None) -> KeyRing:
        """Read ``MASKER_KEY_<KID>`` and ``MASKER_KEY_<KID>_OLD``, each also as ``..._FILE``, from :data:`os.environ` or from
        what is given. The ring may come out empty."""

    @staticmethod
    def from_path(path: str | os.PathLike[str]) -> KeyRing:
        """Read a file of such variables, one ``NAME=value`` a line; empty lines and lines that begin with ``#`` do not count."""

    @staticmethod
    def ephemeral() -> KeyRing:
        """One random key under ``EPHEMERAL``. What it makes cannot be restored once the ring is gone."""

    @property
    def kids(self) -> list[str]:
        """The key ids, in order."""

    @property
    def is_ephemeral(self) -> bool:
        """Whether this is a random ring."""

    @property
    def old_keys(self) -> list[OldKey]:
        """The old keys, by key id and then as they were given."""

    @property
    def grace_days(self) -> int:
        """For how many days after a rotation an old key is expected to be needed: 30 unless set."""

    def overdue(self, now: int | None = None) -> list[OldKey]:
        """The old keys with a date whose grace period is over, now or at ``now`` in milliseconds since 1970. They still open what
        they sealed: a warning is due, not a refusal."""

    def pseudonym(self, kid: str, id: str) -> str:
        """A name for a person or thing that says nothing about it: 32 hexadecimal digits, keyed."""

    def seal(self, kid: str, kind: str, text: str, *, scope: str = "", deterministic: bool = False) -> str | None:
        """A ``MSK1`` token that carries a text, encrypted and authenticated; nothing where it is longer than 5,087 bytes. With
        ``deterministic`` equal texts give equal tokens.

        >>> import masker
        >>> ring = masker.KeyRing.ephemeral()
        >>> ring.unseal(ring.seal("EPHEMERAL", "PHONE", "415-555-0142"))
        '415-555-0142'
        """

    def unseal(self, token: str, *, scope: str = "") -> str:
        """The text of a token. :class:`masker.KeyRingError` where it does not open: forged, damaged, or of another key or scope;
        ``ValueError`` where it is none."""

    def __contains__(self, kid: str, /) -> bool: ...
    def __len__(self) -> int: ...

@final
class OldKey:
    """An old key of a ring, without the key."""

    def __new__(cls, kid: str, fingerprint: str, retired: int | None = None) -> OldKey: ...
    @property
    def kid(self) -> str:
        """The key id it belongs to."""

    @property
    def fingerprint(self) -> str:
        """Names the key and tells nothing of it."""

    @property
    def retired(self) -> int | None:
        """Since when it is not the active key, in milliseconds since 1970, where that is known (``KEY@2026-01-31``)."""

    def __hash__(self) -> int: ...

@final
class Vault:
    """Remembers originals, encrypted. One vault may serve many maskers.

    >>> import masker
    >>> vault = masker.Vault.memory()
    >>> _ = masker.Masker(vault=vault, subject="3f2a").mask("415-555-0142")
    >>> vault.stats().by_kind
    {'PHONE': 1}
    >>> vault.delete(subject="3f2a")
    1
    """

    @staticmethod
    def memory(limit: int | None = None) -> Vault:
        """In memory, with at most ``limit`` rows."""

    @staticmethod
    def sqlite(path: str | os.PathLike[str], *, durability: Literal["process", "power"] = "process") -> Vault:
        """In a file, made where there is none, which several processes may use at once. A row survives the end of the process;
        with ``"power"`` every write waits for the disk."""

    @staticmethod
    def postgres(url: str) -> Vault:
        """In a PostgreSQL database, for several machines. ``NotImplementedError`` where the package was built without the cargo
        feature ``vault-postgres``."""

    def stats(self) -> VaultStats:
        """What the vault holds."""

    def delete(
        self,
        *,
        subject: str | None = None,
        agent: str | None = None,
        scope: str | None = None,
        kid: str | None = None,
        unused_for_days: float | None = None,
        expired: bool = False,
        dry_run: bool = False,
    ) -> int:
        """Remove rows for good, chosen in exactly one way, and tell how many. ``dry_run`` only counts. Their tokens stay dead: a
        value that comes again gets another one."""

    def rewrap(self, keys: KeyRing, *, to: str, from_: str | None = None) -> VaultRewrap:
        """Seal rows anew under another key, those of ``from_`` or all. Old tokens still restore. It may be stopped and begun again:
        rows that are done are skipped."""

    def verify(self, keys: KeyRing) -> VaultCheck:
        """Open every row, and look for what belongs to nothing."""

    def export_to(self, path: str | os.PathLike[str], keys: KeyRing, kid: str) -> int:
        """Write every row to a file, still sealed and authenticated under ``kid``, and tell how many."""

    def import_from(self, path: str | os.PathLike[str], keys: KeyRing) -> int:
        """Take over the rows of an exported file and tell how many were new."""

@final
class VaultStats:
    """What a vault holds: counts, sizes and times only."""

    def __new__(
        cls,
        rows: int,
        tombstones: int,
        bytes: int,
        oldest: int | None,
        newest: int | None,
        by_kind: Mapping[str, int],
        by_kid: Mapping[str, int],
        erasure_pending: bool,
    ) -> VaultStats: ...
    @property
    def rows(self) -> int:
        """Rows."""

    @property
    def tombstones(self) -> int:
        """Tokens that are gone for good."""

    @property
    def bytes(self) -> int:
        """Size of the file, or of the ciphertexts of a vault without one."""

    @property
    def oldest(self) -> int | None:
        """When the oldest row was made, in milliseconds since 1970."""

    @property
    def newest(self) -> int | None:
        """When the newest row was made."""

    @property
    def by_kind(self) -> dict[str, int]:
        """Rows by kind."""

    @property
    def by_kid(self) -> dict[str, int]:
        """Rows by the key that sealed them."""

    @property
    def erasure_pending(self) -> bool:
        """Whether removed rows may still stand in the file as free space."""

@final
class VaultCheck:
    """What :meth:`Vault.verify` found."""

    def __new__(
        cls, readable: int, unreadable: int, orphans: int, keyless: Mapping[str, int], damaged: int = 0
    ) -> VaultCheck: ...
    @property
    def readable(self) -> int:
        """Rows that open."""

    @property
    def unreadable(self) -> int:
        """Rows that no key of the ring opens."""

    @property
    def orphans(self) -> int:
        """What belongs to nothing; a sound vault has none."""

    @property
    def keyless(self) -> dict[str, int]:
        """Of the unreadable rows those whose key is not in the ring, by key id."""

    @property
    def damaged(self) -> int:
        """Of the unreadable rows those that the store knows to be damaged."""

@final
class VaultRewrap:
    """What :meth:`Vault.rewrap` did."""

    def __new__(cls, rewrapped: int, current: int, unreadable: int) -> VaultRewrap: ...
    @property
    def rewrapped(self) -> int:
        """Rows sealed anew."""

    @property
    def current(self) -> int:
        """Rows that the active key of the new key id sealed already."""

    @property
    def unreadable(self) -> int:
        """Rows that no key of the ring opens; they are left as they are."""
