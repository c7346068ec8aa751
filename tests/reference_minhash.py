"""The plain twins of the kernels that find duplicates: words, shingles, sketches, components, and who is kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

WORD = 1 << 64
KEPT_SIGNS = set("#%&*+-/@\\")


def words(text: str) -> list[str]:
    """The words of a text as duplicates are told by: lower case, without punctuation; ideographs and kana one by one."""
    found = []
    for word in text.split():
        kept = ""
        for char in word:
            if stands_alone(char) and not left_out(char):
                found += [kept, char]
                kept = ""
            elif not left_out(char):
                lower = char.lower()
                kept += lower if len(lower) == 1 and ord(char) < 0x33000 else char
        found.append(kept)
    return [word for word in found if word]


def left_out(char: str) -> bool:
    category = unicodedata.category(char)
    known = ord(char) < 0x33000
    return known and (char in "`´" or ((category in ("Cc", "Cf") or category.startswith("P")) and char not in KEPT_SIGNS))


def stands_alone(char: str) -> bool:
    """Kana, and Han ideographs with their extensions A to H and the compatibility block."""
    point = ord(char)
    kana = 0x3041 <= point <= 0x30FF or 0x31F0 <= point <= 0x31FF
    return kana or 0x3400 <= point <= 0x4DBF or 0x4E00 <= point <= 0x9FFF or 0xF900 <= point <= 0xFAFF or 0x20000 <= point <= 0x323AF


def shingles(text: str, width: int) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + width]) for i in range(max(1, len(found) - width + 1))}


def jaccard(left: set, right: set) -> float:
    return len(left & right) / len(left | right)


def mix(value: int) -> int:
    """The finaliser of MurmurHash3."""
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ (value >> 33)) * factor % WORD
    return value ^ (value >> 33)


def word_hash(word: str, seed: int = 0xCBF29CE484222325, step: int = 0x100000001B3) -> int:
    state = seed
    for char in word:
        state = (state ^ ord(char)) * step % WORD
    return mix(state)


def joined(state: int, value: int) -> int:
    rotated = (state << 23 | state >> 41) % WORD
    return ((rotated ^ value) * 0x9DDFEA08EB382D69 + 0xB492B66FBE98F273) % WORD


def fingerprint(text: str) -> tuple[int, int]:
    found = words(text)
    one, two = len(found), 0
    for word in found:
        one = joined(one, word_hash(word))
        two = joined(two, word_hash(word, 0x9AE16A3B2F90404F, 0xC3A5C85C97CB3127))
    return mix(one), mix(two)


def shingle_hash(shingle: Sequence[str]) -> int:
    state = 0
    for word in shingle:
        state = joined(state, word_hash(word))
    return mix(state)


def band_keys(text: str, width: int, bands: int, rows: int) -> list[int]:
    count = bands * rows
    draws = [mix(0x6D696E68617368 + i) >> 32 for i in range(2 * count)]
    hashes = [shingle_hash(shingle) >> 32 for shingle in shingles(text, width)]
    least = [min((x * (a | 1) + b) % (1 << 32) for x in hashes) for a, b in zip(draws[:count], draws[count:], strict=True)]
    keys = []
    for band in range(bands):
        state = mix(band)
        for value in least[band * rows : (band + 1) * rows]:
            state = mix(state ^ value)
        keys.append(state)
    return keys


def components(items: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """The smallest item of each item's component."""
    labels = list(range(items))
    changed = True
    while changed:
        changed = False
        for left, right in links:
            least = min(labels[left], labels[right])
            changed |= labels[left] != least or labels[right] != least
            labels[left] = labels[right] = least
    return labels


Choice = tuple[str, int, float]


def choose(
    sets: Sequence[set], buckets: Sequence[Sequence[int]], threshold: float, documents: Sequence[tuple[int, int]], settled: int = 0
) -> list[Choice]:
    """Greedy, of documents (text, address or -1) in order of preference: why each is dropped, its twin or -1, their Jaccard index."""
    kept: list[int] = []
    found: list[Choice] = []
    for document, (text, address) in enumerate(documents):
        copies = [other for other in kept if documents[other][0] == text]
        before = [found[other] for other in range(document) if documents[other][0] == text and found[other][0] == "like"]
        near = [other for other in kept if set(buckets[documents[other][0]]) & set(buckets[text])]
        alike = [(jaccard(sets[text], sets[documents[other][0]]), -other) for other in near]
        best = max([value for value in alike if value[0] >= threshold], default=None)
        same = [other for other in kept if address >= 0 and documents[other][1] == address]
        if document < settled or not (copies or before or best or same):
            kept.append(document)
            found.append(("", -1, 0.0))
        elif copies:
            found.append(("same text", copies[0], 1.0))
        elif before or best:
            found.append(before[0] if before else ("like", -best[1], best[0]))
        else:
            found.append(("same address", same[0], 0.0))
    return found
