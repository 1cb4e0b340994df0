"""The one exception for wrong input: its message is all that a user needs to see."""


class InputError(ValueError):
    """What a user gave cannot be used; the message names the file or flag, what was found and what was expected."""
