"""Counts how letters follow each other in words, and which words are common.

    words.py FOLDER… > words.txt

Reads text files below the folders (source code, documentation) and GNU message catalogues (`.mo`), splits them into
runs of letters as `letters.rs` does, and writes a table: the cost of each trigram in sixteenths of a bit, and a list of
common words. Only statistics leave.
"""

import collections
import math
import os
import re
import struct
import sys

RUN = re.compile(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
LATIN = re.compile(r"[a-z]{2,24}$")
WORDS = 14000


def catalogue(data):
    """The messages of a .mo file."""
    if len(data) < 28 or struct.unpack("<I", data[:4])[0] != 0x950412DE:
        return b""
    count, _, table = struct.unpack("<3I", data[8:20])
    parts = []
    for index in range(min(count, 4000)):
        length, offset = struct.unpack("<2I", data[table + 8 * index : table + 8 * index + 8])
        parts.append(data[offset : offset + length])
    return b" ".join(parts)


def files(folders):
    """Paths below the folders, in order."""
    for folder in folders:
        for path, inner, names in os.walk(folder):
            inner.sort()
            for name in sorted(names):
                if name.endswith((".py", ".rs", ".md", ".txt", ".rst", ".toml", ".mo", ".c", ".h", ".js", ".html")):
                    yield os.path.join(path, name)


def main():
    seen_in = collections.Counter()
    foreign_in = collections.Counter()
    for path in files(sys.argv[1:]):
        try:
            with open(path, "rb") as file:
                data = file.read(2_000_000)
        except OSError:
            continue
        is_catalogue = path.endswith(".mo")
        data = catalogue(data) if is_catalogue else data
        # A word next to digits, or in a run of base64, is no word.
        found = {run.decode().lower() for run in RUN.findall(re.sub(rb"[A-Za-z0-9+/=_-]{24,}", b" ", data))}
        (foreign_in if is_catalogue else seen_in).update(word for word in found if LATIN.match(word))
    common = {word: count for word, count in seen_in.items() if count >= 5}
    foreign = {word: count for word, count in foreign_in.items() if count >= 4 and word not in common}
    counts = collections.Counter()
    for weight, words in ((3.0, common), (1.0, foreign)):
        for word, count in words.items():
            letters = [0, 0] + [ord(letter) - 96 for letter in word] + [0]
            for at in range(len(letters) - 2):
                counts[tuple(letters[at : at + 3])] += weight * math.log2(1 + count)
    pairs = collections.Counter()
    for (first, second, _), count in counts.items():
        pairs[first, second] += count
    singles = collections.Counter()
    for (_, _, third), count in counts.items():
        singles[third] += count
    total = sum(singles.values())
    costs = []
    for first in range(27):
        for second in range(27):
            for third in range(27):
                floor = 12.0 * (0.5 / 27 + 0.5 * singles[third] / total)
                chance = (counts[first, second, third] + floor) / (pairs[first, second] + 12.0)
                costs.append(min(255, round(-16 * math.log2(chance))))
    longer = [(-count, word) for word, count in common.items() if 4 <= len(word) <= 14]
    chosen = [word for _, word in sorted(longer)[: WORDS - 3500]]
    others = [(-count, word) for word, count in foreign.items() if 5 <= len(word) <= 14]
    chosen += [word for _, word in sorted(others)[:3000]]
    chosen += [word for _, word in sorted((-count, word) for word, count in common.items() if len(word) == 3)[:500]]
    print(" ".join(map(str, costs)))
    print(" ".join(sorted(chosen)))


main()
