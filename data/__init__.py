"""Meshes as they are on disk: `formats`, and above them `sequences`; `sample_body` makes the sample data.

Beside these rooms stands what all of the project uses: `InputError`, the one exception for wrong input, and files that are
written whole or not at all. Nothing here knows of `models` or `utils`.
"""
