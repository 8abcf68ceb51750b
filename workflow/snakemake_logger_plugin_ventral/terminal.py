"""Write lines to a terminal, with a last line that changes in place."""

import os
from typing import TextIO

COLOURS = {"red": 31, "yellow": 33}
ERASE_LINE = "\r\033[K"


class Terminal:
    """The terminal, file or pipe that receives the lines.

    Parameters
    ----------
    stream : text stream
        A terminal, or a file or pipe, to which the changing line is never written.
    colours : bool
        Whether a terminal shows colours.

    Attributes
    ----------
    changes_in_place : bool
        Whether there is a line that changes in place.
    """

    def __init__(self, stream: TextIO, colours: bool = True) -> None:
        self.stream = stream
        self.changes_in_place = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = colours and self.changes_in_place
        self.status = ""

    def line(self, text: str, colour: str | None = None) -> None:
        """Write a line above the one that changes."""
        coloured = f"\033[{COLOURS[colour]}m{text}\033[0m" if colour and self.colours else text
        self._write(f"{ERASE_LINE if self.status else ''}{coloured}\n{self.status}")

    def show(self, status: str) -> None:
        """Change the last line; an empty text removes it."""
        if self.changes_in_place:
            self.status = status[: self._width() - 1]
            self._write(ERASE_LINE + self.status)

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
