"""How soon the viewer is there, and how many frames a second its server sends to a page that plays them.

    python benchmarks/viewer.py

Looks at a sequence of its own, by default as large as 800 full scans, in a temporary folder (1.3 GB). The page is a process
that takes what is sent and draws nothing, so that the server is measured and not a browser.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Thread

import numpy as np
import viser

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ball import sphere
from data.formats.mesh_formats import write_sequence
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.sequences.mesh_sequence import load_sequences
from data.sequences.predicted_meshes import load_predictions
from utils.showing.clip import Clip
from utils.showing.server import free_port, open_server
from utils.showing.viewer import Viewer

FRAME_RATE = 30.0
PAGE = """
import socket, sys, time
port, version, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
page = socket.create_connection(("127.0.0.1", port))
page.sendall((
    f"GET / HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
    f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\nSec-WebSocket-Version: 13\\r\\n"
    f"Sec-WebSocket-Protocol: viser-v{version}\\r\\n\\r\\n"
).encode())
buffer = bytearray(1 << 20)
start = time.perf_counter() + 1
end, size = start + seconds, 0
while time.perf_counter() < end:
    length = page.recv_into(buffer)
    size += length if time.perf_counter() > start else 0
print(size / seconds)
"""


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_vertices", type=int, default=32729, help="of the mesh (default: 32729)")
    parser.add_argument("--num_frames", type=int, default=800, help="of the sequence (default: 800)")
    parser.add_argument("--seconds", type=float, default=5.0, help="to play, for each kind of colour (default: 5)")
    return parser.parse_args(argv)


def write_ball(folder, num_vertices, num_frames):
    """Write a ball that swells and its scan as one file each; return their paths."""
    points, faces = sphere(num_vertices)
    swell = 1 + 0.2 * np.sin(0.3 * np.arange(num_frames))[:, None, None]
    polygons = Polygons.from_rows(faces)
    paths = [folder / "ball.npz", folder / "scan.npz"]
    for path, height in zip(paths, (0.0, 0.02), strict=True):
        vertices = (points * swell * (1 + height * np.sin(5 * points[:, :1]))).astype(np.float32)
        write_sequence(path, list(range(1, num_frames + 1)), vertices, polygons, Scene())
    return paths


def play(viewer, coloring, seconds):
    """Return milliseconds of drawing a frame, megabytes of one, and how many a page gets a second."""
    viewer.panel.coloring.value = coloring
    num_drawn = min(viewer.clip.length, 100)
    start = time.perf_counter()
    for frame in range(num_drawn):
        viewer.frame = frame
        viewer.draw()
    drawing = (time.perf_counter() - start) / num_drawn
    mesh, heat_map = viewer.clip.meshes(0)["skinned"].nbytes, len(viewer.stage.glb[True].content)
    size = 3 * mesh if coloring == "none" else mesh + 2 * heat_map
    viewer.playing = True
    arguments = str(viewer.server.get_port()), viser.__version__, str(seconds)
    page = subprocess.run([sys.executable, "-c", PAGE, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    viewer.playing = False
    return 1000 * drawing, size / 1e6, float(page.stdout) / size


def main(argv=None):
    args = parse_arguments(argv)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKIN2SCAN_CACHE"] = f"{folder}/cache"
        paths = write_ball(Path(folder), args.num_vertices, args.num_frames)
        for when in ("first time", "from the cache"):
            start = time.perf_counter()
            sequences, faces = load_sequences(paths[:1], paths[1:])
            clip = Clip(sequences[0], load_predictions(paths[:1], sequences)[0], 1000.0)
            server = open_server("127.0.0.1", free_port("127.0.0.1", 8080))
            viewer = Viewer(server, [clip], faces, "y", FRAME_RATE)
            viewer.draw()
            print(f"opened, {when}: {time.perf_counter() - start:.1f} s", flush=True)
        Thread(target=viewer.run, daemon=True).start()
        while not np.isfinite(viewer.clip.mean["predicted"]).all():
            time.sleep(0.1)  # what is measured once is no part of playing
        for coloring in ("none", "error", "correction"):
            drawing, size, arrived = play(viewer, coloring, args.seconds)
            print(
                f"colour {coloring}: drawn in {drawing:.1f} ms, {size:.1f} MB; {arrived:.0f} of {FRAME_RATE:.0f} frames "
                "a second arrive",
                flush=True,
            )
        print(
            f"largest memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB, mapped files included"
        )


if __name__ == "__main__":
    main()
