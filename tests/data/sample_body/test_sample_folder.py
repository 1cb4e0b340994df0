import pytest

from data.input_error import InputError
from data.sample_body.sample_folder import prepare_folders


def test_old_frames_do_not_stay_and_nobody_elses_go(tmp_path):
    ours, other = tmp_path / "geo/dyna_sbs/obj", tmp_path / "geo/dyna_target/obj"
    folders = {ours: "dyna_sbs", other: "dyna_target"}
    prepare_folders(folders)
    (ours / "dyna_sbs.00012.obj").touch()
    prepare_folders(folders)
    assert not list(ours.glob("*.obj"))
    (ours / "dyna_sbs.00012.obj").touch()
    (other / "my_hero.obj").touch()
    with pytest.raises(InputError, match=r"dyna_target/obj: holds what make_sample_data\.py did not make.*my_hero"):
        prepare_folders(folders)
    assert (ours / "dyna_sbs.00012.obj").exists()
    (other / "my_hero.obj").unlink()
    (other / ".sample_data").unlink()
    (other / "dyna_target.00001.obj").touch()  # by its name ours, but not by its folder
    with pytest.raises(InputError, match="did not make"):
        prepare_folders(folders)
