"""Downloads that break off half way, from a server on this machine."""

import hashlib
import http.server
import threading

import numpy as np
import pytest

from ventral.datasets.download import PIECE, fetch
from ventral.errors import InputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA1 = hashlib.sha1(CONTENT).hexdigest()


class Breaking(http.server.BaseHTTPRequestHandler):
    """Send the content from the byte that is asked for, and break off after as many bytes as the server says."""

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        asked = self.headers["Range"] if self.server.ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.server.asked.append(self.headers["Range"])
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.server.breaks.pop(0)])


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as running:
        running.asked, running.ranges, running.breaks = [], True, []
        running.url = f"http://127.0.0.1:{running.server_port}/a.npy"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "a.npy"


def test_a_download_that_breaks_off_goes_on_where_it_was(server, target):
    server.breaks = [20 * PIECE + 5, 3 * PIECE, 10**9]
    fetch(target, url=server.url, sha1=SHA1)
    assert target.read_bytes() == CONTENT
    # A piece that is not whole is lost.
    assert server.asked == [None, f"bytes={20 * PIECE}-", f"bytes={23 * PIECE}-"]
    assert [path.name for path in target.parent.iterdir()] == ["a.npy"]


def test_the_next_attempt_goes_on_where_the_last_gave_up(server, target):
    server.breaks = [20 * PIECE, 0, 10**9]
    with pytest.raises(InputError, match="Try again: what has come is kept"):
        fetch(target, url=server.url, sha1=SHA1)
    assert not target.exists()
    fetch(target, url=server.url, sha1=SHA1)
    assert target.read_bytes() == CONTENT
    assert server.asked[-1] == f"bytes={20 * PIECE}-"


def test_a_server_without_ranges_sends_all_of_it_again(server, target):
    server.ranges, server.breaks = False, [1_500_000, 10**9]
    fetch(target, url=server.url, sha1=SHA1)
    assert target.read_bytes() == CONTENT


def test_a_whole_file_that_was_not_checked_yet_is_checked(server, target):
    target.parent.mkdir()
    (target.parent / f".a.npy.{SHA1[:12]}.partial").write_bytes(CONTENT)
    fetch(target, url=server.url, sha1=SHA1)
    assert target.read_bytes() == CONTENT


def test_what_has_come_of_another_content_is_not_gone_on_from(server, target):
    target.parent.mkdir()
    (target.parent / f".a.npy.{'0' * 12}.partial").write_bytes(b"x" * 1000)
    server.breaks = [10**9]
    fetch(target, url=server.url, sha1=SHA1)
    assert target.read_bytes() == CONTENT


def test_a_half_file_that_is_damaged_is_said_and_fetched_anew(server, target):
    target.parent.mkdir()
    (target.parent / f".a.npy.{SHA1[:12]}.partial").write_bytes(b"x" * 1000)
    server.breaks = [10**9, 10**9]
    with pytest.raises(InputError, match=f"its sha1 is [0-9a-f]{{40}}, {SHA1} is right. Try again"):
        fetch(target, url=server.url, sha1=SHA1)
    fetch(target, url=server.url, sha1=SHA1)
    assert target.read_bytes() == CONTENT
