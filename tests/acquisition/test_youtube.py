"""What yt-dlp raises is put into the classes of outcomes."""

import sys

import pytest
from yt_dlp.networking.exceptions import TransportError
from yt_dlp.utils import DownloadError, ExtractorError

from mmx.acquisition.limits import Pace
from mmx.acquisition.outcome import FetchError
from mmx.acquisition.youtube import MissingYtDlpError, YouTube, _errors, open_yt_dlp
from mmx.params import FetchParams


def told(error: Exception) -> tuple[str, str]:
    with pytest.raises(FetchError) as caught, _errors():
        raise error
    return str(caught.value.outcome), str(caught.value)


@pytest.mark.parametrize(
    "message, outcome",
    [
        ("Video unavailable", "gone"),
        ("This video has been removed by the uploader", "gone"),
        ("The YouTube account associated with this video has been terminated.", "gone"),
        ("Private video. Sign in if you've been granted access to this video", "private"),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "age"),
        ("The uploader has not made this video available in your country", "region"),
        ("Sign in to confirm you’re not a bot", "blocked"),
        ("Join this channel to get access to members-only content", "blocked"),
        ("The current session has been rate-limited by YouTube for up to an hour.", "limited"),
        ("Unable to download webpage: <urlopen error timed out>", "network"),
        ("Requested format is not available", "broken"),
    ],
)
def test_words_have_their_class(message: str, outcome: str) -> None:
    assert told(DownloadError(f"ERROR: [youtube] abcdefghijk: {message}")) == (
        outcome,
        f"[youtube] abcdefghijk: {message}",
    )


class Answer(Exception):
    """As yt-dlp's HTTPError, which carries the status of an answer."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP Error {status}")
        self.status = status


@pytest.mark.parametrize(
    "status, outcome",
    [(429, "limited"), (403, "blocked"), (404, "gone"), (410, "gone"), (451, "region"),
     (503, "limited"), (502, "network")],
)  # fmt: skip
def test_the_status_of_an_answer_counts_more_than_words(status: int, outcome: str) -> None:
    inner = ExtractorError("Unable to download API page", cause=Answer(status))
    assert told(DownloadError(str(inner), (type(inner), inner, None)))[0] == outcome


def test_a_lost_connection_is_of_the_network() -> None:
    inner = TransportError("Connection reset by peer")
    assert told(DownloadError(str(inner), (type(inner), inner, None)))[0] == "network"


def test_a_full_disk_is_no_videos_fault() -> None:
    full = OSError(28, "No space left on device")
    with pytest.raises(OSError, match="No space"), _errors():
        raise DownloadError("unable to write data", (OSError, full, None))


def test_limits_and_format_reach_yt_dlp() -> None:
    params = FetchParams(interval_s=3, rate_mb_s=0.5, format="18")
    options = YouTube(Pace(params))._options()
    assert (options["sleep_interval_requests"], options["ratelimit"]) == (3.0, 500_000)
    assert options["format"] == "18" and "cookiefile" not in options
    with open_yt_dlp(options) as downloader:
        assert downloader.params["max_filesize"] == 2_000_000_000


def test_without_yt_dlp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(MissingYtDlpError, match="pip install yt-dlp"):
        open_yt_dlp({})
