"""Loaded by a Dask worker (`--preload`), which then ends at once when it reads certain files.

At a file `poison.krn` it always ends; at `once.krn` only if there is no file `once.dead` beside it yet.
"""

import os
import signal

from melody.formats import corpus

if not hasattr(corpus, "undisturbed"):  # Dask may load this twice
    corpus.undisturbed = corpus.read_batch


def read_or_die(files):
    for path, *_ in files:
        dead = path.with_name("once.dead")
        if path.name == "poison.krn" or (path.name == "once.krn" and not dead.exists()):
            dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return corpus.undisturbed(files)


corpus.read_batch = read_or_die
