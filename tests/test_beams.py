"""Beams, worked by hand."""

from fractions import Fraction

import pytest

from melody.formats.beams import beams
from melody.notation import FREE, Measure, Piece
from melody.note_values import note_values

LETTERS = {"start": "(", "continue": "-", "stop": ")", "left": "<", "right": ">"}


@pytest.mark.parametrize(
    ("signature", "number", "quarters", "beamed"),
    [
        ("4/4", 1, "1/2 1/2 1/2 1/2 1 1/2 1/2", "( - - ) . ( )"),  # half a bar of eighth notes
        ("4/4", 1, "1 1/2 1/2 1/2 1/2 1", ". ( ) ( ) ."),  # not across the middle of the bar
        ("4/4", 1, "1 1/2 1/2 1/2 1/2 1/2 1/2", ". ( ) ( - - )"),
        ("4/4", 1, "1/2 1/4 1/4 1/2 1/2 2", "( -( )) ( ) ."),
        ("2/4", 1, "3/4 1/4 1/2 1/2", "( )< ( )"),
        ("2/4", 1, "1/4 3/4 1/4 1/2 1/4", "(> ) (> - )<"),
        ("3/4", 1, "1/2 1/2 1/2 1/2 1", "( ) ( ) ."),
        ("6/8", 1, "1/2 1/2 1/2 1 1/2", "( - ) . ."),
        ("6/8", 0, "1/2 1/2", "( )"),  # a pickup stands at the end of its bar
        ("6/8", 0, "1/2 1/2 1/2 1/2", ". ( - )"),
        ("3/8", 1, "1/2 1/2 1/2", "( - )"),
        ("2/2", 1, "1/2 1/2 1/2 1/2 2", "( - - ) ."),
        ("2/4", 1, "1/3 1/3 1/3 2/3 1/3", "( - ) . ."),
        ("2/4", 1, "1/2 r1/2 1/2 1/2", ". . ( )"),
        (FREE, 1, "1/2 1/2 1/2 1/2 1/4", "( ) ( ) ."),
    ],
)
def test_beams_by_meter(signature, number, quarters, beamed):
    pieces = [
        Piece(None if word[0] == "r" else "C4", note_values(Fraction(word.lstrip("r")))[0]) for word in quarters.split()
    ]
    length = Fraction(4 * int(signature[0]), int(signature[2])) if signature != FREE else Fraction(0)
    found = beams(Measure(number, "", Fraction(0), length, pieces), signature)
    assert " ".join("".join(LETTERS[kind] for kind in kinds) or "." for kinds in found) == beamed
