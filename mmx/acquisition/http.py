"""Plain addresses: fetched by urllib3, gone on with in the middle of a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, LoadError, MozillaCookieJar
from importlib.metadata import version
from mimetypes import guess_extension
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import Request

import urllib3
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError
from urllib3.response import BaseHTTPResponse

from mmx.acquisition.arrived import LIMITED, Arrived, known_suffix, outcome_of
from mmx.acquisition.limits import Pace, megabytes
from mmx.acquisition.outcome import FetchError, Outcome
from mmx.acquisition.part import Announced, Part, continues, total_of, validator_of
from mmx.errors import UserError

CHUNK = 1 << 16
MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class CookiesError(UserError):
    """A file of cookies cannot be read."""


def read_cookies(path: Path | None) -> CookieJar:
    """Return the cookies of a file in the form of Netscape's; raise CookiesError."""
    jar = MozillaCookieJar()
    try:
        if path:
            jar.load(str(path), ignore_discard=True, ignore_expires=True)
    except (OSError, LoadError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise CookiesError(f"{path} is not a file of cookies (cookies.txt): {reason}") from None
    for cookie in jar:
        # 0 is how browsers' exports write that it lasts as long as the session.
        cookie.expires = cookie.expires or None
    return jar


@dataclass(frozen=True)
class Http:
    """Fetches plain addresses."""

    pace: Pace
    cookies: CookieJar = field(default_factory=CookieJar)
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def check(self, url: str) -> None:
        """Ask for the first byte of a file; raise FetchError where it is not there."""
        with self._open(url, {"Range": "bytes=0-0"}) as response:
            if response.status not in (200, 206, 416):
                raise _fault(response)

    def fetch(self, url: str, path: Path) -> Arrived:
        """Fetch a file to `path`, from where an earlier attempt ended.

        What is there is kept only if the host vouches that the rest is of the same bytes. Raise
        FetchError, StoppedError.
        """
        part = Part(path)
        announced = part.announced(url)
        if not (announced and part.is_whole(announced)):
            announced = self._go_on(part, announced, url) or self._begin(part, url)
        if announced.total is not None and part.size != announced.total:
            size = part.size
            part.drop()
            raise FetchError(Outcome.broken, f"{announced.total} bytes announced, {size} came")
        suffix = known_suffix([urlsplit(url).path, f"x{guess_extension(announced.format) or ''}"])
        return Arrived(path, suffix, announced.format)

    def _go_on(self, part: Part, announced: Announced | None, url: str) -> Announced | None:
        """Fetch the rest; return None where it must begin anew."""
        size = part.size
        if not (announced and announced.validator and announced.total and size):
            return None
        headers = {"Range": f"bytes={size}-", "If-Range": announced.validator}
        with self._open(url, headers) as response:
            if response.status == 206 and continues(response, announced, size):
                self._receive(response, part, announced)
                return announced
            if response.status == 200:
                return self._receive_anew(response, part, url)
            if response.status not in (206, 416):
                raise _fault(response)
        part.drop()
        return None

    def _begin(self, part: Part, url: str) -> Announced:
        with self._open(url, {}) as response:
            if response.status != 200:
                raise _fault(response)
            return self._receive_anew(response, part, url)

    def _receive_anew(self, response: BaseHTTPResponse, part: Part, url: str) -> Announced:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        earlier, total = part.announced(url), total_of(response)
        ended = earlier.ended if earlier and earlier.total == total else None
        announced = Announced(url, validator_of(response), total, kind, ended)
        part.begin(announced)
        self._receive(response, part, announced)
        return announced

    def _receive(self, response: BaseHTTPResponse, part: Part, announced: Announced) -> None:
        """Append an answer's bytes."""
        try:
            self._append(response, part, urlsplit(announced.url).hostname or "")
        except ProtocolError as error:
            if _missing(error) is None or not part.ended_early(announced):
                raise
            size = part.size
            part.drop()
            raise FetchError(
                Outcome.broken, f"{announced.total} bytes announced, twice only {size} came"
            ) from None

    def _append(self, response: BaseHTTPResponse, part: Part, host: str) -> None:
        started, came, largest = self.pace.clock(), 0, self.pace.params.largest_mb
        if part.size + (total_of(response) or 0) > megabytes(largest):
            part.drop()
            raise _too_large(largest)
        with part.path.open("ab", buffering=0) as file:
            # What has arrived, without waiting for more: a host that stops takes none of it back.
            while chunk := response.read1(CHUNK, decode_content=False):
                self.pace.check()
                file.write(chunk)
                came += len(chunk)
                self.pace.spend(host, started, came)
                if file.tell() > megabytes(largest):
                    part.drop()
                    raise _too_large(largest)

    @contextmanager
    def _open(self, url: str, headers: dict[str, str]) -> Iterator[BaseHTTPResponse]:
        """Ask, within the limits of each host on the way; errors of the network are FetchErrors."""
        response = None
        try:
            response = self._ask(url, headers)
            yield response
        except HTTPError as error:
            raise FetchError(Outcome.network, _reason(error)) from None
        finally:
            if response is not None:
                response.close()

    def _ask(self, url: str, headers: dict[str, str]) -> BaseHTTPResponse:
        """Return the answer at the end of redirections, with its body unread."""
        for _ in range(MOST_REDIRECTS + 1):
            self.pace.ask(urlsplit(url).hostname or "")
            response = self._request(url, headers)
            if response.status not in _REDIRECTS:
                return response
            response.close()
            url = _led_to(url, response.headers.get("Location", ""))
        raise FetchError(Outcome.broken, f"it leads on more than {MOST_REDIRECTS} times")

    def _request(self, url: str, headers: dict[str, str]) -> BaseHTTPResponse:
        carrier = Request(url)
        self.cookies.add_cookie_header(carrier)
        cookie = carrier.get_header("Cookie")
        own = {"Accept-Encoding": "identity", "User-Agent": f"mmx/{version('mmx')}"}
        return self.pool.request(
            "GET",
            url,
            headers={**own, **headers, **({"Cookie": cookie} if cookie else {})},
            preload_content=False,
            retries=False,
            timeout=self.pace.params.timeout_s,
        )


def _missing(error: HTTPError) -> int | None:
    """Return how many bytes too early a connection ended; None for another error."""
    found = next((each for each in error.args if isinstance(each, IncompleteRead)), None)
    return found.expected if found else None


def _reason(error: HTTPError) -> str:
    missing = _missing(error)
    if missing is not None:
        return f"the connection ended {missing} bytes early"
    return str(error) or type(error).__name__


def _led_to(url: str, location: str) -> str:
    """Return the address that an answer leads to."""
    try:
        found = urljoin(url, location)
        if urlsplit(found).scheme in ("http", "https"):
            return found
    except ValueError:
        pass
    raise FetchError(Outcome.broken, "it leads to what is no address of http or https")


def _too_large(largest: float) -> FetchError:
    return FetchError(Outcome.broken, f"it is larger than fetch.largest_mb, {largest:g}")


def _fault(response: BaseHTTPResponse) -> FetchError:
    """Return the error of an answer that is not of success."""
    outcome = outcome_of(response.status)
    wait = _seconds(response.headers.get("Retry-After", "")) if response.status in LIMITED else 0.0
    return FetchError(outcome, f"HTTP {response.status} {response.reason or ''}".strip(), wait)


def _seconds(text: str) -> float:
    """Return what Retry-After says, in seconds or as a date; 0 where it says nothing."""
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
