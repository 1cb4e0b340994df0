import pytest

from data.input_error import InputError
from data.sample_body.sample_folder import prepare_folder


def test_old_frames_do_not_stay_and_nobody_elses_go(tmp_path):
    ours, theirs = tmp_path / "geo/dyna_sbs/obj", tmp_path / "mine"
    prepare_folder(ours)
    (ours / "dyna_sbs.00012.obj").touch()
    prepare_folder(ours)
    assert not list(ours.glob("*.obj"))
    theirs.mkdir()
    (theirs / "dyna_sbs.00001.obj").touch()
    with pytest.raises(InputError, match=r"mine: holds meshes that make_sample_data\.py did not make"):
        prepare_folder(theirs)
    assert len(list(theirs.iterdir())) == 1
