"""The geometry nodes that move vertices by another mesh's positions."""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy

GROUP = "Skin2Scan corrections"
OURS = "skin2scan"
CORRECTIONS, REGION = "Corrections", "Region"


def is_corrections_group(group):
    return group is not None and OURS in group


def identifier(group, name):
    """Return by what name a modifier knows an input of its group."""
    return next(each.identifier for each in group.interface.items_tree if each.name == name)


def corrections_group():
    """Return the group, one for all characters of this file."""
    for each in bpy.data.node_groups:
        if is_corrections_group(each) and not each.library:
            return each
    group = bpy.data.node_groups.new(GROUP, "GeometryNodeTree")
    group[OURS] = True
    group.interface.new_socket("Geometry", in_out="INPUT", socket_type="NodeSocketGeometry")
    group.interface.new_socket(CORRECTIONS, in_out="INPUT", socket_type="NodeSocketObject")
    region = group.interface.new_socket(REGION, in_out="INPUT", socket_type="NodeSocketFloat")
    region.default_value = 1.0
    group.interface.new_socket("Geometry", in_out="OUTPUT", socket_type="NodeSocketGeometry")

    nodes = group.nodes
    kinds = {
        "given": "NodeGroupInput", "carrier": "GeometryNodeObjectInfo", "place": "GeometryNodeInputPosition",
        "number": "GeometryNodeInputIndex", "moved": "GeometryNodeSampleIndex", "scaled": "ShaderNodeVectorMath",
        "set": "GeometryNodeSetPosition", "result": "NodeGroupOutput",
    }  # fmt: skip
    made = {name: nodes.new(kind) for name, kind in kinds.items()}
    for column, name in enumerate(kinds):
        made[name].location = (200 * column, 0)
    made["moved"].data_type, made["scaled"].operation = "FLOAT_VECTOR", "SCALE"
    links = [
        ("given", CORRECTIONS, "carrier", "Object"),
        ("carrier", "Geometry", "moved", "Geometry"),
        ("place", "Position", "moved", "Value"),
        ("number", "Index", "moved", "Index"),
        ("moved", "Value", "scaled", "Vector"),
        ("given", REGION, "scaled", "Scale"),
        ("given", "Geometry", "set", "Geometry"),
        ("scaled", "Vector", "set", "Offset"),
        ("set", "Geometry", "result", "Geometry"),
    ]
    for source, output, target, socket in links:
        inputs = [each for each in made[target].inputs if each.name == socket and each.enabled]
        outputs = [each for each in made[source].outputs if each.name == output and each.enabled]
        group.links.new(outputs[0], inputs[0])
    return group
