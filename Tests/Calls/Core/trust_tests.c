// Whom one has to trust: what strangers can do to who only looks, and the table of Trust.md, line by line, with a second user.

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];
    expect_outcome(mslot_path(name, path, sizeof path).outcome, MSLOT_DONE);
    return path;
}

/// A reader in a process of its own, as this user, until it is killed; it has written `count` messages itself.
static pid_t start_reader(uid_t user, const mslot_create_options *options, uint64_t count)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        if (user != geteuid()) become(user);
        expect_outcome(mslot_create("orders", options).failure.outcome, MSLOT_DONE);
        mslot_writer *writer = must_open("orders");
        for (uint64_t i = 0; i < count; i++) must_write(writer, 0, i);
        must_close_writer(writer);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    return child;
}

static unsigned names_count, skipped_count;
static char last_name[MSLOT_NAME_BYTES_MAX + 4], last_skipped[MSLOT_NAME_BYTES_MAX + 4];
static mslot_failure last_why;

static void add_name(const char *name, void *context)
{
    (void)context;
    names_count++;
    snprintf(last_name, sizeof last_name, "%s", name);
}

static void add_skipped(const char *name, const mslot_failure *why, void *context)
{
    (void)context;
    skipped_count++;
    snprintf(last_skipped, sizeof last_skipped, "%s", name);
    last_why = *why;
}

static mslot_failure list_all(void)
{
    names_count = skipped_count = 0;
    return mslot_list_with_skipped(add_name, add_skipped, NULL);
}

// MARK: who only looks

TEST(a_file_that_its_owner_leases_hides_no_other_from_the_list_and_is_told)
{
    // Its reader is gone: whoever has the file open keeps others from a lease.
    pid_t dead = child_start();
    if (dead == 0) {
        if (geteuid() == 0) become(SOMEBODY);
        (void)must_create("app/leased", 2, 2);
        child_end();
    }
    child_join(dead);
    mslot_reader *reader = must_create("orders", 2, 2);
    uint64_t *ready = shared_words(1);
    pid_t owner = child_start();
    if (owner == 0) {
        if (geteuid() == 0) become(SOMEBODY);
        signal(SIGIO, SIG_IGN); // somebody opens it: give it up within /proc/sys/fs/lease-break-time
        int descriptor = open(path_of("app/leased"), O_RDWR | O_CLOEXEC);
        expect(descriptor >= 0);
        if (fcntl(descriptor, F_SETLEASE, F_WRLCK) != 0) skip("no leases here: %s", strerror(errno));
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);

    expect_outcome(list_all().outcome, MSLOT_DONE);
    expect(names_count == 1 && strcmp(last_name, "orders") == 0);
    expect(skipped_count == 1 && strcmp(last_skipped, "app/leased") == 0);
    expect_outcome(last_why.outcome, MSLOT_SYSTEM_ERROR);
    expect_equal(last_why.system_error, EAGAIN);
    expect_equal(last_why.holder_uid, geteuid() == 0 ? SOMEBODY : geteuid());
    char text[1000];
    mslot_failure_describe(&last_why, last_skipped, text, sizeof text);
    expect(strstr(text, "holds a lease") != NULL);
    // A list that cannot tell of it has all others, and fails.
    names_count = 0;
    mslot_failure plain = mslot_list(add_name, NULL);
    expect_outcome(plain.outcome, MSLOT_SYSTEM_ERROR);
    expect_equal(plain.system_error, EAGAIN);
    expect_equal(names_count, 1);
    expect_outcome(mslot_inspect("app/leased").failure.outcome, MSLOT_SYSTEM_ERROR);
    // Who would not have trusted the file does not wait for its owner either.
    expect_outcome(mslot_open("app/leased", NULL).failure.outcome, geteuid() == 0 ? MSLOT_UNTRUSTED : MSLOT_SYSTEM_ERROR);
    child_kill(owner);
    expect_outcome(mslot_remove("app/leased").outcome, MSLOT_DONE);
    must_close(reader);
}

// MARK: who may only read

TEST(a_mode_that_lets_somebody_read_who_may_not_write_is_refused_in_words)
{
    static const uint32_t modes[] = {0640, 0604, 0644, 0664, 0646, 0620, 0602, 0626, 0662};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        trying("mode 0%o", modes[i]);
        mslot_create_options options = small_options(2, 2);
        options.mode = modes[i];
        for (int adopting = 0; adopting < 2; adopting++) {
            options.adopt = adopting;
            mslot_failure failure = mslot_create("orders", &options).failure;
            expect_outcome(failure.outcome, MSLOT_BAD_ARGUMENT);
            char text[1000], mode[8];
            snprintf(mode, sizeof mode, "0%o:", modes[i]);
            mslot_failure_describe(&failure, "orders", text, sizeof text);
            expect(strstr(text, mode) != NULL && strstr(text, "hold it up") != NULL && strstr(text, "0660") != NULL);
        }
        expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_NOT_FOUND);
    }
}

/// As an owner may want it all the same, and as earlier versions made it.
static mslot_reader *create_readable(void)
{
    mslot_reader *reader = must_create("orders", 4, 4);
    expect_equal(chmod(path_of("orders"), 0644), 0);
    return reader;
}

TEST(a_mailslot_that_its_owner_lets_others_read_works_as_any_other)
{
    mslot_reader *reader = create_readable();
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0);
    must_close_writer(writer);
    must_close(reader);

    mslot_create_options options = small_options(4, 4);
    child_kill(start_reader(geteuid(), &options, 1));
    expect_equal(chmod(path_of("orders"), 0644), 0);
    reader = must_adopt("orders"); // what is unread is not lost for a mode
    must_read_this(reader, 0, 0);
    must_close(reader);
}
