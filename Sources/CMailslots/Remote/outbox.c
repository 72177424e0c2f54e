// Names of other machines: how a writer gets its outbox from the bridge of this one. mailslots/outbox_protocol.h says how they talk.

#include "remote.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    /// Looking for an answer, from 100 µs on; and asking again for a host that is not there yet. Chosen.
    ANSWER_STEP_NS_MAX = 10000000,
    HOST_STEP_NS_MAX = 1000000000,
    /// Of the bridge. Chosen: an answer takes some 100 µs.
    CHECK_READER_NS = 1000000000
};
/// What a bridge has to answer, if the caller says nothing else.
static const int64_t ANSWER_NS_DEFAULT = 10000000000LL;

/// One writer's way to its outbox.
typedef struct outbox_opening {
    const mslot_name *name;
    mslot_open_options options;
    /// Of the present try.
    int64_t deadline_ns;
    unsigned outbox;
    mslot_opened opened;
} outbox_opening;

// MARK: the answer

static mslot_failure failure_of_answer(const mslot__outbox_answer *answer)
{
    mslot_failure failure = mslot__failure_of(MSLOT_NOT_ALLOWED);
    switch (answer->result) {
    case MSLOT_OUTBOX_READY: failure.outcome = MSLOT_DONE; break;
    case MSLOT_OUTBOX_NO_SUCH_HOST: failure.outcome = MSLOT_NO_SUCH_HOST; break;
    case MSLOT_OUTBOX_NOT_ALLOWED: break;
    case MSLOT_OUTBOX_BAD_NAME: failure.outcome = MSLOT_BAD_NAME; break;
    case MSLOT_OUTBOX_TOO_MANY:
    case MSLOT_OUTBOX_NO_RESOURCES: failure.outcome = MSLOT_NO_SPACE; break;
    case MSLOT_OUTBOX_ENDING: failure.outcome = MSLOT_NO_BRIDGE; break;
    default: break; // of a later version
    }
    memcpy(failure.words, answer->text, answer->text_bytes);
    mslot__text_cut(failure.words);
    return failure;
}

// MARK: the outbox

static bool is_absent(mslot_outcome outcome) { return outcome == MSLOT_NOT_FOUND || outcome == MSLOT_NO_READER; }

/// Opens the outbox if it is there: true, with what that came to. Else it has to be asked for.
static bool open_outbox(outbox_opening *e)
{
    // Canonical, for its parts are.
    mslot_name name = {.problem = MSLOT_NAME_FINE};
    int bytes = snprintf(name.text, sizeof name.text, MSLOT_OUTBOX_PREFIX "%u/%s/%s", e->outbox, e->name->destination, e->name->text);
    name.bytes = (size_t)bytes;
    e->opened = mslot__open_local(&name, &e->options);
    return !is_absent(e->opened.failure.outcome);
}

// MARK: asking

/// What went wrong with one of the bridge's own mailslots.
static mslot_failure failure_of_bridge(mslot_failure failure)
{
    return is_absent(failure.outcome) ? mslot__failure_of(MSLOT_NO_BRIDGE) : failure;
}

static mslot_failure time_is_up(mslot_writer *requests)
{
    mslot_failure failure = mslot__failure_of(MSLOT_TIMED_OUT);
    mslot_info info = mslot_writer_info(requests);
    failure.holder_pid = (int32_t)info.reader_pid;
    failure.holder_uid = info.reader_uid;
    return failure;
}

/// Looks through the new answers for ours: true, with what it says; BUSY: nothing, for there will be no more.
static bool find_answer(mslot_observer *answers, uint64_t id, mslot_failure *failure, bool *is_lost)
{
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX];
    mslot__outbox_answer answer;
    for (;;) {
        mslot_observed observed = mslot_observer_next(answers, bytes, sizeof bytes);
        if (observed.missed != 0) *is_lost = true; // perhaps
        switch (observed.outcome) {
        case MSLOT_DONE:
            if (!mslot__outbox_answer_decode(&answer, bytes, observed.byte_count) || answer.id != id) continue;
            *failure = failure_of_answer(&answer);
            return true;
        case MSLOT_EMPTY: return false;
        // The bridge has ended; perhaps another is there by now.
        case MSLOT_CLOSED: *failure = mslot__failure_of(MSLOT_BUSY); return true;
        default: *failure = mslot__failure_of(MSLOT_DAMAGED); return true; // also TOO_LONG, which no answer is
        }
    }
}

/// Waits until the outbox is there, or the bridge says that there will be none. BUSY: ask again.
static mslot_failure await_answer(outbox_opening *e, mslot_writer *requests, mslot_observer *answers, uint64_t id)
{
    int64_t step_ns = 0;
    int64_t checked_ns = mslot__now_ns();
    bool is_lost = false;
    for (;;) {
        mslot_failure failure;
        bool is_answered = find_answer(answers, id, &failure, &is_lost);
        // After the answer, which tells of an outbox that is there. But others may have had it made, and the bridge ended since.
        if (open_outbox(e)) return e->opened.failure;
        if (is_answered && failure.outcome != MSLOT_DONE) return failure;
        if (is_answered || is_lost) return mslot__failure_of(MSLOT_BUSY);
        if (mslot__now_ns() - checked_ns >= CHECK_READER_NS) {
            if (mslot_writer_check_reader(requests) == MSLOT_NO_READER) return mslot__failure_of(MSLOT_NO_BRIDGE);
            checked_ns = mslot__now_ns();
        }
        mslot_outcome outcome = mslot__look_later(&step_ns, ANSWER_STEP_NS_MAX, e->deadline_ns, e->options.interrupt);
        if (outcome != MSLOT_DONE) return outcome == MSLOT_TIMED_OUT ? time_is_up(requests) : mslot__failure_of(outcome);
    }
}

/// Waits for room by looks if an interrupt may come, for it is not the writer's.
static mslot_outcome write_request(const outbox_opening *e, mslot_writer *requests, const unsigned char *bytes, size_t byte_count)
{
    const uint32_t *interrupt = e->options.interrupt;
    for (;;) {
        int64_t left_ns = e->deadline_ns == MSLOT_FOREVER ? MSLOT_FOREVER : e->deadline_ns - mslot__now_ns();
        bool is_last = interrupt == NULL || left_ns <= ANSWER_STEP_NS_MAX;
        int64_t step_ns = is_last ? left_ns : ANSWER_STEP_NS_MAX;
        mslot_outcome outcome = mslot_writer_write(requests, bytes, byte_count, step_ns > 1 ? step_ns : 1);
        if (outcome != MSLOT_TIMED_OUT || is_last) return outcome;
        if (mslot__load_acquire_32(interrupt) != 0) return MSLOT_INTERRUPTED; // pairs with the store in mslot__interrupt_set
    }
}

static mslot_failure send_request(outbox_opening *e, mslot_writer *requests, mslot_observer *answers)
{
    uint64_t id;
    if (MSLOT_UNINTERRUPTED(getrandom(&id, sizeof id, 0)) != (ssize_t)sizeof id) return mslot__failure_errno(errno);
    mslot__outbox_request request = {
        .id = id,
        .outbox = (uint8_t)e->outbox,
        .destination_bytes = (uint8_t)e->name->destination_bytes,
        .name_bytes = (uint8_t)e->name->bytes,
        .destination = e->name->destination,
        .name = e->name->text,
    };
    unsigned char bytes[MSLOT_OUTBOX_REQUEST_BYTES_MAX];
    size_t byte_count = mslot__outbox_request_encode(&request, bytes);
    mslot_outcome outcome = write_request(e, requests, bytes, byte_count);
    if (outcome == MSLOT_TIMED_OUT) return time_is_up(requests);
    if (outcome == MSLOT_CLOSED) return mslot__failure_of(MSLOT_BUSY);
    if (outcome != MSLOT_DONE) return failure_of_bridge(mslot__failure_of(outcome));
    return await_answer(e, requests, answers, id);
}

/// DONE: the outbox is open. BUSY: ask again.
static mslot_failure ask(outbox_opening *e)
{
    mslot_open_options options = mslot_open_options_default();
    options.trust_user = e->options.trust_user;
    mslot_name requests_name = mslot__name_parse(MSLOT_OUTBOX_REQUESTS), answers_name = mslot__name_parse(MSLOT_OUTBOX_ANSWERS);
    mslot_opened requests = mslot__open_local(&requests_name, &options);
    if (requests.failure.outcome == MSLOT_TOO_MANY_WRITERS) return mslot__failure_of(MSLOT_BUSY); // others are asking
    if (requests.writer == NULL) return failure_of_bridge(requests.failure);
    mslot_observer_opened answers = mslot__observe_trusted(&answers_name, 0, options.trust_user);
    mslot_failure failure =
        answers.observer != NULL ? send_request(e, requests.writer, answers.observer) : failure_of_bridge(answers.failure);
    if (answers.observer != NULL) mslot_observer_close(answers.observer);
    mslot_writer_close(requests.writer);
    return failure;
}

/// Opens an outbox that has a lane for us, having it made if need be.
static mslot_failure open_some_outbox(outbox_opening *e)
{
    int64_t step_ns = 0;
    for (e->outbox = 0; e->outbox < MSLOT_OUTBOXES_MAX;) {
        mslot_failure failure = open_outbox(e) ? e->opened.failure : ask(e);
        if (failure.outcome == MSLOT_BUSY) {
            mslot_outcome outcome = mslot__look_later(&step_ns, ANSWER_STEP_NS_MAX, e->deadline_ns, e->options.interrupt);
            if (outcome != MSLOT_DONE) return mslot__failure_of(outcome);
        } else if (failure.outcome == MSLOT_TOO_MANY_WRITERS) {
            e->outbox++;
        } else {
            return failure;
        }
    }
    return mslot__failure_of(MSLOT_TOO_MANY_WRITERS);
}

mslot_opened mslot__open_outbox(const mslot_name *name, const mslot_open_options *options)
{
    mslot_opened opened = {.writer = NULL};
    if (name->problem != MSLOT_NAME_FINE) {
        opened.failure = mslot__failure_of(MSLOT_BAD_NAME);
        opened.failure.detail = name->problem;
        return opened;
    }
    int64_t answer_ns = options->answer_ns > 0 ? options->answer_ns : ANSWER_NS_DEFAULT;
    int64_t wait_until_ns = options->wait_ns > 0 ? mslot__deadline(options->wait_ns) : 0;
    outbox_opening e = {.name = name, .options = *options};
    e.options.wait_ns = 0;

    int64_t step_ns = 0;
    for (;;) {
        // The last try begins when the wait is over: the bridge has its time for that one, too.
        int64_t answer_until_ns = mslot__deadline(answer_ns);
        e.deadline_ns = wait_until_ns > answer_until_ns ? wait_until_ns : answer_until_ns;
        opened.failure = open_some_outbox(&e);
        bool may_appear = opened.failure.outcome == MSLOT_NO_BRIDGE || opened.failure.outcome == MSLOT_NO_SUCH_HOST;
        int64_t step_ns_max = opened.failure.outcome == MSLOT_NO_BRIDGE ? ANSWER_STEP_NS_MAX : HOST_STEP_NS_MAX;
        if (!may_appear || options->wait_ns <= 0) break;
        mslot_outcome outcome = mslot__look_later(&step_ns, step_ns_max, wait_until_ns, options->interrupt);
        if (outcome == MSLOT_INTERRUPTED) opened.failure = mslot__failure_of(outcome);
        if (outcome != MSLOT_DONE) break;
    }
    if (opened.failure.outcome == MSLOT_DONE) opened.writer = e.opened.writer;
    return opened;
}
