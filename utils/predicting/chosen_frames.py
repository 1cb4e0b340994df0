"""What `choose_frames.py` writes: a list of files, and a table; a picture is drawn beside them."""

import csv
import io
from pathlib import Path

from jaxtyping import Int
from numpy import ndarray

from data.safe_write import check_replaceable, write_beside
from data.sequences.mesh_windows import MeshWindows

LIST, TABLE, SHEET = "frames.txt", "frames.csv", "frames.png"
COLUMNS = ("rank", "source", "first frame", "last frame", "first file", "uncertainty left (%)")

Chosen = list[
    tuple[Int[ndarray, " N"], float]
]  # runs of windows, the best first, and the share of uncertainty left after each


def check_free(folder: Path, overwrite: bool) -> None:
    """Raise `InputError` where a folder holds something, unless that is an earlier choice and is to be overwritten."""
    check_replaceable(folder, overwrite, "a choice of frames", lambda names: names <= {LIST, TABLE, SHEET})


def write_choice(folder: Path, windows: MeshWindows, chosen: Chosen) -> None:
    """Write the frames of runs as a list in order of time, a file a line, and the runs as a table, the best first.

    Where one file holds all frames, its name stands for each, with the frame's number behind a tab.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index in sorted(int(frame) for run, _ in chosen for frame in run):
        sequence, frame = windows.entries[index]
        files = windows.sequences[sequence].files
        alone = len(files) < 2 or files[0] != files[-1]
        lines.append(
            str(files[frame]) if alone else f"{files[frame]}\t{windows.sequences[sequence].frame_numbers[frame]}"
        )
    with write_beside(folder / LIST) as partial:
        partial.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", errors="surrogateescape")
    table = io.StringIO(newline="")
    rows = csv.writer(table)
    rows.writerow(COLUMNS)
    for rank, (run, left) in enumerate(chosen, 1):
        sequence, first = windows.entries[run[0]]
        here = windows.sequences[sequence]
        last = windows.entries[run[-1], 1]
        numbers = here.frame_numbers[first], here.frame_numbers[last]
        rows.writerow([rank, here.name, *numbers, here.files[first].name, f"{100 * left:.2f}"])
    with write_beside(folder / TABLE) as partial:
        partial.write_text(table.getvalue(), encoding="utf-8", errors="surrogateescape", newline="")
