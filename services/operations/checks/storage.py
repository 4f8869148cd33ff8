"""Whether sign-ups can be stored, and what became of those that were."""

from pathlib import Path

from services.operations.snapshot import FilesState, Outage, StorageState
from services.problems import Level, Problem, well
from store.engine.database import database_file, place
from store.errors import StoreError, StoreMisconfigured, StoreSilent, StoreUpgrading

MEGABYTE = 1024 * 1024


def disk_low(files: FilesState) -> list[Problem]:
    """Return whether the disk has little room left."""
    if not files.disk_low:
        return []
    sentence = f"Only {files.disk_free // MEGABYTE} MB are free on the disk. Make room."
    return [Problem("disk_low", Level.PROBLEM, sentence, public=False)]


def disk(files: FilesState, folder: Path) -> list[Problem]:
    """Return how much room the disk of `folder` has, for an operator."""
    sentence = f"{files.disk_free // MEGABYTE} MB are free on the disk of {folder}."
    if not files.disk_low:
        return [well(sentence)]
    cure = "Make room before writing fails."
    return [Problem("disk_low", Level.PROBLEM, f"Only {sentence}", cure, public=False)]


def spool(files: FilesState) -> list[Problem]:
    """Return whether sign-ups wait outside the database, or cannot be brought into it."""
    found = []
    if files.spooled:
        sentence = f"{files.spooled} sign-ups wait in a file to be stored in the database."
        found.append(Problem("spool_waiting", Level.WARNING, sentence))
    if files.spool_damaged:
        sentence = f"{files.spool_damaged} lines of the spool cannot be read; a person must look."
        found.append(Problem("spool_damaged", Level.PROBLEM, sentence))
    return found


def spool_folder(files: FilesState, data_dir: Path) -> list[Problem]:
    """Return the same for an operator, who is told where the spool lies."""
    found = []
    if files.spooled:
        sentence = f"Sign-ups that wait in {data_dir / 'spool'} for the database: {files.spooled}."
        cure = "They are imported within seconds once it works."
        found.append(Problem("spool_waiting", Level.WARNING, sentence, cure))
    if files.spool_damaged:
        sentence = f"Lines in {data_dir / 'spool'} that could not be imported: {files.spool_damaged}."
        cure = "Read the files whose names begin with “damaged”, enter what they tell, and delete them."
        found.append(Problem("spool_damaged", Level.PROBLEM, sentence, cure))
    return found


def second_copy(storage: StorageState) -> list[Problem]:
    """Return whether new sign-ups are also written down a second time."""
    if not storage.second_copy:
        return []
    return [Problem("second_copy_failing", Level.PROBLEM, storage.second_copy, public=False)]


def salvage(storage: StorageState) -> list[Problem]:
    """Return what became of a database file that was damaged or taken away, until a person deletes it."""
    if storage.salvage_waits:
        sentence = "The database file was damaged or taken away. What it held is being read back."
        return [Problem("database_being_salvaged", Level.PROBLEM, sentence)]
    last = storage.salvaged
    if last is None:
        return []
    lost = "an unknown number of" if last.unreadable is None else last.unreadable
    sentence = (
        f"The database file was damaged or taken away. {last.signups} sign-ups were read back, {lost} rows"
        f" could not be; {last.copied} sign-ups came from their second copy. The old file is kept in the data"
        " folder; delete it when you have looked at it."
    )
    return [Problem("database_salvaged", Level.PROBLEM, sentence)]


def outage(found: Outage) -> Problem:
    """Return why the database cannot be used, and whether sign-ups are safe meanwhile."""
    if found.error is None:
        return not_storable("the disk is nearly full, and the rest is kept for what is accepted.")
    if found.spooled is None:
        return not_storable("the database cannot be written. See the log for the cause.")
    kept = (
        f"Sign-ups are safe: they are kept in a file ({found.spooled} by now) and stored as soon as it can."
    )
    if isinstance(found.error, StoreUpgrading):
        sentence = f"The database is being upgraded to this release. {kept}"
        return Problem("database_upgrading", Level.WARNING, sentence)
    if isinstance(found.error, StoreSilent):
        silent = not_answered("The database", found.silent_seconds)
        return Problem("no_answer", Level.PROBLEM, f"{silent} {kept} See the log for the cause.")
    sentence = f"The database cannot be used. {kept} See the log for the cause."
    return Problem("database_away", Level.PROBLEM, sentence)


def no_answer(what: str, seconds: float, *, storable: bool) -> Problem:
    """Return that `what` hangs, and whether sign-ups are kept in the spool meanwhile."""
    silent = not_answered(what, seconds)
    if not storable:
        return not_storable(f"{silent[0].lower()}{silent[1:]}")
    sentence = f"{silent} Sign-ups are safe meanwhile: what cannot be stored is kept in a file."
    return Problem("no_answer", Level.PROBLEM, sentence)


def not_storable(cause: str) -> Problem:
    """Return that neither the database nor the spool takes sign-ups."""
    return Problem("not_storable", Level.PROBLEM, f"Sign-ups cannot be stored: {cause}")


def not_answered(what: str, seconds: float | None) -> str:
    """Return for how long `what` has not answered, as a sentence."""
    return f"{what} has not answered for {max(1, int(seconds or 0))} s."


def database(description: str, store_url: str) -> list[Problem]:
    """Return that the database was written to a moment ago."""
    return [well(f"{description} at {place(store_url)} can be written.")]


def database_away(store_url: str, error: StoreError) -> list[Problem]:
    """Return why the database fails, for an operator."""
    sentence, cure = f"The database at {place(store_url)} cannot be used: {error}", None
    # Its own message holds the cure.
    if not isinstance(error, StoreMisconfigured):
        cure = "See that the server runs, and that DATABASE_URL names it."
        if database_file(store_url):
            cure = "See that its folder is on a local disk, has room, and may be written by this user."
    return [Problem("database_away", Level.PROBLEM, sentence, cure)]
