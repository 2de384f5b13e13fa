"""The layout of `weights.bin`: magic, trigrams, words, threshold, nodes; see `model.rs`."""

import struct

MAGIC = b"KTGENR01"
TRIGRAMS = 27**3
WORD_BYTES = 1 << 15
MASK = (1 << 64) - 1


def word_filter(words):
    """The filter of words: four bits each, one in each quarter."""
    table = bytearray(WORD_BYTES)
    for word in words:
        value = 0xCBF29CE484222325
        for letter in word:
            value = ((value ^ (ord(letter) - 96)) * 0x100000001B3) & MASK
        value ^= value >> 29
        for part in range(4):
            bit = (value >> (part * 16)) % (1 << 16) + (part << 16)
            table[bit // 8] |= 1 << (bit % 8)
    return bytes(table)


def write(path, costs, words, threshold=0x7FFFFFFF, trees=()):
    """Writes the file. A tree is a list of (feature, threshold, ahead) in depth-first order, smaller values first."""
    assert len(costs) == TRIGRAMS
    out = bytearray(MAGIC) + bytes(costs) + word_filter(words) + struct.pack("<i", threshold)
    for tree in trees:
        out += struct.pack("<BhH", 0, 0, len(tree))
        for feature, split, ahead in tree:
            out += struct.pack("<BhH", feature, split, ahead)
    with open(path, "wb") as file:
        file.write(out)


def read_words(path):
    """The costs and the words that `words.py` wrote."""
    with open(path, encoding="ascii") as file:
        costs, words = file.read().split("\n")[:2]
    return [int(cost) for cost in costs.split()], words.split()
