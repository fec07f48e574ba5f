"""Regions: which songs belong to them, their table and counts, and their file names."""

import csv
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody import regions
from melody.dataset import dataset_of
from melody.errors import UserError
from melody.formats import essen
from melody.song import Song
from melody.vocabulary import ESSEN

NAMES = "asia/china/han/han0001 asia/china/shanxi/shanx001 europa/italia/italia01 europa/deutschl/erk/deut0001".split()
REGIONS = st.text(string.ascii_lowercase, min_size=1, max_size=8)
SIGNS = st.text("adDg&=* key", min_size=1, max_size=8)


def songs(*texts):
    """Songs of one note, each of `NAMES`, its genre, area, title, meter and key; what is left out is empty."""
    fields = [dict(zip(regions.FIELDS, one, strict=False)) for one in texts or [()] * len(NAMES)]
    notes = ["C4"], [1.0], [0.0], [True]
    return dataset_of([Song(name, *notes, **one) for name, one in zip(NAMES, fields, strict=True)], ESSEN)


CATALOGUE = songs(
    ("Xiaodiao", "Asia, China, Shanxi", "Lan hua", "2/4", "F"),
    ("Xiaodiao. Qingge", "Asia, China, Shanxi Hequ", "Er & San", "3/4", "k[b-]"),
    ("Liebes - Lied, Leid", "Europa, Italia, Tirol", "", "6/8", "d"),
    ("", "Europa, Tirol [Schwaz]", "A=B", "6/8", "D"),
)


@pytest.mark.parametrize(
    ("constraint", "chosen"),
    [
        ("han", [0]),
        ("China", [0, 1]),
        ("shanx", [1]),
        ("shanxi", [1]),
        ("asia/*", [0, 1]),
        ("*/erk/*", [3]),
        ("DEUT", [3]),
    ],
)
def test_a_constraint_is_a_folder_a_prefix_or_a_pattern(constraint, chosen):
    assert regions.choose(songs(), [constraint]) == chosen


@pytest.mark.parametrize(
    ("constraint", "chosen"),
    [
        ("genre=Xiaodiao", [0]),
        ("genre=xiao*", [0, 1]),
        ("GENRE = *liebe*", [2]),
        ("genre=*", [0, 1, 2]),
        ("genre=*e*", [1, 2]),
        ("area=*tirol*", [2, 3]),
        ("area=Europa, Tirol [Schwaz]", [3]),
        ("title=er ? san", [1]),
        ("title=a=b", [3]),
        ("meter=6/8", [2, 3]),
        ("meter=[23]/4", [0, 1]),
        ("key=minor", [2]),
        ("key=Major", [0, 3]),
        ("key=d", [2]),
        ("key=D", [3]),
        ("key=D minor", [2]),
        ("key=unknown", [1]),
        ("key=k[b-]", [1]),
        ("key=?", [0, 2, 3]),
        ("meter=6/8&key=major", [3]),
        ("europa & meter=6/8 & genre=*", [2]),
        ("asia/*&shanx", [1]),
    ],
)
def test_a_constraint_over_the_catalogue(constraint, chosen):
    assert regions.choose(CATALOGUE, [constraint]) == chosen == regions.members(CATALOGUE, constraint)


@pytest.mark.parametrize(
    ("constraint", "why"),
    [
        ("genre=xiao", "similar: Xiaodiao (1), 'Xiaodiao. Qingge' (1); 'genre=*xiao*' selects 2; all: python "),
        ("area=Tirol", "'Europa, Italia, Tirol' (1), 'Europa, Tirol [Schwaz]' (1); 'area=*tirol*' selects 2; all:"),
        ("meter=5/16", "the largest: 6/8 (2), 2/4 (1), 3/4 (1); all: python generate_memories.py --list meter"),
        ("key=minor & key=major", "some songs meet each of its terms, but none meets all"),
        ("china&area=*tirol*", "some songs meet each of its terms, but none meets all"),
        ("genr=*lied*", "(fields are genre, area, title, meter, key); all: python generate_memories.py --list"),
    ],
)
def test_a_constraint_that_no_song_meets_is_an_error_with_similar_values(constraint, why):
    with pytest.raises(UserError) as error:
        regions.choose(CATALOGUE, ["china", constraint])
    assert f"no song belongs to the region {constraint!r}; " in str(error.value) and why in str(error.value)


def test_a_field_that_no_song_states_is_an_error_that_says_so():
    with pytest.raises(UserError, match=r"; no song states its genre; docs/formats\.md says which formats do"):
        regions.choose(songs(), ["genre=*Liebe*"])


@pytest.mark.parametrize("text", ["", " ", "genre=", "key= ", "han&", "&", "han&&china", "meter=&han"])
def test_a_constraint_with_an_empty_term_is_none(text):
    assert not regions.is_constraint(text)


TERMS = "asia italia */shanxi/* meter=6/8 key=D key=major title=* area=*a*".split()


@given(st.lists(st.sampled_from(TERMS), min_size=1))
def test_terms_mean_and_constraints_mean_or(terms):
    members = [set(regions.members(CATALOGUE, term)) for term in terms]
    assert regions.members(CATALOGUE, "&".join(terms)) == sorted(set.intersection(*members))
    assert regions.choose(CATALOGUE, terms) == sorted(set.union(*members))


def test_several_constraints_mean_or_and_none_means_all_songs():
    assert regions.choose(songs(), ["italia", "han"]) == [0, 2]
    assert regions.choose(songs(), []) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("constraint", "similar"), [("itali", "italia (1)"), ("chin", "china (2)"), ("al", "italia (1)")]
)
def test_a_region_without_songs_is_an_error_with_similar_names(constraint, similar):
    with pytest.raises(UserError) as error:
        regions.choose(songs(), [constraint])
    assert similar in str(error.value)


def test_the_error_lists_the_largest_regions_if_none_is_similar():
    with pytest.raises(UserError, match=r"the largest: asia \(2\), .*; all: python generate_memories\.py --list"):
        regions.choose(songs(), ["xyz"])


@given(st.lists(REGIONS, min_size=1))
def test_a_file_name_does_not_depend_on_order_or_case(constraints):
    assert regions.file_name(constraints) == regions.file_name([text.upper() for text in reversed(constraints)])


@given(SIGNS | st.text(min_size=1), SIGNS | st.text(min_size=1))
def test_different_regions_have_different_file_names_that_stay_in_the_folder(one, other):
    name = regions.file_name([one])
    assert name and not set(name) & set('/\\*?[]:"<>|\n\0') and len(name) <= 100 and not name.startswith(".")
    assert (name == regions.file_name([other])) == (regions.terms(one) == regions.terms(other))


def test_the_file_name_of_no_region_is_all():
    assert regions.file_name([]) == "all"
    assert regions.file_name(["all"]) != "all"


def test_the_file_name_of_a_constraint_over_the_catalogue_can_be_read():
    name = regions.file_name(["deutschl", "genre=*Liebe*&key=d"])
    assert re.fullmatch(r"deutschl\+genre-liebe-key-d-[0-9a-f]{6}", name)
    assert name == regions.file_name(["Key=D minor & Genre=*liebe*", "Deutschl"])
    assert name != regions.file_name(["deutschl", "genre=*Liebe*&key=D"])


def test_region_ids_count_from_one():
    assert regions.region_ids(["a/han0001", "b/x1", "c/deut12"], ["deut", "han"]) == [2, 0, 1]


def test_the_table_has_songs_language_and_place_with_the_largest_region_first():
    assert regions.table([*NAMES, "tunes/dance/reel7"]) == [
        ("asia", 2, "", "Asia"),
        ("china", 2, "Chinese and minority languages", "China"),
        ("europa", 2, "", "Europe"),
        ("dance", 1, "", ""),
        ("deutschl", 1, "German", "Germany"),
        ("erk", 1, "German", "Germany"),
        ("han", 1, "Chinese", "China, many provinces (Han people)"),
        ("italia", 1, "German and Italian", "Italy; half from Meran in South Tyrol"),
        ("shanxi", 1, "Chinese", "China, Shanxi"),
        ("tunes", 1, "", ""),
    ]


def test_values_are_counted_with_the_commonest_first():
    assert list(regions.counts("meter", CATALOGUE.meter).items()) == [("6/8", 2), ("2/4", 1), ("3/4", 1)]
    keys = {"major": 2, "D": 1, "F": 1, "d": 1, "k[b-]": 1, "minor": 1, "unknown": 1}
    assert list(regions.counts("key", CATALOGUE.key).items()) == list(keys.items())
    assert regions.counts("genre", ["", ""]) == {}


def test_a_prefix_is_in_the_table_unless_it_means_the_same_songs_as_the_folder():
    rows = regions.table(["own/reel1", "own/jig1", "china/shanxi/shanx1"])
    assert {region: songs for region, songs, *_ in rows} == {"own": 2, "china": 1, "shanxi": 1, "reel": 1, "jig": 1}
    assert regions.table([]) == [] and regions.table(["reel1"]) == [("reel", 1, "", "")]


def test_every_region_of_the_essen_collection_has_a_place():
    """Except `misc` and `test`, whose songs are of several places."""
    names = [f"{folder}/{prefix}1" for folder, prefixes in essen.FOLDERS.items() for prefix in prefixes.split()]
    names += [f"europa/deutschl/{folder}/deut1" for folder in essen.GERMAN_FOLDERS]
    names.append("europa/deutschl/erk/deut2")  # now `deut` is more than one folder
    rows = {region: place for region, _, _, place in regions.table(names)}
    assert {region for region, place in rows.items() if not place} == {"misc", "test"}
    with regions.DESCRIPTIONS.open(encoding="utf-8", newline="") as file:
        described = [row["region"] for row in csv.DictReader(file)]
    assert described == sorted(set(described)) and set(described) <= set(rows)
