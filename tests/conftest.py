"""Settings and fixtures that several test files share."""

import os
import shutil
import tarfile

import pytest
from hypothesis import settings

from melody.formats import corpus
from melody.formats.limits import Unreadable
from melody.song import Song

settings.register_profile("any machine", deadline=None)  # a busy machine must not fail a test
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def kern_edition(tmp_path_factory):
    """The folder of the unpacked kern edition."""
    if "ESSEN_KERN" not in os.environ:
        pytest.skip("ESSEN_KERN does not name the archive of the kern edition (tar.gz)")
    folder = tmp_path_factory.mktemp("kern")
    with tarfile.open(os.environ["ESSEN_KERN"]) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def read(tmp_path):
    """Read one file with this name and content: (its songs, its tunes that cannot be read). Raises `Unreadable`."""

    def read_file(name, content):
        path = tmp_path / "own" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        found = corpus.read_file(path, path.parent)
        return [song for song in found if isinstance(song, Song)], [
            tune for tune in found if not isinstance(tune, Song)
        ]

    return read_file


@pytest.fixture
def reason(read):
    """The reason why a file with this name and content is refused."""

    def refused_because(name, content):
        with pytest.raises(Unreadable) as refused:
            read(name, content)
        return str(refused.value)

    return refused_because


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium with chromedriver: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(f"--{flag}")
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()
