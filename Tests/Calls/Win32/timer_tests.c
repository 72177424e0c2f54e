// Waitable timers.

#include "common.h"

static const DWORD LONG_MS = 20000;

static LARGE_INTEGER in_milliseconds(LONGLONG milliseconds) { return (LARGE_INTEGER){.QuadPart = -milliseconds * 10000}; }

static HANDLE must_make(BOOL is_manual)
{
    HANDLE timer = CreateWaitableTimer(NULL, is_manual, NULL);
    expect(timer != NULL);
    return timer;
}

static void must_set(HANDLE timer, LARGE_INTEGER due, LONG period) { expect(SetWaitableTimer(timer, &due, period, NULL, NULL, FALSE)); }

TEST(a_timer_ends_a_wait_when_it_is_due_and_not_before)
{
    HANDLE timer = must_make(FALSE);
    expect_equal(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    int64_t begun = now_ns();
    must_set(timer, in_milliseconds(50), 0);
    expect_equal(WaitForSingleObject(timer, LONG_MS), WAIT_OBJECT_0);
    expect(now_ns() - begun >= 50LL * MILLISECOND);
    expect_equal(WaitForSingleObject(timer, 0), WAIT_TIMEOUT); // the wait has reset it
    CloseHandle(timer);
}

TEST(a_manual_timer_stays_signalled_until_it_is_set_again)
{
    HANDLE timer = must_make(TRUE);
    must_set(timer, in_milliseconds(1), 0);
    expect_equal(WaitForSingleObject(timer, LONG_MS), WAIT_OBJECT_0);
    expect_equal(WaitForSingleObject(timer, 0), WAIT_OBJECT_0);
    must_set(timer, in_milliseconds(1000 * LONG_MS), 0);
    expect_equal(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    CloseHandle(timer);
}

TEST(a_timer_with_a_period_comes_again)
{
    HANDLE timer = must_make(FALSE);
    int64_t begun = now_ns();
    must_set(timer, in_milliseconds(10), 20);
    for (int i = 0; i < 3; i++) expect_equal(WaitForSingleObject(timer, LONG_MS), WAIT_OBJECT_0);
    expect(now_ns() - begun >= 50LL * MILLISECOND);
    CloseHandle(timer);
}

TEST(a_time_since_1601_that_is_over_is_due_at_once_and_one_to_come_is_not)
{
    HANDLE timer = must_make(FALSE);
    must_set(timer, (LARGE_INTEGER){.QuadPart = 0}, 0);
    expect_equal(WaitForSingleObject(timer, LONG_MS), WAIT_OBJECT_0);
    must_set(timer, (LARGE_INTEGER){.QuadPart = INT64_MAX}, 0);
    expect_equal(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    must_set(timer, (LARGE_INTEGER){.QuadPart = INT64_MIN}, 0);
    expect_equal(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    CloseHandle(timer);
}

TEST(the_first_of_two_timers_that_is_due_ends_a_wait_for_both)
{
    HANDLE timers[2] = {must_make(FALSE), must_make(FALSE)};
    must_set(timers[0], in_milliseconds(1000 * LONG_MS), 0);
    must_set(timers[1], in_milliseconds(5), 0);
    expect_equal(WaitForMultipleObjects(2, timers, FALSE, LONG_MS), WAIT_OBJECT_0 + 1);
    CloseHandle(timers[0]);
    CloseHandle(timers[1]);
}

TEST(a_cancelled_timer_does_not_come)
{
    HANDLE timer = must_make(FALSE), later = must_make(FALSE);
    must_set(timer, in_milliseconds(1000), 0);
    expect(CancelWaitableTimer(timer));
    must_set(later, in_milliseconds(1100), 0);
    expect_equal(WaitForSingleObject(later, LONG_MS), WAIT_OBJECT_0); // its time is over by now
    expect_equal(WaitForSingleObject(timer, 0), WAIT_TIMEOUT);
    CloseHandle(timer);
    CloseHandle(later);
}

TEST(what_a_timer_cannot_do_is_refused)
{
    LARGE_INTEGER due = in_milliseconds(1);
    HANDLE timer = must_make(FALSE), event = CreateEvent(NULL, FALSE, FALSE, NULL);
    expect_error(CreateWaitableTimerA(NULL, FALSE, "named"), ERROR_NOT_SUPPORTED);
    expect_error(CreateWaitableTimerW(NULL, FALSE, u"named"), ERROR_NOT_SUPPORTED);
    expect_error(SetWaitableTimer(timer, NULL, 0, NULL, NULL, FALSE), ERROR_INVALID_PARAMETER);
    expect_error(SetWaitableTimer(timer, &due, -1, NULL, NULL, FALSE), ERROR_INVALID_PARAMETER);
    expect_error(SetWaitableTimer(timer, &due, 0, (PTIMERAPCROUTINE)(void *)&due, NULL, FALSE), ERROR_NOT_SUPPORTED);
    expect_error(SetWaitableTimer(event, &due, 0, NULL, NULL, FALSE), ERROR_INVALID_HANDLE);
    expect_error(CancelWaitableTimer(event), ERROR_INVALID_HANDLE);
    CloseHandle(event);
    CloseHandle(timer);
}

TEST(a_forked_child_has_timers_of_its_own)
{
    HANDLE timer = must_make(FALSE);
    must_set(timer, in_milliseconds(1), 0);
    expect_equal(WaitForSingleObject(timer, LONG_MS), WAIT_OBJECT_0);
    pid_t child = child_start();
    if (child == 0) {
        expect_error(CancelWaitableTimer(timer), ERROR_INVALID_HANDLE);
        HANDLE own = must_make(FALSE);
        must_set(own, in_milliseconds(1), 0);
        expect_equal(WaitForSingleObject(own, LONG_MS), WAIT_OBJECT_0);
        CloseHandle(own);
        child_end();
    }
    child_join(child);
    CloseHandle(timer);
}
