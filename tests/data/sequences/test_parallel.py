"""Processes that read meshes for another: stopped, killed, and files that change under them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from terminal import ROOT, in_one_line, leftovers, run_fresh, start_script, wait_for

from data.formats.obj_writing import write_obj

pytestmark = [pytest.mark.starts_scripts, pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")]


@pytest.fixture(scope="module")
def many_files(tmp_path_factory):
    """A folder of so many files that they are read by several processes, for a second or more."""
    folder = tmp_path_factory.mktemp("many")
    vertices = np.random.default_rng(0).normal(size=(20_000, 3))
    faces = np.arange(19_998)[:, None] + np.arange(3)
    for kind in ("sbs", "target"):
        first = folder / kind / "mesh.00001.obj"
        write_obj(first, vertices, faces)
        for number in range(2, 201):
            os.link(first, first.with_name(f"mesh.{number:05d}.obj"))
    return folder


@pytest.fixture
def reading(many_files, tmp_path):
    """A training that is reading its meshes, by several processes, and the cache they go to."""
    cache = tmp_path / "cache"
    environment = os.environ | {"SKIN2SCAN_CACHE": str(cache)}
    process = start_script(
        tmp_path, "fit_mesh.py", "-src", many_files / "sbs", "-tar", many_files / "target", environment=environment
    )
    try:
        wait_for(
            lambda: [
                each for path in leftovers(cache) for each in path.glob("vertices.npy") if each.stat().st_size > 100_000
            ],
            process,
        )
        yield process, cache
    finally:
        process.kill()
        process.communicate()


def readers(process):
    """The processes that read for another."""
    found = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "spawn_main"], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


needs_pool = pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor: files are read one after the other")


@needs_pool
def test_stopped_while_it_reads(reading):
    process, cache = reading
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert in_one_line(errors) == "interrupted"
    assert leftovers(cache) == []


@needs_pool
def test_killed_while_it_reads(reading):
    process, cache = reading
    wait_for(lambda: len(readers(process)) >= 2, process)
    left = readers(process)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{number}").exists() for number in left) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(Path(f"/proc/{number}").exists() for number in left)
    assert [path.suffix for path in cache.iterdir() if path.suffix != ".partial"] == [".lock"]


@needs_pool
def test_a_reader_is_killed_in_the_middle_of_a_mesh(reading, many_files):
    process, cache = reading
    process.send_signal(signal.SIGSTOP)  # nobody takes what the readers hand over: they wait, half of it handed over
    time.sleep(0.5)
    os.kill(readers(process)[0], signal.SIGKILL)
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert in_one_line(errors) == (
        f"error: reading {many_files / 'sbs'}: one of {min(os.cpu_count(), 3)} processes ended, killed or out of memory, "
        "expected all to go on to the end"
    )
    assert leftovers(cache) == []


@needs_pool
def test_a_file_changes_while_it_is_read(reading, many_files):
    process, cache = reading
    os.utime(many_files / "sbs" / "mesh.00100.obj")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert (
        in_one_line(errors)
        == f"error: {many_files / 'sbs'}: changed while it was read, expected files that nobody writes to"
    )
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


@needs_pool
def test_a_script_that_starts_itself_again_does_not_wait_for_itself(many_files, tmp_path):
    """What every process started imports, its main script, reads the meshes that the process is to read."""
    script = tmp_path / "unguarded.py"
    lines = ["import sys", f"sys.path.insert(0, {str(ROOT)!r})", "from pathlib import Path"]
    lines += ["from data.sequences.mesh_frames import load_frames", f"load_frames(Path({str(many_files / 'sbs')!r}))"]
    script.write_text("\n".join(lines))
    environment = os.environ | {"SKIN2SCAN_CACHE": str(tmp_path / "cache")}
    run = run_fresh(tmp_path, script, env=environment, timeout=60)
    assert run.returncode
    assert f'{many_files / "sbs"}: read by a script without `if __name__ == "__main__":`' in run.stderr
