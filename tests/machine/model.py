"""What a group is, in a few lists: who may do what, who sees what, and what is stored.

Written from the documentation, and without a database: where the service differs, one is wrong.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from api.devices import NAMED_BY
from api.members import hash_of

DAY = dt.timedelta(days=1)
OPENS = dt.datetime(2026, 3, 5, 12, tzinfo=dt.UTC)
CLOSES = dt.datetime(2026, 3, 12, 16, tzinfo=dt.UTC)
OVER = dt.datetime(2026, 3, 13, 12, tzinfo=dt.UTC)
TRIES = 2
RIGHT = {"voted": "a", "tried": "a", "measured": 0.73}
WRONG_CODES, WINDOW = 10, dt.timedelta(minutes=10)


@dataclass(eq=False)
class Person:
    id: str
    name: str
    role: str
    left: bool = False


@dataclass(eq=False)
class Device:
    """Where somebody is or was signed in. Nobody's has no owner and no token."""

    token: str
    owner: Person | None
    made_at: dt.datetime
    used_at: dt.datetime
    ended: bool = False

    @property
    def id(self) -> str:
        return hash_of(self.token)[:NAMED_BY]

    def is_open(self, now: dt.datetime) -> bool:
        return bool(
            self.owner
            and not (self.ended or self.owner.left)
            and now < self.made_at + 180 * DAY
            and self.used_at > now - 90 * DAY
        )

    def use(self, now: dt.datetime) -> None:
        """Its use is noted to the hour."""
        if self.is_open(now) and self.used_at <= now - dt.timedelta(hours=1):
            self.used_at = now


@dataclass(eq=False)
class Code:
    """An invitation, or a code for another device `of` somebody."""

    text: str
    role: str
    expires_at: dt.datetime
    of: Person | None = None
    spent: bool = False  # used, taken back, or replaced by a later one

    @property
    def id(self) -> str:
        return hash_of(self.text)[:NAMED_BY]


@dataclass(eq=False)
class Note:
    id: str
    author: Person
    place: dict[str, str]
    visibility: str
    created_at: dt.datetime
    # Of each version, by whom, when, and the visibility under which it was saved.
    bodies: list[tuple[str, Person, dt.datetime, str]]
    deleted: bool = False

    @property
    def version(self) -> int:
        return len(self.bodies)

    @property
    def body(self) -> str:
        return self.bodies[-1][0]

    def may_see(self, person: Person) -> bool:
        return not self.deleted and (self.visibility != "private" or self.author is person)

    def versions_for(self, person: Person) -> list[tuple[int, str, str, str]]:
        return [
            (number, body, editor.name, moment(at))
            for number, (body, editor, at, visibility) in enumerate(self.bodies, 1)
            if visibility != "private" or self.author is person
        ]

    def may_change(self, person: Person) -> bool:
        return self.author is person or person.role == "organizer"

    def as_seen_by(self, person: Person) -> dict[str, Any]:
        return {
            "id": self.id,
            "meeting": self.place.get("meeting"),
            "entry": self.place.get("entry"),
            "author": self.author.name,
            "mine": self.author is person,
            "may_change": self.may_change(person),
            "body": self.body,
            "visibility": self.visibility,
            "version": self.version,
            "state": "draft",
            "created_at": moment(self.created_at),
            "updated_at": moment(self.bodies[-1][2]),
        }


@dataclass(eq=False)
class Answer:
    owner: Person
    given: dict[str, Any]  # as it was sent
    turn: str
    attempt: int
    held_back: bool
    at: dt.datetime
    reply: str

    @property
    def question(self) -> str:
        return str(self.given["question"])

    @property
    def is_right(self) -> bool:
        return bool(self.given["response"] == RIGHT[self.question])


def phase(now: dt.datetime) -> str:
    if now < OPENS:
        return "before"
    return "practice" if now >= OVER else "meeting" if now > CLOSES else "open"


def moment(at: dt.datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@dataclass
class Group:
    people: list[Person] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    wrong_since: dt.datetime | None = None
    n_wrong: int = 0

    # Members ------------------------------------------------------------------------------------

    @property
    def present(self) -> list[Person]:
        return [person for person in self.people if not person.left]

    def is_last_organizer(self, person: Person) -> bool:
        return [one for one in self.present if one.role == "organizer"] == [person]

    def end_sessions(self, person: Person) -> None:
        for device in self.devices:
            device.ended |= device.owner is person
        for code in self.codes:
            code.spent |= code.of is person

    def erase(self, person: Person) -> None:
        person.left, person.name = True, ""
        self.end_sessions(person)
        for note in self.notes:
            if note.author is person:
                note.deleted = True
                note.bodies = [("", *more) for _, *more in note.bodies]

    # Codes --------------------------------------------------------------------------------------

    def opens(self, code: Code, door: str, now: dt.datetime) -> int:
        """The status for a code; counts it if it is wrong."""
        window_is_open = self.wrong_since is not None and abs(now - self.wrong_since) < WINDOW
        if window_is_open and self.n_wrong >= WRONG_CODES:
            return 429
        if not code.spent and now < code.expires_at and door == ("session" if code.of else "join"):
            code.spent = True
            return 201
        if not window_is_open:
            self.wrong_since, self.n_wrong = now, 0
        self.n_wrong += 1
        return 404

    def open_invitations(self, now: dt.datetime) -> list[str]:
        return sorted(
            c.id for c in self.codes if not c.spent and c.of is None and now < c.expires_at
        )

    def replace_code(self, code: Code) -> None:
        for other in self.codes:
            other.spent |= other.of is code.of
        self.codes.append(code)

    # Notes --------------------------------------------------------------------------------------

    def changing(
        self, note: Note, person: Person, tag: str | None, visibility: str | None = None
    ) -> int:
        """The status for a change of a note, as far as it is not a success."""
        if tag is None:
            return 428
        if not note.may_see(person):
            return 404
        if not note.may_change(person):
            return 403
        if tag != f'"{note.version}"':
            return 412
        is_others_choice = visibility not in (None, note.visibility) and note.author is not person
        return 403 if is_others_choice else 200

    def seen_by(self, person: Person, **place: str) -> list[Note]:
        """Oldest first; of a place, or all."""
        seen = [n for n in self.notes if n.may_see(person) and place in ({}, n.place)]
        return sorted(seen, key=lambda note: (note.created_at, note.id))

    def found_by(self, person: Person, word: str) -> list[Note]:
        """By their newest version, newest first."""
        found = [note for note in self.seen_by(person) if word in note.body]
        found.sort(key=lambda note: note.id)
        return sorted(found, key=lambda note: note.bodies[-1][2], reverse=True)

    # Answers ------------------------------------------------------------------------------------

    def answers_of(self, person: Person, question: str | None = None) -> list[Answer]:
        own = [a for a in self.answers if a.owner is person and question in (None, a.question)]
        return sorted(own, key=lambda answer: (answer.at, answer.question, answer.attempt))

    def has_voted_again(self, person: Person) -> bool:
        return any(answer.turn == "revote" for answer in self.answers_of(person, "voted"))

    def answer(
        self, person: Person, given: dict[str, Any], now: dt.datetime
    ) -> tuple[int, Answer | None]:
        """The status, and the answer that is stored, or was. A new one has no reply yet."""
        for stored in self.answers_of(person):
            if stored.given["id"] == given["id"]:
                return (200, stored) if stored.given == given else (409, None)
        question, when = given["question"], phase(now)
        before = self.answers_of(person, question)
        voted_again = any(answer.turn == "revote" for answer in before)
        if not before:
            turn = "first"
        else:
            turn = "revote" if when == "meeting" and not voted_again else "again"
        in_time = when in ("open", "meeting")
        no_try_left = len(before) >= TRIES or any(answer.is_right for answer in before)
        if question != "voted" and in_time and no_try_left:
            return 409, None
        held_back = question == "voted" and in_time and turn != "revote" and not voted_again
        made = Answer(person, given, turn, len(before) + 1, held_back, now, "")
        return 201, made

    def as_told(self, answer: Answer, now: dt.datetime) -> dict[str, Any]:
        """What a member may see of an answer of theirs."""
        held_back = answer.held_back and phase(now) != "practice"
        if held_back and self.has_voted_again(answer.owner):
            held_back = False
        return {
            **answer.given,
            "quiz": "around",
            "late": answer.at > CLOSES,
            "answered_at": moment(answer.at),
            "correct": None if held_back else answer.is_right,
        }
