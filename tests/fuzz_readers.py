"""Hostile files for every reader, found by what code they reach: a target for Atheris, which brings libFuzzer to Python.

    python tests/fuzz_readers.py [KIND ...] -max_total_time=3600 CORPUS

The kinds: obj drc ply npy npz txt usda usdc pt; all but usdc where none is named: USD itself crashes on some binary files, so
that data/usd.py lets another process try them first, which this does not. Flags are libFuzzer's. CORPUS, a folder, holds what
was found to reach new code, and is gone on with; it begins with small files that can be read. A reader may read a file or raise
`InputError`, and nothing else; it may not take more memory than data/guarded_reading.py says, nor longer than libFuzzer's
-timeout. What broke that is left as crash-* or timeout-*.
"""

import resource
import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]
with atheris.instrument_imports(
    include=["data", "utils.checkpoint", "utils.checkpoint_checks", "trimesh.exchange.ply"]
):
    import numpy as np
    from conftest import save_untrained, tube_frames, tube_surface_with_joints, tube_triangles

    from data.guarded_reading import AT_LEAST, TIMES_THE_FILE
    from data.input_error import InputError
    from data.mesh_formats import MESHES, POINTS, SEQUENCES, write_frames, write_sequence
    from data.polygons import Polygons
    from data.usd import Scene, open_survived
    from models.mesh_autoencoder import MeshAutoencoder, ModelSettings
    from utils.checkpoint import build_model, load_checkpoint

KINDS = ("obj", "drc", "ply", "npy", "npz", "txt", "usda", "usdc", "pt")


def write_seeds(folder: Path, kinds: tuple[str, ...]) -> None:
    """Write a small good file of every kind, behind the byte that stands for its kind."""
    vertices, polygons = tube_frames(2)[:, :8].astype(np.float32), Polygons.from_rows(tube_triangles()[:4] % 8)
    for kind in kinds:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "all" / f"seed.{kind}"
            path.parent.mkdir()
            if kind == "pt":
                save_untrained(path, MeshAutoencoder(ModelSettings(), tube_surface_with_joints(0)))
            elif kind == "txt":
                np.savetxt(path, vertices[0])
            elif f".{kind}" in MESHES:
                path = Path(temporary) / "frames" / f"1.{kind}"
                write_frames(path.parent, f".{kind}", ["1"], vertices[:1], polygons)
            else:
                write_sequence(path, [1, 2], vertices, polygons, Scene())
            seed = bytes([KINDS.index(kind)]) + path.read_bytes()
            (folder / f"seed_{kind}").write_bytes(seed)


def read(path: Path) -> None:
    """Read a file as the project does, by its ending; what comes of it has to be sound."""
    if path.suffix == ".pt":
        build_model(load_checkpoint(path), path)
        return
    if path.suffix in POINTS:
        known = POINTS[path.suffix](path)
        polygons, frames = known.polygons, [known.positions_of(path)]
    if path.suffix in SEQUENCES:
        opened = open_survived(path) if path.suffix.startswith(".usd") else SEQUENCES[path.suffix](path)
        polygons, frames = opened.polygons, list(opened.positions)
    for vertices in frames:
        assert vertices.shape[1] == 3
        assert np.isfinite(vertices).all()
        assert ((polygons.corners >= 0) & (polygons.corners < len(vertices))).all()
    polygons.triangles()


def main() -> None:
    """Fuzz the kinds that the command line names."""
    kinds = tuple(each for each in sys.argv[1:] if each in KINDS) or tuple(each for each in KINDS if each != "usdc")
    folder = Path(tempfile.mkdtemp())

    def try_one(content: bytes) -> None:
        kind = KINDS[content[0] % len(KINDS)] if content else ""
        if kind not in kinds:
            return
        path = folder / f"1.{kind}"
        path.write_bytes(content[1:])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            read(path)
        except InputError as error:
            if str(path) not in str(error):
                raise AssertionError(f"{error} does not name the file") from None
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        assert grown <= TIMES_THE_FILE * len(content) + AT_LEAST, f"{kind}: {grown} bytes for {len(content)}"

    flags = [each for each in sys.argv[1:] if each not in KINDS]
    corpus = next((Path(each) for each in flags if not each.startswith("-")), None)
    if corpus is None:
        corpus = folder / "corpus"
        flags.append(str(corpus))
    corpus.mkdir(exist_ok=True)
    write_seeds(corpus, kinds)
    atheris.Setup([sys.argv[0], *flags], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
