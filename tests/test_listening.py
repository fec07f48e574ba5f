"""The page on which listeners distinguish real songs from composed ones: excerpts, key, and the score in a browser."""

import base64
import re
from types import SimpleNamespace

import numpy as np
import pytest

from evaluation import listening
from evaluation.listening import EACH, REGIONS, excerpt, write_listening_page
from melody import encoding
from melody.errors import UserError
from melody.meter import bar_length
from melody.song import exact
from tests.browsing import until
from tests.synthetic import dataset_of, tunes


@pytest.fixture
def context(monkeypatch):
    """Songs of two regions; the composed ones are these backwards."""
    songs = dataset_of(tunes(8))
    encoded, vocabulary = encoding.encode(songs, songs.vocabulary), songs.vocabulary
    composed = [song._replace(pitch=song.pitch[::-1]) for song in encoded]
    monkeypatch.setattr(listening, "from_memories", lambda context, memories, *options: composed[: len(memories)])
    vae = SimpleNamespace(sample=lambda count, rng: np.zeros(count), decode=lambda latents: latents)
    return SimpleNamespace(
        rng=lambda *words: np.random.default_rng(0),
        sampler=lambda guided: SimpleNamespace(can_continue=lambda song: True),
        trained=SimpleNamespace(vocabulary=vocabulary),
        encoded_of=lambda part, region: encoded,
        vaes=dict.fromkeys(REGIONS, vae),
        guidance=0.5,
        temperature=0.85,
        part="validation",
    )


def key_of(text):
    return [byte % 2 == 1 for byte in base64.b64decode(re.search(r'atob\("(.*?)"\)', text)[1])]


def test_half_of_the_excerpts_are_real_and_nothing_else_tells_which(context, tmp_path):
    text = write_listening_page(tmp_path, context).read_text(encoding="utf-8")
    is_real = key_of(text)
    assert len(is_real) == text.count("<article") == 4 * EACH and sum(is_real) == 2 * EACH
    assert sorted(is_real, reverse=True) != is_real != sorted(is_real), "in random order"
    assert re.findall(r"<h2>(.*?)</h2>", text) == [f"Excerpt {place}" for place in range(1, 4 * EACH + 1)]
    for word in (*REGIONS, "Most similar", "phrases", "tune"):
        assert word not in text.partition("</style>")[2]
    assert (tmp_path / "listening.html").read_text(encoding="utf-8") == text


def test_an_excerpt_ends_with_a_full_bar(context, monkeypatch):
    """The songs have five bars, so that three are an excerpt and eight the whole song."""
    for song in context.encoded_of("validation", "china"):
        whole = encoding.decode(song, context.trained.vocabulary)
        if not bar_length(whole.meter):
            continue
        assert excerpt(whole, "a").pitch == whole.pitch
        monkeypatch.setattr(listening, "BARS", 3)
        part = excerpt(whole, "a")
        filled = sum(map(exact, (*part.duration, *part.rest_before, part.rest_after)))
        assert filled == exact(whole.pickup) + 3 * bar_length(whole.meter)
        assert part.pitch == whole.pitch[: len(part.pitch)] and not any(part.phrase) and part.title == "a"
        monkeypatch.undo()


def test_too_few_songs_are_an_error(context, tmp_path):
    context.encoded_of = lambda part, region: []
    with pytest.raises(UserError, match="0 held-out songs of china are too few"):
        write_listening_page(tmp_path, context)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda real: real, "20 of 20 are right; p = 0.0000054:"),
        (lambda real: not real, "0 of 20 are right; p = 1.0:"),
        (lambda real: True, "10 of 20 are right; p = 1.0:"),
    ],
)
def test_the_score_is_shown_when_all_are_answered(context, tmp_path, browser, answer, says):
    """All right: the chance is 1 in 184,756, the ways to choose 10 of 20."""
    path = write_listening_page(tmp_path, context)
    browser.get(path.as_uri())
    browser.get_log("browser")
    until(browser, "document.querySelectorAll('.question').length == 20")
    button = browser.find_element("css selector", "#listening button")
    for place, real in enumerate(key_of(path.read_text(encoding="utf-8")), start=1):
        assert not button.is_enabled()
        value = "real" if answer(real) else "composed"
        browser.execute_script(f"document.querySelector('[name=excerpt-{place}][value={value}]').click()")
    button.click()
    assert browser.find_element("id", "score").text.startswith(says)
    assert browser.execute_script("return document.querySelectorAll('.question input:enabled').length") == 0
    assert browser.get_log("browser") == []
