"""Headless Chromium by its own protocol, over a pipe: pages are clicked as a person would.

https://chromedevtools.github.io/devtools-protocol: messages are JSON that ends with a zero byte,
to the browser on its file descriptor 3, from it on 4.
"""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds until a page that does not do what is waited for is given up."""
KEYS = {
    "Enter": 13,
    "Escape": 27,
    "Tab": 9,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
}


class Browser:
    """One process of Chromium; `close` ends it."""

    def __init__(self, program: str, profile: Path) -> None:
        """Start `program` with an empty profile folder."""
        (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
        # Out of the way of 3 and 4, which the shell below gives them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_in, theirs_out)]
        redirect = f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}'
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        command = [program, *options, f"--user-data-dir={profile}", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", redirect, "bash", *command],
            pass_fds=ends,
            stderr=subprocess.DEVNULL,
        )
        for end in (theirs_in, theirs_out, *ends):
            os.close(end)
        self.reader, self.writer = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.events: list[dict[str, Any]] = []
        self.sent = 0
        self.buffer = b""

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are kept."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": params}
        message |= {"sessionId": session} if session else {}
        self.writer.write(json.dumps(message).encode() + b"\0")
        self.writer.flush()
        for answer in self._messages():
            if answer.get("id") == self.sent:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)
        raise AssertionError(f"Chromium ended during {method}")

    def _messages(self) -> Iterator[dict[str, Any]]:
        """Yield messages as they come."""
        while True:
            while b"\0" in self.buffer:
                message, _, self.buffer = self.buffer.partition(b"\0")
                yield json.loads(message)
            more = os.read(self.reader.fileno(), 1 << 20)
            if not more:
                return
            self.buffer += more

    def close(self) -> None:
        """End the process."""
        self.send("Browser.close")
        self.process.wait()
        self.reader.close()
        self.writer.close()


class Page:
    """One tab."""

    def __init__(self, browser: Browser, width: int = 1280, height: int = 900) -> None:
        """Open an empty tab of a size in CSS pixels."""
        self.browser = browser
        target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.send("Target.attachToTarget", targetId=target, flatten=True)
        self.target, self.session = target, attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        # Nothing moves by itself, so that a place is still the same when it is clicked.
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.send("Emulation.setEmulatedMedia", features=[still])
        self.resize(width, height)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command to this tab."""
        return self.browser.send(method, self.session, **params)

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return what the tab has told of one kind."""
        told = [e for e in self.browser.events if e.get("sessionId") == self.session]
        return [event["params"] for event in told if event["method"] == method]

    def resize(self, width: int, height: int, mobile: bool = False) -> None:
        """Be a screen of this size."""
        metrics = {"width": width, "height": height, "mobile": mobile, "deviceScaleFactor": 1}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)

    def open(self, path: Path, anchor: str = "") -> None:
        """Open a file and wait until its script has run."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=path.as_uri() + anchor)
        self.wait("document.documentElement?.dataset.ready === 'yes'")

    def run(self, script: str) -> Any:
        """Return the value of an expression of JavaScript."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, (script, found["exceptionDetails"])
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < until, f"never true: {script}"
            time.sleep(0.02)

    def text(self, selector: str) -> str:
        """Return the text of the first element."""
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).textContent")
        return found

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element."""
        every = f"[...document.querySelectorAll({json.dumps(selector)})]"
        found: list[str] = self.run(f"{every}.map((one) => one.textContent)")
        return found

    def click(self, selector: str, across: float = 0.5, down: float = 0.5) -> None:
        """Click an element at a share of its width and height, where nothing may cover it."""
        x, y = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            " one.scrollIntoView({block: 'center'});"
            " const box = one.getBoundingClientRect();"
            f" const at = [box.left + box.width * {across}, box.top + box.height * {down}];"
            " const hit = document.elementFromPoint(...at);"
            " if (!one.contains(hit)) throw new Error('covered by ' + (hit && hit.outerHTML));"
            " return at; })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def drag(
        self, points: Sequence[tuple[float, float]], *, shift: bool = False, release: bool = True
    ) -> None:
        """Press the left button at the first of some points of the window, move to the last."""
        held = {"button": "left", "buttons": 1, "modifiers": 8 if shift else 0}
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1)]
        for kind, (x, y) in zip(kinds, points, strict=True):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, clickCount=1, **held)
        if release:
            x, y = points[-1]
            self.send("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, **held)

    def wheel(self, x: float, y: float, down: float) -> None:
        """Turn the wheel at a point of the window; up, away from the user, is negative."""
        turned = {"deltaX": 0, "deltaY": down}
        self.send("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, **turned)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        """Touch the window with as many fingers as points: Start, Move or End."""
        fingers = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
        self.send("Input.dispatchTouchEvent", type=f"touch{kind}", touchPoints=fingers)

    def write(self, text: str) -> None:
        """Type text into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key: str) -> None:
        """Press and release a key."""
        code = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **code, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **code)

    def close(self) -> None:
        """Close the tab."""
        self.browser.send("Target.closeTarget", targetId=self.target)
