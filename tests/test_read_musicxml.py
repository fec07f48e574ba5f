"""Reading MusicXML, plain and packed."""

import zipfile

import pytest

NOTE = "<note>{}<pitch><step>{}</step><octave>4</octave></pitch><duration>{}</duration>{}</note>"
SCORE = (
    '<?xml version="1.0" encoding="UTF-8"?>{}<score-partwise version="4.0">'
    "<movement-title>Up &amp; down</movement-title>"
    '<part-list><score-part id="P1"><part-name>a</part-name></score-part></part-list><part id="P1"><measure number="1">'
    "<attributes><divisions>2</divisions><key><fifths>1</fifths><mode>major</mode></key>"
    "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    + NOTE.format("", "G", 1, "")
    + "<note><rest/><duration>1</duration></note>"
    + NOTE.format("", "A", 4, '<tie type="start"/>')
    + '</measure><measure number="2">'
    + NOTE.format("", "A", 2, '<tie type="stop"/>')
    + NOTE.format("", "C", 2, "")
    + NOTE.format("<chord/>", "E", 2, "")
    + "</measure></part></score-partwise>"
)
DOCTYPE = '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "partwise.dtd">'
ENTITIES = [
    '<!DOCTYPE a [<!ENTITY b "cc">]>',
    '<!DOCTYPE a [<!ENTITY b SYSTEM "other.xml">]>',
    '<!DOCTYPE a [<!ENTITY % b "c">]>',
]


def test_musicxml(read):
    song = read("a.musicxml", SCORE.format(DOCTYPE))[0][0]
    assert (song.pitch, song.duration, song.rest_before) == (["G4", "A4", "E4"], [0.5, 3, 1], [0, 0.5, 0])
    assert (song.title, song.key, song.meter, song.chords) == ("Up & down", "G", "3/4", 1)


def test_bars(read):
    """The first measure holds 3 of 3 quarter notes, the second 2: it is the last and may be short."""
    song = read("a.musicxml", SCORE.format(DOCTYPE))[0][0]
    assert (song.beat, song.bar, song.pickup) == ([0, 1, 1], [3, 3, 3], 0)


def test_a_pickup_measure(read):
    measure = '<measure number="{}"{}>{}</measure>'
    start, end = SCORE.index('<measure number="1">'), SCORE.index("</part></score")
    attributes = SCORE[SCORE.index("<attributes>") : SCORE.index("</attributes>") + 13]
    full = "".join(NOTE.format("", step, 2, "") for step in "GAB")
    measures = [
        measure.format(0, ' implicit="yes"', attributes + NOTE.format("", "D", 2, "")),
        measure.format(1, "", full),
    ]
    last = NOTE.format("", "G", 2, "") + "<note><rest/><duration>2</duration></note>"
    score = SCORE[:start] + "".join([*measures, measure.format(2, "", last)]) + SCORE[end:]
    song = read("a.musicxml", score.format(""))[0][0]
    assert (song.beat, song.bar) == ([2, 0, 1, 2, 0], [3] * 5)
    assert (song.pickup, song.rest_after) == (1, 1)


@pytest.mark.parametrize("declaration", ENTITIES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_every_encoding(reason, declaration, encoding):
    text = SCORE.replace("UTF-8", encoding).format(declaration).encode(encoding)
    assert "declares XML entities" in reason("a.xml", text)


def mxl(path, score):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "META-INF/container.xml", '<container><rootfiles><rootfile full-path="s.xml"/></rootfiles></container>'
        )
        archive.writestr("s.xml", score)
    return path.read_bytes()


def test_packed_musicxml(read, tmp_path):
    assert read("a.mxl", mxl(tmp_path / "b", SCORE.format("")))[0][0].pitch == ["G4", "A4", "E4"]


def test_a_packed_bomb_is_not_unpacked(reason, tmp_path):
    assert "when unpacked" in reason("a.mxl", mxl(tmp_path / "b", bytes(9 * 2**20)))
    assert "declares" in reason("a.mxl", mxl(tmp_path / "b", SCORE.format(ENTITIES[0])))


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-gEq8", "ascii", "utf-16"])
def test_text_in_another_encoding_than_declared_says_so(reason, encoding):
    content = SCORE.replace("UTF-8", encoding).format("").encode().replace(b"<part-name>", b"<part-name>\xe9\xff")
    assert reason("a.xml", content) == f"it is not text in the encoding {encoding}"
