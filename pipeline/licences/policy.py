"""Which licences a recipe lets in."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

from pipeline.licences.expressions import Expression, Licence, judge, parsed
from pipeline.licences.ids import GROUPS, NOASSERTION, PROPRIETARY, PUBLIC_DOMAIN

#: What becomes of a licence, from the worst to the best: of a choice the best counts, of what must hold together the worst.
DENIED, NOT_ALLOWED, UNKNOWN, ALLOWED = range(4)


def checked(names: Sequence[str]) -> Sequence[str]:
    """The names of a policy as they are, or ValueError for the first that is no licence, glob or group."""
    for name in names:
        _members(name)
    return names


@dataclass(frozen=True)
class Policy:
    """Licences allowed (None: all) and denied, as SPDX ids and globs of them in lower case."""

    allow: tuple[str, ...] | None
    deny: tuple[str, ...]

    @classmethod
    def of(cls, allow: Sequence[str] | None, deny: Sequence[str] | None) -> Policy:
        """The policy with its groups spelled out. Raises ValueError for a name that is no licence, glob or group."""
        listed = [None if names is None else tuple(member for name in names for member in _members(name)) for names in (allow, deny)]
        return cls(listed[0], listed[1] or ())

    def standing(self, expression: Expression | None) -> int:
        """DENIED, NOT_ALLOWED, UNKNOWN or ALLOWED, of an expression or of none."""
        return UNKNOWN if expression is None else judge(expression, self._standing_of)

    def _standing_of(self, licence: Licence) -> int:
        for names in _ways_to_say(licence):
            if _matches(names, self.deny):
                return DENIED
            if _matches(names, self.allow or ()):
                return ALLOWED
        if licence.id == NOASSERTION or (licence.id.startswith("LicenseRef-") and licence.id not in (PUBLIC_DOMAIN, PROPRIETARY)):
            return UNKNOWN
        return ALLOWED if self.allow is None else NOT_ALLOWED


def _ways_to_say(licence: Licence) -> list[tuple[str, ...]]:
    """The names of a licence that a policy may use, the particular ones first: with its exception, then without."""
    whole = licence.id.lower()
    family = whole.removesuffix("-only").removesuffix("-or-later").removesuffix("+")
    names = (whole, family)
    return [tuple(f"{name} with {licence.exception.lower()}" for name in names), names] if licence.exception else [names]


def _matches(names: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


@lru_cache(maxsize=1024)
def _members(name: str) -> tuple[str, ...]:
    """What a name in a policy stands for, in lower case."""
    if group := GROUPS.get(name.lower()):
        return tuple(member.lower() for member in group)
    known = [member for group in GROUPS.values() for member in group]
    if any(char in name for char in "*?["):
        if not fnmatch.filter([member.lower() for member in known], name.lower()):
            raise ValueError(f"{name!r} stands for no licence that is known: {', '.join(sorted(known))}")
    elif not isinstance(parsed(name), Licence):
        near = get_close_matches(name.lower(), [*GROUPS, *(member.lower() for member in known)], n=1)
        spelled = next((member for member in [*GROUPS, *known] if near and member.lower() == near[0]), None)
        hint = f"; did you mean {spelled!r}?" if spelled else f"; groups: {', '.join(GROUPS)}; ids: spdx.org/licenses"
        raise ValueError(f"{name!r} is no SPDX id, glob or group{hint}")
    return (str(parsed(name) or name).lower(),)
