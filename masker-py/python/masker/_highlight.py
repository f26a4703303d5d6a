from __future__ import annotations

from collections.abc import Sequence

from ._masker import Finding, Masker

_COLOURS = ("#ffe08a", "#b5e3ff", "#c9f0c1", "#ffd0d0", "#e4d1ff", "#ffdcb3")


class Highlight:
    """A text with its findings, shown only where it is displayed as HTML: in a notebook, as the value of a cell.

    ``repr`` and ``print`` show kinds and places, never the text.
    """

    __slots__ = ("_text", "findings")

    def __init__(self, text: str, findings: Sequence[Finding]) -> None:
        self._text = text
        self.findings: tuple[Finding, ...] = tuple(sorted(findings, key=lambda finding: finding.span))
        """What is highlighted, in order."""

    def __repr__(self) -> str:
        kinds = ", ".join(f"{finding.kind} {finding.start}-{finding.end}" for finding in self.findings)
        return f"<Highlight: {len(self._text)} characters, {kinds or 'no findings'}>"

    def _repr_html_(self) -> str:
        from html import escape

        pieces: list[str] = []
        done = 0
        for finding in self.findings:
            if finding.start < done:
                continue
            kind = escape(finding.kind)
            colour = _COLOURS[sum(map(ord, finding.kind)) % len(_COLOURS)]
            title = escape(f"{finding.kind} {finding.confidence:.2f}, {finding.pass_}, {finding.recognizer}", quote=True)
            pieces.append(escape(self._text[done : finding.start]))
            pieces.append(
                f'<mark title="{title}" style="background:{colour};color:#000;border-radius:3px;padding:0 2px">'
                f"{escape(self._text[finding.start : finding.end])}"
                f'<sub style="font-size:70%;opacity:.7;margin-left:2px">{kind}</sub></mark>'
            )
            done = finding.end
        pieces.append(escape(self._text[done:]))
        # Surrogates cannot be sent to a browser.
        text = "".join(pieces).encode("utf-8", "replace").decode("utf-8")
        return f'<div style="white-space:pre-wrap">{text}</div>'


def highlight(text: str, masker: Masker | None = None) -> Highlight:
    """Shows in a notebook what is found in a text: the value of the cell is the text with its findings marked.

    >>> import masker
    >>> masker.highlight("call 415-555-0142")
    <Highlight: 17 characters, PHONE 5-17>
    """
    if masker is None:
        from . import default_masker

        masker = default_masker()
    return Highlight(text, masker.detect(text))
