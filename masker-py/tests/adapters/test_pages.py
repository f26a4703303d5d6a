"""The page for newcomers and the examples run as they are printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pages
import pytest
from pages import ROOT

# What the blocks may ask for beside what spreads tables over processes.
ADAPTERS = {"duckdb", "fastapi", "langchain", "openai", "pandas", "polars", "presidio", "pyarrow", "structlog"}


@pytest.mark.parametrize("page", pages.with_python())
def test_page(page, monkeypatch):
    monkeypatch.setenv("MASKER_KEY_K_HEALTHCARE", "")
    pages.run(page, ADAPTERS)


def test_outputs_on_the_page_for_newcomers_are_compared(monkeypatch):
    monkeypatch.setenv("MASKER_KEY_K_HEALTHCARE", "")
    assert pages.run("docs/python.md", ADAPTERS) == 10


@pytest.mark.clusters
def test_the_page_with_spark_and_ray(monkeypatch):
    monkeypatch.setenv("MASKER_KEY_K_HEALTHCARE", "")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    # Spark keeps its Java process, and with it an environment, as long as Python runs.
    tests = str(Path(__file__).parents[1])
    hosts = sorted(ADAPTERS | {"spark", "ray"})
    run("-c", f"import sys; sys.path.insert(0, {tests!r}); import pages; assert pages.run('docs/python.md', set({hosts})) == 12")


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["pipecat_bot", "livekit_agent"])
def test_examples(name):
    out = run(str(ROOT / f"masker-py/examples/{name}.py"))
    seen = [line for line in out.splitlines() if "the model" in line]
    assert len(seen) == 4
    for line in seen:
        assert "Sarah" not in line and "0142" not in line and "example.com" not in line, line
    last = out.splitlines()[-1]
    assert last.endswith("Thank you, Sarah Chen. I will call 415-555-0142 and write to sarah.chen@example.com.")


HOSTS = {
    "fastapi": None,
    "langchain": "langchain",
    "livekit": "livekit",
    "logging": None,
    "openai": "openai",
    "pandas": "pandas",
    "pipecat": "pipecat",
    "polars": "polars",
    "structlog": "structlog",
}


def test_every_adapter_is_listed():
    files = (ROOT / "masker-py/python/masker/integrations").glob("[a-z]*.py")
    assert {file.stem for file in files} == set(HOSTS)


@pytest.mark.parametrize(("module", "host"), HOSTS.items())
def test_an_adapter_needs_its_host_alone(module, host):
    # A module that is None in sys.modules cannot be imported.
    others = [other for other in HOSTS.values() if other is not None and other != host]
    blocked = [host] if host else others
    code = f"""
import sys
sys.modules.update(dict.fromkeys({blocked!r}))
try:
    import masker.integrations.{module}
except ImportError as error:
    print("refused", error.name.partition(".")[0])
"""
    assert run("-c", code).strip() == (f"refused {host}" if host else "")


@pytest.mark.parametrize("module", ["arrow", "integrations.logging", "integrations.pandas", "integrations.polars", "presidio"])
def test_examples_in_modules(module):
    run("-c", f"import doctest, masker.{module} as m, sys; sys.exit(doctest.testmod(m).failed or not doctest.testmod(m).attempted)")
