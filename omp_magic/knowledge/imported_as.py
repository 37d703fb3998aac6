"""Modules whose distribution is called otherwise, of those that bring or use runtimes."""

from __future__ import annotations

_DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "faiss": "faiss-cpu",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "yaml": "pyyaml",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "ot": "pot",
    "mkl": "mkl-service",
    "paddle": "paddlepaddle",
    "umap": "umap-learn",
    "sentence_transformers": "sentence-transformers",
    "faster_whisper": "faster-whisper",
    "whisper": "openai-whisper",
    "pytorch_lightning": "pytorch-lightning",
    "lightning": "lightning",
    "imblearn": "imbalanced-learn",
    "fitz": "pymupdf",
    "pyscf": "pyscf",
    "igraph": "igraph",
    "google": "protobuf",
    "zmq": "pyzmq",
    "IPython": "ipython",
    "Cython": "cython",
    "onnxruntime": "onnxruntime",
}
"""As the packages' own pages on PyPI say."""


def distribution_of(module: str) -> str:
    """Give the distribution that brings a top-level module, as far as its name tells.

    Examples
    --------
    >>> distribution_of("sklearn"), distribution_of("torch")
    ('scikit-learn', 'torch')
    """
    return _DISTRIBUTIONS.get(module, module.replace("_", "-"))


def module_of(distribution: str) -> str:
    """Give the module of a distribution that is called otherwise, or "".

    Examples
    --------
    >>> module_of("faiss-cpu"), module_of("scikit_learn")
    ('faiss', 'sklearn')
    """
    name = distribution.lower().replace("_", "-")
    return next((module for module, dist in _DISTRIBUTIONS.items() if dist == name), "")
