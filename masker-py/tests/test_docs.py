"""Every example in the manual (the stubs and the modules) and on the pages for Python users runs."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from pathlib import Path

import pages
import pytest

import masker

HERE = Path(__file__).resolve().parents[1]
PACKAGE = HERE / "python/masker"
# Files that need no other package.
SOURCES = ["__init__.py", "_highlight.py", "_progress.py", "_masker.pyi"]


def examples():
    parser = doctest.DocTestParser()
    for name in SOURCES:
        tree = ast.parse((PACKAGE / name).read_text())
        for node in ast.walk(tree):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.Expr):
                continue
            if isinstance(node, ast.Expr):
                # A string below a name, as KINDS has.
                text = node.value.value if isinstance(node.value, ast.Constant) else None
            else:
                text = ast.get_docstring(node, clean=True)
            if isinstance(text, str) and ">>>" in text and not isinstance(node, ast.Expr):
                label = f"{name}:{getattr(node, 'name', 'module')}"
                yield pytest.param(parser.get_doctest(text, {"masker": masker}, label, name, 0), id=label)


FOUND = list(examples())


@pytest.mark.parametrize("example", FOUND)
def test_example(example):
    runner = doctest.DocTestRunner(verbose=False)
    output: list[str] = []
    runner.run(example, out=output.append)
    assert runner.failures == 0, "".join(output)
    assert runner.tries > 0


def test_there_are_examples():
    assert len(FOUND) >= 18


def test_every_public_name_is_documented():
    tree = ast.parse((PACKAGE / "_masker.pyi").read_text())
    missing = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        if ast.get_docstring(node) is None:
            missing.append(node.name)
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                if ast.get_docstring(member) is None:
                    missing.append(f"{node.name}.{member.name}")
    assert not missing


def test_help_says_what_the_manual_says():
    """The first paragraph of it, which is compiled in."""
    tree = ast.parse((PACKAGE / "_masker.pyi").read_text())

    def first(text: str | None) -> str:
        return " ".join((text or "").split("\n\n")[0].split())

    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            assert first(getattr(masker, node.name).__doc__) == first(ast.get_docstring(node)), node.name
        if not isinstance(node, ast.ClassDef):
            continue
        owner = getattr(masker, node.name)
        assert first(inspect.getdoc(owner)) == first(ast.get_docstring(node)), node.name
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                said = first(inspect.getdoc(getattr(owner, member.name)))
                assert said == first(ast.get_docstring(member)), f"{node.name}.{member.name}"


def test_the_table_of_names():
    rows = re.findall(r"^\| `[^|]*\|([^|]*)\|[^|]*\|$", (HERE.parent / "docs/bindings.md").read_text(), re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`([A-Z]\w+\.\w+)`", row)]
    assert len(names) > 40
    for name in names:
        owner, member = name.split(".")
        assert hasattr(getattr(masker, owner), member), name


@pytest.mark.parametrize("page", pages.with_python())
def test_page(page, monkeypatch, tmp_path):
    monkeypatch.setenv("MASKER_KEY_K_HEALTHCARE", "")
    monkeypatch.chdir(tmp_path)
    pages.run(page, hosts=set())


def test_outputs_on_the_pages_are_compared():
    assert sum(pages.run(page, hosts=set()) for page in pages.with_python()) >= 8
