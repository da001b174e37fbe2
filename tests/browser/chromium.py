"""Chromium without a window, driven by the DevTools protocol over one WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import ClientConnection

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
STARTED_WITHIN_S: Final = 30
SHOWN_WITHIN_S: Final = 20

_FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-proxy-server",
    # Whatever asks for another machine finds none.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


def find_chromium() -> str | None:
    """The browser of this machine; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass(slots=True)
class Page:
    """One tab, and what it asked for and complained about."""

    browser: Browser
    session: str
    requests: list[str] = field(default_factory=list)
    """The URL of everything that was asked for, sockets too."""
    complaints: list[str] = field(default_factory=list)
    """Errors of the console and what the content security policy refused."""

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command; returns its result."""
        return await self.browser.send(method, parameters, session=self.session)

    async def look_like(
        self, *, width: int, height: int, mobile: bool = False, dark: bool = False
    ) -> None:
        """Be a screen of this size, light or dark."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if mobile else 1,
            mobile=mobile,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])

    async def open(self, url: str) -> None:
        """Go there, and wait until the page and what it names have come."""
        await self.send("Page.navigate", url="about:blank")
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def value(self, expression: str) -> Any:
        """What the expression gives in the page, awaited where it is a promise."""
        answer = await self.send(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, (expression, answer)
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until the expression is true."""
        async with asyncio.timeout(SHOWN_WITHIN_S):
            for _ in count():
                if await self.value(f"Boolean({expression})"):
                    return
                await asyncio.sleep(0.02)

    async def press(self, key: str, *, code: int) -> None:
        """Press one key."""
        for kind in ("keyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                text="\r" if key == "Enter" and kind == "keyDown" else "",
            )

    async def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG."""
        shot = await self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))

    def hosts(self) -> set[str]:
        """The hosts that were asked, with their ports; `data:` and the like ask nobody."""
        return {
            parts.netloc
            for parts in map(urlsplit, self.requests)
            if parts.scheme in {"http", "https", "ws", "wss"}
        }

    def note(self, method: str, parameters: dict[str, Any]) -> None:
        """Take an event."""
        match method:
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(parameters["url"])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.complaints.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] == "error":
                self.complaints.append(str(parameters["args"]))


class Browser:
    """One running Chromium."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._sent = 0
        self._listening = asyncio.create_task(self._listen())

    async def send(
        self, method: str, parameters: dict[str, Any], *, session: str | None = None
    ) -> dict[str, Any]:
        """One command; returns its result."""
        self._sent += 1
        answer = self._answers[self._sent] = asyncio.get_running_loop().create_future()
        message = {"id": self._sent, "method": method, "params": parameters}
        await self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(STARTED_WITHIN_S):
            result: dict[str, Any] = await answer
            return result

    async def page(self) -> Page:
        """A new tab, in a profile of its own."""
        context = await self.send("Target.createBrowserContext", {})
        target = await self.send(
            "Target.createTarget",
            {"url": "about:blank", "browserContextId": context["browserContextId"]},
        )
        attached = await self.send(
            "Target.attachToTarget", {"targetId": target["targetId"], "flatten": True}
        )
        page = self._pages[attached["sessionId"]] = Page(self, attached["sessionId"])
        for domain in ("Page", "Network", "Log", "Runtime"):
            await page.send(f"{domain}.enable")
        await self.send(
            "Browser.grantPermissions",
            {
                "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"],
                "browserContextId": context["browserContextId"],
            },
        )
        return page

    async def close(self) -> None:
        """End it."""
        with suppress(Exception):
            await self.send("Browser.close", {})
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening

    async def _listen(self) -> None:
        with suppress(websockets.ConnectionClosed):
            await self._take()

    async def _take(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                answer = self._answers.pop(message["id"])
                if answer.done():
                    continue
                if "error" in message:
                    answer.set_exception(RuntimeError(str(message["error"])))
                else:
                    answer.set_result(message["result"])
            elif page := self._pages.get(message.get("sessionId", "")):
                page.note(message["method"], message["params"])


@asynccontextmanager
async def running_chromium(program: str, folder: Path) -> AsyncIterator[Browser]:
    """A browser inside the block; its profile is in the folder."""
    flags = [*_FLAGS, f"--user-data-dir={folder}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses to be root with one.
    process = await asyncio.create_subprocess_exec(
        program,
        *flags,
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        url = await _address(folder / "DevToolsActivePort", process)
        async with websockets.connect(url, max_size=None, proxy=None) as socket:
            browser = Browser(socket)
            yield browser
            await browser.close()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _address(file: Path, process: asyncio.subprocess.Process) -> str:
    """Where the browser listens, as it writes once it does."""
    async with asyncio.timeout(STARTED_WITHIN_S):
        while not (told := _told(file)):
            assert process.returncode is None, "the browser ended before it began"
            await asyncio.sleep(0.02)
        return told


def _told(file: Path) -> str:
    lines = file.read_text().splitlines() if file.exists() else []
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else ""
