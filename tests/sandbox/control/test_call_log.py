"""The record of calls and its bounds."""

from sandbox.control.call_log import Call, CallLog


def add(log: CallLog, body: str = "{}") -> Call:
    return log.add(0.5, "GET", "/v3/x", query="", bearer=None, body=body)


def numbers(log: CallLog) -> list[int]:
    return [call.number for call in log.after(0)]


def test_the_oldest_calls_make_room_by_number() -> None:
    """Beyond so many calls the oldest are left out; numbers go on, and `after` still means them."""
    log = CallLog(calls_kept=3)
    for _ in range(5):
        add(log)
    assert numbers(log) == [3, 4, 5]
    assert [call.number for call in log.after(3, 1)] == [4]
    assert [call.number for call in log.after(1, 2)] == [3, 4]


def test_the_oldest_calls_make_room_by_size() -> None:
    """Long bodies and answers push out more calls than short ones."""
    log = CallLog(characters_kept=100)
    first = add(log, "x" * 36)
    add(log, "x" * 36)
    assert numbers(log) == [1, 2]
    log.answered(first, 200, "y" * 40)
    assert numbers(log) == [2]
    log.answered(add(log), 200, "y" * 60)
    assert numbers(log) == [3]


def test_the_size_of_what_was_left_out_is_forgotten() -> None:
    """However many calls came and went, and were answered late, as much fits as at the start."""
    log = CallLog(characters_kept=100)
    for _ in range(50):
        early = add(log, "x" * 30)
        log.answered(add(log, "x" * 60), 200, "yy")
        log.answered(early, 200, "y" * 30)
    assert numbers(log) == [100]
    add(log, "x" * 34)
    assert numbers(log) == [100, 101]


def test_a_late_answer_of_a_call_that_was_left_out_takes_no_room() -> None:
    """Nothing is pushed out for what is not kept."""
    log = CallLog(characters_kept=100)
    early = add(log, "x" * 30)
    add(log, "x" * 90)
    log.answered(early, 200, "y" * 50)
    assert numbers(log) == [2]


def test_a_call_that_outgrows_the_log_empties_it() -> None:
    """One answer above the bound is not kept, and the log works on."""
    log = CallLog(characters_kept=100)
    log.answered(add(log), 200, "y" * 200)
    assert numbers(log) == []
    add(log)
    assert numbers(log) == [2]
