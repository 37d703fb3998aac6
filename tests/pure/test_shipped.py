"""Which distributions ship a runtime, by the names in their lists."""

from __future__ import annotations

from pathlib import Path

from omp_magic.installed.shipped import shipped


def _made(folder: Path, name: str, *files: str) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))


def test_wheels_and_condas_packages_are_told_by_names(tmp_path: Path) -> None:
    site = tmp_path / "site"
    _made(site, "numpy", "numpy/__init__.py", "numpy.libs/libscipy_openblas64_-ab.so")
    _made(site, "scikit-learn", "scikit_learn.libs/libgomp-1234.so.1.0.0", "sklearn/libomp.py")
    _made(site, "plain", "plain/libcompute.so", "plain/openblas.py")
    meta = tmp_path / "conda-meta"
    meta.mkdir()
    for each in ("llvm-openmp-18.1.8-hf5423f3_1", "mkl-2024.2.2-ha957f24_16", "zlib-1.3-h4_2"):
        (meta / f"{each}.json").write_text("{}")
    assert shipped([str(site)], str(tmp_path)) == {
        "openblas": {"numpy"},
        "libgomp": {"scikit-learn"},
        "libomp": {"llvm-openmp"},
        "mkl": {"mkl"},
    }
    assert shipped([str(tmp_path / "nowhere")], str(tmp_path / "nowhere")) == {}
