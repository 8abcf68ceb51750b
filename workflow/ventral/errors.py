"""The one kind of error that a user can cause and mend."""


class InputError(ValueError):
    """A file, a table or a key of the config is not what it has to be.

    The message names what is wrong, where it stands (file, key, row) and what would be right. The command line prints
    it without a traceback.
    """
