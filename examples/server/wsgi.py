"""A small server: each request multiplies two matrices, on the threads that its worker has.

gunicorn --workers 2 wsgi:app
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_MATRIX = np.random.default_rng(0).standard_normal((512, 512))


def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the worker that computed, and what."""
    norm = float(np.linalg.norm(_MATRIX @ _MATRIX))
    body = json.dumps({"worker": os.getpid(), "norm": round(norm, 3)}).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
