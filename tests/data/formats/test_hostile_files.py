"""Files and names that nobody would call friendly: read, or refused in one line that names them; never a crash, nor a hang."""

import io
import os
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readers import KINDS, good_file, read_or_refuse
from terminal import ROOT, run_script
from tube import tube_frames, tube_triangles, write_tube

import fit_mesh
from data.formats.guarded_reading import AT_LEAST, TIMES_THE_FILE
from data.formats.obj import read_obj
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from utils.fitting import sampling

QUICK = [f".{kind}" for kind in KINDS if kind not in ("usdc", "pt")]  # no other process, no model for each of them
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


@settings(SLOW_IS_FINE, max_examples=10)
@given(st.data())
def test_harmed_binary_usd(good_files, tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "harmed.usdc"
    path.write_bytes(harmed(good_files[".usdc"], data))
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
def test_any_lines_of_an_obj_file(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "lines.obj"
    path.write_text("".join(f"{kind} {' '.join(words)}\n" for kind, words in lines))
    try:
        vertices, _ = read_obj(path)
        good, message = np.isfinite(vertices).all(), ""
    except InputError as refusal:
        good, message = False, str(refusal)
    assert good or f"{path}: line " in message or "no vertices" in message


def test_fuzzing_finds_nothing():
    """The coverage-guided target, for a few seconds; its docstring says how to run it for a night."""
    pytest.importorskip("atheris", reason="Atheris is not there for this system or Python")
    run = subprocess.run(
        [sys.executable, ROOT / "tests/fuzz_readers.py", "-max_total_time=8", "-timeout=10", "-rss_limit_mb=0"],
        capture_output=True, text=True, errors="replace",
    )  # fmt: skip
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
    run = subprocess.run([sys.executable, script, path], capture_output=True, text=True, timeout=60)
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


# names and places


def test_what_is_no_file(tmp_path):
    write_tube(tmp_path, num_frames=3)
    folder = tmp_path / "geo/tube_sbs/obj"
    path = folder / "tube_sbs.00002.obj"
    makers = [path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path), lambda: path.symlink_to("nowhere")]
    for make in makers:
        path.unlink(missing_ok=True) if not path.is_dir() else path.rmdir()
        make()
        with pytest.raises(InputError, match=r"tube_sbs\.00002\.obj: found no file that can be read"):
            load_frames(folder)
    for path in (Path("/dev/zero"), folder / "loop"):
        if path.name == "loop":
            path.symlink_to(path)
        with pytest.raises(InputError, match=f"{path}: (found a device|no such folder or file)"):
            load_frames(path)


def test_folders_that_lead_back_to_themselves(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    (source / "again").symlink_to(source)
    assert len(load_frames(source / "again/again/again").vertices) == 3


@pytest.mark.parametrize("name", ["with space", "naïve 身体", "two\nlines", "\x1b[31mred", os.fsdecode(b"latin \xe9")])
def test_names(tmp_path, name):
    folder = tmp_path / name
    try:
        write_tube(tmp_path, f"{name}/tube", num_frames=4)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    data = ["-src", folder / "tube_sbs/obj", "-tar", folder / "tube_target/obj"]
    run = run_script(tmp_path, "fit_mesh.py", *data, "-num_inf", 4)
    assert run.returncode == 2
    message = run.stderr.splitlines()[-1]
    assert message.startswith("error: ")
    assert message.isprintable()
    assert "a sequence of 4 frames" in message
    assert len(load_frames(folder / "tube_sbs/obj").vertices) == 4


def test_a_name_that_is_no_text_on_a_terminal_that_insists(tmp_path):
    folder = tmp_path / os.fsdecode(b"latin \xe9")
    try:
        write_tube(tmp_path, f"{folder.name}/tube", num_frames=2)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    command = [sys.executable, ROOT / "convert_meshes.py", folder / "tube_sbs/obj", folder / "all.npz"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    run = subprocess.run(command, capture_output=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert b"latin \\udce9/all.npz" in run.stdout


# geometry that is none


def test_degenerate_meshes_are_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 6)
    triangles = tube_triangles()
    faces = np.vstack(
        [
            triangles,
            [[0, 0, 1], [5, 5, 5]],  # without area
            [[0, 1, 20], [0, 1, 30], [0, 1, 40]],  # several at an edge
            triangles[:1, ::-1],  # there and back
        ]
    )
    for kind in ("sbs", "target"):
        for number, vertices in enumerate(tube_frames(8, seed=kind == "target"), 1):
            vertices[60:64] = vertices[60]  # four in one place
            lonely = np.vstack([vertices, [[0, 0, 9], [0, 0, 9]]])
            write_obj(tmp_path / kind / f"{kind}.{number}.obj", lonely, faces)
    fit_mesh.main(["-src", "sbs", "-tar", "target", "-n_cond", "3", "-n_ep", "1"])
    (log,) = (tmp_path / "logs").rglob("log.txt")
    assert "nan" not in log.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no vertices"),
        ("# nothing\n", "no vertices"),
        ("v 0 0 0\n", "no faces found"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no faces found"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 1e39\nf 1 2 3\n", "line 3: found 'v 0 1 1e39', expected `v` and three finite"),
    ],
)
def test_meshes_that_are_none(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    for kind in ("sbs", "target"):
        for number in range(1, 6):
            path = tmp_path / kind / f"{number}.obj"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    with pytest.raises(InputError, match=message):
        fit_mesh.main(["-src", "sbs", "-tar", "target"])
    assert not (tmp_path / "saved_model").exists()


def test_one_triangle_is_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 2)
    for kind in ("sbs", "target"):
        for number in range(1, 6):
            write_obj(tmp_path / kind / f"{kind}.{number}.obj", np.eye(3) + 0.1 * number, np.array([[0, 1, 2]]))
    fit_mesh.main(["-src", "sbs", "-tar", "target", "-n_ep", "1"])
    assert len(list((tmp_path / "saved_model").rglob("1.pt"))) == 1
