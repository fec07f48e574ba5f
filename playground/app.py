"""The pages and answers of the server."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from melody.errors import UserError
from melody.formats.song_files import FORMATS
from melody.listen.page_html import PLAYER, STYLE
from playground.choices import choices, latent_map
from playground.composing import SongService, StoredSong
from playground.queue import Queue, line_of
from playground.security import SameOriginMiddleware, own_names
from playground.settings import RequestError, Settings

MOST_BODY = 8 * 2**20  # bytes of a request
MOST_FILES = 50  # in an upload
HERE = Path(__file__).parent
ASSETS = {"/": HERE / "page.html", "/playground.css": HERE / "page.css", "/playground.js": HERE / "page.js"}
ASSETS |= {"/page.css": STYLE, "/player.js": PLAYER}
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
SUFFIXES = (".mid", ".musicxml", ".svg", ".abc", ".krn", ".json")  # written for each song
WARM_UP = ("count=1&seed=0", "count=8&seed=0", "count=3&seed=0")  # compiles what one song and several need


class Playground:
    """The answers to requests. What needs the models is done in the thread that composes, files in another one."""

    def __init__(self, service: SongService):
        self.service, self.queue, self.files = service, Queue(), asyncio.Lock()

    def app(self, host: str) -> Starlette:
        routes = [Route(path, partial(asset, path=file)) for path, file in ASSETS.items()]
        routes += [
            Route("/choices", self.choices),
            Route("/map/{name}", self.map),
            Route("/compose", self.compose, methods=["POST"]),
            Route("/own", self.own, methods=["POST"]),
            Route("/notes", self.notes, methods=["POST"]),
            Route("/keep", self.keep, methods=["POST"]),
            Route("/songs/{name}", self.song),
        ]
        same_origin = Middleware(SameOriginMiddleware, is_own_name=own_names(host))
        handlers = {UserError: refused, RequestError: refused, HTTPException: failed, ClientDisconnect: gone}
        return Starlette(
            routes=routes,
            middleware=[same_origin],
            exception_handlers=handlers,
            lifespan=self.lifespan,
            max_body_size=MOST_BODY,
        )

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        for query in WARM_UP if self.service.args.warm_up else ():
            self.queue.add(partial(self.service.compose, Settings.parse(query)))
        yield
        self.queue.close()
        self.service.reader.close()

    async def choices(self, request: Request) -> Response:
        return JSONResponse(choices(self.service) | {"most_files": MOST_FILES, "most_body": MOST_BODY})

    async def map(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.service.sources:
            raise HTTPException(404, "there is no such region")
        return JSONResponse(await self.queue.call(latent_map, self.service, name))

    async def compose(self, request: Request) -> Response:
        settings = Settings.parse((await request.body()).decode("utf-8", "replace"))
        return stream(self.queue.add(partial(self.service.compose, settings)).lines())

    async def own(self, request: Request) -> Response:
        """Songs of the user's own: a JSON list of {name, content in base64}. Answers line by line as they are read."""
        return stream(self._own(uploaded(await request.body())))

    async def _own(self, files: list[tuple[str, str, bytes]]) -> AsyncIterator[bytes]:
        folder = self.service.store.add_own([(suffix, content) for _, suffix, content in files])
        songs, notes, left_out = 0, 0, []
        for path, (name, _, _), place in zip(sorted(folder.iterdir()), files, range(1, len(files) + 1), strict=True):
            try:
                read = await self._call(self.service.reader.read, [(path, folder)], None, lambda message: None)
                songs, notes = songs + len(read), notes + sum(len(song.pitch) for song in read)
            except UserError as reason:
                left_out.append(f"{name}: {str(reason).partition(f'{path}: ')[2] or reason}")
            yield line_of({"read": place, "of": len(files), "left_out": left_out})
        yield line_of({"id": folder.name, "songs": songs, "notes": notes} if songs else {"error": "; ".join(left_out)})

    async def notes(self, request: Request) -> Response:
        """The tune in a file, or typed notes, as ABC."""
        (_, suffix, content), *others = uploaded(await request.body())
        if others:
            raise RequestError("give one file", "notes")
        try:
            return JSONResponse({"abc": await self._call(self.service.reader.tune, FORMATS[suffix], content)})
        except UserError as reason:
            raise RequestError(str(reason), "notes") from None

    async def keep(self, request: Request) -> Response:
        stored = self._stored((await request.body()).decode("utf-8", "replace"))
        return JSONResponse({"path": str(await self._call(self.service.store.keep, *stored))})

    async def song(self, request: Request) -> Response:
        """A file of a song, by its id and suffix."""
        id, dot, suffix = request.path_params["name"].partition(".")
        stored, suffix = self._stored(id), dot + suffix
        name = f"{stored.record['title'].replace(' ', '-')}{suffix}"
        if suffix == ".wav" and self.service.args.sound:
            path = await self._call(self.service.store.sound, id, *stored, self.service.args.sound_font)
            return FileResponse(path, media_type="audio/wav", filename=name, content_disposition_type="inline")
        if suffix not in (*SUFFIXES, ".zip"):
            raise HTTPException(404, "there is no such file")
        content = await self._call(self._file, stored, suffix)
        heads = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(content, media_type="application/octet-stream", headers=heads)

    def _file(self, stored: StoredSong, suffix: str) -> bytes:
        """The content of one of a song's files, or of all as a zip."""
        with self.service.store.files(*stored) as midi:
            if suffix != ".zip":
                return midi.with_suffix(suffix).read_bytes()
            zipped = io.BytesIO()
            with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(midi.parent.iterdir()):
                    archive.write(path, path.name)
            return zipped.getvalue()

    def _stored(self, id: str) -> StoredSong:
        if id not in self.service.songs:
            raise HTTPException(404, "this song is not remembered any more; compose it again")
        return self.service.songs[id]

    async def _call(self, function: Callable, *arguments):
        """Call a function that reads or writes files, one at a time."""
        async with self.files:
            return await asyncio.to_thread(function, *arguments)


def uploaded(body: bytes) -> list[tuple[str, str, bytes]]:
    """The name, suffix and content of each file of an upload. Raises `RequestError` if there are none, too many, or
    some of a format that is not read."""
    try:
        files = [(str(file["name"]), base64.b64decode(file["content"], validate=True)) for file in json.loads(body)]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise RequestError("this is not an upload of this page", "own") from None
    if not 1 <= len(files) <= MOST_FILES:
        raise RequestError(f"{len(files)} files; give 1 to {MOST_FILES}", "own")
    suffixes = [next((suffix for suffix in FORMATS if name.lower().endswith(suffix)), "") for name, _ in files]
    for (name, _), suffix in zip(files, suffixes, strict=True):
        if not suffix:
            raise RequestError(f"{name[:60]} is of no format that is read: {' '.join(FORMATS)}", "own")
    return [(name[:60], suffix, content) for (name, content), suffix in zip(files, suffixes, strict=True)]


def stream(lines: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def asset(request: Request, path: Path) -> Response:
    return Response(path.read_bytes(), media_type=KINDS[path.suffix])


async def refused(request: Request, mistake: UserError) -> Response:
    """An error that the user can correct, in words and with the control that it belongs to."""
    return JSONResponse({"error": str(mistake), "control": getattr(mistake, "control", "")}, 400)


async def failed(request: Request, mistake: HTTPException) -> Response:
    return JSONResponse({"error": mistake.detail, "control": ""}, mistake.status_code)


async def gone(request: Request, mistake: ClientDisconnect) -> Response:
    """To a client that hung up before its request was complete, so that nobody reads it."""
    return Response(status_code=400)
