"""Inputs as people hand them over: how each is made, in the folder one is in, and what is to become of it.

What is made is called skin, scan and joints: a folder, or a file. Then come the frames' numbers, where it is to be read as the
tube it was made from; `Read`, where there is more to say; or what a line says that refuses it.
"""

from inputs_of_users import arrays, binary_meshes, frame_names, obj_files, pairs, usd_files

INPUTS = {}
for kind in (frame_names, arrays, obj_files, binary_meshes, usd_files, pairs):
    assert not INPUTS.keys() & kind.INPUTS.keys()
    INPUTS |= kind.INPUTS
