"""Waiting for a page in a browser."""

import time


def until(browser, script, seconds=20):
    """Wait until a JavaScript expression is true; return its value."""
    end = time.monotonic() + seconds
    while not (value := browser.execute_script(f"return {script}")):
        assert time.monotonic() < end, f"not within {seconds} seconds: {script}"
        time.sleep(0.05)
    return value
