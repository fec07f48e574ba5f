"""Loaded by a Dask worker (`--preload`), which then ends at once when it reads certain files, or never ends.

At a file `poison.krn` it always ends; at `once.krn` only if there is no file `once.dead` beside it yet. Reading
`endless.krn` has no end, and a song may take 2 seconds.
"""

import os
import signal

from melody.formats import corpus, limits, read_kern

if not hasattr(corpus, "undisturbed"):  # Dask may load this twice
    corpus.undisturbed, read_kern.undisturbed = corpus.read_batch, read_kern.read
    limits.PATIENCE = 2


def read_or_die(files):
    for path, *_ in files:
        dead = path.with_name("once.dead")
        if path.name == "poison.krn" or (path.name == "once.krn" and not dead.exists()):
            dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return corpus.undisturbed(files)


def read_or_go_on(content, name):
    while name.endswith("/endless"):
        pass
    return read_kern.undisturbed(content, name)


corpus.read_batch, read_kern.read = read_or_die, read_or_go_on
