"""What is shown: texts that anyone may have written, no key before the answer, and the page."""

from tests.faults.planting import Edit, fault

RENDER, NOTES, QUIZZES = (f"api/{name}.py" for name in ("render", "notes", "quizzes"))
NO_KEY = "tests/test_no_key.py::test_no_endpoint_and_no_refusal_holds_a_secret"
ELEMENTS = "tests/browser/test_elements.py"

FAULTS = [
    fault(
        "notes-let-html-through",
        "tests/test_render.py::test_a_text_is_set_as_its_author_means_it",
        "api/render.py",
        'note = MarkdownIt("js-default", {"linkify"',
        'note = MarkdownIt("js-default", {"html": True, "linkify"',
    ),
    fault(
        "formulas-bring-html",
        "tests/test_render.py::test_a_hostile_text_is_shown_harmless",
        "api/mathml.py",
        'escape(unescape(element.text or ""), quote=False)',
        'unescape(element.text or "")',
    ),
    fault(
        "pictures-from-anywhere",
        "tests/test_render.py::test_a_text_is_set_as_its_author_means_it",
        "api/render.py",
        "    if _is_own(source):",
        "    if source:",
    ),
    fault(
        "work-without-end",
        "tests/test_render.py::test_work_without_end_is_ended",
        "api/bounded.py",
        "timeout=LIMIT_S)",
        "timeout=None)",
        Edit("api/bounded.py", "future.result(PATIENCE_S)", "future.result(90)"),
    ),
    fault(
        "a-file-wins-over-the-site",
        "tests/test_note_files.py::test_changes_of_both_sides_are_merged",
        "api/note_sync.py",
        "    if seen.here == seen.base:",
        "    if seen.here:",
    ),
    fault(
        "a-return-is-undone",
        "tests/test_note_files.py::test_an_author_may_return_to_what_was_exported",
        "api/note_sync.py",
        "    if there == seen.base:",
        "    if there in (seen.base, seen.here):",
    ),
    fault(
        "line-ends-are-normalized",
        "tests/test_note_files.py::test_a_text_that_nobody_changed_stays_one",
        "api/note_files.py",
        'f"{note.text}{newline * 2}<!-- end',
        'f"{note.text.replace(chr(13), str())}{newline * 2}<!-- end',
    ),
    fault(
        "draft-dropped-before-saved",
        "tests/browser/test_notes.py::test_a_change_is_saved_or_kept_whenever_its_tab_was_closed",
        "docs/assets/elements/note-editor.js",
        "    const outcome = await this.save(sent);",
        "    await outbox.dropDraft(this.place);\n    const outcome = await this.save(sent);",
    ),
    fault(
        "a-note-is-set-in-the-service",
        "tests/test_notes.py::test_a_note_that_takes_too_long_to_set_is_refused_and_an_older_one_shown_as_typed",
        NOTES,
        "bounded(render_note, body, titles_in(body, titles))",
        "render_note(body, titles_in(body, titles))",
    ),
    fault(
        "an-explanation-with-the-question",
        NO_KEY,
        QUIZZES,
        "stem=question.stem,",
        'stem=f"{question.stem}\\n{question.why}",',
    ),
    fault(
        "an-order-tells-the-answer",
        "tests/test_no_key.py::test_what_is_told_does_not_depend_on_the_key",
        QUIZZES,
        "for o in question.offered],",
        "for o in question.options],",
    ),
    fault(
        "a-vote-is-told-at-once",
        "tests/test_no_key.py::test_a_vote_is_told_alike_whether_right_or_wrong",
        "api/answers.py",
        'return turn != "revote" and all(',
        'return turn == "revote" and all(',
    ),
    fault(
        "a-key-in-a-page",
        "tests/test_site.py::test_no_key_of_a_meeting_quiz_is_in_the_site",
        "api/quiz_pages.py",
        '    if quiz.kind == "self-check":\n        # A template',
        "    if quiz.kind:\n        # A template",
    ),
    fault(
        "said-saved-while-the-service-is-away",
        f"{ELEMENTS}::test_an_answer_waits_for_the_service_and_is_stored_once",
        "docs/assets/elements/outbox.js",
        '? { entry, state: "kept", why }',
        '? { entry, state: "saved", data: null }',
    ),
    fault(
        "said-saved-before-it-is",
        f"{ELEMENTS}::test_a_lost_reply_leads_to_one_stored_answer",
        "docs/assets/elements/outbox.js",
        'return { entry, state: "kept", why: "unreachable" };\n          });',
        'return { entry, state: "saved", data: null };\n          });',
    ),
    fault(
        "sent-as-another-member",
        f"{ELEMENTS}::test_an_answer_is_never_sent_as_another_member",
        "docs/assets/elements/outbox.js",
        "all.filter((entry) => entry.member === member?.id)",
        "all.filter((entry) => entry.member)",
        Edit(
            "docs/assets/elements/outbox.js",
            "if (here.member && here.member.id !== last.id) return;",
            "if (here.member && !last.id) return;",
        ),
    ),
]
