"""Regions: which songs belong to them, their table and their file names."""

import csv
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody import regions
from melody.errors import UserError
from melody.formats import essen

NAMES = "asia/china/han/han0001 asia/china/shanxi/shanx001 europa/italia/italia01 europa/deutschl/erk/deut0001".split()
REGIONS = st.text(string.ascii_lowercase, min_size=1, max_size=8)


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
    assert regions.choose(NAMES, [constraint]) == chosen


def test_several_constraints_mean_or_and_none_means_all_songs():
    assert regions.choose(NAMES, ["italia", "han"]) == [0, 2]
    assert regions.choose(NAMES, []) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("constraint", "similar"), [("itali", "italia (1)"), ("chin", "china (2)"), ("al", "italia (1)")]
)
def test_a_region_without_songs_is_an_error_with_similar_names(constraint, similar):
    with pytest.raises(UserError) as error:
        regions.choose(NAMES, [constraint])
    assert similar in str(error.value)


def test_the_error_lists_the_largest_regions_if_none_is_similar():
    with pytest.raises(UserError, match=r"the largest: asia \(2\), .*; all: python generate_memories\.py --list"):
        regions.choose(NAMES, ["xyz"])


@given(st.lists(REGIONS, min_size=1))
def test_a_file_name_does_not_depend_on_order_or_case(constraints):
    assert regions.file_name(constraints) == regions.file_name([text.upper() for text in reversed(constraints)])


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_regions_have_different_file_names_that_stay_in_the_folder(one, other):
    name = regions.file_name([one])
    assert name and not set(name) & set('/\\*?[]:"<>|\n\0') and len(name) <= 100 and not name.startswith(".")
    if one.lower() != other.lower():
        assert name != regions.file_name([other])


def test_the_file_name_of_no_region_is_all():
    assert regions.file_name([]) == "all"
    assert regions.file_name(["all"]) != "all"


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
