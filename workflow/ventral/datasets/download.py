"""Download of files of published data sets, with checks of their content; broken downloads are continued."""

import logging
from pathlib import Path

from ventral.errors import InputError

logger = logging.getLogger("ventral")

# Largest number of bytes lost when a connection breaks.
PIECE = 2**16
# Seconds to wait for a connection, and between two pieces.
TIMEOUT = (30, 120)
# The start of a range lies beyond the end of the file.
RANGE_NOT_SATISFIABLE = 416


def fetch(output: str | Path, *, url: str, sha256: str = "", sha1: str = "") -> None:
    """Download one file, so that it is whole and checked, or absent.

    The downloaded part stays beside the output in its own file, and the next attempt continues from there.

    Parameters
    ----------
    output : path
        File to write.
    url : str
        Address of the file.
    sha256, sha1 : str
        Checksum of the published content, one of the two.

    Raises
    ------
    InputError
        If the file cannot be downloaded, or its content is not the published one.
    """
    import pooch
    import requests

    output, algorithm, expected = Path(output), "sha256" if sha256 else "sha1", sha256 or sha1
    logger.info("fetch %s from %s", output, url)
    output.parent.mkdir(parents=True, exist_ok=True)
    # A download of other content never continues this part.
    partial = output.with_name(f".{output.name}.{expected[:12]}.partial")
    try:
        _download(url, partial)
    except requests.exceptions.RequestException as error:
        raise InputError(
            f"{url}: cannot be downloaded: {error}. Try again: what has come is kept. Or, on a machine without a way "
            f"to it, copy the source's files there and give their folder as the data set's `folder`"
        ) from error
    found = pooch.file_hash(str(partial), alg=algorithm)
    if found != expected:
        partial.unlink()
        raise InputError(
            f"{url}: not the file that was published: its {algorithm} is {found}, {expected} is right. Try again; or "
            f"get the source's files another way and give their folder as the data set's `folder`"
        )
    partial.replace(output)
    logger.info("fetched %s, %d bytes", output, output.stat().st_size)


def _download(url: str, partial: Path) -> None:
    """Add the missing rest to a file; connect again after a break, as long as bytes arrive."""
    import requests

    while True:
        before = _size(partial)
        try:
            _add_rest(url, partial)
            return
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            if _size(partial) <= before:
                raise
            logger.warning("%s: broke off after %d bytes (%s); the rest is fetched", url, _size(partial), error)


def _add_rest(url: str, partial: Path) -> None:
    """Add the missing rest to a file in one request; a server without ranges sends the whole file."""
    import requests

    have = _size(partial)
    # A compressed answer would have other ranges.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if have and answer.status_code == RANGE_NOT_SATISFIABLE:
            return
        answer.raise_for_status()
        with partial.open("ab" if answer.status_code == requests.codes.partial_content else "wb") as file:
            for piece in answer.iter_content(PIECE):
                file.write(piece)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
