"""One page in the browser: go somewhere, look, click, and take a picture."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firedrill.screenshots.chromium import BrowserError, Connection
from firedrill.wait import poll_until

WIDE, PHONE = (1440, 900), (390, 844)
LOAD_SECONDS = 90.0
# What a browser says of its own accord and no page of ours can help; the second when an interface of the
# machine comes or goes, a container's for one: the browser loads again by itself.
_NOT_ERRORS = ("favicon.ico", "net::ERR_NETWORK_CHANGED")


class Page:
    """A tab; it notes errors on its console, exceptions, and requests to other hosts."""

    def __init__(self, connection: Connection, *, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
        self._connection = connection
        context = connection.send("Target.createBrowserContext")["browserContextId"]
        self._target = connection.send("Target.createTarget", url="about:blank", browserContextId=context)[
            "targetId"
        ]
        self._session = connection.send("Target.attachToTarget", targetId=self._target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._send(f"{domain}.enable")
        self.resize(size)
        self.prefer(dark=dark)

    def go(self, address: str) -> None:
        """Open an address and wait until it is loaded."""
        answer = self._send("Page.navigate", url=address)
        if "errorText" in answer:
            raise BrowserError(f"{address} cannot be opened", str(answer["errorText"]))
        self.wait("document.readyState === 'complete'", f"{address} to load", LOAD_SECONDS)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression, promises awaited. Raises BrowserError for an exception."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            why = details.get("exception", {}).get("description") or details.get("text", "")
            raise BrowserError("the page threw an exception", str(why))
        return answer["result"].get("value")

    def wait(self, expression: str, description: str, seconds: float = 15.0) -> None:
        """Wait until a JavaScript expression is true. Raises TimedOut."""
        poll_until(lambda: bool(self.ask(f"Boolean({expression})")), description, seconds, interval=0.05)

    def text(self, selector: str = "body") -> str:
        """The text of the first element that the selector finds, empty for none."""
        return str(self.ask(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def click(self, selector: str) -> None:
        """Click in the middle of the first element that the selector finds, as a mouse would."""
        found = self.ask(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); if (!one) return null;"
            "one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        if found is None:
            raise BrowserError(f"there is nothing to click at {selector}")
        self.click_at(*found)

    def click_at(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Press a key such as Tab, Enter or a letter."""
        codes = {"Enter": 13, "Tab": 9, "Escape": 27}
        more: dict[str, object] = {"windowsVirtualKeyCode": codes[key]} if key in codes else {"text": key}
        if key == "Enter":
            more["text"] = "\r"
        self._send("Input.dispatchKeyEvent", type="keyDown", key=key, **more)
        self._send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def resize(self, size: tuple[int, int]) -> None:
        """The window's width and height, a phone's below 600."""
        width, height = size
        self._send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def prefer(self, *, dark: bool) -> None:
        """What the system prefers, light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", features=[scheme])

    def cookie(self, address: str, name: str, value: str) -> None:
        """Set a cookie."""
        self._send("Network.setCookie", url=address, name=name, value=value)

    def picture(self, file: Path, *, whole: bool = False) -> None:
        """Write what is seen, or with `whole` all of the page, to a PNG."""
        answer = self._send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(answer["data"]))

    def errors(self) -> list[str]:
        """What went wrong so far: errors on the console, exceptions, failed loads."""
        self._connection.listen(0.05)
        found = [_error(one) for one in self._own()]
        return [one for one in found if one and not any(words in one for words in _NOT_ERRORS)]

    def asked(self) -> list[str]:
        """The addresses that the page asked."""
        self._connection.listen(0.05)
        return [
            one["params"]["request"]["url"]
            for one in self._own()
            if one["method"] == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        """Close the tab."""
        self._connection.send("Target.closeTarget", targetId=self._target)

    def _own(self) -> list[Mapping[str, Any]]:
        return [one for one in self._connection.events if one.get("sessionId") == self._session]

    def _send(self, method: str, **parameters: object) -> Any:
        return self._connection.send(method, self._session, **parameters)


def _error(event: Mapping[str, Any]) -> str:
    parameters = event.get("params", {})
    if event["method"] == "Runtime.exceptionThrown":
        details = parameters["exceptionDetails"]
        return f"exception: {details.get('exception', {}).get('description') or details.get('text')}"
    if event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "assert"}:
        return "console: " + " ".join(
            str(one.get("value", one.get("description"))) for one in parameters["args"]
        )
    entry = parameters.get("entry", {})
    if event["method"] == "Log.entryAdded" and entry.get("level") == "error":
        return f"log: {entry['text']} {entry.get('url', '')}"
    return ""
