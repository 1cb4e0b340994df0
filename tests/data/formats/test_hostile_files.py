"""Files and names that nobody would call friendly: read, or refused in one line that names them; never a crash, nor a hang."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from readers import KINDS, good_file, read_or_refuse
from terminal import ROOT, run_fresh

from data.formats.guarded_reading import AT_LEAST, TIMES_THE_FILE
from data.formats.obj import read_obj
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

QUICK = [
    f".{kind}" for kind in KINDS if kind not in ("usdc", "abc", "fbx", "pt")
]  # no other process, no model for each of them
TEXT_OF_USD = (".usda",)  # that crashes USD was never found


@pytest.fixture(scope="module")
def good_files(tmp_path_factory):
    """A small good file of every kind, by its ending: content that is then harmed."""
    folder = tmp_path_factory.mktemp("good")
    return {f".{kind}": good_file(folder, kind) for kind in KINDS}


SLOW_IS_FINE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def harmed(content, data):
    """A file's content with something else in up to four places."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        length = data.draw(st.integers(0, 40))
        content[place : place + length] = data.draw(st.binary(max_size=40))
    return bytes(content)


@pytest.mark.parametrize("ending", QUICK)
@SLOW_IS_FINE
@given(st.data())
def test_harmed_files(good_files, tmp_path_factory, ending, data):
    path = tmp_path_factory.getbasetemp() / f"harmed{ending}"
    path.write_bytes(harmed(good_files[ending], data))
    read_or_refuse(path, TEXT_OF_USD)


@pytest.mark.starts_scripts
@pytest.mark.parametrize("ending", [".usdc", ".abc", ".fbx"])
@settings(SLOW_IS_FINE, max_examples=6)
@given(st.data())
def test_harmed_files_that_crash_their_libraries(good_files, tmp_path_factory, ending, data):
    path = tmp_path_factory.getbasetemp() / f"harmed{ending}"
    path.write_bytes(harmed(good_files[ending], data))
    read_or_refuse(path, TEXT_OF_USD)


def test_a_file_that_crashes_usd():
    # found by fuzzing; what of usd-core does not crash on it refuses it
    with pytest.raises(InputError, match=r"crash\.usdc: (USD crashes on it|not a whole USD file|found \d meshes)"):
        load_frames(ROOT / "tests/hostile/crash.usdc")


@pytest.mark.parametrize("ending", QUICK)
@SLOW_IS_FINE
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory, ending, content):
    path = tmp_path_factory.getbasetemp() / f"any{ending}"
    path.write_bytes(content)
    read_or_refuse(path, TEXT_OF_USD)


WORDS = [
    "0",
    "-1.5",
    "1e300",
    "nan",
    "inf",
    "-inf",
    "1e-300",
    "+2",
    "0x10",
    "1_0",
    "9" * 50,
    "",
    "v",
    "f",
    "1/1",
    "1//1",
]
LINE = st.tuples(
    st.sampled_from(["v", "v", "v", "f", "vt", "vn", "l", "#", "g"]), st.lists(st.sampled_from(WORDS), max_size=5)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINE, max_size=8))
@example([("v", ["0", "0", "0"]), ("vt", ["1e300"])])
@example([*3 * [("v", ["0", "0", "0"])], ("vt", ["1e300", "0"]), ("f", ["1/1", "1/1", "1/1"])])
def test_any_lines_of_an_obj_file(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "lines.obj"
    path.write_text("".join(f"{kind} {' '.join(words)}\n" for kind, words in lines))
    try:
        vertices, _ = read_obj(path)
        good, message = not np.isinf(vertices).any(), ""  # NaN is not observed
    except InputError as refusal:
        good, message = False, str(refusal)
    assert good or f"{path}: line " in message or "no vertices" in message


@pytest.mark.starts_scripts
def test_fuzzing_finds_nothing():
    """The coverage-guided target, for a few seconds; its docstring says how to run it for a night."""
    pytest.importorskip("atheris", reason="Atheris is not there for this system or Python")
    flags = ["-max_total_time=8", "-timeout=10", "-rss_limit_mb=0"]
    run = run_fresh(ROOT, "tests/fuzz_readers.py", *flags, errors="replace")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "DONE" in run.stderr


def ply_that_claims(count):
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex %d\n" % count
    return head + b"property float x\nproperty float y\nproperty float z\nend_header\n" + bytes(24)


def npy_that_claims(count):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<f4", "fortran_order": False, "shape": (1, count, 3)})
    return content.getvalue() + bytes(24)


def npz_that_swells(count):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("vertices.npy", "w") as member:
        member.write(npy_that_claims(count)[:-24])
        for _ in range(12 * count // 2**20):
            member.write(bytes(2**20))
    return content.getvalue()


@pytest.mark.starts_scripts
@pytest.mark.parametrize(
    ("ending", "content"),
    [
        # found by fuzzing: 790 million points of a point cloud
        (
            ".drc",
            b"DRACO\2\2\0\0\1\0\x08\1\0\4\1\1\1\1\x8c\1\3\0\0\0" + b"/" * 11 + b"\xcc=\xc3\xd0#\x90\xbd" + b"/" * 6,
        ),
        (".ply", ply_that_claims(800_000_000)),
        (".npy", npy_that_claims(800_000_000)),
        (".npz", npz_that_swells(50_000_000)),  # 600 MB
    ],
)
def test_gigabytes_claimed_in_a_header(tmp_path, ending, content):
    path = tmp_path / f"1{ending}"
    path.write_bytes(content)
    assert len(content) < 1_000_000
    script = tmp_path / "read.py"
    lines = ["import resource, sys", f"sys.path.insert(0, {str(ROOT)!r})", "from pathlib import Path"]
    lines += ["from data.formats.mesh_formats import POINTS, SEQUENCES", "path = Path(sys.argv[1])"]
    lines += ["reader = (SEQUENCES | POINTS if path.suffix == '.npz' else POINTS | SEQUENCES)[path.suffix]"]
    lines += ["kilobytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss", "before = kilobytes()"]
    lines += ["try:\n    reader(path)\nexcept ValueError as error:\n    print(kilobytes() - before, error)"]
    script.write_text("\n".join(lines))
    run = run_fresh(tmp_path, script, path, timeout=60)
    taken, message = run.stdout.split(" ", 1)
    assert str(path) in message, run.stderr
    assert 1024 * int(taken) < AT_LEAST + TIMES_THE_FILE * len(content)


@pytest.mark.parametrize(
    "text",
    [
        b"v 1 2 3\n" * 100_000,
        b"v 1 2 3\n" + b"f 1 1 1\n" * 100_000,
        b"v 1 2 3\n" + b"f " + b"1 " * 400_000,
        b"v 1 2 3\n" + b"f 1" + b" 1" * 100_000 + b"0" * 500_000,  # a number of half a megabyte
        b"v 1 2 3\n" + b"vt 0 0\n" * 50_000 + b"f 1/1 1/1 1/" + b"1" * 500_000 + b"\n",
        b"v 1 2 " + b"3" * 1_000_000,
        b"#\n" * 500_000 + b"v 1 2 3\n",
        b"\\\n" * 500_000 + b"v 1 2 3\n",
    ],
)
def test_an_obj_file_takes_64_times_its_size_at_most(tmp_path, text):
    path = tmp_path / "1.obj"
    path.write_bytes(text)
    tracemalloc.start()
    try:
        read_obj(path)
    except InputError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 * len(text)
