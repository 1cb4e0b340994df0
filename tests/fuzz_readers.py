"""Hostile files for every reader, found by what code they reach: a target for Atheris, which brings libFuzzer to Python.

    python tests/fuzz_readers.py [KIND ...] -max_total_time=3600 CORPUS

The kinds: obj drc ply npy npz txt mdd pc2 glb usda usdc abc fbx pt; all but usdc, abc and fbx where none is named: USD, Alembic
and ufbx themselves crash on some binary files, so that another process tries them first (data/formats/survival.py); of usdc not
here. Flags are libFuzzer's. CORPUS, a folder, holds what was found to reach new code, and is gone on with; it begins with small
files that can be read. A reader may read a file or raise `InputError`, and nothing else; it may not take more memory than
data/formats/guarded_reading.py says, nor longer than libFuzzer's -timeout. What broke that is left as crash-* or timeout-*.
"""

import resource
import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]
with atheris.instrument_imports(
    include=["data", "utils.runs.checkpoint", "utils.runs.checkpoint_checks", "trimesh.exchange.ply"]
):
    from readers import KINDS, good_file, read_or_refuse

    from data.formats.guarded_reading import AT_LEAST, TIMES_THE_FILE


def main() -> None:
    """Fuzz the kinds that the command line names."""
    kinds = tuple(each for each in sys.argv[1:] if each in KINDS) or tuple(
        each for each in KINDS if each not in ("usdc", "abc")
    )
    folder = Path(tempfile.mkdtemp())

    def try_one(content: bytes) -> None:
        kind = KINDS[content[0] % len(KINDS)] if content else ""
        if kind not in kinds:
            return
        path = folder / f"1.{kind}"
        path.write_bytes(content[1:])
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        read_or_refuse(path, survives=(".usda", ".usdc"))
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        assert grown <= TIMES_THE_FILE * len(content) + AT_LEAST, f"{kind}: {grown} bytes for {len(content)}"

    flags = [each for each in sys.argv[1:] if each not in KINDS]
    corpus = next((Path(each) for each in flags if not each.startswith("-")), None)
    if corpus is None:
        corpus = folder / "corpus"
        flags.append(str(corpus))
    corpus.mkdir(exist_ok=True)
    for kind in kinds:  # behind the byte that stands for it
        (corpus / f"seed_{kind}").write_bytes(bytes([KINDS.index(kind)]) + good_file(folder, kind))
    atheris.Setup([sys.argv[0], *flags], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
