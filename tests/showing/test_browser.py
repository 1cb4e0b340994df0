"""The viewer and the report in a real browser: what is clicked, what is seen, and that nothing leaves the machine."""

import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from terminal import COARSE, ROOT, run_script, script_with
from tube import save_untrained, tube_surface_with_joints, untrained_model, write_tube
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.starts_scripts

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip

LISTENING = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]

DIALS = 2  # sliders stand before these: of the frame, and of what is blended

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
expect.set_options(timeout=60_000)  # as for the pages


@pytest.fixture(scope="module")
def tubes(tmp_path_factory):
    """A folder with a tube's meshes and joints, and a checkpoint whose predictions are random."""
    folder = tmp_path_factory.mktemp("seen")
    write_tube(folder, num_frames=20, with_joints=True)
    model = untrained_model(tube_surface_with_joints(0), random_output=True, num_condition_frames=3)
    save_untrained(folder / "1.pt", model)
    return folder


@pytest.fixture(scope="module")
def server(tubes):
    """The address of a viewer that runs in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, ROOT / "view_meshes.py", "-src", "geo/tube_sbs/obj", "-tar", "geo/tube_target/obj"]
    command += ["-src_joint", "geo/tube_joints/obj", "-saved_path", "1.pt", "--port", str(port)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        list(map(str, command)), cwd=tubes, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    for line in process.stdout:
        if f":{port}" in line:
            break
    else:
        pytest.fail(process.stderr.read())
    yield f"127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    assert process.returncode == 143


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)


@pytest.fixture
def page(browser):
    """A page; at the end, it must have complained of nothing and asked nobody else for anything."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(60_000)
    complaints, asked = [], []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    own = page.url.removeprefix("file://").split("/")[2] if page.url.startswith("http") else None
    page.close()
    assert complaints == []
    strangers = [url for url in asked if not re.match(rf"(blob:|data:|file:|http://{own})", url)]
    assert strangers == []


def saturated(picture):
    """How many pixels of a picture, PNG, are of a strong colour, below the top, where viser may have a message."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    pixels = pixels[len(pixels) // 4 :]
    return int((pixels.max(axis=2) - pixels.min(axis=2) > 100).sum())


def wait_for(page, condition, seconds=60):
    """Wait until a condition is there."""
    for _ in range(10 * seconds):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("waited in vain")


def turn_a_dial(page, canvas, curve):
    """A dial moves the mesh while it is dragged, and is measured again: without strength, it is the skinned mesh."""
    page.get_by_label("colour").click()
    page.get_by_role("option", name="correction", exact=True).click()
    page.get_by_label("target", exact=True).uncheck()
    wait_for(page, lambda: saturated(canvas.screenshot()) > 200)
    measured = curve.get_attribute("src")
    page.get_by_role("slider").nth(DIALS).focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    wait_for(page, lambda: saturated(canvas.screenshot()) < 50)
    wait_for(page, lambda: curve.get_attribute("src") != measured)
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_for(page, lambda: saturated(canvas.screenshot()) > 200)
    wait_for(page, lambda: curve.get_attribute("src") == measured)


@needs_browser
def test_viewer(server, page):
    page.goto(f"http://{server}")
    canvas = page.locator("canvas").first
    curve = page.locator("img[role=button]").first
    expect(curve).to_be_visible()
    frame = page.locator("input[inputmode=numeric], input[inputmode=decimal]").first

    # the heat map is there, and goes
    wait_for(page, lambda: saturated(canvas.screenshot()) > 200)
    page.get_by_label("colour").click()
    page.get_by_role("option", name="none").click()
    wait_for(page, lambda: saturated(canvas.screenshot()) < 50)

    # a click on the curve moves the timeline, and the mesh
    before = canvas.screenshot()
    expect(frame).to_have_value("1")
    box = curve.bounding_box()
    page.mouse.click(box["x"] + 0.97 * box["width"], box["y"] + 0.5 * box["height"])
    expect(frame).to_have_value("20")
    wait_for(page, lambda: canvas.screenshot() != before)
    page.get_by_role("button", name="−10").click()
    expect(frame).to_have_value("10")
    frame.fill("5")
    page.get_by_role("button", name="+1", exact=True).click()
    expect(frame).to_have_value("6")

    # playing goes on until it is told not to
    page.get_by_role("button", name="Play").click()
    wait_for(page, lambda: frame.input_value() not in ("6", "7"))
    page.get_by_role("button", name="Pause").click()

    turn_a_dial(page, canvas, curve)
    page.get_by_label("target", exact=True).check()
    page.get_by_label("colour").click()
    page.get_by_role("option", name="none").click()

    # the worst vertex is marked, and has a curve; one that is clicked too
    page.get_by_role("button", name="vertex", exact=True).click()
    expect(page.locator("img[role=button]")).to_have_count(2)
    for name in ("blend", "overlaid", "flat shading", "wireframe", "joints"):
        before = canvas.screenshot()
        page.get_by_label(name, exact=True).check()
        wait_for(page, lambda before=before: canvas.screenshot() != before)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert re.fullmatch(r"tube_sbs\.000\d\d\.png", download.value.suggested_filename)
    with Image.open(download.value.path()) as picture:
        assert picture.size[0] > 300


def test_foreign_pages_are_refused(server):
    import viser

    protocols = [f"viser-v{viser.__version__}"]
    with connect(f"ws://{server}", origin=f"http://{server}", subprotocols=protocols) as own:
        assert own.recv(timeout=30)
    for origin in ("http://example.com", f"http://{server}.example.com", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://{server}", origin=origin, subprotocols=protocols)
    host, port = server.split(":")
    with socket.create_connection((host, int(port))) as connection:  # a stranger's name that leads to this machine
        connection.sendall(f"GET / HTTP/1.1\r\nHost: example.com:{port}\r\n\r\n".encode())
        assert b"403" in connection.recv(100)


@pytest.mark.skipif(not LISTENING[0].exists(), reason="this system does not tell who listens")
def test_it_listens_on_this_machine_alone(server):
    port = int(server.split(":")[1])
    sockets = [line.split() for path in LISTENING for line in path.read_text().splitlines()[1:]]
    listening = [address for _, address, _, state, *_ in sockets if state == "0A" and address.endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]  # 127.0.0.1


@needs_browser
def test_report(tubes, page):
    flags = ["-src", "geo/tube_sbs/obj", "-tar", "geo/tube_target/obj", "-tar_avail", "-saved_path", "1.pt", "--report"]
    process = run_script(tubes, script_with(tubes, "inference_mesh.py", COARSE), *flags)
    assert process.returncode == 0, process.stderr
    (path,) = tubes.glob("inference_meshes/tube/*/*/report.html")
    assert path.stat().st_size < 15e6
    page.emulate_media(color_scheme="light")
    page.goto(path.as_uri())
    printed = re.search(r"vertex error \(mm\)\s+([\d.]+) →\s+([\d.]+)", process.stdout)
    row = page.get_by_role("row", name="vertex error (mm)")
    for column, number in enumerate(printed.groups(), 1):
        assert float(row.get_by_role("cell").nth(column).inner_text()) == pytest.approx(float(number), abs=0.0051)
    for picture in page.locator("body > * img, body > img").all():
        assert picture.evaluate("picture => picture.naturalWidth") > 100
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light

    # the playback plays, and its own timeline can be clicked
    page.emulate_media(color_scheme="light")
    frame = page.frame_locator("iframe")
    canvas = frame.locator("canvas").first
    canvas.scroll_into_view_if_needed()
    wait_for(page, lambda: saturated(canvas.screenshot()) > 100)
    pause = "button:not([role=alert] button)"  # a message about slow rendering may have come, with a button of its own
    frame.locator(pause).first.click()
    page.wait_for_timeout(500)
    seconds = frame.locator("input").first
    slider = frame.locator(".mantine-Slider-track, [role=slider]").first.bounding_box()
    length = float(frame.locator("[role=slider]").first.get_attribute("aria-valuemax"))
    for share in (0.9, 0.1):  # wherever it stood
        page.mouse.click(slider["x"] + share * slider["width"], slider["y"] + 0.5 * slider["height"])
        wait_for(
            page, lambda share=share: float(seconds.input_value()) == pytest.approx(share * length, abs=0.1 * length)
        )
