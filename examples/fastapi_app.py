"""A FastAPI server that says what it runs on, what its work used, and what Prometheus asks for.

uvicorn fastapi_app:app
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from fastapi import FastAPI, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

import omp_magic

logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))
weights = np.random.default_rng(0).standard_normal((256, 256))


class Rows(BaseModel):
    """What is to be embedded."""

    rows: list[list[float]]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Log what the server runs on, once it has loaded its libraries."""
    omp_magic.log_status("uvicorn.error")
    yield


app = FastAPI(lifespan=lifespan)


@omp_magic.section("embedding")
def embed(rows: np.ndarray) -> np.ndarray:
    """Give a unit vector for each row."""
    found = np.tanh(rows @ weights)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


@app.post("/embed")
async def embedded(asked: Rows) -> Rows:
    """Embed the rows of the request, on a thread of the pool."""
    async with omp_magic.section("request"):
        rows = await run_in_threadpool(embed, np.asarray(asked.rows))
    return Rows(rows=rows.round(6).tolist())


@app.get("/metrics")
async def metrics() -> Response:
    """Give what Prometheus asks for: on the event loop's thread, where OpenMP may be asked."""
    return Response(omp_magic.metrics(), media_type="text/plain; version=0.0.4")
