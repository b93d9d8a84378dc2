"""Conversations to follow the thread of: what was said before, and the turn that needs it.

Two kinds. *Written* ones are short dialogues of our own, each with a last turn that goes on from
what was said. *Introductions* are made from frames: a speaker names two others, one in each role,
other turns may follow, and at last one of the two is asked for. Nothing here imports torch.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

ROLES = (
    ("dog", "cat"),
    ("brother", "sister"),
    ("boss", "neighbor"),
    ("son", "daughter"),
    ("teacher", "doctor"),
    ("horse", "parrot"),
)
OPENINGS = (
    "My {first} is called {one} and my {second} is called {other}.",
    "I have a {first} named {one} and a {second} named {other}.",
    "{one} is my {first}, and {other} is my {second}.",
)
# Turns that may stand between: nobody is named in them.
BETWEEN = (
    ("What should I have for breakfast?", "Porridge with some fruit is a good start to the day."),
    ("Is it better to walk or to take the bus?", "Walk if it is dry and you have the time."),
    ("How do I get a coffee stain out?", "Rinse it in cold water, then use a little soap."),
    ("Which season is best for planting trees?", "Autumn, when the soil is warm and moist."),
)
# Each a list of turns, user and assistant in turns; the last is the assistant's.
WRITTEN: tuple[tuple[str, ...], ...] = (
    (
        "I am baking a lemon cake for my grandmother, who turns ninety on Sunday.",
        "How lovely! Do you need help with the recipe?",
        "No, but what could I write on it?",
        "You could write Happy ninetieth birthday, Grandmother, in lemon icing.",
    ),
    (
        "My bicycle has a flat tire and I have to be at the station at eight.",
        "That is tight. Do you have a pump?",
        "I have one, but it is at my office.",
        "Then leave the bicycle, and take a bus to the station before eight.",
    ),
    (
        "We are planning a trip to Norway in winter to see the northern lights.",
        "Wonderful. Which town will you stay in?",
        "We have booked a cabin near Tromso.",
        "From a cabin near Tromso you can see the northern lights on any clear winter night.",
    ),
    (
        "I have read half of Moby Dick and I am a bit bored by the chapters on whales.",
        "Many readers are. Some skip them.",
        "Would I miss much of the story?",
        "Not much: the story of Moby Dick goes on without the chapters on whales.",
    ),
    (
        "My tomato plants have yellow leaves, although I water them every evening.",
        "It may be too much water.",
        "How often should I do it instead?",
        "Water the tomato plants every third evening, and the yellow leaves should go.",
    ),
    (
        "Our choir sings the Requiem by Faure in March, and we lack two tenors.",
        "Have you asked at the music school?",
        "They have only sopranos.",
        "Then ask another choir whether two tenors could sing the Requiem with you in March.",
    ),
    (
        "I bought a violin from an old carpenter, and one of its strings is broken.",
        "Which string is it?",
        "The thinnest one.",
        "Any music shop can put a new thin string on the violin of the old carpenter.",
    ),
    (
        "The red kettle leaks, but my husband does not want to throw it away.",
        "Is it dear to him?",
        "It belonged to his aunt in Dublin.",
        "Then keep the red kettle as a vase, in memory of his aunt in Dublin.",
    ),
    (
        "I must give a talk about volcanoes to a class of seven-year-olds.",
        "Bring pictures, and keep it short.",
        "Can I show them an eruption?",
        "Yes: vinegar and baking soda make a small eruption, and a class of seven-year-olds "
        "will remember volcanoes.",
    ),
    (
        "Our football team lost five to nothing because the goalkeeper was ill.",
        "Did nobody else want to stand in the goal?",
        "The coach did, and he is sixty.",
        "No wonder that the team lost five to nothing with a coach of sixty in the goal.",
    ),
    (
        "I found a wallet with forty dollars and a library card in the park.",
        "Is there a name on the card?",
        "Yes, but no address.",
        "Take the wallet to the library: with the name on the card they can find the owner.",
    ),
    (
        "My sister wants to learn Portuguese before she moves to Lisbon in June.",
        "How much time does she have every day?",
        "About twenty minutes.",
        "With twenty minutes of Portuguese every day she can order a coffee in Lisbon by June.",
    ),
)


class ChatTokenizer(Protocol):
    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...
    def apply_chat_template(self, conversation: list[dict[str, str]], *, tokenize: bool) -> str: ...


class Turns(NamedTuple):
    """Tokens of what was said before, and of the turns that are judged after it."""

    before: list[int]
    question: list[int]  # the turn of the user that the judged one replies to
    reply: list[int]


@dataclass(frozen=True)
class Introduction:
    """Two names in two roles; `asked` says whose is wanted, 0 for the one named first."""

    roles: tuple[str, str]
    names: tuple[str, str]
    opening: str
    between: tuple[tuple[str, str], ...]
    asked: int

    @property
    def right(self) -> str:
        return self.names[self.asked]

    @property
    def wrong(self) -> str:
        return self.names[1 - self.asked]

    @property
    def turns(self) -> list[str]:
        said = self.opening.format(
            first=self.roles[0], one=self.names[0], second=self.roles[1], other=self.names[1]
        )
        role = self.roles[self.asked]
        fillers = [turn for pair in self.between for turn in pair]
        return [
            f"Hello! {said}",
            "Nice to meet you. How can I help you?",
            *fillers,
            f"What is the name of my {role}?",
            f"The name of your {role} is {self.right}",
        ]


def introductions(
    n: int, names: Sequence[str], between: int, chooser: random.Random
) -> list[Introduction]:
    """`n` introductions with so many turns of each speaker between naming and asking.

    One after the other asks for the first named and for the second, so that a model that always
    says the last name, or the first, is right in half of them.
    """
    return [
        Introduction(
            chooser.choice(ROLES),
            tuple(chooser.sample(list(names), 2)),
            OPENINGS[n % len(OPENINGS)],
            tuple(chooser.sample(BETWEEN, between)),
            asked=n % 2,
        )
        for n in range(n)
    ]


def turns_of(conversation: Sequence[str], tokenizer: ChatTokenizer) -> Turns:
    """A conversation in the model's chat format, cut before its last two turns.

    Without the mark after the last turn: it is judged by its words.
    """
    *before, question, reply = conversation
    speakers = ("user", "assistant")
    said = [{"role": speakers[n % 2], "content": turn} for n, turn in enumerate(before)]
    asked = {"role": "user", "content": question}
    start = tokenizer.apply_chat_template(said, tokenize=False) if said else ""
    whole = tokenizer.apply_chat_template([*said, asked], tokenize=False)

    def encoded(text: str) -> list[int]:
        return tokenizer.encode(text, add_special_tokens=False)

    return Turns(
        encoded(start),
        encoded(whole.removeprefix(start) + "<|im_start|>assistant\n"),
        encoded(reply),
    )


def seen_before(turns: Turns) -> list[bool]:
    """For each token of the reply: does it stand in the turns before the question?

    Those are the tokens that could be copied from there.
    """
    earlier: Mapping[int, None] = dict.fromkeys(turns.before)
    return [token in earlier and token not in turns.question for token in turns.reply]
