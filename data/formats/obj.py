"""Wavefront OBJ: exact reading of positions and polygons.

Vertex order and count are the correspondence between meshes: nothing here merges, splits, drops or reorders vertices.
"""

import hashlib
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from jaxtyping import Float, Shaped
from numpy import ndarray

from data.formats.polygons import KnownTopology, Polygons
from data.formats.positions import LARGEST_COORDINATE, in_needed_precision, unknown_as_a_whole
from data.input_error import InputError

# A continued line ("\" before the line's end) is joined by this one character, which every parser here takes for a blank;
# it still counts as a line's end where an error names the line, and turns back into a continuation in written files.
TEXTURE_INDEX = re.compile(rb"[^\s/]+(?:/([^\s/]*))?\S*")  # of a corner; empty where it has none
CONTINUATION = b"\x0b"
VERTEX_LINE = re.compile(rb"^[ \t]*v[ \t\x0b]+([^#\n]*)", re.MULTILINE)
FACE_LINE = re.compile(rb"^[ \t]*f[ \t\x0b]+([^#\n]*)", re.MULTILINE)
TEXTURE_LINE = re.compile(rb"^[ \t]*vt[ \t\x0b]+([^#\n]*)", re.MULTILINE)

OBJECT_LINE = re.compile(rb"^o[ \t]", re.MULTILINE)
MOST_ODD = 0.1  # share of faces that are there twice, and of vertices without any
LONGEST_NUMBER = 40  # characters

PLAIN = b"v \n+-.0123456789eE"  # what a block of nothing but positions is written in


def read_text(path: Path) -> bytes:
    """Return a file's bytes, continued lines joined; raise `InputError` where it cannot be read."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):  # as some shells write text
        try:
            text = text.decode("utf-16").encode()
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not whole UTF-16 text ({error.reason})") from None
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text and b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    return re.sub(rb"\\\r?\n", CONTINUATION, text) if b"\\" in text else text


def line_number(text: bytes, offset: int) -> int:
    """Return the number, from 1, of the line at `offset` in the file that `read_text` returned as `text`."""
    return 1 + text.count(b"\n", 0, offset) + text.count(CONTINUATION, 0, offset)


def parse_positions(lines: list[bytes], first_column: int) -> Float[ndarray, "V 3"] | None:
    """Return the three numbers of each line (V, 3) from a column on; None where one is missing or infinite."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about lines without numbers: the caller says which
            columns = range(first_column, first_column + 3)
            positions = np.loadtxt(lines, dtype=np.float64, usecols=columns, ndmin=2, comments=None)
    except ValueError:
        return None
    if len(positions) != len(lines) or (np.abs(positions) > LARGEST_COORDINATE).any():
        return None
    return in_needed_precision(unknown_as_a_whole(positions))


def plain_positions(block: bytes) -> Float[ndarray, "V 3"] | None:
    """Return the positions (V, 3) of a block of `v` lines of three numbers each; None where it is not as plain as that.

    The block is read as JSON, in a third of NumPy's time. JSON writes numbers in fewer ways: `.5`, `5.` or `+5` are not plain.
    """
    if b"\r" in block:
        block = block.replace(b"\r\nv ", b"\nv ").removesuffix(b"\r")
    if block.translate(None, PLAIN):
        return None
    # 1e99, which no coordinate can be, ends each line; and as an integer, -0 would lose its sign
    numbers = (b"[%b,1e99]" % block[2:]).replace(b"\nv ", b",1e99,").replace(b" ", b",").replace(b"-0,", b"-0.0,")
    # orjson crashes where memory runs out: asking for more than it needs raises `MemoryError` first
    np.empty(16 * len(numbers), np.uint8)
    try:
        rows = np.fromiter(orjson.loads(numbers), np.float64).reshape(-1, 4)
    except ValueError:
        return None
    if not ((rows[:, 3] == 1e99) & (np.abs(rows[:, :3]) <= LARGEST_COORDINATE).all(axis=1)).all():
        return None
    return in_needed_precision(rows[:, :3])


def parse_vertices(text: bytes, path: Path) -> Float[ndarray, "V 3"]:
    """Return positions (V, 3) of all `v` lines, in their order; colours and weights behind them are passed over.

    Those that are NaN are not known. Raises `InputError`, naming file and line, where a line is not three finite numbers, and
    where there is no line.
    """
    lines = VERTEX_LINE.findall(text)
    if not lines:
        raise InputError(f"{path}: no vertices (`v` lines) found")
    vertices = parse_positions(lines, 0)
    if vertices is not None:
        return vertices
    for match in VERTEX_LINE.finditer(text):
        try:
            # Python alone takes an underscore in a number
            good = b"_" not in match[1] and all(
                not abs(float(number)) > LARGEST_COORDINATE for number in match[1].split()[:3]
            )
        except ValueError:
            good = False
        if not good or len(match[1].split()) < 3:
            found = match[0].decode(errors="replace").strip()
            line = line_number(text, match.start())
            raise InputError(f"{path}: line {line}: found {found[:80]!r}, expected `v` and three finite numbers")
    raise InputError(f"{path}: vertices that cannot be read as numbers")


def to_numbers(words: list[bytes], kind: type[np.generic]) -> Shaped[ndarray, " K"]:
    """Return words as numbers; raise `ValueError` where one is none, or longer than any number needs to be.

    All words in an array take as much memory as the longest one.
    """
    if max(map(len, words), default=0) > LONGEST_NUMBER:
        raise ValueError("too long")
    return np.array(words, dtype=bytes).astype(kind)


def parse_polygons(text: bytes, path: Path, num_vertices: int) -> Polygons:
    """Return the faces of all `f` lines, in their order; texture and normal indices are passed over.

    Raises `InputError`, naming file and line, where an index is no vertex of the file or a face has under three corners.
    """
    lines = FACE_LINE.findall(text)
    stripped = re.sub(rb"/\S*", b"", b"\n".join(lines))
    sizes = np.array([len(line.split()) for line in stripped.split(b"\n")] if lines else [], dtype=np.int64)
    try:
        corners = to_numbers(stripped.split(), np.int64)
        relative = corners < 0
        if relative.any():  # counted back from the vertices written so far
            vertex_offsets = [match.start() for match in VERTEX_LINE.finditer(text)]
            face_offsets = [match.start() for match in FACE_LINE.finditer(text)]
            so_far = np.repeat(np.searchsorted(vertex_offsets, face_offsets), sizes)
            corners = np.where(relative, so_far + corners + 1, corners)
        good = bool((sizes >= 3).all() and ((corners >= 1) & (corners <= num_vertices)).all())
    except (ValueError, OverflowError):
        good = False
    if good:
        return Polygons(sizes, corners - 1)
    written = 0
    for match in re.finditer(rb"^[ \t]*([vf])[ \t\x0b]+([^#\n]*)", text, re.MULTILINE):
        if match[1] == b"v":
            written += 1
            continue
        tokens = [token.split(b"/")[0] for token in match[2].split()]
        try:
            indices = [int(token) for token in tokens]
        except ValueError:
            indices = []
        if len(indices) < 3 or not all(1 <= i <= num_vertices or -written <= i <= -1 for i in indices):
            found = match[0].decode(errors="replace").strip()
            line = line_number(text, match.start())
            raise InputError(
                f"{path}: line {line}: found {found[:80]!r}, expected `f` and three or more of the {num_vertices} vertices"
            )
    raise InputError(f"{path}: faces that cannot be read as indices")


def parse_texture(text: bytes, polygons: Polygons) -> Polygons:
    """Return polygons with the texture coordinates of the `vt` lines; as they are where these cannot be used.

    Corners without a coordinate, or with one that is not there or is no number, get one of their own, (0, 0), where others have
    one.
    """
    lines = TEXTURE_LINE.findall(text)
    if not lines:
        return polygons
    indices = TEXTURE_INDEX.findall(b" ".join(FACE_LINE.findall(text)))
    if not any(indices) or len(indices) != len(polygons.corners):
        return polygons
    try:
        pairs = ([*line.split()[:2], b"0", b"0"][:2] for line in lines)  # of a ramp, one number
        texture = to_numbers([number for pair in pairs for number in pair], np.float64).reshape(-1, 2)
        corners = to_numbers([index or b"0" for index in indices], np.int64)
    except (ValueError, OverflowError):
        return polygons
    if (corners < 0).any():  # counted back from the coordinates written so far
        texture_offsets = [match.start() for match in TEXTURE_LINE.finditer(text)]
        face_offsets = [match.start() for match in FACE_LINE.finditer(text)]
        so_far = np.repeat(np.searchsorted(texture_offsets, face_offsets), polygons.sizes)
        corners = np.where(corners < 0, np.maximum(so_far + corners + 1, -1), corners)
    usable = (np.abs(texture) <= LARGEST_COORDINATE).all(axis=1)
    missing = (corners < 1) | (corners > len(lines)) | ~usable[np.clip(corners, 1, len(lines)) - 1]
    if missing.all():
        return polygons
    texture = np.where(usable[:, None], texture, 0)
    if missing.any():
        texture, corners = np.concatenate([texture, np.zeros((1, 2))]), np.where(missing, len(lines) + 1, corners)
    return Polygons(polygons.sizes, polygons.corners, texture.astype(np.float32), corners - 1)


def read_obj(path: Path) -> tuple[Float[ndarray, "V 3"], Polygons]:
    """Return positions (V, 3), in the file's units, and polygons of an OBJ file, with its texture coordinates.

    Reads `v` and `f` lines in all index forms (`v`, `v/vt`, `v//vn`, `v/vt/vn`; counted from the end where negative), any
    number of corners, comments, continued lines, CRLF, colours, groups, scattered blocks. Raises `InputError`.
    """
    text = read_text(path)
    vertices = parse_vertices(text, path)
    return vertices, parse_faces(text, path, len(vertices))


def parse_faces(text: bytes, path: Path, num_vertices: int) -> Polygons:
    """Return polygons with their texture coordinates; raise `InputError` as `parse_polygons`, and where the indices of a second
    object begin at 1 again: its vertices have no faces then, and those of the first have each face twice."""
    polygons = parse_polygons(text, path, num_vertices)
    if len(OBJECT_LINE.findall(text)) > 1:
        rows = polygons.to_rows(polygons.corners)
        twice = len(rows) - len(np.unique(rows, axis=0))
        alone = num_vertices - len(np.unique(polygons.corners))
        if min(twice / max(len(rows), 1), alone / num_vertices) > MOST_ODD:
            raise InputError(
                f"{path}: {twice} faces are there twice, and {alone} vertices have none: a second object's indices begin at 1 "
                "again, expected them to go on"
            )
    return parse_texture(text, polygons)


def face_text_digest(text: bytes) -> str:
    """Return a digest of the `f` lines as written: equal digests and vertex counts mean equal polygons.

    Faces counted from the end depend on where they stand in the file, so the number of vertices before them counts too.
    """
    lines = b"\n".join(FACE_LINE.findall(text))
    if b"-" in lines:
        lines = b"\n".join(re.findall(rb"^[ \t]*v(?=[ \t\x0b])|^[ \t]*f[^\n]*", text, re.MULTILINE))
    return hashlib.blake2b(lines, digest_size=16).hexdigest()


def split_vertex_block(text: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a text cut in three: what is before its one block of `v` lines, the block, and what is behind it.

    Most files hold all their vertices in one such block; of any other text the block is empty.
    """
    start = 0 if text.startswith(b"v ") else text.find(b"\nv ") + 1
    end = text.find(b"\n", text.rfind(b"\nv ") + 1)
    block = text[start : end if end >= 0 else len(text)]
    if not block.startswith(b"v ") or block.count(b"\nv ") != block.count(b"\n"):
        return text, b"", b""
    return text[:start], block, text[start + len(block) :]


def rest_digest(before: bytes, behind: bytes) -> bytes:
    """Return a digest of a text without its vertices."""
    return hashlib.blake2b(b"%d\n%b%b" % (len(before), before, behind), digest_size=16).digest()


@dataclass
class KnownText(KnownTopology):
    """An OBJ file that others are compared with: where all the text but the vertices' numbers is the same, so is the mesh."""

    rest_digest: bytes
    face_digest: str

    @classmethod
    def of_obj(cls, path: Path) -> "KnownText":
        """Read the file that others are compared with; raise `InputError` as `read_obj` does."""
        text = read_text(path)
        num_vertices = len(parse_vertices(text, path))
        polygons = parse_faces(text, path, num_vertices)
        before, block, behind = split_vertex_block(text)
        # with vertices elsewhere too, no file is like this one
        digest = rest_digest(before, behind) if block.count(b"\n") + 1 == num_vertices else b""
        return cls(path, polygons, num_vertices, read_obj, digest, face_text_digest(text))

    def positions_of(self, path: Path) -> Float[ndarray, "V 3"]:
        """Return the positions (V, 3) of another file; raise `InputError` where its topology is not that of this one."""
        text = read_text(path)
        before, block, behind = split_vertex_block(text)
        if rest_digest(before, behind) == self.rest_digest:
            positions = plain_positions(block)
            if positions is None:
                positions = parse_positions(block.split(b"\n"), 1)
            if positions is not None and len(positions) == self.num_vertices:
                return positions
        # the same face lines are the same topology; only others have to be parsed
        if face_text_digest(text) != self.face_digest:
            return super().positions_of(path)
        vertices = parse_vertices(text, path)
        self.check_count(path, len(vertices))
        return vertices
