"""Skin2Scan in Blender: write training sequences of a rigged character, train on them, and deform it live.

The rest of the project stays outside: it trains in a Python of its own, and comes back as one ONNX file.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

from . import handlers, operators, panel, properties

MODULES = (properties, operators, panel, handlers)


def register():
    for module in MODULES:
        module.register()


def unregister():
    for module in reversed(MODULES):
        module.unregister()
