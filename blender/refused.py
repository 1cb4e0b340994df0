"""What cannot be done, in one line for the panel."""

# SPDX-License-Identifier: GPL-3.0-or-later


class Refused(Exception):
    """One line: what was found, what was expected, and what to do. Nothing has changed in the scene."""
