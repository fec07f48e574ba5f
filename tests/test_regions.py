"""Which song belongs to which region."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from melody import regions
from melody.errors import UserError

NAMES = [
    "asia/china/han/han0001",
    "asia/china/shanxi/shanx001",
    "europa/italia/italia01",
    "europa/deutschl/erk/deut0001",
]
WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=8)


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
def test_folder_prefix_and_pattern(constraint, chosen):
    assert regions.choose(NAMES, [constraint]) == chosen


def test_several_mean_or_and_none_means_all():
    assert regions.choose(NAMES, ["italia", "han"]) == [0, 2]
    assert regions.choose(NAMES, []) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("constraint", "nearest"), [("itali", "italia (1)"), ("chin", "china (2)"), ("al", "italia (1)")]
)
def test_what_matches_nothing_is_an_error_with_the_nearest_names(constraint, nearest):
    with pytest.raises(UserError) as problem:
        regions.choose(NAMES, [constraint])
    assert nearest in str(problem.value)


def test_what_is_near_to_nothing_lists_what_there_is():
    with pytest.raises(UserError, match="there are: "):
        regions.choose(NAMES, ["xyz"])


@given(st.lists(WORDS, min_size=1))
def test_a_file_name_does_not_hang_on_order_or_case(words):
    assert regions.file_name(words) == regions.file_name([word.upper() for word in reversed(words)])


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_regions_have_different_file_names_that_stay_in_the_folder(one, other):
    name = regions.file_name([one])
    assert name and not set(name) & set('/\\*?[]:"<>|\n\0') and len(name) <= 100 and not name.startswith(".")
    if one.lower() != other.lower():
        assert name != regions.file_name([other])


def test_no_region_is_all():
    assert regions.file_name([]) == "all"
    assert regions.file_name(["all"]) != "all"


def test_region_ids_count_from_one():
    assert regions.region_ids(["a/han0001", "b/x1", "c/deut12"], ["deut", "han"]) == [2, 0, 1]
