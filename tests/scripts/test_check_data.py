import re

import numpy as np
import pytest
from matplotlib import image
from tube import tube_quads, write_tube

import check_data
from data.formats.obj import read_obj
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from utils.showing import rendering

pytestmark = pytest.mark.starts_scripts


def test_a_table_and_a_picture_without_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(rendering, "SAMPLES_PER_SIDE", 1)
    source, target = write_tube(tmp_path, num_frames=12)
    path = target / "tube_target.00007.obj"
    vertices, _ = read_obj(path)
    vertices[20] += 1e4
    write_obj(path, vertices, tube_quads())
    check_data.main(["-src", str(source), "-tar", str(target), "-o", "look.png"])
    printed = capsys.readouterr().out
    assert "frames 1 to 12, 72 vertices" in printed
    assert (
        "1 vertices in 1 frames, scanned or skinned, do not belong and are guessed (first vertex 21 of frame 7)"
        in printed
    )
    assert "given: 1 sequence, 12 frames of 72 vertices, a body of " in printed
    assert re.search(r"^tube_sbs\.00007: the scan is 2\.41e\+05 mm away, usual are", printed, re.MULTILINE)
    assert printed.count("usual are") == 1
    assert "tube_sbs.00007, the scan furthest from its skinned mesh" in printed
    assert image.imread("look.png").ndim == 3
    assert sorted(each.name for each in tmp_path.iterdir()) == ["geo", "look.png"]


def test_what_cannot_be_meant_is_found_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=12)
    for path in target.iterdir():
        vertices, _ = read_obj(path)
        write_obj(path, np.asarray(vertices) * 100, tube_quads())
    with pytest.raises(InputError, match="about 100, expected the same units"):
        check_data.main(["-src", str(source), "-tar", str(target)])
    assert [each.name for each in tmp_path.iterdir()] == ["geo"]


def test_a_picture_of_no_known_kind(tmp_path):
    with pytest.raises(InputError, match=r"a\.obj: expected the name of a file that ends in \.png"):
        check_data.main(["-src", "a", "-tar", "b", "-o", str(tmp_path / "a.obj")])
