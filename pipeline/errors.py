"""The one exception that a user may see."""


class InputError(Exception):
    """Something that the user can put right.

    The message is one line: which file or argument, what was expected, what came. The command
    line prints it without a traceback and exits with status 1.
    """
