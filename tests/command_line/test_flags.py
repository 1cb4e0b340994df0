import pytest

import fit_mesh
import inference_mesh
from models.coordinates import COORDINATES

FIT = ["-src", "a", "-tar", "b"]


def test_short_and_long_flags_mean_the_same():
    long = (
        "--source_files_dir a --target_files_dir b --latent_size 1 --num_embeddings 2 --num_experts 3 --num_frames 4 "
        "--num_condition_frames 5 --device cpu --mini_batch_size 6 --model_type seven --num_epochs 8 --load_saved_model "
        "--epoch_save_interval 9 --num_inference_meshes 10"
    )
    short = (
        "-src a -tar b -l_size 1 -n_emb 2 -n_exp 3 -n_frames 4 -n_cond 5 -dev cpu -min_batch 6 -m_type seven -n_ep 8 "
        "-load_model -save_interval 9 -num_inf 10"
    )
    assert fit_mesh.parse_arguments(long.split()) == fit_mesh.parse_arguments(short.split())
    long = "--source_files_dir a --target_files_dir b --is_target_available --model_saved_path c"
    short = "-src a -tar b -tar_avail -saved_path c"
    assert inference_mesh.parse_arguments(long.split()) == inference_mesh.parse_arguments(short.split())


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["-src", "a"],
        [*FIT, "-n_ep", "0"],
        [*FIT, "-n_cond", "two"],
        [*FIT, "-n_emb", "-1"],
        [*FIT, "--learning_rate", "nan"],
        [*FIT, "-m_type", "../elsewhere"],
        [*FIT, "--num_epoch", "3"],
    ],
)
def test_wrong_flags_exit_with_2(flags, capsys):
    with pytest.raises(SystemExit) as caught:
        fit_mesh.parse_arguments(flags)
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_target_that_is_announced_has_to_be_given(capsys):
    with pytest.raises(SystemExit):
        inference_mesh.parse_arguments(["-src", "a", "-saved_path", "b", "-tar_avail"])
    assert "--target_files_dir" in capsys.readouterr().err


def test_coordinates_are_those_that_there_are():
    for name in COORDINATES:
        assert fit_mesh.parse_arguments([*FIT, "--coordinates", name]).coordinates == name
    with pytest.raises(SystemExit):
        fit_mesh.parse_arguments([*FIT, "--coordinates", "polar"])
