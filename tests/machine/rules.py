"""The whole API as a state machine: Hypothesis draws what happens, the model says what must.

After each step somebody reads all that they may read, and in the end everybody does.
"""

import asyncio
import datetime as dt
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule

from api.joining import DEVICE_CODE_LASTS
from api.members import INVITATION_LASTS, invite
from api.membership import LOST_DEVICE_CODE_LASTS
from tests.machine.base import Served
from tests.machine.model import Answer, Code, Device, Note, Person, phase

NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
NOBODY = Device("", None, NEVER, NEVER)
PLACES = ({"meeting": "2026-03-12"}, {"entry": "2022-wang-ioi"})
WORDS = ("héads", "layers", "Ünïcode")
VISIBILITIES = st.sampled_from(["private", "group", "public"])
STEPS = [dt.timedelta(minutes=1), dt.timedelta(minutes=11), dt.timedelta(hours=3)]
STEPS += [dt.timedelta(days=n) for n in (1, 15, 85)]
# Before the quiz opens, while it is open, in the meeting, and after it.
MOMENTS = ["2026-03-01T00:00", "2026-03-10T18:00", "2026-03-12T17:00", "2026-03-13T12:00"]
# The clock is set wrong, or mended; summer time begins; 32 bits of seconds end.
JUMPS: list[dt.timedelta | str] = [dt.timedelta(days=-30), dt.timedelta(days=400)]
JUMPS += ["2026-03-29T00:59:59", "2026-03-29T01:00:00", "2038-01-19T03:14:08", MOMENTS[1]]

devices, codes, answers = Bundle("devices"), Bundle("codes"), Bundle("answers")
notes = st.runner().flatmap(lambda machine: st.sampled_from(machine.model.notes))
somebody = st.one_of(devices, devices, devices, st.just(NOBODY))


class Machine(Served):
    # Members -------------------------------------------------------------------------------------

    @initialize(target=devices)
    def begins(self) -> Any:
        """An organizer and a member, and a note of each kind."""
        made = [self.enter(self.operator_invites(role), "join") for role in ("organizer", "member")]
        for by, place in zip(made, PLACES, strict=True):
            self.write(by, place, WORDS[0], "private")
            self.write(by, place, WORDS[0], "group")
        return multiple(*made)

    def enter(self, code: Code, door: str) -> Device | None:
        """Who comes in by a code, if it is good and used at its door."""
        expected = self.model.opens(code, door, self.now)
        name = f"name {next(self.numbers)}"
        field = {"join": {"invite": code.text, "name": name}, "session": {"code": code.text}}
        reply = self.expect(expected, NOBODY, "POST", f"/{door}", json=field[door])
        if expected != 201:
            return None
        told = reply.json()
        person = code.of
        if person is None:
            person = Person(told["member"]["id"], name, code.role)
            self.model.people.append(person)
        assert told["member"] == {"id": person.id, "name": person.name, "role": person.role}
        device = Device(told["token"], person, self.now, self.now)
        self.model.devices.append(device)
        return device

    def operator_invites(self, role: str) -> Code:
        database = self.app.state.service.database
        text = database.write(lambda session: invite(session, "", role, self.now))
        self.model.codes.append(Code(text, role, self.now + INVITATION_LASTS))
        return self.model.codes[-1]

    @precondition(
        lambda self: (
            not any(
                device.is_open(self.now) and device.owner.role == "organizer"
                for device in self.model.devices
            )
        )
    )
    @rule(target=devices)
    def begins_anew(self) -> Any:
        """All organizers are out: somebody at the machine lets one in."""
        device = self.enter(self.operator_invites("organizer"), "join")
        return device if device else multiple()

    @rule(target=codes, by=somebody, role=st.sampled_from(["member", "member", "organizer"]))
    def invites(self, by: Device, role: str) -> Any:
        expected = self.status(by, 201, organizer=True)
        reply = self.expect(expected, by, "POST", "/invitations", json={"name": "Bo", "role": role})
        if expected != 201:
            return multiple()
        link = reply.json()["link"].partition("#")[2]
        self.model.codes.append(Code(link, role, self.now + INVITATION_LASTS))
        return self.model.codes[-1]

    @rule(target=codes, by=somebody)
    def asks_for_a_device(self, by: Device) -> Any:
        expected = self.status(by, 201)
        reply = self.expect(expected, by, "POST", "/me/devices")
        if expected != 201:
            return multiple()
        code = Code(reply.json()["code"], "", self.now + DEVICE_CODE_LASTS, by.owner)
        self.model.replace_code(code)
        return code

    @rule(target=codes, by=somebody, whom=devices)
    def lets_back_in(self, by: Device, whom: Device) -> Any:
        expected = self.status(by, 404 if whom.owner.left else 201, organizer=True)
        reply = self.expect(expected, by, "POST", f"/members/{whom.owner.id}/code")
        if expected != 201:
            return multiple()
        self.model.end_sessions(whom.owner)
        code = Code(reply.json()["code"], "", self.now + LOST_DEVICE_CODE_LASTS, whom.owner)
        self.model.replace_code(code)
        return code

    @rule(target=devices, code=codes, wrong_door=st.sampled_from([False, False, False, True]))
    def uses(self, code: Code, wrong_door: bool) -> Any:
        device = self.enter(code, "session" if bool(code.of) != wrong_door else "join")
        return device if device else multiple()

    @rule(times=st.sampled_from([1, 4, 11]))
    def guesses(self, times: int) -> None:
        for _ in range(times):
            assert self.enter(Code("a guess", "", NEVER), "join") is None

    @rule(by=somebody, code=codes)
    def takes_an_invitation_back(self, by: Device, code: Code) -> None:
        is_open = code.id in self.model.open_invitations(self.now)
        expected = self.status(by, 204 if is_open else 404, organizer=True)
        self.expect(expected, by, "DELETE", f"/invitations/{code.id}")
        code.spent |= expected == 204

    @rule(by=somebody)
    def signs_out(self, by: Device) -> None:
        expected = self.status(by, 204)
        self.expect(expected, by, "DELETE", "/session")
        by.ended |= expected == 204

    @rule(by=somebody, other=devices)
    def ends_a_session(self, by: Device, other: Device) -> None:
        own = other.owner is by.owner and not other.ended
        expected = self.status(by, 204 if own else 404)
        self.expect(expected, by, "DELETE", f"/me/devices/{other.id}")
        other.ended |= expected == 204

    @rule(by=somebody, whom=devices, role=st.sampled_from(["member", "organizer"]))
    def gives_a_role(self, by: Device, whom: Device, role: str) -> None:
        person = whom.owner
        good = 409 if role == "member" and self.model.is_last_organizer(person) else 200
        expected = self.status(by, 404 if person.left else good, organizer=True)
        self.expect(expected, by, "PUT", f"/members/{person.id}/role", json={"role": role})
        if expected == 200:
            person.role = role

    @rule(by=somebody, whom=devices)
    def removes(self, by: Device, whom: Device) -> None:
        good = 409 if self.model.is_last_organizer(whom.owner) else 204
        expected = self.status(by, 404 if whom.owner.left else good, organizer=True)
        self.expect(expected, by, "DELETE", f"/members/{whom.owner.id}")
        if expected == 204:
            whom.owner.left = True
            self.model.end_sessions(whom.owner)

    @precondition(lambda self: len(self.model.present) > 2)
    @rule(by=somebody)
    def erases_themselves(self, by: Device) -> None:
        expected = self.status(by, 204)
        self.expect(expected, by, "DELETE", "/me")
        if expected == 204:
            self.model.erase(by.owner)

    # Notes ---------------------------------------------------------------------------------------

    @rule(
        by=somebody,
        place=st.sampled_from(PLACES),
        word=st.sampled_from(WORDS),
        visibility=VISIBILITIES,
    )
    def writes(self, by: Device, place: dict[str, str], word: str, visibility: str) -> None:
        self.write(by, place, word, visibility)

    def write(self, by: Device, place: dict[str, str], word: str, visibility: str) -> None:
        note = Note(self.new_id(), by.owner, place, visibility, self.now, [])
        note.bodies.append((f"A note on {word}.\r\n", by.owner, self.now, visibility))
        expected = self.status(by, 201)
        reply = self.expect(expected, by, "POST", "/notes", json=self.sent(note))
        if expected == 201:
            self.model.notes.append(note)
            self.same_note(reply, note, by)

    @staticmethod
    def sent(note: Note) -> dict[str, Any]:
        body, _, _, visibility = note.bodies[0]
        return {"id": note.id, **note.place, "body": body, "visibility": visibility}

    @rule(by=somebody, note=notes, changed=st.booleans())
    def writes_again(self, by: Device, note: Note, changed: bool) -> None:
        good = 404 if note.deleted else 200
        expected = self.status(by, 409 if changed or note.author is not by.owner else good)
        given = self.sent(note) | ({"body": "Another note."} if changed else {})
        reply = self.expect(expected, by, "POST", "/notes", json=given)
        if expected == 200:
            self.same_note(reply, note, by)

    def change(self, by: Device, method: str, note: Note, tag: str | None, **more: Any) -> Any:
        """A change with this tag, or its refusal."""
        expected = self.status(by, 200)
        if expected == 200:
            chosen = more.get("json", {}).get("visibility")
            expected = self.model.changing(note, by.owner, tag, chosen)
        if method == "DELETE" and expected == 200:
            expected = 204
        headers = {"If-Match": tag} if tag else {}
        reply = self.expect(expected, by, method, f"/notes/{note.id}", headers=headers, **more)
        if expected == 412:
            assert note.as_seen_by(by.owner).items() <= reply.json()["current"].items()
        return reply

    def tries_other_tags(self, by: Device, method: str, note: Note, **more: Any) -> None:
        """None of which is the note's, though some come close."""
        now = note.version
        for tag in (f'"{now - 1}"', f'"{now + 1}"', f'W/"{now}"', str(now), "*", None):
            assert self.change(by, method, note, tag, **more).status_code >= 400

    @rule(by=somebody, note=notes, visibility=st.none() | VISIBILITIES)
    def edits(self, by: Device, note: Note, visibility: str | None) -> None:
        given = {"body": f"{note.body}\nA note edited.", "visibility": visibility}
        self.tries_other_tags(by, "PUT", note, json=given)
        reply = self.change(by, "PUT", note, f'"{note.version}"', json=given)
        if reply.status_code == 200:
            note.visibility = visibility or note.visibility
            note.bodies.append((given["body"], by.owner, self.now, note.visibility))
            self.same_note(reply, note, by)

    @rule(first=devices, second=devices, note=notes)
    def edit_at_once(self, first: Device, second: Device, note: Note) -> None:
        """Of two who change the same version, one does and the other is told."""
        both, tag = (first, second), f'"{note.version}"'
        if any(
            self.status(by, 200) != 200 or self.model.changing(note, by.owner, tag) != 200
            for by in both
        ):
            return
        texts = [f"{note.body}\nA note by the {which}." for which in ("first", "second")]

        async def edit() -> list[int]:
            given = [{"json": {"body": text}, "headers": {"If-Match": tag}} for text in texts]
            path = f"/notes/{note.id}"
            asked = [self.request(b, "PUT", path, **g) for b, g in zip(both, given, strict=True)]
            return [reply.status_code for reply in await asyncio.gather(*asked)]

        statuses = self.loop.run_until_complete(edit())
        assert sorted(statuses) == [200, 412]
        winner = statuses.index(200)
        note.bodies.append((texts[winner], both[winner].owner, self.now, note.visibility))

    @rule(by=somebody, note=notes)
    def deletes(self, by: Device, note: Note) -> None:
        self.tries_other_tags(by, "DELETE", note)
        reply = self.change(by, "DELETE", note, f'"{note.version}"')
        note.deleted |= reply.status_code == 204

    @rule(by=somebody, note=notes)
    def reads_versions(self, by: Device, note: Note) -> None:
        expected = self.status(by, 200)
        if expected == 200 and not note.may_see(by.owner):
            expected = 404
        reply = self.expect(expected, by, "GET", f"/notes/{note.id}/revisions")
        if expected == 200:
            told = [(r["version"], r["body"], r["by"], r["saved_at"]) for r in reply.json()]
            assert told == note.versions_for(by.owner)

    @rule(by=somebody, place=st.sampled_from(PLACES))
    def lists(self, by: Device, place: dict[str, str]) -> None:
        expected = self.status(by, 200)
        reply = self.expect(expected, by, "GET", "/notes", params=place)
        if expected == 200:
            self.same_notes(reply, self.model.seen_by(by.owner, **place), by)
            headers = {"If-None-Match": reply.headers["etag"]}
            self.expect(304, by, "GET", "/notes", params=place, headers=headers)

    @rule(by=somebody, word=st.sampled_from(WORDS))
    def searches(self, by: Device, word: str) -> None:
        expected = self.status(by, 200)
        reply = self.expect(expected, by, "GET", "/notes/search", params={"q": word.upper()})
        if expected == 200:
            self.same_notes(reply, self.model.found_by(by.owner, word), by)

    # Answers -------------------------------------------------------------------------------------

    @rule(
        target=answers,
        by=somebody,
        asked=st.sampled_from(
            [*(("voted", x) for x in "ab"), *(("tried", x) for x in "abc"), ("measured", 0.73)]
        ),
        reason=st.none() | st.sampled_from(WORDS),
    )
    def answers_a_question(self, by: Device, asked: tuple[str, Any], reason: str | None) -> Any:
        question, response = asked
        given = {"id": self.new_id(), "question": question, "response": response, "reason": reason}
        made = self.answer(by, given)
        return made if made else multiple()

    @rule(by=somebody, answer=answers, changed=st.booleans())
    def answers_again(self, by: Device, answer: Answer, changed: bool) -> None:
        """The same `id`: what a browser does that got no reply."""
        more = {"reason": "another"} if changed else {}
        self.answer(by, answer.given | more)

    def answer(self, by: Device, given: dict[str, Any]) -> Answer | None:
        answer = None
        if not by.token:
            expected = 401
        elif phase(self.now) == "before":
            expected = 403
        elif not by.is_open(self.now):
            expected = 401
        else:
            expected, answer = self.model.answer(by.owner, given, self.now)
        reply = self.expect(expected, by, "POST", "/quizzes/around/answers", json=given)
        if expected == 200:
            assert reply.text == answer.reply
        if expected != 201:
            return None
        answer.reply = reply.text
        assert reply.json()["correct"] is (None if answer.held_back else answer.is_right)
        self.model.answers.append(answer)
        return answer

    @rule(by=somebody)
    def reads_results(self, by: Device) -> None:
        expected = self.status(by, 200, organizer=True)
        reply = self.expect(expected, by, "GET", "/quizzes/around/results")
        if expected == 200:
            firsts = [a for a in self.model.answers if a.turn == "first"]
            for told in reply.json()["questions"]:
                own = [a for a in firsts if a.question == told["question"]]
                in_time = [a for a in own if phase(a.at) == "open"]
                assert (told["n"], told["n_late"]) == (len(in_time), len(own) - len(in_time))
                assert told["correct"] == sum(a.is_right for a in in_time)

    @rule(by=somebody)
    def reads_who_is_there(self, by: Device) -> None:
        self.reads_the_roll(by)

    # Time, and the machine -----------------------------------------------------------------------

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: dt.timedelta) -> None:
        self.clock.now += step

    @rule(to=st.sampled_from(MOMENTS))
    def the_day_comes(self, to: str) -> None:
        self.clock.set(f"{to}+00:00")

    @rule(to=st.sampled_from(JUMPS))
    def the_clock_jumps(self, to: dt.timedelta | str) -> None:
        if isinstance(to, str):
            self.clock.set(f"{to}+00:00")
        else:
            self.clock.now += to

    @rule()
    def restarts(self) -> None:
        self.close()
        self.open()
