// Whom one has to trust: what strangers can do to who only looks, and the table of Trust.md, line by line, with a second user.

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
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

/// Locks some bytes of the mailslot's file as long as this process lives.
static bool lock_bytes(int descriptor, short type, off_t first, off_t count)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
    return fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
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

static mslot_outcome see(mslot_observer *observer)
{
    static unsigned char bytes[4096];
    return mslot_observer_next(observer, bytes, sizeof bytes).outcome;
}

// MARK: who only looks

TEST(who_only_looks_lives_without_a_guard_though_the_file_is_cut_all_the_time)
{
    mslot_create_options options = small_options(64, 64);
    pid_t owner = start_reader(geteuid(), &options, 64);
    uint64_t *cuts = shared_words(1);
    pid_t hostile = child_start();
    if (hostile == 0) {
        static unsigned char kept[256 * 1024];
        int descriptor = open(path_of("orders"), O_RDWR | O_CLOEXEC);
        ssize_t byte_count = pread(descriptor, kept, sizeof kept, 0);
        expect(byte_count > 0);
        for (off_t size = 0;; size = (size + 4096) % byte_count) {
            expect_equal(ftruncate(descriptor, size), 0);
            expect_equal(pwrite(descriptor, kept, (size_t)byte_count, 0), byte_count);
            shared_add(cuts, 1);
        }
    }
    mslot_observer *observer = NULL;
    for (int looks = 0; looks < 1000 || shared_get(cuts) < 1000; looks++) {
        expect_outcome(list_all().outcome, MSLOT_DONE);
        mslot_inspected inspected = mslot_inspect("orders");
        expect(inspected.failure.outcome == MSLOT_DONE || inspected.failure.outcome == MSLOT_NOT_A_MAILSLOT);
        if (observer == NULL) observer = mslot_observer_open("orders", 64).observer;
        if (observer == NULL) continue;
        mslot_outcome seen = see(observer);
        expect(seen == MSLOT_DONE || seen == MSLOT_EMPTY || seen == MSLOT_DAMAGED);
        if (seen == MSLOT_DONE) continue;
        expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
        observer = NULL;
    }
    if (observer != NULL) expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    child_kill(hostile);
    child_kill(owner);
    unlink(path_of("orders"));
}

TEST(a_look_at_a_file_that_was_cut_short_says_so)
{
    mslot_reader *reader = must_create("orders", 4, 4);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    mslot_observer *observer = mslot_observer_open("orders", 1).observer;
    expect(observer != NULL);
    expect_equal(truncate(path_of("orders"), MSLOT_HEADER_BYTES), 0);
    expect_outcome(see(observer), MSLOT_DAMAGED);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_NOT_A_MAILSLOT);
    expect_outcome(mslot_observer_open("orders", 1).failure.outcome, MSLOT_NOT_A_MAILSLOT);
    expect_outcome(mslot_guard_install().outcome, MSLOT_DONE); // for the two ends
    must_close_writer(writer);
    must_close(reader);
}

TEST(who_only_looks_fills_no_hole_whatever_a_slot_says)
{
    mslot_create_options options = small_options(4, 16);
    options.message_bytes_max = 65536;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    mslot_writer *writer = must_open_without_express("orders");
    must_write(writer, 0, 0);
    // The message says that its bytes are in the overflow of a lane that nobody has used yet.
    mslot_slot *slot = mslot__ring_slot(&reader->ring.ring, mslot__cell_index(*mslot__ring_state(&reader->ring.ring, 4)));
    slot->length = 65536;
    slot->lane = 15;
    slot->extra = 0;
    struct stat before, after;
    expect_equal(stat(path_of("orders"), &before), 0);
    static unsigned char bytes[65536];
    mslot_observer *observer = mslot_observer_open("orders", 1).observer;
    expect(observer != NULL);
    mslot_observed observed = mslot_observer_next(observer, bytes, sizeof bytes);
    expect_outcome(observed.outcome, MSLOT_DONE);
    expect_equal(observed.byte_count, 65536);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    expect_equal(mslot_inspect("orders").info.next_byte_count, 65536);
    expect_equal(stat(path_of("orders"), &after), 0);
    expect_equal(after.st_blocks, before.st_blocks);
    must_close_writer(writer);
    must_close(reader);
}

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

/// What this process has used, the kernel's part for it too: on a busy machine the clock goes on while others run.
static int64_t processor_ns(void)
{
    struct timespec used;
    expect(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0);
    return (int64_t)used.tv_sec * SECOND + used.tv_nsec;
}

TEST(fifteen_thousand_locks_on_a_file_of_sixty_thousand_lanes_hold_up_nobody_who_looks_or_opens)
{
    enum { LANES = 65534, LOCKS = 15000 };
    mslot_reader *reader = must_create("orders", 1, LANES);
    mslot_writer *writer = must_open("orders");
    uint64_t *ready = shared_words(1);
    pid_t hostile = child_start();
    if (hostile == 0) {
        int descriptor = open(path_of("orders"), O_RDWR | O_CLOEXEC);
        for (off_t i = 0; i < LOCKS; i++) lock_bytes(descriptor, F_WRLCK, 1 + 2 * i, 1);
        shared_set(ready, 1);
        for (;;) pause();
    }
    memset(reader->ring.ring.lane_hints, 0xff, (LANES + 63) / 64 * sizeof(uint64_t));
    wait_until(shared_get(ready) == 1);
    int64_t begun = processor_ns();
    mslot_inspected inspected = mslot_inspect("orders");
    expect(processor_ns() - begun < 3LL * SECOND); // a query a lane would take five times as long
    expect_outcome(inspected.failure.outcome, MSLOT_DONE);
    expect(inspected.info.writer_count >= 1 && inspected.info.writer_count <= LANES);
    expect(inspected.info.reader_present);
    begun = processor_ns();
    must_close_writer(must_open("orders")); // no hint says that a lane is free
    expect(processor_ns() - begun < 3LL * SECOND);
    child_kill(hostile);
    must_close_writer(writer);
    must_close(reader);
}

TEST(writers_are_counted_one_by_one_wherever_their_lanes_are)
{
    enum { LANES = 60 };
    mslot_reader *reader = must_create("orders", 4, LANES);
    mslot_writer *writers[LANES];
    for (int i = 0; i < LANES; i++) writers[i] = must_open("orders");
    uint32_t count = LANES;
    for (int turns = 0; turns < 200; turns++) {
        expect_equal(mslot_inspect("orders").info.writer_count, count);
        mslot_writer **writer = &writers[random_below(LANES)];
        count += *writer == NULL ? 1 : -1;
        if (*writer != NULL) must_close_writer(*writer);
        *writer = *writer == NULL ? must_open("orders") : NULL;
    }
    for (int i = 0; i < LANES; i++)
        if (writers[i] != NULL) must_close_writer(writers[i]);
    expect_equal(mslot_inspect("orders").info.writer_count, 0);
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

TEST(locks_of_who_may_only_read_are_taken_for_nobodys_life)
{
    need_root();
    mslot_create_options options = small_options(4, 4);
    pid_t owner = start_reader(0, &options, 1);
    expect_equal(chmod(path_of("orders"), 0644), 0);
    mslot_writer *writer = must_open("orders");
    off_t lane = (off_t)writer->lane_index;
    uint64_t *ready = shared_words(1);
    pid_t stranger = child_start();
    if (stranger == 0) {
        become(SOMEBODY);
        int descriptor = open(path_of("orders"), O_RDONLY | O_CLOEXEC);
        while (!lock_bytes(descriptor, F_RDLCK, 0, 1)) poll_pause(); // until the reader is gone
        if (lane > 0) expect(lock_bytes(descriptor, F_RDLCK, 1, lane));
        expect(lock_bytes(descriptor, F_RDLCK, 2 + lane, 100));
        shared_set(ready, 1);
        for (;;) pause();
    }
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_DONE);
    child_kill(owner);
    wait_until(shared_get(ready) == 1);
    expect_outcome(mslot_writer_check_reader(writer), MSLOT_NO_READER);
    expect_outcome(open_outcome("orders"), MSLOT_NO_READER);
    mslot_inspected inspected = mslot_inspect("orders");
    expect(!inspected.info.reader_present);
    expect_equal(inspected.info.writer_count, 1);
    expect_equal(inspected.info.mode, 0644);
    child_kill(stranger);
    must_close_writer(writer);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
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

// MARK: the table

TEST(row_no_permission_sees_name_and_size_and_nothing_else)
{
    need_root();
    mslot_reader *reader = must_create("orders", 2, 2);
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY);
        struct stat status;
        expect_equal(stat(path_of("orders"), &status), 0);
        expect(status.st_size > 0);
        expect_outcome(list_all().outcome, MSLOT_DONE);
        expect(names_count == 0 && skipped_count == 0); // whom it may not read it does not ask for
        mslot_create_options adopt = mslot_create_options_default();
        adopt.adopt = true;
        mslot_failure refused[] = {
            mslot_inspect("orders").failure,
            mslot_observer_open("orders", 1).failure,
            mslot_open("orders", NULL).failure,
            mslot_create("orders", NULL).failure,
            mslot_create("orders", &adopt).failure,
            mslot_remove("orders"),
        };
        for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
            trying("call %zu", i);
            expect_outcome(refused[i].outcome, MSLOT_NO_PERMISSION);
            expect_equal(refused[i].holder_uid, 0);
        }
        child_end();
    }
    child_join(client);
    must_close(reader);
}

TEST(row_read_only_looks_and_can_hold_up_but_not_write)
{
    need_root();
    mslot_reader *reader = create_readable();
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY);
        mslot_inspected inspected = mslot_inspect("orders");
        expect_outcome(inspected.failure.outcome, MSLOT_DONE);
        expect(inspected.info.reader_present && inspected.info.message_count == 1 && inspected.info.writer_count == 1);
        mslot_observer *observer = mslot_observer_open("orders", 1).observer;
        expect(observer != NULL);
        expect_outcome(see(observer), MSLOT_DONE);
        expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
        expect_outcome(open_outcome("orders"), MSLOT_NO_PERMISSION);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_NO_PERMISSION);
        // Why no mailslot is created with such a mode.
        int descriptor = open(path_of("orders"), O_RDONLY | O_CLOEXEC);
        for (off_t lane = 0; lane < 4; lane++) lock_bytes(descriptor, F_RDLCK, 1 + lane, 1);
        expect_equal(seteuid(0), 0);
        expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
        child_end();
    }
    child_join(client);
    must_read_this(reader, 0, 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(row_read_and_write_can_damage_and_occupy_but_crash_nobody_who_has_the_guard_nor_become_the_reader)
{
    need_root();
    mslot_create_options options = small_options(4, 4);
    options.mode = 0666;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_guard_install().outcome, MSLOT_DONE);
    must_write(writer, 0, 0);
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY);
        mslot_observer *observer = mslot_observer_open("orders", 1).observer;
        expect_outcome(see(observer), MSLOT_DONE); // reads what others wrote
        expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
        mslot_create_options adopt = mslot_create_options_default();
        adopt.adopt = true;
        expect_outcome(mslot_create("orders", &adopt).failure.outcome, MSLOT_ALREADY_EXISTS);
        for (int i = 0; i < 3; i++) must_write(must_open("orders"), 1, (uint64_t)i);
        expect_outcome(open_outcome("orders"), MSLOT_TOO_MANY_WRITERS);
        expect_equal(truncate(path_of("orders"), 0), 0);
        child_end();
    }
    child_join(client);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_writer_write(writer, "x", 1, 0), MSLOT_DAMAGED);
    must_close_writer(writer);
    must_close(reader);
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
}

TEST(row_read_and_write_can_hold_the_name_of_a_dead_reader_until_its_owner_deletes_the_file)
{
    need_root();
    mslot_create_options options = small_options(4, 4);
    options.mode = 0666;
    child_kill(start_reader(SOMEBODY, &options, 1));
    uint64_t *ready = shared_words(1);
    pid_t hostile = child_start();
    if (hostile == 0) {
        become(SOMEBODY_ELSE);
        mslot_create_options adopt = mslot_create_options_default();
        adopt.adopt = true;
        expect_outcome(mslot_create("orders", &adopt).failure.outcome, MSLOT_UNTRUSTED); // does not become the reader
        int descriptor = open(path_of("orders"), O_RDWR | O_CLOEXEC);
        expect(lock_bytes(descriptor, F_WRLCK, 0, 1));
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    pid_t owner = child_start();
    if (owner == 0) {
        become(SOMEBODY);
        expect_outcome(create_outcome("orders", NULL), MSLOT_ALREADY_EXISTS);
        expect_equal(unlink(path_of("orders")), 0);
        must_close(must_create("orders", 4, 4));
        child_end();
    }
    child_join(owner);
    child_kill(hostile);
}

TEST(row_the_readers_user_takes_over_and_removes)
{
    need_root();
    mslot_create_options options = small_options(4, 4);
    options.mode = 0666;
    child_kill(start_reader(SOMEBODY, &options, 1));
    pid_t other = child_start();
    if (other == 0) {
        become(SOMEBODY_ELSE);
        expect_outcome(create_outcome("orders", NULL), MSLOT_UNTRUSTED);
        child_end();
    }
    child_join(other);
    pid_t owner = child_start();
    if (owner == 0) {
        become(SOMEBODY);
        mslot_reader *reader = must_adopt("orders");
        must_read_this(reader, 0, 0);
        must_close(reader);
        child_end();
    }
    child_join(owner);
    child_kill(start_reader(SOMEBODY, &options, 1));
    owner = child_start();
    if (owner == 0) {
        become(SOMEBODY);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
        child_end();
    }
    child_join(owner);
}

TEST(row_the_directorys_writer_puts_a_file_first_and_is_not_believed)
{
    need_root();
    mslot_create_options options = small_options(4, 4);
    options.mode = 0666;
    pid_t first = start_reader(SOMEBODY, &options, 0);
    pid_t victim = child_start();
    if (victim == 0) {
        become(SOMEBODY_ELSE);
        expect_outcome(create_outcome("orders", NULL), MSLOT_UNTRUSTED);
        expect_outcome(open_outcome("orders"), MSLOT_UNTRUSTED);
        child_end();
    }
    child_join(victim);
    child_kill(first);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}

TEST(row_the_table_of_hosts_is_written_whatever_its_readers_do)
{
    need_root();
    mslot_hosts *hosts = mslot_hosts_open(0).hosts;
    expect(hosts != NULL);
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", getenv("MAILSLOT_DIRECTORY"), MSLOT_HOSTS_FILE);
    uint64_t *ready = shared_words(1);
    pid_t stranger = child_start();
    if (stranger == 0) {
        become(SOMEBODY);
        expect(open(path, O_RDWR | O_CLOEXEC) < 0 && errno == EACCES);
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        expect(lock_bytes(descriptor, F_RDLCK, 0, 0));
        expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED, descriptor, 0) != MAP_FAILED);
        expect(fcntl(descriptor, F_SETLEASE, F_RDLCK) != 0);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    mslot_host host;
    memset(&host, 0, sizeof host);
    host.number = 1;
    strcpy(host.host, "render7");
    strcpy(host.domain, "studio");
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_DONE);
    expect_outcome(mslot_hosts_close(hosts), MSLOT_DONE);
    hosts = mslot_hosts_open(0).hosts;
    expect(hosts != NULL);
    expect_outcome(mslot_hosts_set(hosts, &host).outcome, MSLOT_DONE);
    expect_outcome(mslot_origin_host(1, MSLOT_TRUST_NOBODY_ELSE).failure.outcome, MSLOT_DONE);
    expect_outcome(mslot_hosts_close(hosts), MSLOT_DONE);
    child_kill(stranger);
    unlink(path);
}

TEST(row_root_looks_removes_and_is_let_in_but_does_not_trust_strangers)
{
    need_root();
    mslot_create_options options = small_options(4, 4);
    pid_t reader = start_reader(SOMEBODY, &options, 1); // mode 0600
    expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_DONE);
    mslot_observer *observer = mslot_observer_open("orders", 1).observer;
    expect(observer != NULL);
    expect_outcome(see(observer), MSLOT_DONE);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    expect_outcome(open_outcome("orders"), MSLOT_UNTRUSTED);
    mslot_open_options trusting = mslot_open_options_default();
    trusting.trust_user = SOMEBODY;
    mslot_opened opened = mslot_open("orders", &trusting);
    expect_outcome(opened.failure.outcome, MSLOT_DONE);
    must_close_writer(opened.writer);
    child_kill(reader);
    expect_outcome(mslot_remove("orders").outcome, MSLOT_DONE);
}
