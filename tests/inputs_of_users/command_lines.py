"""What people type, and the machines that they type it on: each row runs scripts, and says what has to come of it."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from terminal import ROOT, in_one_line, run_fresh, run_script, script_with, start_script, wait_for
from tube import save_untrained, tube_frames, tube_quads, tube_surface_with_joints, untrained_model, write_tube

import convert_meshes
import fit_mesh
import inference_mesh
import make_sample_data
import plot_loss_curves
from data.formats.obj import read_obj
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from data.sequences.mesh_sequence import load_sequences
from data.sequences.predicted_meshes import load_predictions
from inputs_of_users.usd_files import in_centimetres_with_z_up
from utils.showing.plots import save_figure


def refused(script, *arguments, match):
    with pytest.raises(InputError, match=match):
        script.main(list(map(str, arguments)))


def a_checkpoint():
    path = Path("untrained.pt")
    save_untrained(path, untrained_model(tube_surface_with_joints(0)))
    return path


def two_shots():
    return [
        [write_tube(Path(), name, num_frames=8, seed=seed)[kind] for seed, name in enumerate("AB")] for kind in (0, 1)
    ]


def a_notebooks_backend():
    source, target = write_tube(Path(), num_frames=8)
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    result = run_fresh(Path(), ROOT / "check_data.py", "-src", source, "-tar", target, env=environment)
    assert result.returncode == 0, result.stderr
    assert Path("check_data.png").read_bytes().startswith(b"\x89PNG")


def no_home():
    source, _ = write_tube(Path(), num_frames=2)
    names = ("SKIN2SCAN_CACHE", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in names} | {
        "HOME": "/dev/null/nobody"
    }
    result = run_fresh(Path(), ROOT / "convert_meshes.py", source, "out.npz", env=environment)
    assert result.returncode == 2
    line = in_one_line(result.stderr)
    assert line.startswith("error: /dev/null/nobody/")
    assert line.endswith("expected a folder that can be written to: set SKIN2SCAN_CACHE")


def pictures_by_their_names():
    begins = {"curves.pdf": b"%PDF", "curves.SVG": b"<?xml", "curves.jpg": b"\xff\xd8", "curves.png": b"\x89PNG"}
    for name, begin in begins.items():
        save_figure(Figure(), Path(name))
        assert Path(name).read_bytes().startswith(begin)
    for name in ("curves.xyz", "curves", "."):
        refused(plot_loss_curves, "run.pt", "-o", name, match=r"expected the name of a file that ends in \.png, \.pdf")


def predictions_of_two_sources():
    sources, _ = two_shots()
    checkpoint = a_checkpoint()
    inference_mesh.main(["-src", *map(str, sources), "-saved_path", str(checkpoint), "--output_dir", "out"])
    sequences, _ = load_sequences(sources, None)
    predicted = load_predictions([Path("out")], sequences)
    for each, sequence in zip(predicted, sequences, strict=True):
        np.testing.assert_allclose(each, sequence.skinned, atol=1e-5)


def predictions_in_several_formats():
    source, _ = write_tube(Path(), num_frames=3)
    formats = ["--export", "obj", "npz", "ply"]
    inference_mesh.main(["-src", str(source), "-saved_path", str(a_checkpoint()), "--output_dir", "out", *formats])
    np.testing.assert_array_equal(load_frames(Path("out")).vertices, load_frames(Path("out/tube_sbs.npz")).vertices)


def other_faces_than_those_trained_on():
    for name, faces in (("turned", tube_quads()[:, [1, 2, 3, 0]]), ("quads", tube_quads())):
        write_obj(Path(name) / "body.1.obj", tube_frames(1)[0], faces)
        inference_mesh.main(["-src", name, "-saved_path", str(a_checkpoint()), "--output_dir", f"out_{name}"])
    one, other = (read_obj(Path(f"out_{name}/body.1.obj")) for name in ("turned", "quads"))
    np.testing.assert_allclose(one[0], other[0], atol=1e-6)
    assert not one[1].are_like(other[1])


def a_body_of_another_size():
    write_obj(Path("cm/body.1.obj"), 100 * tube_frames(1)[0], tube_quads())
    match = (
        r"cm/body\.1\.obj: a body 100 times as large as the one that .*untrained\.pt was trained on, expected the same"
    )
    refused(inference_mesh, "-src", "cm", "-saved_path", a_checkpoint(), match=match)


def what_usd_says_of_itself():
    in_centimetres_with_z_up()
    _, target = write_tube(Path(), num_frames=16)
    given = ("-src", "skin.usda", "-tar", target.resolve())
    result = run_script(Path().resolve(), "check_data.py", *given)
    assert "as skin.usda says: up_axis z, units cm" in result.stdout
    assert "says that" not in result.stdout
    result = run_script(Path().resolve(), "check_data.py", *given, "--up_axis", "y", "--units", "m")
    assert "warning: skin.usda says that z is up, taken is y: see --up_axis" in result.stdout
    assert "warning: skin.usda says that a unit is 0.01 m, taken is 1 m: see --units" in result.stdout


def sources_flag_by_flag():
    sources, targets = two_shots()
    flags = [
        [word for path in paths for word in (flag, str(path))] for flag, paths in (("-src", sources), ("-tar", targets))
    ]
    args = fit_mesh.parse_arguments(flags[0] + flags[1])
    assert [args.source_files_dir, args.target_files_dir] == [sources, targets]
    assert len(load_sequences(args.source_files_dir, args.target_files_dir)[0]) == 2


def a_source_by_two_names():
    source, _ = write_tube(Path(), num_frames=3)
    Path("link").symlink_to(source, target_is_directory=True)
    for other in (source, "link", source / ".." / source.name):
        match = "twice.*, expected each source once"
        refused(inference_mesh, "-src", source, other, "-saved_path", a_checkpoint(), match=match)


def files_of_a_wildcard():
    source, target = write_tube(Path(), num_frames=8)
    words = [str(path) for folder in (source, target) for path in sorted(folder.iterdir())]
    args = fit_mesh.parse_arguments(["-src", *words[:8], "-tar", *words[8:]])
    assert [args.source_files_dir, args.target_files_dir] == [[source], [target]]
    with pytest.raises(InputError, match=r"found 7 of the 8 \.obj files in .*, expected the folder"):
        fit_mesh.parse_arguments(["-src", *words[:7], "-tar", str(target)])


def other_units_at_resuming():
    source, target = write_tube(Path(), num_frames=20)
    data = ["-src", source, "-tar", target, "-num_inf", "2"]
    script = script_with(Path().resolve(), "fit_mesh.py", "sampling.STEPS_PER_EPOCH = 10")
    assert run_script(Path().resolve(), script, *data, "-n_ep", 1).returncode == 0
    go_on = (fit_mesh, *data[:4], "-n_ep", 2, "--load_saved_model")
    refused(*go_on, "--units", "cm", match="--units: found cm, expected m as in the checkpoint")
    refused(*go_on, "-num_inf", 4, match="--num_inference_meshes: found 4, expected at most 2")


def sample_data_twice():
    make = ["--resolution", "low", "--output_dir", "sample", "--num_frames"]
    for count in ("12", "8"):
        make_sample_data.main([*make, count])
    counts = {folder: len(list(folder.glob("*.obj"))) for folder in Path("sample").glob("geo*/*/obj")}
    assert len(counts) == 9
    assert all(count == (8 if "geo/dyna" in str(folder) else 2) for folder, count in counts.items())


def endings_in_capitals():
    source, _ = write_tube(Path(), num_frames=2)
    for ending, begin in {".NPZ": b"PK", ".USDA": b"#usda", ".NPY": b"\x93NUMPY", ".USDC": b"PXR-USDC"}.items():
        convert_meshes.main([str(source), f"out{ending}"])
        assert Path(f"out{ending}").read_bytes().startswith(begin)


def endings_that_cannot_be_written():
    source, _ = write_tube(Path(), num_frames=2)
    for ending in ("ply", "obj", "usdz", "gltf", "fbx", "zip"):
        match = rf"found the ending \.{ending}, expected one of \.npz, .* or a folder's name"
        refused(convert_meshes, source, f"out.{ending}", match=match)
        assert not Path(f"out.{ending}").exists()
    convert_meshes.main([str(source), "out.v2"])  # a folder's name


def a_terminal_that_closes():
    source, target = write_tube(Path(), num_frames=20)
    script = script_with(Path().resolve(), "fit_mesh.py", "sampling.STEPS_PER_EPOCH = 100_000")
    process = start_script(Path().resolve(), script, "-src", source.resolve(), "-tar", target.resolve())
    wait_for(lambda: list(Path().glob("logs/without_joints/*/*")), process)
    time.sleep(2)  # now it is somewhere in its first epoch
    process.send_signal(1)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 129, errors
    assert list(Path().glob("saved_model/without_joints/*/*.pt"))


def nobody_who_reads():
    """As with `| head -n 1`, which takes a line and goes."""
    source, target = write_tube(Path(), num_frames=8)
    ours, theirs = os.pipe()
    os.close(ours)
    result = run_fresh(
        Path(), ROOT / "check_data.py", "-src", source, "-tar", target, stdout=theirs, capture_output=False
    )
    os.close(theirs)
    assert result.returncode == 141


COMMANDS = {
    row.__name__.replace("_", " "): row
    for row in (
        a_notebooks_backend,
        no_home,
        pictures_by_their_names,
        predictions_of_two_sources,
        predictions_in_several_formats,
        other_faces_than_those_trained_on,
        a_body_of_another_size,
        what_usd_says_of_itself,
        sources_flag_by_flag,
        a_source_by_two_names,
        files_of_a_wildcard,
        other_units_at_resuming,
        sample_data_twice,
        endings_in_capitals,
        endings_that_cannot_be_written,
        a_terminal_that_closes,
        nobody_who_reads,
    )
}
