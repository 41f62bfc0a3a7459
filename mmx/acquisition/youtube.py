"""YouTube's ids, by yt-dlp's library."""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmx.acquisition.arrived import Arrived, known_suffix, outcome_of
from mmx.acquisition.limits import Pace, host_limits, megabytes
from mmx.acquisition.outcome import FetchError, Outcome, StoppedError
from mmx.acquisition.wanted import YOUTUBE
from mmx.engine.errors import machine_fault
from mmx.errors import UserError

REQUESTS = 4
"""That yt-dlp makes for one video before the video itself: an estimate for dry runs."""
Options = dict[str, Any]
Open = Callable[[Options], Any]
"""Makes a YoutubeDL of its options."""
_WORDS = (
    (Outcome.limited, "rate-limit|too many requests|try again later"),
    (Outcome.private, "private"),
    (Outcome.age, "confirm your age|age.restricted|inappropriate for some users"),
    (Outcome.region, "your country|your location|geo.?restrict|in your region"),
    (Outcome.blocked, "not a bot|captcha|sign in|log ?in|members|purchase|payment|forbidden"),
    (Outcome.gone, "unavailable|removed|terminated|no longer|not exist|deleted|not found|closed"),
    (Outcome.network, "timed out|connection|resolve|network|incomplete|bytes read|ssl"),
)
"""What yt-dlp passes on of YouTube's words, the narrower classes first."""


class MissingYtDlpError(UserError):
    """yt-dlp is not installed."""


class _Silent:
    """Takes what yt-dlp would print: its errors are in the ledger."""

    def debug(self, message: str) -> None:
        """Take a line of progress."""

    def warning(self, message: str) -> None:
        """Take a warning."""

    def error(self, message: str) -> None:
        """Take an error, which is raised, too."""


def open_yt_dlp(options: Options) -> Any:
    """Return yt-dlp's downloader; raise MissingYtDlpError."""
    try:
        from yt_dlp import YoutubeDL
    except ImportError:
        raise MissingYtDlpError(
            "YouTube's ids need yt-dlp: `pip install yt-dlp`, or the extra `fetch` of mmx"
        ) from None
    return YoutubeDL(options)


@dataclass(frozen=True)
class YouTube:
    """Fetches YouTube's videos."""

    pace: Pace
    cookies: str = ""
    """Content of a file of cookies."""
    open: Open = open_yt_dlp

    def check(self, url: str) -> None:
        """Ask for what YouTube says of a video; raise FetchError where it is not there."""
        self._extract(url, self._options(), download=False)

    def fetch(self, url: str, folder: Path, stem: str) -> Arrived:
        """Fetch a video into a folder, from where an earlier attempt ended.

        `stem` begins the names of its files. Raise FetchError, StoppedError.
        """
        names = {"default": f"{stem}.%(format_id)s.%(ext)s"}
        own = {"paths": {"home": str(folder)}, "outtmpl": names}
        found = self._extract(url, self._options() | own, download=True)
        files = [Path(each.get("filepath") or "") for each in found.get("requested_downloads", ())]
        path = next((file for file in files if file.is_file()), None)
        if path is None:
            largest = self.pace.params.largest_mb
            raise FetchError(Outcome.broken, f"no file came (fetch.largest_mb is {largest:g})")
        told = [str(found.get(name) or "") for name in ("format_id", "uploader", "license")]
        return Arrived(path, known_suffix([path.name]), *told)

    def _extract(self, url: str, options: Options, download: bool) -> Options:
        """Let yt-dlp work within the limits; its errors are FetchErrors."""
        self.pace.ask(YOUTUBE)
        with _errors(), self.open(options) as downloader:
            found: Options = downloader.extract_info(url, download=download)
        return found

    def _options(self) -> Options:
        # Only the merging of pictures and sound needs it.
        from imageio_ffmpeg import get_ffmpeg_exe

        params, limits = self.pace.params, host_limits(self.pace.params, YOUTUBE)
        cookies = {"cookiefile": io.StringIO(self.cookies)} if self.cookies else {}
        return {
            **cookies,
            "format": params.format,
            "merge_output_format": "mp4",
            "ffmpeg_location": get_ffmpeg_exe(),
            "noplaylist": True,
            "updatetime": False,
            "cachedir": False,
            "retries": 0,
            "fragment_retries": 0,
            "extractor_retries": 0,
            "skip_unavailable_fragments": False,
            "socket_timeout": params.timeout_s,
            "ratelimit": megabytes(limits.rate_mb_s),
            "sleep_interval_requests": limits.interval_s,
            "max_filesize": megabytes(params.largest_mb),
            "progress_hooks": [lambda _: self.pace.check()],
            "logger": _Silent(),
            "color": {"stdout": "never", "stderr": "never"},
            "quiet": True,
            "noprogress": True,
        }


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what yt-dlp raises into FetchErrors, but for faults of this machine."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # Extractors are many people's code and raise anything: that costs this video alone.
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, StoppedError) or machine_fault(cause):
                raise cause from None
        raise FetchError(*classified(str(error), causes)) from None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, as yt-dlp keeps it."""
    seen: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead:
        each = ahead.pop(0)
        if isinstance(each, BaseException) and each not in seen:
            seen.append(each)
            inner = (getattr(each, "exc_info", None) or (None, None))[1]
            ahead += [inner, getattr(each, "cause", None), each.__cause__]
    yield from seen


def classified(message: str, causes: list[BaseException]) -> tuple[Outcome, str]:
    """Return the class of an error of yt-dlp, and its reason in words."""
    reason = message.removeprefix("ERROR: ").partition("; please report this issue")[0]
    if any(type(cause).__name__ == "GeoRestrictedError" for cause in causes):
        return Outcome.region, reason
    statuses = [status for each in causes if isinstance(status := getattr(each, "status", 0), int)]
    by_status = next((outcome_of(status) for status in statuses if status >= 400), None)
    by_words = (name for name, words in _WORDS if re.search(words, reason, re.IGNORECASE))
    return by_status or next(by_words, Outcome.broken), reason
