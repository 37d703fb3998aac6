"""A Flask server that says what it runs on, what its work used, and what Prometheus asks for.

gunicorn --workers 2 flask_app:app
"""

from __future__ import annotations

import logging
import os
from typing import Any

import numpy as np
from flask import Flask, Response, request

import omp_magic

logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))
app = Flask(__name__)
weights = np.random.default_rng(0).standard_normal((256, 256))
omp_magic.log_status(app.logger)


@omp_magic.section("embedding")
def embed(rows: np.ndarray) -> np.ndarray:
    """Give a unit vector for each row."""
    found = np.tanh(rows @ weights)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@app.post("/embed")
def embedded() -> dict[str, Any]:
    """Embed the rows of the request."""
    rows = np.asarray(request.get_json()["rows"], dtype=float)
    return {"rows": embed(rows).round(6).tolist()}


@app.get("/metrics")
def metrics() -> Response:
    """Give what Prometheus asks for; each worker has figures of its own, so they are labelled."""
    text = omp_magic.metrics(labels={"worker": str(os.getpid())})
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")
