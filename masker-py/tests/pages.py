"""Runs the Python of the pages as it is printed, and compares what it prints with the block of text behind it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The language, its attributes, the text. masker-cli/tests/docs says which attributes there are.
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def with_python() -> list[str]:
    """The pages with Python on them, below the root of the workspace."""
    paths = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "masker-py/README.md"]
    return [str(path.relative_to(ROOT)) for path in paths if "```python" in path.read_text()]


def run(page: str, hosts: set[str]) -> int:
    """Runs the blocks of a page that need no other packages than these, and gives how many outputs were compared."""
    names: dict = {}
    said: str | None = None
    compared = 0
    for language, attributes, text in BLOCK.findall((ROOT / page).read_text()):
        needs = {word for word in re.split("[, ]+", attributes) if word and not word.startswith("file:")}
        if language == "python":
            said = None
            if needs <= hosts:
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    exec(compile(text, page, "exec"), names)  # noqa: S102
                said = out.getvalue()
        elif language == "text" and not needs and said is not None:
            assert said == text, f"{page}: it prints\n{said}"
            said = None
            compared += 1
    return compared
