/*
 * Names of other machines: how a writer gets its outbox from the bridge of this one.
 *
 * `\\host\mailslot\x`, `\\domain\mailslot\x` and `\\*\mailslot\x` are written to by an outbox, an ordinary mailslot whose reader is the
 * bridge: `bridge/out/K/DESTINATION/x`. DESTINATION is the host or the domain in canonical form, or `@` for `*`. K is 0, and when all
 * lanes of that one are taken 1, and so on up to 63. A writer opens the outbox if it is there. Only if not does it ask, once for all who
 * come after it:
 *
 *     request   a message in `bridge/requests`, whose reader is the bridge
 *               0 version u8 = 1 · 1 kind u8 = 1, make an outbox · 2 K u8 · 3 bytes of destination u8 · 4 bytes of name u8
 *               5 three zeros · 8 id u64, random · 16 destination, name
 *     answer    a message in `bridge/answers`, which the bridge creates, writes and reads itself, and others observe
 *               0 version u8 = 1 · 1 kind u8 = 1 · 2 result u8 · 3 zero · 4 bytes of text u16 · 6 zero u16
 *               8 id u64, of the request · 16 text, the bridge's words, UTF-8, 0 to 400 bytes
 *     result    0 the outbox is there · 1 no such host or domain · 2 not allowed by the bridge's configuration · 3 the name cannot be
 *               4 too many outboxes · 5 no resources · 6 the bridge is ending
 *
 * Little-endian. Each request has one answer. Who asks observes the answers before it sends its request, so that none is missed; unless
 * as many others were answered meanwhile as `bridge/answers` holds: then the outbox is there, or it asks again. An answer is valid if
 * and only if all this is so and it ends with its text; any other is not for us. A result of which nothing is said here is a refusal.
 *
 * Without either of these mailslots there is no bridge. Whether it is alive the lock of the reader of `bridge/requests` says.
 */

#include "linux.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

enum {
    VERSION = 1,
    KIND_OUTBOX = 1,
    OUTBOXES_MAX = 64,
    REQUEST_HEADER_BYTES = 16,
    ANSWER_HEADER_BYTES = 16,
    OUTBOX_NAME_BYTES = 160,

    RESULT_MADE = 0,
    RESULT_NO_SUCH_HOST = 1,
    RESULT_NOT_ALLOWED = 2,
    RESULT_BAD_NAME = 3,
    RESULT_TOO_MANY_OUTBOXES = 4,
    RESULT_NO_RESOURCES = 5,
    RESULT_ENDING = 6,

    /// Looking for an answer, from 100 µs on; and asking again for a host that is not there yet. Chosen.
    ANSWER_STEP_NS_MAX = 10000000,
    HOST_STEP_NS_MAX = 1000000000,
    /// Of the bridge. Chosen: an answer takes some 100 µs.
    CHECK_READER_NS = 1000000000
};
/// What a bridge has to answer, if the caller says nothing else.
static const int64_t ANSWER_NS_DEFAULT = 10000000000LL;

static const char requests_name[] = "bridge/requests";
static const char answers_name[] = "bridge/answers";

/// One writer's way to its outbox.
typedef struct outbox_opening {
    const mslot_remote_name *name;
    mslot_open_options options;
    int64_t deadline_ns;
    unsigned outbox;
    mslot_opened opened;
} outbox_opening;

// MARK: the bytes

typedef struct request {
    size_t byte_count;
    unsigned char bytes[REQUEST_HEADER_BYTES + MSLOT_HOST_BYTES_MAX + MSLOT_REMOTE_NAME_BYTES_MAX];
} request;

static request request_make(const outbox_opening *e, uint64_t id)
{
    const mslot_remote_name *name = e->name;
    request made;
    memset(&made, 0, sizeof made);
    made.bytes[0] = VERSION;
    made.bytes[1] = KIND_OUTBOX;
    made.bytes[2] = (unsigned char)e->outbox;
    made.bytes[3] = (unsigned char)name->destination_bytes;
    made.bytes[4] = (unsigned char)name->path_bytes;
    memcpy(made.bytes + 8, &id, sizeof id);
    memcpy(made.bytes + REQUEST_HEADER_BYTES, name->destination, name->destination_bytes);
    memcpy(made.bytes + REQUEST_HEADER_BYTES + name->destination_bytes, name->path, name->path_bytes);
    made.byte_count = REQUEST_HEADER_BYTES + name->destination_bytes + name->path_bytes;
    return made;
}

/// Whether this is the answer to the request `id`.
static bool is_answer(const unsigned char *bytes, size_t byte_count, uint64_t id)
{
    if (byte_count < ANSWER_HEADER_BYTES || bytes[0] != VERSION || bytes[1] != KIND_OUTBOX || bytes[3] != 0) return false;
    uint16_t text_bytes, zero;
    memcpy(&text_bytes, bytes + 4, sizeof text_bytes);
    memcpy(&zero, bytes + 6, sizeof zero);
    return zero == 0 && text_bytes <= MSLOT_WORDS_BYTES_MAX && byte_count == ANSWER_HEADER_BYTES + (size_t)text_bytes
        && memcmp(bytes + 8, &id, sizeof id) == 0;
}

static mslot_failure failure_of_answer(const unsigned char *bytes, size_t byte_count)
{
    mslot_failure failure = mslot__failure_of(MSLOT_NOT_ALLOWED);
    switch (bytes[2]) {
    case RESULT_MADE: failure.outcome = MSLOT_DONE; break;
    case RESULT_NO_SUCH_HOST: failure.outcome = MSLOT_NO_SUCH_HOST; break;
    case RESULT_NOT_ALLOWED: break;
    case RESULT_BAD_NAME: failure.outcome = MSLOT_BAD_NAME; break;
    case RESULT_TOO_MANY_OUTBOXES:
    case RESULT_NO_RESOURCES: failure.outcome = MSLOT_NO_SPACE; break;
    case RESULT_ENDING: failure.outcome = MSLOT_NO_BRIDGE; break;
    default: break; // of a later version
    }
    memcpy(failure.words, bytes + ANSWER_HEADER_BYTES, byte_count - ANSWER_HEADER_BYTES);
    mslot__text_cut(failure.words);
    return failure;
}

// MARK: the outbox

static bool is_absent(mslot_outcome outcome) { return outcome == MSLOT_NOT_FOUND || outcome == MSLOT_NO_READER; }

/// Opens the outbox if it is there: true, with what that came to. Else it has to be asked for.
static bool open_outbox(outbox_opening *e)
{
    char name[OUTBOX_NAME_BYTES];
    snprintf(name, sizeof name, "bridge/out/%u/%s/%s", e->outbox, e->name->destination, e->name->path);
    e->opened = mslot_open(name, &e->options);
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
    for (;;) {
        mslot_observed observed = mslot_observer_next(answers, bytes, sizeof bytes);
        if (observed.missed != 0) *is_lost = true; // perhaps
        switch (observed.outcome) {
        case MSLOT_DONE:
            if (!is_answer(bytes, observed.byte_count, id)) continue;
            *failure = failure_of_answer(bytes, observed.byte_count);
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
        if (!mslot__look_later(&step_ns, ANSWER_STEP_NS_MAX, e->deadline_ns)) return time_is_up(requests);
    }
}

static mslot_failure send_request(outbox_opening *e, mslot_writer *requests, mslot_observer *answers)
{
    uint64_t id;
    if (MSLOT_UNINTERRUPTED(getrandom(&id, sizeof id, 0)) != (ssize_t)sizeof id) return mslot__failure_errno(errno);
    request made = request_make(e, id);
    int64_t left_ns = e->deadline_ns == MSLOT_FOREVER ? MSLOT_FOREVER : e->deadline_ns - mslot__now_ns();
    mslot_outcome outcome = mslot_writer_write(requests, made.bytes, made.byte_count, left_ns > 1 ? left_ns : 1);
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
    mslot_opened requests = mslot_open(requests_name, &options);
    if (requests.failure.outcome == MSLOT_TOO_MANY_WRITERS) return mslot__failure_of(MSLOT_BUSY); // others are asking
    if (requests.writer == NULL) return failure_of_bridge(requests.failure);
    mslot_observer_opened answers = mslot__observe_trusted(answers_name, 0, options.trust_user);
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
    for (e->outbox = 0; e->outbox < OUTBOXES_MAX;) {
        mslot_failure failure = open_outbox(e) ? e->opened.failure : ask(e);
        if (failure.outcome == MSLOT_BUSY) {
            if (!mslot__look_later(&step_ns, ANSWER_STEP_NS_MAX, e->deadline_ns)) return mslot__failure_of(MSLOT_TIMED_OUT);
        } else if (failure.outcome == MSLOT_TOO_MANY_WRITERS) {
            e->outbox++;
        } else {
            return failure;
        }
    }
    return mslot__failure_of(MSLOT_TOO_MANY_WRITERS);
}

mslot_opened mslot__open_remote(const char *name_text, const mslot_open_options *options)
{
    mslot_opened opened = {.writer = NULL};
    mslot_remote_name name = mslot__remote_name_parse(name_text);
    if (name.problem != MSLOT_NAME_FINE) {
        opened.failure = mslot__failure_of(MSLOT_BAD_NAME);
        opened.failure.detail = name.problem;
        return opened;
    }
    int64_t answer_ns = options->answer_ns > 0 ? options->answer_ns : ANSWER_NS_DEFAULT;
    int64_t wait_until_ns = options->wait_ns > 0 ? mslot__deadline(options->wait_ns) : 0;
    int64_t answer_until_ns = mslot__deadline(answer_ns);
    outbox_opening e = {.name = &name, .options = *options};
    e.deadline_ns = wait_until_ns > answer_until_ns ? wait_until_ns : answer_until_ns;
    e.options.wait_ns = 0;

    int64_t step_ns = 0;
    for (;;) {
        opened.failure = open_some_outbox(&e);
        bool may_appear = opened.failure.outcome == MSLOT_NO_BRIDGE || opened.failure.outcome == MSLOT_NO_SUCH_HOST;
        int64_t step_ns_max = opened.failure.outcome == MSLOT_NO_BRIDGE ? ANSWER_STEP_NS_MAX : HOST_STEP_NS_MAX;
        if (!may_appear || !mslot__look_later(&step_ns, step_ns_max, wait_until_ns)) break;
    }
    if (opened.failure.outcome == MSLOT_DONE) opened.writer = e.opened.writer;
    return opened;
}
