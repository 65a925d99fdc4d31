"""A headless Chromium without a network, spoken to through a pipe: no driver, no socket, no package.

Chromium reads commands of the DevTools protocol from file 3 and writes answers and events to file 4, each ended by a
zero byte (`--remote-debugging-pipe`).
"""

import base64
import json
import os
import subprocess
from contextlib import contextmanager

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
LOADED = """new Promise(done =>
    document.readyState === "complete" ? done(true) : addEventListener("load", () => done(true)))"""


class Browser:
    """One page: `run` evaluates an expression in it, `console` has what it logged, threw or was refused."""

    def __init__(self, command, answers):
        self._command, self._answers, self._number = command, answers, 0
        self.console, self.requests, self._session = [], [], None

    def send(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._command.write(json.dumps(message).encode() + b"\0")
        self._command.flush()
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def _next(self):
        letters = bytearray()
        while (letter := self._answers.read(1)) != b"\0":
            assert letter, "Chromium has gone"
            letters += letter
        return json.loads(letters)

    def _note(self, event):
        name, params = event.get("method"), event.get("params", {})
        if name == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        if name in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.console.append(json.dumps(params)[:500])

    def open(self, url, width=1440, height=1000, dark=False):
        if self._session is None:
            page = self.send("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.send("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.send(f"{domain}.enable")
            self.send(
                "Network.emulateNetworkConditions",
                offline=True,
                latency=0,
                downloadThroughput=0,
                uploadThroughput=0,
            )
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)
        assert self.run(LOADED)

    def resize(self, width, height=1000):
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def run(self, expression):
        told = self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def screenshot(self, path):
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(profile, program="chromium"):
    """A browser that ends with the block."""
    commands, answers = os.pipe(), os.pipe()

    def inherit():
        # Numbers above the two that are wanted: else one would be closed by the other's copy.
        high = [os.dup2(end, at) for end, at in ((commands[0], 30), (answers[1], 31))]
        os.dup2(high[0], 3)
        os.dup2(high[1], 4)

    started = subprocess.Popen(
        [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
        preexec_fn=inherit,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands[0])
    os.close(answers[1])
    with os.fdopen(commands[1], "wb") as write, os.fdopen(answers[0], "rb") as read:
        try:
            yield Browser(write, read)
        finally:
            started.terminate()
            started.wait(30)
