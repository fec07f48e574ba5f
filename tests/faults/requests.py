"""Malformed requests to serve.py over sockets: it goes on, with the same answers, and says what is wrong."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from tqdm import tqdm

from tests.faults.commands import Row, command, kill, start
from tests.faults.damage import CHANGES, by_hand, write_songs
from tests.faults.workspace import Workspace

CLIENTS = 8  # at once
SLOW = 80  # connections that send half a request and wait; serve.py takes 100
PATIENCE = 90  # seconds for an answer
MORE_MEMORY = 200  # MB that the server may take more than after the first part
PARTS = 5  # of the requests; after each the folder of uploads is emptied, which the server asks for at 200
PATHS = "/ /choices /map/china /compose /own /notes /keep /songs/x.mid /songs/x.zip /page.css /player.js".split()
ELSEWHERE = (
    "/songs/../../x.mid /songs/%2e%2e%2fx.mid /map/..%2f..%2fx /songs//etc/passwd /..%00/x /map/%ff /songs/".split()
)
METHODS = "GET POST HEAD PUT DELETE OPTIONS TRACE PATCH CONNECT get G\0T".split()
VALUES = [*"0 -1 1e999 nan x é ../.. 1/0 [[ --out=x china=1 C".split(), "", "\0", "9" * 400, "china=1 china=1"]
HEADERS = [
    "Host: evil.example", "Host: 127.0.0.1:1", "Host:", "Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site",
    "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Content-Length: -1", "Content-Length: 10, 20", "Content-Length: x",
    "Content-Length: 99999999999999999999", "Expect: 100-continue", "Connection: Upgrade\r\nUpgrade: websocket", "Range: bytes=5-1",
    "If-Range: x", "Accept-Encoding: \xff", "X: " + "y" * 70_000, "Content-Type: multipart/form-data; boundary=", "Cookie: a=\0", ": none",
]  # fmt: skip
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) ")
GOOD = urlencode({"mix": "china=1", "seed": "7", "count": "1", "length": "20"})


class Server:
    """A process of serve.py, and requests to it."""

    def __init__(self, workspace: Workspace, out: Path):
        flags = ("--weights", workspace.root / "weights", "--data", workspace.root / "data", "--out", out)
        self.out, self.errors = out, []
        self.process = start(command("serve", *flags, "--port", 0, "--no-browser", "--no-warm-up"))
        address = next(line for line in self.process.stdout if b" is ready" in line)
        self.port = int(re.search(rb":(\d+) is ready", address)[1])
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True).start()

    def send(self, *parts: bytes, pause: float = 0.0, close: bool = False) -> bytes:
        """The whole answer to the parts of a request; `close`: hang up after them."""
        found = b""
        with suppress(OSError), self.connect() as line:
            for part in parts:
                line.sendall(part)
                time.sleep(pause)
            if not close:
                line.shutdown(socket.SHUT_WR) if pause else None
                while piece := line.recv(65536):
                    found += piece
        return found

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of the answer to a good request. Raises `RuntimeError` for one that was refused."""
        answer = self.send(self.request(method, path, body))
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"a good request: {answer[:200]!r}")
        return answer.partition(b"\r\n\r\n")[2]

    def request(self, method: str, path: str, body: bytes = b"", headers: Sequence[str] = ()) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", "Connection: close", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body

    def song(self) -> bytes:
        """The files of a song that is composed."""
        events = self.ask("POST", "/compose", GOOD.encode())
        id = re.search(rb'"id": "(\w+)"', events)
        if not id:
            raise RuntimeError(f"a good request: {events[-300:]!r}")
        return b"".join(self.ask("GET", f"/songs/{id[1].decode()}{suffix}") for suffix in (".mid", ".json", ".abc"))

    def memory(self) -> float:
        """MB of the server, without its reader."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


def requests(count: int, seed: int, scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """Malformed requests and uploads, from several clients, beside connections that wait."""
    bar.total = (bar.total or 0) + count
    server = Server(workspace, scratch / "served")
    try:
        remarks, more = try_all(server, count, seed, scratch, bar)
        server.process.terminate()
        ended = server.process.wait(PATIENCE)
    finally:
        kill(server.process)
    remarks += [f"it ended with {ended}"] * (ended not in (0, -15))
    said = b"".join(server.errors).decode(errors="replace")
    for lines in re.findall(r"Traceback .*?\n(?=\S)[^\n]*", said, re.DOTALL):
        remarks.append(f"a traceback: … {lines[-400:]}")
    what = f"malformed requests to serve.py ({max(more, 0):.0f} MB more than after {count // PARTS:,})"
    return [Row(what, count, len(remarks), remarks)]


def try_all(server: Server, count: int, seed: int, scratch: Path, bar: tqdm) -> tuple[list[str], float]:
    """What is wrong with the answers, and how many MB more the server takes after them than after the first part."""
    songs, before = hostile_songs(scratch / "uploads", seed), server.song()
    waiting = [server.connect() for _ in range(SLOW)]
    for number, line in enumerate(waiting):
        line.sendall(server.request("POST", "/own", b"x" * 100)[: 20 + number])

    def try_one(number: int) -> str:
        rng = np.random.default_rng([seed, number])
        kind = (odd_request, odd_settings, odd_upload, odd_body)[number % 4]
        answer = kind(server, songs, rng)
        bar.update()
        return f"{kind.__name__} {number}: {answer[:200]!r}" * any(code >= b"500" for code in ANSWER.findall(answer))

    remarks, memory = [], []
    with ThreadPoolExecutor(CLIENTS) as pool:
        for part in range(PARTS):
            remarks += filter(None, pool.map(try_one, range(part * count // PARTS, (part + 1) * count // PARTS)))
            memory.append(server.memory())
            shutil.rmtree(server.out / "playground" / "own", ignore_errors=True)
    for line in waiting:
        line.close()
    try:
        remarks += ["a good request has other bytes"] * (server.song() != before)
    except RuntimeError as wrong:
        remarks.append(str(wrong))
    more = memory[-1] - memory[0]
    remarks += [f"{more:.0f} MB more memory"] * (more > MORE_MEMORY)
    remarks += ["written elsewhere"] * ([path.name for path in server.out.iterdir()] != ["playground"])
    return remarks, more


def hostile_songs(folder: Path, seed: int) -> list[tuple[str, bytes]]:
    """Songs to damage, and files made by hand to do harm: (name, content)."""
    folder.mkdir()
    good = [(path.name, path.read_bytes()) for path in write_songs(folder, seed, 8)]
    texts = by_hand(folder / "outside.xml").items()
    hostile = [(name, text if isinstance(text, bytes) else text.encode()) for name, text in texts]
    return good + [(name, content) for name, content in hostile if len(content) < 2**20]


def changed(content: bytes, rng: np.random.Generator) -> bytes:
    for change in rng.choice(len(CHANGES), size=rng.integers(0, 3)):
        content = CHANGES[change](content, rng) if content else content
    return content


def odd_request(server: Server, songs: list, rng: np.random.Generator) -> bytes:
    """Any method, path and headers; now and then bytes that are no request."""
    path = str(rng.choice(PATHS + ELSEWHERE)) + str(rng.choice(["", "?x=" + "y" * 9000, "?%", "#", " ", "\\"]))
    headers = list(rng.choice(HEADERS, size=rng.integers(0, 4)))
    raw = server.request(str(rng.choice(METHODS)), path, rng.bytes(int(rng.integers(0, 50))), headers)
    return server.send(changed(raw, rng) if rng.random() < 0.3 else raw, pause=0.01)


def odd_settings(server: Server, songs: list, rng: np.random.Generator) -> bytes:
    """Settings out of range, of another type, or of another page."""
    from playground.settings import NAMES

    values = {"count": "1", "length": "10", "mix": "china=1"}
    values |= {str(name): str(rng.choice(VALUES)) for name in rng.choice(sorted(NAMES), size=rng.integers(1, 4))}
    body = urlencode(values).encode()
    return server.send(server.request("POST", "/compose", changed(body, rng) if rng.random() < 0.3 else body))


def odd_upload(server: Server, songs: list, rng: np.random.Generator) -> bytes:
    """Damaged and hostile songs, in uploads that are damaged too now and then."""
    chosen = [songs[k] for k in rng.integers(len(songs), size=rng.integers(1, 4))]
    files = [{"name": name, "content": base64.b64encode(changed(content, rng)).decode()} for name, content in chosen]
    path = str(rng.choice(["/own", "/notes"]))
    body = json.dumps(files if path == "/own" else files[:1]).encode()
    body = changed(body, rng) if rng.random() < 0.3 else body
    return server.send(server.request("POST", path, body))


def odd_body(server: Server, songs: list, rng: np.random.Generator) -> bytes:
    """A body that is cut short, longer or shorter than said, in chunks, huge, deep, or not of this page."""
    path = str(rng.choice(["/own", "/notes", "/compose", "/keep"]))
    deep, wrong = b"[" * 100_000, json.dumps([rng.choice([None, 7, {"name": 3}], size=3).tolist()]).encode()
    bodies = [rng.bytes(200), deep, wrong, b"{}", b'[{"name": "a.abc", "content": "\xff"}]', b'"x"', b"1e999"]
    body = bodies[rng.integers(len(bodies))]
    whole = server.request("POST", path, body)
    chunks = server.request("POST", path, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    send = [
        partial(server.send, whole),
        partial(server.send, whole[: -len(body) // 2], close=True),
        partial(server.send, whole[:-1], pause=0.02),
        partial(server.send, whole + b"more", pause=0.01),
        partial(server.send, chunks, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"),
        partial(server.send, chunks, b"-5\r\n" + body, pause=0.02),
        partial(server.send, chunks, b"ffffffffff\r\n", body, close=True),
        partial(server.send, server.request("POST", path, b" " * (9 * 2**20))),
    ]
    return send[rng.choice(len(send), p=[0.2, 0.2, 0.1, 0.1, 0.15, 0.1, 0.1, 0.05])]()
