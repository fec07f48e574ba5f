"""The instruments of General MIDI (System Level 1) by name; their order gives the program numbers, from 0."""

import argparse
import difflib

NAMES = """
acoustic grand piano, bright acoustic piano, electric grand piano, honky-tonk piano, electric piano 1, electric piano 2,
harpsichord, clavinet, celesta, glockenspiel, music box, vibraphone, marimba, xylophone, tubular bells, dulcimer,
drawbar organ, percussive organ, rock organ, church organ, reed organ, accordion, harmonica, tango accordion,
acoustic guitar (nylon), acoustic guitar (steel), electric guitar (jazz), electric guitar (clean),
electric guitar (muted), overdriven guitar, distortion guitar, guitar harmonics, acoustic bass, electric bass (finger),
electric bass (pick), fretless bass, slap bass 1, slap bass 2, synth bass 1, synth bass 2, violin, viola, cello,
contrabass, tremolo strings, pizzicato strings, orchestral harp, timpani, string ensemble 1, string ensemble 2,
synth strings 1, synth strings 2, choir aahs, voice oohs, synth voice, orchestra hit, trumpet, trombone, tuba,
muted trumpet, french horn, brass section, synth brass 1, synth brass 2, soprano sax, alto sax, tenor sax, baritone sax,
oboe, english horn, bassoon, clarinet, piccolo, flute, recorder, pan flute, blown bottle, shakuhachi, whistle, ocarina,
lead 1 (square), lead 2 (sawtooth), lead 3 (calliope), lead 4 (chiff), lead 5 (charang), lead 6 (voice),
lead 7 (fifths), lead 8 (bass and lead), pad 1 (new age), pad 2 (warm), pad 3 (polysynth), pad 4 (choir), pad 5 (bowed),
pad 6 (metallic), pad 7 (halo), pad 8 (sweep), fx 1 (rain), fx 2 (soundtrack), fx 3 (crystal), fx 4 (atmosphere),
fx 5 (brightness), fx 6 (goblins), fx 7 (echoes), fx 8 (sci-fi), sitar, banjo, shamisen, koto, kalimba, bagpipe, fiddle,
shanai, tinkle bell, agogo, steel drums, woodblock, taiko drum, melodic tom, synth drum, reverse cymbal,
guitar fret noise, breath noise, seashore, bird tweet, telephone ring, helicopter, applause, gunshot
"""
INSTRUMENTS = tuple(" ".join(name.split()) for name in NAMES.split(","))


def instrument(text: str) -> int:
    """The program number, 0 to 127, of an instrument given by number or name; for argparse.

    Part of a name is enough if only one instrument contains it: `nylon`, but not `piano`.
    """
    name = " ".join(text.lower().split())
    numbers = {str(number): number for number in range(len(INSTRUMENTS))}
    matches = [known for known in INSTRUMENTS if name and name in known]
    if name in numbers:
        return numbers[name]
    if name in INSTRUMENTS or len(matches) == 1:
        return INSTRUMENTS.index(name if name in INSTRUMENTS else matches[0])
    nearest = matches[:6] or difflib.get_close_matches(name, INSTRUMENTS, n=3, cutoff=0)
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a General MIDI program, 0 to 127, nor the name of one instrument; the nearest names: "
        + ", ".join(nearest)
    )
