"""Folders of sample meshes: made, and emptied before they are made again."""

from pathlib import Path

from data.input_error import InputError

MARK = ".sample_data"  # the file in a folder that says whose meshes these are


def prepare_folder(folder: Path) -> None:
    """Make a folder for new sample meshes, without those that an earlier call made.

    Raises `InputError` where it holds anything else: a user's own meshes may have the same names.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise InputError(f"{folder}: holds meshes that make_sample_data.py did not make, expected another --output_dir")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    for path in folder.glob("*.obj"):
        path.unlink()
