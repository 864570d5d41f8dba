from datetime import UTC, datetime

import pytest

from emulator.functions.ncrontab import ScheduleError, parse

FRIDAY = datetime(2026, 11, 20, 10, 30, 15, 250, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * * *", datetime(2026, 11, 20, 10, 30, 16, tzinfo=UTC)),
        ("0 */5 * * * *", datetime(2026, 11, 20, 10, 35, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2026, 11, 20, 10, 35, tzinfo=UTC)),
        ("15 30 10 * * *", datetime(2026, 11, 21, 10, 30, 15, tzinfo=UTC)),
        ("0 0 9-17/4 * * *", datetime(2026, 11, 20, 13, tzinfo=UTC)),
        ("0 30 9 * * Mon-Fri", datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
        ("0 0 3 * * 0", datetime(2026, 11, 22, 3, tzinfo=UTC)),
        ("0 0 0 1 January,7 *", datetime(2027, 1, 1, tzinfo=UTC)),
        ("0 0 0 13 * Fri", datetime(2027, 8, 13, tzinfo=UTC)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("50/5 59 23 31 12 *", datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC)),
    ],
)
def test_next_is_the_first_moment_later(expression: str, expected: datetime) -> None:
    assert parse(expression).next(FRIDAY) == expected


def test_next_of_a_due_moment_is_the_one_after_it() -> None:
    schedule = parse("0 0 3 * * *")
    due = schedule.next(FRIDAY)
    assert schedule.next(due) == datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "60 * * * * *",
        "* * 24 * * *",
        "* * * 0 * *",
        "* * * * 13 *",
        "* * * * * 7",
        "*/0 * * * * *",
        "5-1 * * * * *",
        "a * * * * *",
        "1,,2 * * * * *",
        "00:05:00",
    ],
)
def test_what_is_no_expression_is_refused_in_the_words_of_the_host(expression: str) -> None:
    with pytest.raises(ScheduleError, match="was not recognized as a valid cron expression"):
        parse(expression)


def test_a_schedule_that_never_occurs_is_an_error_not_a_loop() -> None:
    with pytest.raises(ScheduleError, match="never"):
        parse("0 0 0 31 2 *").next(FRIDAY)
