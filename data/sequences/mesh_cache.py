"""Where parsed meshes are kept between runs, and how damage to them is found; `data.sequences.mesh_frames` reads and writes
them.

An entry is a folder of NumPy files named by the names, sizes and times of the files it was parsed from, with a checksum of
each of its files. Set SKIN2SCAN_CACHE to choose where the entries go.
"""

import hashlib
import json
import os
import zlib
from pathlib import Path

import platformdirs

CACHE_FORMAT = "4"
CHECKSUMS = "checksums.json"
BYTES_AT_ONCE = 1 << 22


def cache_folder() -> Path:
    """Return the folder of all cache entries: SKIN2SCAN_CACHE, or a folder in the user's cache directory."""
    return Path(os.environ.get("SKIN2SCAN_CACHE") or platformdirs.user_cache_dir("skin2scan"))


def cache_key(folder: Path, files: list[Path]) -> str:
    """Return a name that changes when a file is added, removed, renamed, resized or rewritten.

    It holds the time of the last change of any kind beside that of the last write, which programs can set back, as copying
    does.
    """
    stamps = [(path.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path in files for stat in [path.stat()]]
    return hashlib.blake2b(repr((CACHE_FORMAT, str(folder.resolve()), stamps)).encode(), digest_size=16).hexdigest()


def checksums(entry: Path) -> dict[str, int]:
    """Return the CRC-32 of every file of an entry, by name."""
    found = {}
    for path in sorted(entry.iterdir()):
        if path.name != CHECKSUMS:
            value = 0
            with open(path, "rb") as file:
                while part := file.read(BYTES_AT_ONCE):
                    value = zlib.crc32(part, value)
            found[path.name] = value
    return found


def write_checksums(entry: Path) -> None:
    """Add the checksums of an entry's files to it."""
    (entry / CHECKSUMS).write_text(json.dumps(checksums(entry)), encoding="ascii")


def fingerprint(entry: Path) -> str:
    """Return what stands for the content of an entry: its files' checksums."""
    stored = json.loads((entry / CHECKSUMS).read_text(encoding="ascii"))
    return "-".join(f"{stored[name]:08x}" for name in sorted(stored))


def is_whole(entry: Path) -> bool:
    """Say whether every file of an entry is as it was written."""
    try:
        return json.loads((entry / CHECKSUMS).read_text(encoding="ascii")) == checksums(entry)
    except (OSError, ValueError):
        return False
