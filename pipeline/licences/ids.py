"""SPDX ids (spdx.org/licenses), groups of licences by what they ask, and the ids behind the names that people use.

Which ids there are is the `packaging` library's to say, which carries SPDX's list. The groups are ours to keep short: licences
that code and texts on the web really have. "permissive" are licences that Blue Oak Council's list rates (blueoakcouncil.org/list,
bronze and better); the others are sorted as the Free Software Foundation's list of licences and Creative Commons describe them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

PUBLIC_DOMAIN = "LicenseRef-Public-Domain"
PROPRIETARY = "LicenseRef-Proprietary"
#: What SPDX says where nothing is known.
NOASSERTION = "NOASSERTION"

_CC_VERSIONS = ("1.0", "2.0", "2.5", "3.0", "4.0")


def _creative_commons(*kinds: str) -> tuple[str, ...]:
    return tuple(f"CC-{kind}-{version}" for kind in kinds for version in _CC_VERSIONS)


def _gnu(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}{suffix}" for name in names for suffix in ("", "-only", "-or-later"))


#: Licences by what they ask. A licence is in one group; CC-BY-NC-SA asks for more than one thing, the harder one counts.
GROUPS: dict[str, tuple[str, ...]] = {
    "permissive": (
        "0BSD", "AFL-2.1", "AFL-3.0", "Apache-1.1", "Apache-2.0", "Artistic-2.0", "BlueOak-1.0.0", "BSD-1-Clause", "BSD-2-Clause",
        "BSD-2-Clause-Patent", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSD-3-Clause-LBNL", "BSD-4-Clause", "BSD-Source-Code", "BSL-1.0",
        "ECL-2.0", "EFL-2.0", "FSFAP", "HPND", "ICU", "ISC", "JSON", "libpng-2.0", "Libpng", "MIT", "MIT-0", "MIT-Modern-Variant",
        "MIT-feh", "MS-PL", "MulanPSL-2.0", "NCSA", "NTP", "OLDAP-2.8", "OpenSSL", "PHP-3.01", "PostgreSQL", "PSF-2.0", "Python-2.0",
        "Ruby", "TCL", "Unicode-3.0", "Unicode-DFS-2016", "UPL-1.0", "Vim", "W3C", "WTFPL", "X11", "Xnet", "Zlib", "zlib-acknowledgement",
        "ZPL-2.1",
    ),
    "public-domain": ("CC0-1.0", "PDDL-1.0", "Unlicense", "blessing", PUBLIC_DOMAIN),
    "attribution": (*_creative_commons("BY"), "ODC-By-1.0", "CDLA-Permissive-2.0"),
    "share-alike": (*_creative_commons("BY-SA"), "ODbL-1.0", "GFDL-1.1", *_gnu("GFDL-1.2", "GFDL-1.3"), "CDLA-Sharing-1.0"),
    "weak-copyleft": (
        *_gnu("LGPL-2.0", "LGPL-2.1", "LGPL-3.0"),
        "APSL-2.0", "Artistic-1.0", "CDDL-1.0", "CDDL-1.1", "CECILL-C", "CPL-1.0", "EPL-1.0", "EPL-2.0", "IPL-1.0", "LPPL-1.3c",
        "MPL-1.1", "MPL-2.0", "MS-RL", "OFL-1.1",
    ),
    "copyleft": (
        *_gnu("GPL-1.0", "GPL-2.0", "GPL-3.0", "AGPL-3.0"), "CECILL-2.1", "EUPL-1.1", "EUPL-1.2", "OSL-3.0", "QPL-1.0", "Sleepycat",
    ),
    "non-commercial": (
        *_creative_commons("BY-NC", "BY-NC-SA", "BY-NC-ND"), "PolyForm-Noncommercial-1.0.0",
    ),
    "no-derivatives": _creative_commons("BY-ND"),
    "source-available": ("BUSL-1.1", "Elastic-2.0", "SSPL-1.0", PROPRIETARY),
}  # fmt: skip

#: Names in plain words (see `plain_words`), without "the", "license", "version", "software" and "public".
_NAMES = {
    "0bsd": "0BSD", "apache 2": "Apache-2.0", "apache 2 0": "Apache-2.0", "apache2": "Apache-2.0", "asl 2 0": "Apache-2.0",
    "apache1 1": "Apache-1.1", "artistic 2 0": "Artistic-2.0", "boost": "BSL-1.0", "boost 1 0": "BSL-1.0",
    "bsd 2 clause": "BSD-2-Clause", "2 clause bsd": "BSD-2-Clause", "simplified bsd": "BSD-2-Clause", "freebsd": "BSD-2-Clause",
    "bsd 2 clause simplified": "BSD-2-Clause", "bsd 3 clause": "BSD-3-Clause", "3 clause bsd": "BSD-3-Clause", "new bsd": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause", "revised bsd": "BSD-3-Clause", "bsd 3 clause new or revised": "BSD-3-Clause",
    "bsd 4 clause": "BSD-4-Clause", "cc0": "CC0-1.0", "cc0 1 0": "CC0-1.0", "cc0 1 0 universal": "CC0-1.0", "cc zero": "CC0-1.0",
    "creative commons zero 1 0 universal": "CC0-1.0", "creativecommons org publicdomain zero 1 0": "CC0-1.0", "eclipse 1 0": "EPL-1.0",
    "eclipse 2 0": "EPL-2.0", "epl 1 0": "EPL-1.0", "epl 2 0": "EPL-2.0", "expat": "MIT", "isc": "ISC",
    "mit": "MIT", "mit expat": "MIT", "mit mit": "MIT",
    "mit x11": "MIT", "mozilla 1 1": "MPL-1.1", "mozilla 2 0": "MPL-2.0", "mpl 1 1": "MPL-1.1", "mpl 2": "MPL-2.0", "mpl 2 0": "MPL-2.0",
    "domain": PUBLIC_DOMAIN, "creativecommons org publicdomain mark 1 0": PUBLIC_DOMAIN, "proprietary": PROPRIETARY,
    "psf": "PSF-2.0", "python foundation": "PSF-2.0", "sil open font 1 1": "OFL-1.1", "unlicense": "Unlicense", "un": "Unlicense",
    "wtfpl": "WTFPL", "zlib": "Zlib", "zlib libpng": "Zlib",
}  # fmt: skip
_FILLERS = re.compile(r" (?:the|licen[cs]e[ds]?|version|software|public|under|https?|www|osi|approved)(?= )")
_GNU = re.compile(
    r" (?:gnu )?(?:(?P<kind>affero|lesser|library) )?(?:(?P<letter>[al])?gpl|general) ?v? ?(?P<major>[123])(?: (?P<minor>[0-9]))?"
    r"(?P<later> or (?:any )?(?:later|newer))?(?P<only> only)? "
)
_CC = re.compile(
    r" (?:(?:creative commons|cc|creativecommons org) )?(?:by|attribution)"
    r"(?P<kinds>(?: (?:nc|sa|nd|non ?commercial|share ?alike|no ?deriv(?:ative)?s))*) (?P<major>[1-4]) (?P<minor>[05])"
    r"(?: (?:international|unported|generic))?(?: legalcode| deed)?(?: [a-z]{2})? "
)


def plain_words(text: str) -> str:
    """The words of a text, of a-z and 0-9 in lower case, a space before and after each."""
    return " ".join(["", *re.findall(r"[a-z0-9]+", text.lower()), ""]) or " "


@lru_cache(maxsize=4096)
def spdx_id(name: str) -> str | None:
    """SPDX's spelling of an id, whatever its case; None for what is none. "LicenseRef-..." is one, "GPL-2.0+" an old one."""
    if not re.fullmatch(r"[A-Za-z0-9.+-]+", name) or name.upper() in ("AND", "OR", "WITH", NOASSERTION, "NONE"):
        return None
    try:
        found = str(canonicalize_license_expression(name))
    except InvalidLicenseExpression:
        return None
    return spdx_id(f"{found[:-1]}-or-later") or found if found.endswith("+") else found


@lru_cache(maxsize=4096)
def is_exception(name: str) -> bool:
    """Whether this is the id of an exception, what may stand behind WITH."""
    try:
        canonicalize_license_expression(f"GPL-2.0-only WITH {name}")
    except InvalidLicenseExpression:
        return False
    return True


def by_name(name: str) -> str | None:
    """The id of a licence that is called by a name or address, or None: "GPLv2+", "Apache 2.0", creativecommons.org's pages."""
    words = re.sub(r" v(?=[0-9])", " ", _FILLERS.sub("", plain_words(name)))
    if found := _NAMES.get(words.strip()):
        return found
    if gnu := _GNU.fullmatch(words):
        kind = {"affero": "A", "lesser": "L", "library": "L", "a": "A", "l": "L"}.get(gnu["kind"] or gnu["letter"], "")
        suffix = "-or-later" if gnu["later"] or "+" in name or ">=" in name else "-only" if gnu["only"] else ""
        return spdx_id(f"{kind}GPL-{gnu['major']}.{gnu['minor'] or 0}{suffix}")
    if cc := _CC.fullmatch(words):
        kinds = re.sub(r"non ?commercial", "nc", re.sub(r"share ?alike", "sa", re.sub(r"no ?deriv(?:ative)?s", "nd", cc["kinds"])))
        return spdx_id("-".join(["CC-BY", *kinds.split(), f"{cc['major']}.{cc['minor']}"]))
    return None
