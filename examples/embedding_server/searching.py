"""What all servers here serve: PyTorch embeds texts, and FAISS finds their nearest documents.

The model's weights and the documents are random numbers: what is shown is threads and time.
"""

from __future__ import annotations

import logging
import os
import zlib
from typing import Any

import faiss
import torch
from flask import Flask, Response, request

import omp_magic

DOCUMENTS, WORDS, WIDTH = 20_000, 10_000, 256
"""Documents, words that are known, and numbers of an embedding."""


class Search:
    """A model and an index, both of random numbers."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._words = torch.nn.EmbeddingBag(WORDS, WIDTH)
        self._layers = torch.nn.Sequential(
            torch.nn.Linear(WIDTH, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, WIDTH)
        )
        self._index = faiss.IndexFlatIP(WIDTH)
        self._index.add(torch.randn(DOCUMENTS, WIDTH).numpy())

    @omp_magic.section("embedding")
    def embed(self, texts: list[str]) -> Any:
        """Give a row for each text."""
        words = [[zlib.crc32(word.encode()) % WORDS for word in text.split()] for text in texts]
        offsets = torch.tensor([0, *map(len, words[:-1])]).cumsum(0)
        with torch.inference_mode():
            flat = torch.tensor([word for text in words for word in text])
            return self._layers(self._words(flat, offsets)).numpy()

    @omp_magic.section("search")
    def nearest(self, texts: list[str], number: int = 5) -> Any:
        """Give the numbers of the nearest documents of each text."""
        return self._index.search(self.embed(texts), number)[1].tolist()

    def warm_up(self) -> None:
        """Use all that a request uses."""
        self.nearest([f"text {number}" for number in range(64)])


def make_app() -> Flask:
    """Give the server: POST /search, GET /metrics, GET /health."""
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))
    app, search = Flask("embedding_server"), Search()
    app.extensions["search"] = search

    @app.post("/search")
    def found() -> dict[str, Any]:
        return {"documents": search.nearest(request.get_json()["texts"])}

    @app.get("/metrics")
    def metrics() -> Response:
        text = omp_magic.metrics(labels={"worker": str(os.getpid())})
        return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/health")
    def health() -> dict[str, Any]:
        facts = omp_magic.snapshot()
        return {
            "pid": facts.pid,
            "cpus": facts.budget.cpus,
            "os_threads": facts.num_os_threads,
            "pools": {pool.name: pool.size for pool in facts.pools if not pool.lender},
            "findings": [finding.code for finding in facts.findings],
        }

    return app
