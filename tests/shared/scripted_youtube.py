"""yt-dlp with one extractor, which answers for YouTube as a script says."""

from typing import Any

from video_server import Host
from yt_dlp import YoutubeDL
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError, GeoRestrictedError

from mmx.acquisition.youtube import Open

SAYS = {
    "gone": "Video unavailable. This video has been removed by the uploader",
    "private": "Private video. Sign in if you've been granted access to this video",
    "age": "Sign in to confirm your age. This video may be inappropriate for some users",
    "bot": "Sign in to confirm you're not a bot",
    "rate": "Video unavailable. This content isn't available, try again later",
    "lost": "Unable to download webpage: The read operation timed out",
    "new": "Unable to extract initial data",
}
"""By the first letters of an id, what YouTube answers."""


class Scripted(InfoExtractor):  # type: ignore[misc]
    """Knows ids that begin with a word of SAYS, `land` or `bug`; others are videos of a host."""

    _VALID_URL = r"https://www\.youtube\.com/watch\?v=(?P<id>[A-Za-z0-9_-]{11})"

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    def _real_extract(self, url: str) -> dict[str, Any]:
        name = self._match_id(url)
        said = next((text for word, text in SAYS.items() if name.startswith(word)), "")
        if said:
            raise ExtractorError(said, expected=True)
        if name.startswith("land"):
            raise GeoRestrictedError("The uploader has not made this video available here")
        if name.startswith("bug"):
            raise TypeError("an extractor may raise anything")
        form = {"url": self.host.url(f"ok/{name}.mp4"), "format_id": "18", "ext": "mp4"}
        facts = {"id": name, "title": name, "uploader": "Studio", "license": "CC-BY"}
        return {**facts, "formats": [{**form, "height": 360, "vcodec": "h", "acodec": "a"}]}


def opener(host: Host) -> Open:
    """Return what opens yt-dlp with that extractor alone."""

    def opened(options: dict[str, Any]) -> Any:
        downloader = YoutubeDL(options, auto_init=False)
        downloader.add_info_extractor(Scripted(host))
        return downloader

    return opened
