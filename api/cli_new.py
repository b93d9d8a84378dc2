"""`readout new`: begin a content file with the right fields and a prompt for each part."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.console import fail, load_settings

if TYPE_CHECKING:
    import datetime as dt

    from api.new import Begun

new = typer.Typer(
    help="""Begin a meeting, a paper, a talk or a quiz.

    Example: readout new paper --arxiv 2211.00593
    """,
    no_args_is_help=True,
)

Topics = Annotated[list[str] | None, typer.Option("--topic", help="A topic; may be repeated.")]
Title = Annotated[str | None, typer.Option(help="The title.")]
Url = Annotated[str | None, typer.Option(help="Where it is: https://...")]
Slug = Annotated[str | None, typer.Option(help="The file's name; proposed if left out.")]


def _begin(make: "Callable[[], Begun]") -> None:
    from api.drafts import NotWritten

    try:
        typer.echo(str(make()))
    except NotWritten as error:
        fail(str(error))


def _today() -> "dt.date":
    import datetime as dt

    return dt.datetime.now().astimezone().date()


@new.command()
def meeting(
    date: Annotated[str, typer.Argument(help="The day, as 2026-03-12.")],
    title: Title = None,
    topic: Topics = None,
    reading: Annotated[
        list[str] | None, typer.Option(help="A library entry; may be repeated.")
    ] = None,
) -> None:
    """Begin the notes of a meeting.

    Example: readout new meeting 2026-03-12 --topic circuits --reading 2022-wang-ioi
    """
    from api.new import new_meeting

    folder = load_settings().content_dir
    _begin(
        lambda: new_meeting(folder, date, title=title, topics=topic or [], readings=reading or [])
    )


@new.command()
def paper(
    arxiv: Annotated[str | None, typer.Option(help="Its arXiv number; asks arXiv.")] = None,
    bibtex: Annotated[Path | None, typer.Option(help="A BibTeX file; needs no network.")] = None,
    title: Title = None,
    author: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    year: Annotated[int | None, typer.Option(help="The year it appeared.")] = None,
    url: Url = None,
    topic: Topics = None,
    slug: Slug = None,
) -> None:
    """Begin the page of a paper, filled in from arXiv or BibTeX as far as they go.

    Example: readout new paper --bibtex library.bib --topic circuits
    """
    from api.new import new_paper

    folder = load_settings().content_dir
    _begin(
        lambda: new_paper(
            folder,
            arxiv=arxiv,
            bibtex=bibtex,
            title=title,
            authors=author or [],
            year=year,
            url=url,
            topics=topic or [],
            slug=slug,
            today=_today(),
        )
    )


@new.command()
def talk(
    url: Url = None,
    title: Title = None,
    speaker: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    date: Annotated[str | None, typer.Option(help="The day or the year it was given.")] = None,
    topic: Topics = None,
    slug: Slug = None,
) -> None:
    """Begin the page of a talk.

    Example: readout new talk --url https://example.org/talk --title "A talk" --speaker "A. Name"
    """
    from api.new import new_talk

    folder = load_settings().content_dir
    _begin(
        lambda: new_talk(
            folder,
            url=url,
            title=title,
            speakers=speaker or [],
            date=date,
            topics=topic or [],
            slug=slug,
            today=_today(),
        )
    )


@new.command()
def quiz(
    slug: Annotated[str, typer.Argument(help="The file's name, as looking-inside-gpt.")],
    meeting: Annotated[str | None, typer.Option(help="The meeting that it prepares.")] = None,
    title: Title = None,
    topic: Topics = None,
) -> None:
    """Begin a quiz with one question of each common type.

    Example: readout new quiz induction-heads --meeting 2026-03-12
    """
    from api.new import new_quiz

    folder = load_settings().content_dir
    _begin(lambda: new_quiz(folder, slug, meeting=meeting, title=title, topics=topic or []))
