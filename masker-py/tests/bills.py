"""Bills of materials in a folder and in the wheels there, against the schema of CycloneDX: python tests/bills.py FOLDER"""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def bills(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.glob("*.cdx.json")):
        yield path.name, path.read_text("utf-8")
    for path in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if "/sboms/" in name:
                    yield f"{path.name}: {name}", wheel.read(name).decode("utf-8")


def main() -> None:
    found = list(bills(Path(sys.argv[1])))
    assert found, "no bill of materials"
    for name, text in found:
        bill = json.loads(text)
        fault = JsonStrictValidator(SchemaVersion.from_version(bill["specVersion"])).validate_str(text)
        if fault is not None:
            sys.exit(f"{name}: {fault}")
        print(f"{name}: CycloneDX {bill['specVersion']}, {len(bill['components'])} parts")


if __name__ == "__main__":
    main()
