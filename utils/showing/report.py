"""A report of predictions as one HTML file that needs no server and no network: numbers, curves, pictures, and a playback."""

import io
import json
import math
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int64
from numpy import ndarray
from scipy.spatial import cKDTree

from data.input_error import optional_packages
from data.safe_write import write_beside
from data.sequences.mesh_windows import MeshWindows
from utils.predicting.export import Expectation, describe_expectation
from utils.predicting.metrics import (
    VERTEX_ERROR,
    Errors,
    largest_known,
    mean_of_known,
    summarise_errors,
    vertex_errors,
)
from utils.predicting.prediction import PredictedFrame, map_predictions
from utils.runs.processes import rank
from utils.runs.run_record import describe_left_out
from utils.showing.film import Film, Panels, highest_value, label_of
from utils.showing.plots import as_png, as_source, draw_color_bar, draw_curves, draw_histogram, error_colors
from utils.showing.rendering import camera_axes, frame_camera, render_mesh
from utils.showing.server import free_port, open_server
from utils.showing.stage import Look, Stage, name_with_mean

TEMPLATE = Path(__file__).with_name("report.html")
MOST_TRIANGLES, MOST_FRAMES, LARGEST = 6000, 120, 13_000_000  # of the playback: what fits into a file of 15 MB
ASPECT = 2.0  # of the playback's window
PICTURE_HEIGHT = 420  # pixels
MIDDLE_OF_THE_BODY = 0.03  # of its height: no nearer to the left than to the right
DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
VIEWS = {"front": 25.0, "back": 205.0}  # degrees about the up axis
STEPS_PER_UNIT = (
    4096  # of the playback's positions, whose meshes are two units large: a quarter of a millimetre of a body
)

Values = dict[str, Float[ndarray, "T V"]]


def check_report() -> None:
    """Raise `InputError` where a package that a report needs is not there."""
    with optional_packages("reports"):
        import fast_simplification  # noqa: F401
        import jinja2  # noqa: F401
        import viser  # noqa: F401


def measure(film: Film, errors: Errors | None) -> Values:
    """Return errors by mesh (T, V), mm, skinned and predicted; without scans, how far the prediction moves each vertex."""
    if errors is not None:
        return dict(zip(("skinned", "predicted"), errors.by_name[VERTEX_ERROR], strict=True))
    every = np.arange(len(film.windows))

    def correction(frame: PredictedFrame) -> Float[ndarray, " V"]:
        return (film.units_in_mm * vertex_errors(frame.skinned, frame.predicted)).astype(np.float32)

    return {"predicted": np.stack(list(map_predictions(correction, film.model, film.windows, every, film.device)))}


def share_left(before: float, after: float) -> str:
    """Return how much of an error is left; nothing where there was none."""
    return f"{100 * after / before:.1f} %" if before > 0 else ""


def summary_rows(errors: Errors | None) -> list[dict[str, str]]:
    """Return the rows of the table of errors, by column."""
    rows: list[dict[str, str]] = []
    if errors is None:
        return rows
    for name, arrays in errors.by_name.items():
        before, after = (summarise_errors(each, errors.weights) for each in arrays)
        rows.append(
            {
                "name": name,
                "before": f"{before.mean:.3f}",
                "after": f"{after.mean:.3f}",
                "left": share_left(before.mean, after.mean),
                "percentile": f"{before.percentile_95:.2f} → {after.percentile_95:.2f}",
                "largest": f"{before.maximum:.2f} → {after.maximum:.2f}",
            }
        )
    return rows


def region_rows(
    windows: MeshWindows, values: Values, up_axis: str, weights: Float[ndarray, "T V"] | None = None
) -> list[dict[str, str]]:
    """Return a row, by column, for each joint that is the nearest of some vertices that were measured, the worst prediction
    first; none without joints or scans."""
    first = np.array([0])
    joints = windows.joints(first)
    if joints is None or "skinned" not in values:
        return []
    right, up, _ = camera_axes(up_axis, 0.0)
    names = windows.sequences[0].joint_names
    vertices, joints = windows.skinned(first)[0, -1], joints[0, -1]
    nearest = cKDTree(joints).query(vertices)[1]
    before, after = (mean_of_known(values[name], weights, axis=0) for name in ("skinned", "predicted"))
    nearest = np.where(np.isnan(after), -1, nearest)
    low, high = (vertices @ up).min(), (vertices @ up).max()
    middle, height = (vertices @ right).mean(), max(high - low, 1e-30)
    rows = []
    for joint in sorted(np.unique(nearest[nearest >= 0]), key=lambda joint: -after[nearest == joint].mean()):
        region = nearest == joint
        skinned, predicted = float(before[region].mean()), float(after[region].mean())
        aside = float(joints[joint] @ right - middle) / height
        side = "" if abs(aside) < MIDDLE_OF_THE_BODY else ", left" if aside < 0 else ", right"
        rows.append(
            {
                "joint": names[joint] if names else str(joint + 1),
                "where": f"at {100 * (joints[joint] @ up - low) / height:.0f} % of the height{side}",
                "vertices": str(region.sum()),
                "before": f"{skinned:.3f}",
                "after": f"{predicted:.3f}",
                "left": share_left(skinned, predicted),
            }
        )
    return rows


def picture_frame(film: Film, panels: Panels, highest: float) -> list[dict[str, str]]:
    """Return pictures of the coloured meshes of a frame from all views."""
    faces, views = film.model.surface.faces.cpu().numpy(), []
    for view, turn in VIEWS.items():
        camera = frame_camera(panels["skinned"][0][None], film.model.settings.up_axis, turn, PICTURE_HEIGHT)
        for name, (vertices, values) in panels.items():
            if values is not None:
                picture = render_mesh(vertices, faces, camera, error_colors(values, highest))
                content = as_png(np.round(255 * picture).astype(np.uint8))
                views.append({"name": f"{name}, {view}", "picture": as_source("png", content)})
    return views


def decimate(
    vertices: Float[ndarray, "V 3"], faces: Int[ndarray, "F 3"]
) -> tuple[Int64[ndarray, " K"], Int[ndarray, "G 3"]]:
    """Return which vertices (K,) to keep, and faces (G, 3) between them, at most `MOST_TRIANGLES` or so."""
    if len(faces) <= MOST_TRIANGLES:
        return np.arange(len(vertices)), faces
    import fast_simplification

    points, faces = np.array(vertices, dtype=np.float32), np.array(faces, dtype=np.int32)
    _, _, collapses = fast_simplification.simplify(points, faces, target_count=MOST_TRIANGLES, return_collapses=True)
    placed, fewer, merged = fast_simplification.replay_simplification(points, faces, collapses)
    # of all vertices that were merged into one, the nearest stands for them in every frame
    order = np.lexsort((np.linalg.norm(placed[merged] - points, axis=1), merged))
    order = order[merged[order] >= 0]  # vertices without faces are merged into none
    return order[np.unique(merged[order], return_index=True)[1]], fewer


def play_back(film: Film, indices: list[int], highest: float) -> tuple[str, str]:
    """Return a page that plays some frames, and a line about it; it leaves out frames until it is small enough for a file."""
    step = math.ceil(len(indices) / MOST_FRAMES)
    while True:
        page = record_frames(film, indices[::step], film.frame_rate / step, highest)
        if len(page) <= LARGEST or step >= len(indices):
            break
        step *= 2
    meaning = "coloured by error" if film.have_scans(np.array(indices)) else "the prediction coloured by its correction"
    every = "every frame" if step == 1 else f"one frame in {step}"
    return page, f"{every}, fewer triangles, {meaning}; drag to turn, scroll to come nearer"


def record_frames(film: Film, indices: list[int], frame_rate: float, highest: float) -> str:
    """Return a page of viser's that plays frames of decimated meshes."""
    measured = film.have_scans(np.array(indices))
    see = partial(film.see, measured=measured)
    seen = [panels for panels, _ in map_predictions(see, film.model, film.windows, np.array(indices), film.device)]
    kept, faces = decimate(seen[0]["skinned"][0], film.model.surface.faces.cpu().numpy())
    names = [name for name in seen[0] if name in ("skinned", "predicted", "target")]
    values_of = {"skinned": "skinned error", "predicted": "predicted error" if "target" in names else "correction"}
    skinned = np.stack([panels["skinned"][0][kept] for panels in seen])
    centre = skinned[0].mean(axis=0)
    with redirect_stdout(io.StringIO()):
        server = open_server("127.0.0.1", free_port("127.0.0.1", 8080))
    try:
        skinned = (skinned - centre).astype(np.float32)
        stage = Stage(server, names, skinned, None, faces, film.model.settings.up_axis, ASPECT)
        look = Look(side_by_side=True, smooth=True, edges=False, highest=highest, vertex=None)
        recording = server.get_scene_serializer()
        grain = np.float32(STEPS_PER_UNIT * stage.zoom)
        for index, panels in zip(indices, seen, strict=True):
            weights = film.windows.weights(np.array([index])) if measured else None
            shown = {name: panels[name][0][kept] for name in names}
            shown = {name: np.where(np.isnan(each), shown["skinned"], each) for name, each in shown.items()}
            meshes = {name: np.round((each - centre) * grain) / grain for name, each in shown.items()}
            colored = {name: panels[panel][1] for name, panel in values_of.items() if panel in panels}
            values = {name: each for name, each in colored.items() if each is not None}
            stage.show(
                {name: mesh.astype(np.float32) for name, mesh in meshes.items()},
                {name: each[kept] for name, each in values.items()},
                {name: name_with_mean(name, values, None if weights is None else weights[0]) for name in names},
                None,
                look,
            )
            recording.insert_sleep(1 / frame_rate)
        page: str = recording.as_html().replace("darkMode:false", f"darkMode:{DARK}")
    finally:
        with redirect_stdout(io.StringIO()):
            server.stop()
    return page


def write_report(
    path: Path,
    film: Film,
    errors: Errors | None,
    expected: Expectation | None,
    clips: dict[str, list[int]],
    record: dict[str, Any],
) -> None:
    """Write the report of the predictions of all frames, given as clips by name; the first process of several does it.

    `errors` and what is `expected` are those of `export_predictions`.
    """
    if rank() > 0:
        return
    from jinja2 import Environment

    windows, values, weights = film.windows, measure(film, errors), None if errors is None else errors.weights
    means = mean_of_known(values["predicted"], weights)
    by_frame = means.argsort()[: int(np.isfinite(means).sum())]  # those that were measured
    chosen = {"best": by_frame[0], "median": by_frame[len(by_frame) // 2], "worst": by_frame[-1]}
    panels = [film.see_one(int(frame)) for frame in chosen.values()]
    highest = highest_value([each for each, _ in panels])
    what = "error (mm)" if errors else "correction (mm)"
    curves = []
    for name, indices in clips.items():
        trust = None if weights is None else weights[indices]
        over_time = {(mesh, "mean"): mean_of_known(each[indices], trust) for mesh, each in values.items()}
        over_time |= {(mesh, "worst"): largest_known(each[indices]) for mesh, each in values.items()}
        over_time |= {} if expected is None else {("expected error", "mean"): expected.mean[indices]}
        numbers = np.array([windows.sequences[s].frame_numbers[frame] for s, frame in windows.entries[indices]])
        curves.append({"name": name, "picture": as_source("svg+xml", draw_curves(numbers, over_time, what))})
    of_worst = next(indices for indices in clips.values() if int(chosen["worst"]) in indices)
    playback, playback_caption = play_back(film, of_worst, highest)
    count = len(film.model.surface.vertices)
    measured = "measured against" if len(by_frame) == len(windows) else f"{len(by_frame)} of them measured against"
    page = Environment(autoescape=True).from_string(TEMPLATE.read_text(encoding="utf-8"))
    content = page.render(
        title=", ".join(clips),
        subtitle=f"{len(windows)} frames of {count:,} vertices, {measured if errors else 'without'} scans",
        trust=[
            *describe_expectation(film.model, windows, expected).splitlines(),
            *describe_left_out(record.get("training", {})),
        ],
        summary=summary_rows(errors),
        curves=curves,
        histogram=as_source("svg+xml", draw_histogram(values, what)),
        pictures=[
            {"caption": f"{name}: {caption}", "views": picture_frame(film, each, highest)}
            for name, (each, caption) in zip(chosen, panels, strict=True)
        ],
        color_bar=as_source("svg+xml", draw_color_bar(highest, label_of(panels[0][0]))),
        regions=region_rows(windows, values, film.model.settings.up_axis, weights),
        playback=playback,
        playback_caption=playback_caption,
        record={name: json.dumps(each, indent=2, ensure_ascii=False) for name, each in record.items()},
    )
    with write_beside(path) as partial:
        partial.write_text(content, encoding="utf-8", errors="backslashreplace")
    print(f"report in {path}")
