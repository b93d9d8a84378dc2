"""Names of authors, as bibliographies sort them.

An entry gives a name as it is spoken, "Kevin Wang". Where that order does not tell the family name
("Martín Blázquez" has two words), a comma does: "Martín Blázquez, Gabriel".
"""

import re
from typing import NamedTuple


class Name(NamedTuple):
    """A person's name in its parts; of anything else there is only `family`, the whole name."""

    family: str
    given: str = ""
    particle: str = ""  # "van der", before the family name and in small letters
    suffix: str = ""  # "Jr."

    @property
    def is_person(self) -> bool:
        return bool(self.given)

    @property
    def sorted(self) -> str:
        """The order of a list of references: "van der Berg, Jr., Jan"."""
        before = f"{self.particle} {self.family}".strip()
        return ", ".join(part for part in (before, self.suffix, self.given) if part)

    @property
    def spoken(self) -> str:
        parts = (self.given, self.particle, self.family, self.suffix)
        return " ".join(part for part in parts if part)


SUFFIXES = {"Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"}
# With a capital these are still the beginning of a family name, unless they are a first name.
PREFIXES = {
    *("Al", "Ben", "Bin", "Da", "De", "Del", "Della", "Den", "Der", "Di", "Dos", "Du", "El"),
    *("La", "Le", "St.", "Ter", "Van", "Von"),
}
_ORGANIZATION = re.compile(
    r"\b(?:Association|Centre|Center|Collaboration|Committee|Company|Consortium|Contributors|Corp|"
    r"Developers|Foundation|GmbH|Group|Inc|Institute|Lab|Laboratory|Labs|LLC|Ltd|Project|Research|"
    r"Society|Team|University)\b|\s(?i:and|&|et)\s"
)
# In these scripts the family name comes first; the order of the words does not say who wrote it.
_FAMILY_FIRST = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def read_name(text: str) -> Name:
    """The parts of a name; a single word or an organization is one part."""
    words = text.replace(",", " , ").split()
    if is_organization(text) or len(words) < 2 or _FAMILY_FIRST.search(text):
        return Name(" ".join(text.split()))
    parts = [part.split() for part in " ".join(words).split(",")]
    suffix = ""
    if len(parts) > 1 and len(parts[1]) == 1 and parts[1][0] in SUFFIXES:
        suffix = parts.pop(1)[0]
    if len(parts) == 1:
        return _spoken(parts[0], suffix)
    if len(parts) > 2 or not parts[0] or not parts[1]:
        return Name(" ".join(text.split()))
    particle = _small(parts[0][:-1])
    return Name(
        family=" ".join(parts[0][particle:]),
        given=" ".join(parts[1]),
        particle=" ".join(parts[0][:particle]),
        suffix=suffix,
    )


def is_organization(text: str) -> bool:
    """Whether a name is that of many: it says so, or joins two names: "Ernst and Young"."""
    return bool(_ORGANIZATION.search(text))


def _spoken(words: list[str], suffix: str) -> Name:
    if not suffix and words[-1] in SUFFIXES:
        suffix = words.pop()
    if len(words) < 2:
        return Name(" ".join([*words, suffix]).strip())
    # The first word is a given name, even in small letters: "danah boyd".
    starts = [i for i in range(1, len(words)) if words[i][0].islower() or words[i] in PREFIXES]
    start = starts[0] if starts else len(words) - 1
    family = words[start:]
    particle = _small(family[:-1])
    return Name(
        " ".join(family[particle:]), " ".join(words[:start]), " ".join(family[:particle]), suffix
    )


def _small(words: list[str]) -> int:
    """How many words at the beginning are written in small letters."""
    return next((i for i, word in enumerate(words) if not word[0].islower()), len(words))
