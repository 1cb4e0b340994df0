"""Meshes as they are on disk: `formats`, and above them `sequences`; `sample_body` makes the sample data.

Beside these rooms stands what all of the project uses: `InputError`, the one exception for wrong input, and files that are
written whole or not at all. Nothing here knows of `models` or `utils`.
"""

import os

# Threads of OpenMP wait for one another busily: GNU's for some turns of a loop, Intel's and LLVM's (macOS, Windows) for some
# milliseconds. Where one has lost its core to another program, all wait for that: with the defaults, training slows to a third
# and less beside a single busy process, with these to half, and alone it is no slower (benchmarks/RESULTS.md). They have to be
# there before torch is loaded; scripts import from here first.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("KMP_BLOCKTIME", "1")
