"""`readout quiz`: bring quizzes in from other systems, and carry them there."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.console import fail, last_address, load_content, load_settings

if TYPE_CHECKING:
    from api.formats import Loss

quiz = typer.Typer(
    help="""Import and export quizzes.

    Example: readout quiz import questions.gift
    """,
    no_args_is_help=True,
)

Report = Annotated[bool, typer.Option("--report", help="What was not carried over, as JSON.")]


@quiz.command("import")
def import_quiz(
    file: Annotated[Path, typer.Argument(help="GIFT, Moodle XML, QTI, quizdown, mkdocs-quiz.")],
    slug: Annotated[str | None, typer.Option(help="The new file's name.")] = None,
    form: Annotated[
        str | None, typer.Option("--format", help="If it cannot be told from the file.")
    ] = None,
    report: Report = False,
) -> None:
    """Write the questions of a file as a quiz of ours; say what could not be carried over.

    Example: readout quiz import course.zip --slug course --report
    """
    from api import formats
    from api.drafts import NotWritten, write_new

    settings = load_settings()
    content = load_content(settings)
    taken = {question.id for quiz in content.quizzes.values() for question in quiz.questions}
    name = slug or formats.readout.slugify(file.stem)
    try:
        imported = formats.read(file.name, file.read_bytes(), form)
        exported = formats.write(imported.bank, "readout", name, taken=taken)
        losses = [*imported.losses, *exported.losses]
        if sum(loss.what == "question" for loss in exported.losses) == len(imported.items):
            _tell(losses, as_json=report)
            fail(f"no question of {file} can be one of ours; nothing was written")
        write_new(
            {
                settings.content_dir / "quizzes" / path: data.decode()
                for path, data in exported.files.items()
                if path.endswith(".md")
            }
        )
        for path, data in exported.files.items():
            if not path.endswith(".md"):
                picture = settings.content_dir / "quizzes" / path
                picture.parent.mkdir(parents=True, exist_ok=True)
                picture.write_bytes(data)
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}")
    except (formats.Unreadable, NotWritten, ValueError) as error:
        fail(str(error))
    _tell(losses, as_json=report)
    typer.echo(f"wrote {settings.content_dir}/quizzes/{name}.md\nnext: readout check", err=True)


@quiz.command("export")
def export_quiz(
    slug: Annotated[str, typer.Argument(help="A quiz, as looking-inside-gpt.")],
    form: Annotated[
        str, typer.Option("--format", help="gift, moodle, qti21, mkdocs-quiz or anki.")
    ],
    folder: Annotated[Path, typer.Option(help="Where to write.")] = Path("build"),
    report: Report = False,
) -> None:
    """Write a quiz for another system; say what it has no place for.

    Example: readout quiz export strengths-and-limits --format moodle
    """
    from api import formats
    from api.formats.readout import from_quiz
    from api.records import nearest

    content = load_content(load_settings())
    if slug not in content.quizzes:
        fail(f"no quiz is named {slug!r}; {nearest(slug, content.quizzes)}")
    ours = from_quiz(content.quizzes[slug], content.facts)
    try:
        exported = formats.write(ours.bank, form, slug)
        for path, data in exported.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            typer.echo(f"wrote {target}", err=True)
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}")
    except ValueError as error:
        fail(str(error))
    _tell([*ours.losses, *exported.losses], as_json=report)


def _tell(losses: "Iterable[Loss]", *, as_json: bool) -> None:
    losses = list(losses)
    if as_json:
        typer.echo(json.dumps([loss._asdict() for loss in losses], ensure_ascii=False, indent=2))
        return
    for loss in losses:
        typer.echo(f"{loss.path}:{loss.line}: {loss.kind}: {loss.what}; {loss.why}")


@quiz.command("take")
def take_quiz(
    slug: Annotated[str, typer.Argument(help="A quiz, as looking-inside-gpt.")],
    url: Annotated[
        str | None, typer.Option(help="Where the service is; a self-check needs none.")
    ] = None,
    link: Annotated[
        str | None, typer.Option("--join", help="A join link, the first time on this machine.")
    ] = None,
) -> None:
    """Take a quiz in the terminal. A self-check works offline; a meeting quiz asks the service.

    Example: readout quiz take looking-inside-gpt --url https://group.example.org
    """
    from api import taking
    from api.records import nearest
    from api.tokens import remember, token_for

    settings = load_settings()
    try:
        source: taking.Source
        content = load_content(settings)
        if url is None and link is None and slug in content.quizzes:
            local = content.quizzes[slug]
            if local.kind == "self-check":
                taking.take(taking.Here(local, content), input, typer.echo)
                return
        if url is None and link is None and slug not in content.quizzes:
            fail(f"no quiz is named {slug!r}; {nearest(slug, content.quizzes)}")
        base = url or (link or "").partition("/join")[0] or last_address(settings)
        if link is not None:
            code = link.partition("#")[2] or link
            name = input("Your name, as the group knows you: ").strip()
            remember(settings, base, taking.join(base, code, name))
        source = taking.There(base, slug, token_for(settings, base))
        taking.take(source, input, typer.echo)
    except (taking.Away, taking.Refused) as error:
        fail(str(error))
    except (EOFError, KeyboardInterrupt):
        typer.echo("")
