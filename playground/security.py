"""Which requests are answered: those of this server's own page, opened under the server's own name."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    # The engraver's pictures have styles in them; nothing that is written into the page can bring a script.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SameOriginMiddleware:
    """Refuses requests with another Host (a name that was rebound to this machine) or of another Origin (another page),
    and adds the headers that keep the page to itself."""

    def __init__(self, app: ASGIApp, is_own_name: Callable[[str], bool]):
        self.app, self.is_own_name = app, is_own_name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self.refusal(scope["method"], Headers(scope=scope))
        app = PlainTextResponse(refused, 403) if refused else self.app
        await app(scope, receive, with_headers)

    def refusal(self, method: str, headers: Headers) -> str:
        """Why a request is refused; "" if it is not."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        if len(hosts) != 1 or not self.is_own_name(name_of(hosts[0])):
            return "this server is not known by that name; open the address that it prints"
        if origins not in ([], [f"http://{hosts[0]}"]):
            return "this server answers its own page alone"
        is_link = method == "GET" and headers.get("sec-fetch-mode") == "navigate"  # from anywhere to the page
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and not is_link:
            return "this server answers its own page alone"
        return ""


def name_of(host: str) -> str:
    """A Host without its port.

    >>> name_of("127.0.0.1:8000"), name_of("[::1]:8000"), name_of("Localhost")
    ('127.0.0.1', '[::1]', 'localhost')
    """
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def own_names(given: str) -> Callable[[str], bool]:
    """Whether a name is one of a server that listens on the address `given`: on the loopback interface its names, else
    also the address itself and any address in numbers, which no name can be rebound to."""
    if f"[{given}]" in LOOPBACK or given in LOOPBACK:
        return LOOPBACK.__contains__
    return lambda name: name in (*LOOPBACK, given.lower()) or _is_address(name.strip("[]"))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
