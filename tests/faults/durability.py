"""What is written stays: power, disks, locks, retries, migrations and backups."""

from tests.faults.planting import Edit, fault

DATABASE, ENGINES, MIGRATE, BACKUP, ANSWERS, NOTES = (
    f"api/{name}.py" for name in ("database", "engines", "migrate", "backup", "answers", "notes")
)
KILL, POWER, DISK, LOCK, ONCE, MIGRATION, COPIES, SOAK = (
    f"tests/durability/test_{name}.py"
    for name in ("kill", "power", "disk", "lock", "once", "migration", "backup", "soak")
)
SETTINGS = (
    "tests/test_database.py::test_the_settings_that_durability_needs_are_in_force_on_postgresql"
)

FAULTS = [
    fault("normal-sync", POWER, ENGINES, "synchronous = FULL", "synchronous = NORMAL"),
    fault("no-sync", POWER, ENGINES, "synchronous = FULL", "synchronous = OFF"),
    fault(
        "postgresql-may-lose-the-last-commits",
        SETTINGS,
        ENGINES,
        "-c synchronous_commit=on -c",
        "-c synchronous_commit=off -c",
    ),
    fault(
        "postgresql-as-it-is-set",
        SETTINGS,
        ENGINES,
        "-c synchronous_commit=on -c",
        "-c",
    ),
    fault(
        "postgresql-read-committed",
        SETTINGS,
        ENGINES,
        'isolation_level="SERIALIZABLE"',
        'isolation_level="READ COMMITTED"',
    ),
    fault(
        "told-before-the-commit",
        f"{KILL}::test_a_kill_at_each_call_loses_nothing_acknowledged",
        DATABASE,
        "                outcomes = _handle(session, batch)\n",
        "                outcomes = _handle(session, batch)\n"
        "                _settle(batch, outcomes)\n                time.sleep(0.01)\n",
        Edit(DATABASE, "if future.cancelled():", "if future.done():"),
    ),
    fault(
        "a-failing-disk-is-tried-again",
        f"{DISK}::test_a_failing_disk_ends_the_service_and_nothing_false_is_said",
        DATABASE,
        'FATAL = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB")',
        'FATAL = ("SQLITE_NOTADB",)',
    ),
    fault(
        "a-full-disk-is-not-said",
        f"{DISK}::test_a_full_disk_is_said_and_passes",
        "api/app.py",
        'if name == "SQLITE_FULL":',
        'if name == "SQLITE_NOTHING":',
    ),
    fault(
        "a-full-disk-within-a-savepoint-is-not-said",
        "tests/test_refused.py::test_a_full_disk_is_said_and_passes[note]",
        DATABASE,
        "[_said_first(error)] * len(batch)",
        "[error] * len(batch)",
    ),
    fault(
        "a-reader-that-stays",
        SOAK,
        DATABASE,
        "        with _reading(self._finder) as session:\n",
        "        if not hasattr(self, '_stays'):\n"
        "            self._stays = Session(self._reader)\n"
        "            self._stays.connection().exec_driver_sql('SELECT * FROM member').all()\n"
        "        with _reading(self._finder) as session:\n",
    ),
    fault("no-patience", LOCK, ENGINES, "BUSY_TIMEOUT_MS = 5_000", "BUSY_TIMEOUT_MS = 0"),
    fault(
        "refused-one-after-the-other",
        LOCK,
        DATABASE,
        "if _is_locked(outcomes[0]) and not last:",
        "if last and not last:",
    ),
    fault(
        "deferred-begin",
        f"{ONCE}::test_two_workers_on_one_database_lose_nothing[sqlite]",
        ENGINES,
        '"BEGIN IMMEDIATE" if writes',
        '"BEGIN" if writes',
    ),
    fault(
        "a-retry-is-another-answer",
        f"{ONCE}::test_a_network_that_loses_replies_stores_each_once[sqlite]",
        "api/answers.py",
        "        if key in stored:\n",
        "        if not key:\n",
    ),
    fault(
        "an-id-may-mean-two-things",
        f"{ONCE}::test_an_id_is_one_members_and_means_one_thing",
        "api/answers.py",
        "    if request_hash == item.row",
        "    if request_hash or item.row",
    ),
    fault(
        "any-version-may-be-changed",
        f"{ONCE}::test_no_edit_of_a_note_is_lost[sqlite]",
        "api/notes.py",
        "if note.version != expected:",
        "if expected is None:",
    ),
    fault(
        "a-broken-sqlite-is-used",
        "tests/test_database.py::test_an_sqlite_that_corrupts_files_is_refused",
        ENGINES,
        "driver.sqlite_version_info < OLDEST_SQLITE",
        "driver.sqlite_version_info < (3, 7)",
    ),
    fault(
        "no-foreign-keys",
        "tests/test_database.py::test_a_reference_to_nobody_is_refused",
        ENGINES,
        "foreign_keys = ON",
        "foreign_keys = OFF",
    ),
    fault(
        "foreign-keys-while-migrating",
        f"{MIGRATION}::test_making_a_table_again_deletes_nothing_that_refers_to_it",
        MIGRATE,
        "foreign_keys = OFF",
        "foreign_keys = ON",
    ),
    fault(
        "migration-not-compared",
        f"{MIGRATION}::test_a_migration_that_would_lose_something_changes_nothing",
        MIGRATE,
        "    if changed := list(",
        "    if changed := list() and list(",
    ),
    fault(
        "migration-without-a-copy",
        f"{MIGRATION}::test_a_database_is_copied_before_its_migration",
        MIGRATE,
        "        _copy(database)\n",
        "        pass\n",
    ),
    fault(
        "backup-by-cp",
        f"{COPIES}::test_a_backup_under_load_holds_all_that_was_acknowledged_before",
        BACKUP,
        'connection.execute("VACUUM INTO ?", (str(partial),))',
        "shutil.copyfile(source, partial)",
    ),
    fault(
        "backup-by-cp-with-the-log",  # right for a small file, which is copied in a moment
        f"{COPIES}::test_a_backup_under_load_holds_all_that_was_acknowledged_before[4-40]",
        BACKUP,
        'connection.execute("VACUUM INTO ?", (str(partial),))',
        "shutil.copyfile(source, partial)\n        "
        'log = source.with_name(f"{source.name}-wal")\n        '
        'shutil.copyfile(log, partial.with_name(f"{partial.name}-wal"))',
    ),
    fault(
        "restore-without-checksum",
        f"{COPIES}::test_a_damaged_backup_is_refused",
        BACKUP,
        "    if _hash(file) != manifest.sha256:",
        "    if not manifest.sha256:",
    ),
    fault(
        "restore-beside-a-stray-log",
        f"{COPIES}::test_a_backup_that_a_program_had_open_is_refused",
        BACKUP,
        "        if stray.exists():",
        "        if not stray.name:",
    ),
    fault(
        "restore-under-a-running-service",
        f"{COPIES}::test_a_database_in_use_is_not_replaced",
        BACKUP,
        'connection.execute("PRAGMA journal_mode = DELETE")',
        'connection.execute("PRAGMA journal_mode")',
    ),
    fault(
        "any-version-will-do",
        "tests/test_notes.py::test_only_the_very_version_lets_a_change_pass",
        "api/notes.py",
        "    if note.version != expected:",
        "    if expected is not None and note.version != expected:",
    ),
    fault(
        "a-full-disk-is-swallowed",
        f"{DISK}::test_a_full_disk_is_said_and_passes",
        DATABASE,
        "[_said_first(error)] * len(batch)  # a full disk",
        "[None] * len(batch)  # a full disk",
    ),
    fault(
        "an-id-is-forgotten",
        "tests/test_answers.py::test_the_same_id_again_is_one_answer_for_ever",
        ANSWERS,
        '_KEYS.in_(sa.bindparam("keys", expanding=True))\n',
        '_KEYS.in_(sa.bindparam("keys", expanding=True)), '
        'ANSWER.c.answered_at > sa.bindparam("oldest")\n',
        Edit(
            ANSWERS,
            '{"keys": keys}',
            '{"keys": keys, "oldest": latest - dt.timedelta(days=1)}',
        ),
    ),
    fault(
        "an-id-is-everybodys",
        "tests/test_answers.py::test_an_id_belongs_to_the_member_who_made_it",
        ANSWERS,
        '_KEYS.in_(sa.bindparam("keys", expanding=True))',
        'ANSWER.c.id.in_(sa.bindparam("keys", expanding=True))',
        Edit(
            ANSWERS,
            '{"keys": keys})',
            '{"keys": [key for _, key in keys]})\n        for own in whose',
        ),
        Edit(
            ANSWERS,
            "(row.member_id, row.id): (row.request_hash",
            "(own, row.id): (row.request_hash",
        ),
    ),
    fault(
        "a-version-is-a-time",
        "tests/test_notes.py::test_a_change_needs_the_version_that_was_seen",
        NOTES,
        "note.version += 1",
        "note.version = int(now.timestamp())",
    ),
    fault(
        "looked-at-in-another-transaction",
        "tests/test_notes.py::test_no_edit_is_lost_between_members_who_write_at_once",
        "api/note_routes.py",
        "    def save(session: Session) -> NoteOut:\n"
        "        change_note(session, str(note_id), text, given.visibility, expected,",
        "    with service.database.read() as looking:\n"
        "        if find_row(looking, str(note_id), member)[0].version != expected:\n"
        '            raise Stale("stale")\n\n'
        "    def save(session: Session) -> NoteOut:\n"
        "        seen = find_row(session, str(note_id), member)[0].version\n"
        "        change_note(session, str(note_id), text, given.visibility, seen,",
    ),
    fault(
        "a-weak-tag-will-do",
        "tests/test_notes.py::test_only_the_very_version_lets_a_change_pass",
        "api/note_routes.py",
        "tag = if_match.strip()",
        'tag = if_match.strip().removeprefix("W/")',
    ),
    fault(
        "a-reader-is-not-given-back",
        "tests/test_notes.py::test_no_edit_is_lost_between_members_who_write_at_once",
        DATABASE,
        "        with _reading(self._reader) as session:\n            yield session\n",
        "        session = Session(self._reader, expire_on_commit=False)\n"
        '        self.__dict__.setdefault("_kept", []).append(session)\n'
        "        yield session\n",
    ),
    fault(
        "statements-of-sqlite-alone",
        "tests/test_members.py::test_an_invitation_works_once",
        "api/members.py",
        "            col(Invitation.code_hash) == code_hash,\n",
        '            sa.func.ifnull(Invitation.code_hash, "") == code_hash,\n',
    ),
    fault(
        "migration-in-pieces",
        f"{MIGRATION}::test_a_migration_that_would_lose_something_changes_nothing",
        MIGRATE,
        "                _compare(before",
        '                connection.connection.cursor().execute("COMMIT")\n'
        '                connection.connection.cursor().execute("BEGIN")\n'
        "                _compare(before",
    ),
    fault(
        "migration-without-a-transaction",
        f"{MIGRATION}::test_a_kill_leaves_the_old_schema_or_the_new_and_every_row",
        MIGRATE,
        "                _upgrade(connection)\n",
        '                connection.connection.cursor().execute("COMMIT")\n'
        "                _upgrade(connection)\n"
        '                connection.connection.cursor().execute("BEGIN")\n',
    ),
    fault(
        "migration-backwards",
        "tests/test_database.py::test_a_database_of_a_later_version_is_refused",
        MIGRATE,
        "if revision and revision not in revisions():",
        "if revision and not revisions():",
    ),
    fault(
        "backup-named-before-it-is-checked",
        f"{COPIES}::test_a_kill_leaves_a_whole_backup_or_none",
        BACKUP,
        'partial = target.with_name(f"{target.name}.partial")',
        "partial = target",
    ),
]
