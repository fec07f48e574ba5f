"""The playground: compose songs in a browser, on your own machine.

reads   weights/lstm.*, weights/vae-<name>.*, and if they are there data/songs.h5, data/memories/<name>.h5
writes  songs/playground/...    uploaded songs, tunes to continue, songs that you keep

    python serve.py                            opens http://127.0.0.1:8000; Ctrl-C stops it
    python serve.py --port 8001 --no-browser   prints the address alone

The page composes as generate_song.py does and shows the command for each song. Only this machine can reach the server,
unless --host says otherwise. It is ready after half a minute on two cores; the first song then takes a second.
"""

import argparse
import os
import socket
import webbrowser

from melody.cli import init_keras, log, run
from melody.errors import UserError
from melody.flags import Flags, in_range
from melody.listen.soundfont import check_synthesizer
from playground.security import LOOPBACK

MOST_CONNECTIONS = 100  # at once
PATIENCE = 2  # seconds that open requests have to end when the server is stopped
FOLDERS = ("data", "weights")  # flags that generate_song.py has as well


def main() -> None:
    args = arguments()
    listener = listen(args.host, args.port)
    init_keras(args)
    import uvicorn  # late: --help needs none of them

    from playground.app import Playground
    from playground.composing import SongService

    args.sound = has_sound(args)
    app = Playground(SongService(args)).app(args.host)
    host = f"[{args.host}]" if ":" in args.host else args.host
    address = f"http://{host}:{listener.getsockname()[1]}"
    if host not in LOOPBACK:
        log(args, f"warning: every machine that reaches {address} can compose here and upload songs")
    log(args, f"{address} is ready; Ctrl-C stops it")
    if not args.no_browser:
        webbrowser.open(address)
    limits = {"limit_concurrency": MOST_CONNECTIONS, "timeout_graceful_shutdown": PATIENCE}
    config = uvicorn.Config(app, log_level="warning", server_header=False, **limits)
    uvicorn.Server(config).run(sockets=[listener])


def arguments() -> argparse.Namespace:
    flags = Flags(__doc__)
    for name in ("DATA", "WEIGHTS", "SOUND_FONT"):
        flags.add_setting(name)
    flags.add_setting("SONGS", "out")
    host = "address to listen on; another than the default lets other machines in (default: 127.0.0.1)"
    flags.add_argument("--host", default="127.0.0.1", help=host)
    port = "port to listen on; 0: any that is free (default: 8000)"
    flags.add_argument("--port", type=in_range(0, 65535, int), default=8000, metavar="N", help=port)
    flags.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    flags.add_argument("--no-warm-up", dest="warm_up", action="store_false", help="compile when songs are asked for")
    args = flags.parse_args()
    changed = [name for name in FOLDERS if getattr(args, name) != flags.get_default(name)]
    args.given = [word for name in changed for word in (f"--{name}", str(getattr(args, name)))]
    return args


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `UserError` if the address cannot be had."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        raise UserError(f"{host} port {port}: {reason}; choose another with --port or --host") from None


def has_sound(args: argparse.Namespace) -> bool:
    """Whether songs can be rendered as sound; a line says why not."""
    try:
        check_synthesizer(args.sound_font)
    except UserError as missing:
        log(args, f"songs are played by the browser alone: {missing}")
        return False
    return True


if __name__ == "__main__":
    run(main)
