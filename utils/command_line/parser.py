"""How every script's command line begins; scripts that need no model import no more than this."""

import argparse

from utils.command_line.flag_values import frame_rate


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser that shows a script's docstring as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


def add_frame_rate_argument(group: argparse._ActionsContainer) -> None:
    """Add what files that count seconds, and films, are played at."""
    group.add_argument(
        "--frame_rate", type=frame_rate, default=30.0, metavar="FPS",
        help="frames per second of characters' animations, caches and films (default: 30)",
    )  # fmt: skip
