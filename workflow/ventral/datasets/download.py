"""Download of files of published data sets, with checks of their content."""

import logging
from pathlib import Path

from ventral.errors import InputError

logger = logging.getLogger("ventral")


def fetch(output: str | Path, url: str, sha256: str) -> None:
    """Download one file, so that it is whole and checked, or absent.

    Parameters
    ----------
    output : path
        File to write.
    url : str
        Address of the file.
    sha256 : str
        SHA-256 of the published content.

    Raises
    ------
    InputError
        If the file cannot be downloaded, or its content is not the published one.
    """
    import pooch
    import requests

    from ventral import outputs

    logger.info("fetch %s from %s", output, url)
    with outputs.writing(output) as unfinished:
        try:
            pooch.HTTPDownloader(chunk_size=2**20)(url, unfinished, None)
        except requests.exceptions.RequestException as error:
            raise InputError(
                f"{url}: cannot be downloaded: {error}. Try again; or, on a machine without a way to it, copy the "
                f"source's files there and give their folder as the data set's `folder`"
            ) from error
        found = outputs.sha256(unfinished)
        if found != sha256:
            raise InputError(
                f"{url}: not the file that was published: its sha256 is {found}, {sha256} is right. Try again; or get "
                f"the source's files another way and give their folder as the data set's `folder`"
            )
    logger.info("fetched %s, %d bytes", output, Path(output).stat().st_size)
