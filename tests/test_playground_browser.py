"""The playground as a command, in a real browser, with the shipped weights."""

import concurrent.futures
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from melody.flags import ROOT
from tests.browsing import until

pytestmark = pytest.mark.slow

ABC = "".join(f"X:{n}\nT:tune {n}\nM:3/4\nL:1/4\nK:G\nG A B | c B A | {'GAB'[n % 3]}3 |]\n\n" for n in range(1, 4))
LINES = "document.querySelectorAll('article').length"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("songs")


@pytest.fixture(scope="module")
def server(folder):
    """The process of serve.py, and its address."""
    flags = ["--port", "0", "--no-browser", "--out", str(folder), "--data", str(folder / "data")]
    command = [sys.executable, "serve.py", *flags]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    address = next(found[1] for line in process.stdout if (found := re.match(r"(http://\S+) is ready", line)))
    yield process, address
    process.terminate()
    assert process.wait(30) in (0, -15)


@pytest.fixture
def page(browser, server):
    """The page, opened with some settings; its console is clean at the end."""

    def open_page(query=""):
        browser.get(f"{server[1]}/{query}")
        until(browser, "choices && document.querySelector('#mix input')")
        return browser

    browser.get_log("browser")
    yield open_page
    assert browser.get_log("browser") == []


def fill(browser, **values):
    for name, value in values.items():
        browser.execute_script("document.getElementById(arguments[0]).value = arguments[1]", name, value)


def compose(browser, songs=1):
    """Press the button and wait for the songs."""
    browser.execute_script("document.getElementById('compose').focus()")
    before = browser.execute_script(f"return {LINES}")
    browser.execute_script("document.getElementById('compose').click()")
    until(browser, f"{LINES} == {before + songs} && running === null", 120)


def notes(browser):
    """What the newest song plays."""
    script = "return [...document.querySelector('.batch article').querySelectorAll('.roll rect')]"
    return browser.execute_script(script + ".map(r => [r.dataset.midi, r.getAttribute('x'), r.dataset.quarters])")


def test_compose_play_and_share(page):
    browser = page()
    fill(browser, length=24)
    compose(browser)
    browser.find_element("css selector", ".batch article .play").click()
    until(browser, "sounding && sounding.position > .3", 60)
    browser.find_element("css selector", ".batch article .play").click()
    link, first = browser.current_url, notes(browser)
    page(link[link.index("?") :])
    until(browser, f"{LINES} == 1 && running === null", 60)
    assert notes(browser) == first
    assert browser.find_element("id", "seed").get_property("value") in link


def test_the_seed_is_locked_and_the_temperature_changed(page):
    browser = page("?mix=deutschl%3D1&tempo=90")
    fill(browser, length=24)
    compose(browser)
    seed, first = browser.find_element("id", "seed").get_property("value"), notes(browser)
    browser.find_element("id", "lock").click()
    compose(browser)
    assert notes(browser) == first and browser.find_element("id", "seed").get_property("value") == seed
    fill(browser, temperature="1.3")
    compose(browser)
    assert notes(browser) != first and browser.find_element("id", "seed").get_property("value") == seed
    assert all(one in browser.current_url for one in (f"seed={seed}", "temperature=1.3", "tempo=90"))
    browser.find_element("id", "lock").click()
    compose(browser)
    assert browser.find_element("id", "seed").get_property("value") != seed


def test_mix_and_several_songs(page):
    from selenium.webdriver.common.keys import Keys

    browser = page()
    slider = browser.find_element("id", "part-deutschl")
    slider.send_keys(*[Keys.ARROW_RIGHT] * 5)  # 5 steps of 5, beside 100
    assert slider.get_attribute("aria-valuetext") == "20 %"
    fill(browser, length=16, count=3)
    compose(browser, 3)
    assert "mix=china%3D0.8+deutschl%3D0.2" in browser.current_url
    assert "mix china deutschl" in browser.find_element("css selector", "article h2").text.replace("-", " ")


def test_upload_and_compose_from_it(page, tmp_path):
    (tmp_path / "mine.abc").write_text(ABC)
    (tmp_path / "broken.abc").write_text("no tune")
    browser = page()
    browser.find_element("css selector", "#own summary").click()
    browser.find_element("id", "upload").send_keys(f"{tmp_path / 'mine.abc'}\n{tmp_path / 'broken.abc'}")
    until(browser, "document.getElementById('uploaded').textContent.startsWith('3 songs, 21 notes')", 60)
    assert "broken.abc: not an ABC file" in browser.find_element("css selector", "#own .error").text
    assert browser.find_element("id", "part-own").get_attribute("aria-valuetext") == "100 %"
    drop = "const data = new DataTransfer(); data.items.add(new File([arguments[0]], 'dropped.abc'));"
    drop += "document.getElementById('own').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}))"
    browser.execute_script(drop, ABC.partition("X:2")[0])
    until(browser, "document.getElementById('uploaded').textContent.startsWith('1 song, 7 notes')", 60)
    fill(browser, length=16)
    compose(browser)
    assert "own=" in browser.current_url
    assert browser.execute_script("return [...songs.values()].pop().command").count("--like") == 1


def test_first_notes_from_the_keyboard_vary_continue_and_keep(page, folder):
    browser = page("?mix=china%3D1&meter=3%2F4")
    browser.find_element("css selector", "[data-control=notes] summary").click()
    keys = browser.find_elements("css selector", "#keyboard button")
    for index in (7, 9, 11):
        keys[index].click()
    browser.find_element("id", "bar").click()
    assert browser.find_element("id", "notes").get_property("value") == "G2 A2 B2 |"
    fill(browser, length=16)
    compose(browser)
    assert [midi for midi, *_ in notes(browser)[:3]] == ["67", "69", "71"]
    fill(browser, notes="")
    compose(browser)
    for number, action in enumerate(("vary", "step", "continue"), start=3):
        first = notes(browser)
        browser.find_element("css selector", f".batch [data-do={action}]").click()
        until(browser, f"{LINES} == {number} && running === null", 60)
        assert notes(browser) != first
    assert [midi for midi, *_ in notes(browser)[: len(first)]] == [midi for midi, *_ in first]
    browser.find_element("css selector", ".batch [data-do=keep]").click()
    until(browser, "/Kept as .*001.mid/.test(document.querySelector('.batch .actions p').textContent)")
    assert len(list((folder / "playground/kept").glob("001.*"))) == 6
    browser.find_element("css selector", ".batch [data-do=link]").click()
    offered = browser.find_element("css selector", ".batch textarea").get_property("value")
    assert offered.startswith("http://127.0.0.1") and "\n\npython generate_song.py --out" in offered


def test_a_click_on_the_map_composes_from_there(page):
    browser = page()
    fill(browser, length=16)
    browser.find_element("css selector", "#mapbox summary").click()
    until(browser, "document.querySelectorAll('#map circle').length > 400", 60)
    browser.find_element("id", "map").click()
    until(browser, f"{LINES} == 1 && running === null", 60)
    assert "at=" in browser.current_url
    fill(browser, x="-1", y="2")
    browser.find_element("id", "there").click()
    until(browser, f"{LINES} == 2 && running === null", 60)
    assert "at=-1+2" in browser.current_url


def test_an_error_stands_beside_its_control(page):
    browser = page()
    fill(browser, temperature="hot")
    browser.execute_script("document.getElementById('compose').click()")
    until(browser, "running === null && document.querySelector('#temperature').ariaInvalid", 60)
    field = browser.switch_to.active_element
    place = browser.find_element("id", field.get_attribute("aria-describedby"))
    assert field.get_attribute("id") == "temperature" and "'hot' is not a number" in place.text
    fill(browser, temperature="1", length=16)
    compose(browser)
    assert not browser.find_elements("css selector", "[aria-invalid]")
    browser.get_log("browser")  # the browser itself notes an answer of status 400


def test_a_request_is_cancelled(page):
    browser = page()
    fill(browser, count=32, length=500, temperature="1.2")
    browser.execute_script("document.getElementById('compose').click()")
    until(browser, "!document.getElementById('cancel').disabled")
    browser.find_element("id", "cancel").click()
    until(browser, "document.getElementById('status').textContent == 'Cancelled'")
    fill(browser, count=1, length=16)
    compose(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1000])
def test_the_page_fits_and_is_accessible(page, scheme, width, axe):
    """With songs, an error and all boxes open: no serious violation, no shift of the layout, no sideways scrolling."""
    browser = page()
    screen = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": width < 500}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    shifts = "new PerformanceObserver(l => l.getEntries().forEach(e => e.hadRecentInput || (window.shift += e.value)))"
    browser.execute_script(f"window.shift = 0; {shifts}.observe({{type: 'layout-shift', buffered: false}})")
    try:
        fill(browser, length=24, count=3)
        compose(browser, 3)
        assert browser.execute_script("return window.shift") < 0.1
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        browser.execute_script("document.querySelector('[data-do=link]').click(); complain('not a key', 'key')")
        until(browser, "document.querySelectorAll('#map circle').length > 400", 60)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        browser.execute_script(axe)
        found = browser.execute_async_script("axe.run().then(arguments[0])")["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert serious == [], [(one["id"], [node["html"] for node in one["nodes"]][:3]) for one in serious]
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The source of axe-core: that of AXE_CORE, or what npm installs."""
    if "AXE_CORE" in os.environ:
        return Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8")
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("npm")
    if not npm:
        pytest.skip("no npm, which installs axe-core; or name its axe.min.js in AXE_CORE")
    done = subprocess.run([npm, "install", "--no-save", "--silent", "axe-core@4"], cwd=folder, capture_output=True)
    if done.returncode:
        pytest.skip("npm cannot install axe-core; or name its axe.min.js in AXE_CORE")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


def test_200_requests_none_is_lost_and_memory_stays(server):
    """Eight at a time. The process may grow while the first 50 are composed, hardly after them."""
    process, address = server

    def request(seed):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=300)
        connection.request("POST", "/compose", f"length=16&mix=china=1&number=1&seed={seed}")
        lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
        connection.close()
        return [event for event in lines if "id" in event], lines[-1]

    sizes = []
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        for part in range(4):
            answers = list(clients.map(request, range(50 * part, 50 * (part + 1))))
            assert [end for songs, end in answers if len(songs) != 1 or end != {"done": True}] == []
            sizes.append(resident(process.pid))
    assert sizes[3] - sizes[0] < 60, f"MB after 50, 100, 150 and 200 requests: {sizes}"


def resident(pid):
    """Megabytes of memory of a process."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("no /proc, which says how much memory a process has")
    return int(re.search(r"VmRSS:\s+(\d+)", status.read_text())[1]) // 1024
