// What a mailslot must survive from outside: other files under its name, other users, no space, no descriptors.

#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22 // both Linux 5.14
#define MADV_POPULATE_WRITE 23
#endif

static char path[PATH_MAX];

static const char *orders_path(void)
{
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    return path;
}

/// Every call that meets the file refuses it in the same way, describes it, and leaves it as it is.
static void expect_every_call_says(mslot_outcome outcome)
{
    struct stat before, after;
    expect_equal(lstat(orders_path(), &before), 0);
    mslot_create_options adopting = mslot_create_options_default();
    adopting.adopt = true;
    expect_outcome(create_outcome("orders", NULL), outcome);
    expect_outcome(create_outcome("orders", &adopting), outcome);
    expect_outcome(open_outcome("orders"), outcome);
    expect_outcome(mslot_inspect("orders").failure.outcome, outcome);
    mslot_failure failure = mslot_remove("orders");
    expect_outcome(failure.outcome, outcome);
    char text[1000];
    expect(mslot_failure_describe(&failure, "orders", text, sizeof text) > 40);
    expect_equal(lstat(orders_path(), &after), 0);
    expect(before.st_ino == after.st_ino && before.st_size == after.st_size);
}

static void make_file(const void *bytes, size_t byte_count)
{
    int descriptor = open(orders_path(), O_CREAT | O_TRUNC | O_RDWR, 0600);
    expect(descriptor >= 0);
    expect_equal(write(descriptor, bytes, byte_count), byte_count);
    close(descriptor);
}

/// The file of "orders" as its killed reader left it, for a test to change.
static int open_dead_readers_file(const char *name)
{
    uint64_t *ready = shared_words(1);
    pid_t child = child_start();
    if (child == 0) {
        (void)must_create(name, 2, 2);
        shared_set(ready, 1);
        for (;;) pause();
    }
    wait_until(shared_get(ready) == 1);
    child_kill(child);
    expect_outcome(mslot_path(name, path, sizeof path).outcome, MSLOT_DONE);
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    expect(descriptor >= 0);
    return descriptor;
}

static void count_name(const char *name, void *context)
{
    (void)name;
    ++*(unsigned *)context;
}

// MARK: files that are no mailslots

TEST(a_file_that_is_no_mailslot_is_refused_and_kept)
{
    char text[5000];
    memset(text, 'x', sizeof text);
    make_file(text, sizeof text);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    make_file(text, 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    make_file(text, 100);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    memset(text, 0, sizeof text);
    make_file(text, sizeof text);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    unlink(path);
}

TEST(a_mailslot_that_was_cut_short_is_refused)
{
    int descriptor = open_dead_readers_file("orders");
    struct stat status;
    fstat(descriptor, &status);
    off_t sizes[] = {status.st_size - 1, status.st_size / 2, 4096, 2048, 2047, 1, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        trying("%lld bytes", (long long)sizes[i]);
        expect_equal(ftruncate(descriptor, sizes[i]), 0);
        expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    }
    close(descriptor);
    unlink(path);
}

TEST(a_mailslot_of_another_layout_version_is_refused_by_its_number)
{
    int descriptor = open_dead_readers_file("orders");
    uint32_t version = 7;
    expect_equal(pwrite(descriptor, &version, sizeof version, offsetof(mslot_header, layout_version)), sizeof version);
    expect_every_call_says(MSLOT_OTHER_LAYOUT);
    expect_equal(mslot_open("orders", NULL).failure.detail, 7);
    close(descriptor);
    unlink(path);
}

TEST(a_mailslot_of_another_name_is_refused)
{
    int descriptor = open_dead_readers_file("others");
    char from[PATH_MAX];
    snprintf(from, sizeof from, "%s", path);
    expect_equal(rename(from, orders_path()), 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    close(descriptor);
    unlink(path);
}

TEST(a_header_with_any_field_changed_is_refused_or_harmless)
{
    int descriptor = open_dead_readers_file("orders");
    mslot_header sound;
    expect_equal(pread(descriptor, &sound, sizeof sound, 0), sizeof sound);
    for (size_t word = 0; word < 120 / 4; word++) {
        static const uint32_t values[] = {0, 1, 0x7fffffff, 0xffffffff};
        for (size_t i = 0; i < 4; i++) {
            trying("word %zu is 0x%x", word, values[i]);
            mslot_header damaged = sound;
            memcpy((char *)&damaged + 4 * word, &values[i], 4);
            expect_equal(pwrite(descriptor, &damaged, sizeof damaged, 0), sizeof damaged);
            mslot_inspected inspected = mslot_inspect("orders");
            mslot_opened opened = mslot_open("orders", NULL);
            expect(opened.writer == NULL);
            bool harmless = inspected.failure.outcome == MSLOT_DONE;
            if (harmless) expect_outcome(opened.failure.outcome, MSLOT_NO_READER);
            else expect_outcome(opened.failure.outcome, inspected.failure.outcome);
            expect(harmless || inspected.failure.outcome == MSLOT_NOT_A_MAILSLOT || inspected.failure.outcome == MSLOT_OTHER_LAYOUT);
        }
    }
    close(descriptor);
    unlink(path);
}

TEST(a_directory_under_the_name_is_refused)
{
    expect_equal(mkdir(orders_path(), 0700), 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    rmdir(path);
}

TEST(a_symbolic_link_under_the_name_is_refused_wherever_it_leads)
{
    expect_equal(symlink("/nowhere/at/all", orders_path()), 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    unlink(path);

    mslot_reader *reader = must_create("others", 2, 2); // a real mailslot, by another name
    char target[PATH_MAX];
    expect_outcome(mslot_path("others", target, sizeof target).outcome, MSLOT_DONE);
    expect_equal(symlink(target, orders_path()), 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    unlink(path);
    must_close(reader);
}

TEST(a_file_of_two_names_is_refused_under_both_until_one_is_gone)
{
    mslot_reader *reader = must_create("others", 2, 2);
    char target[PATH_MAX];
    expect_outcome(mslot_path("others", target, sizeof target).outcome, MSLOT_DONE);
    expect_equal(link(target, orders_path()), 0);
    memcpy((char *)reader->mapping.base + offsetof(mslot_header, name), "orders", sizeof "orders"); // as long as the other

    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    mslot_failure failure = mslot_open("orders", NULL).failure;
    expect_equal(failure.detail, 2);
    char text[1000];
    expect(mslot_failure_describe(&failure, "orders", text, sizeof text) < sizeof text && strstr(text, "2 names") != NULL);
    expect_outcome(mslot_observer_open("orders", 0).failure.outcome, MSLOT_NOT_A_MAILSLOT);
    unsigned listed = 0;
    expect_outcome(mslot_list(count_name, &listed).outcome, MSLOT_DONE);
    expect_equal(listed, 0);

    unlink(path);
    memcpy((char *)reader->mapping.base + offsetof(mslot_header, name), "others", sizeof "others");
    expect_outcome(open_outcome("others"), MSLOT_DONE);
    must_close(reader);
}

/// A hard link from "others" to "orders", whose header says so; then it ends and only the link is left.
static void expect_the_other_name_refused(mslot_header *header)
{
    memcpy(header->name, "orders", sizeof "orders"); // as long as the other
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    struct stat status;
    expect_equal(lstat(orders_path(), &status), 0);
    expect_equal(status.st_nlink, 1);
    unlink(path);
}

static mslot_header *map_header(const char *file)
{
    int descriptor = open(file, O_RDWR | O_CLOEXEC);
    expect(descriptor >= 0);
    mslot_header *header = mmap(NULL, sizeof *header, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    expect((void *)header != MAP_FAILED);
    close(descriptor);
    return header;
}

TEST(another_name_of_a_mailslot_that_has_ended_is_refused_too)
{
    mslot_reader *reader = must_create("others", 2, 2);
    char target[PATH_MAX];
    expect_outcome(mslot_path("others", target, sizeof target).outcome, MSLOT_DONE);
    mslot_header *header = map_header(target);
    expect_equal(link(target, orders_path()), 0);
    must_close(reader);
    expect_the_other_name_refused(header);
    munmap(header, sizeof *header);
}

TEST(a_fifo_or_a_socket_under_the_name_is_refused_without_waiting)
{
    expect_equal(mkfifo(orders_path(), 0600), 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    unlink(path);

    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    expect(strlen(orders_path()) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    expect_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    expect_every_call_says(MSLOT_NOT_A_MAILSLOT);
    close(descriptor);
    unlink(path);
}

TEST(an_adopter_refuses_a_ring_that_was_destroyed_and_a_fresh_reader_replaces_it)
{
    int descriptor = open_dead_readers_file("orders");
    mslot_header header;
    expect_equal(pread(descriptor, &header, sizeof header, 0), sizeof header);
    uint64_t nothing[2] = {0, 0};
    expect_equal(pwrite(descriptor, nothing, sizeof nothing, (off_t)header.cells_offset), sizeof nothing);
    close(descriptor);

    mslot_create_options options = mslot_create_options_default();
    options.adopt = true;
    expect_outcome(create_outcome("orders", &options), MSLOT_DAMAGED);
    expect_outcome(mslot_inspect("orders").info.outcome, MSLOT_DAMAGED);
    expect_equal(mslot_inspect("orders").info.damaged, 1);
    expect_outcome(open_outcome("orders"), MSLOT_NO_READER);

    mslot_reader *reader = must_create("orders", 2, 2);
    mslot_writer *writer = must_open("orders");
    must_write(writer, 0, 0);
    must_read_this(reader, 0, 0);
    must_close_writer(writer);
    must_close(reader);
}

// MARK: other users

TEST(another_users_mailslot_is_refused_unless_that_user_is_trusted)
{
    need_root();
    uint64_t *words = shared_words(2);
    pid_t owner = child_start();
    if (owner == 0) {
        become(SOMEBODY);
        mslot_create_options options = small_options(2, 2);
        options.mode = 0666;
        mslot_created created = mslot_create("orders", &options);
        expect_outcome(created.failure.outcome, MSLOT_DONE);
        shared_set(&words[0], 1);
        wait_until(shared_get(&words[1]) == 1);
        must_close(created.reader);
        child_end();
    }
    wait_until(shared_get(&words[0]) == 1);
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY_ELSE);
        mslot_opened opened = mslot_open("orders", NULL);
        expect_outcome(opened.failure.outcome, MSLOT_UNTRUSTED);
        expect_equal(opened.failure.holder_uid, SOMEBODY);
        mslot_created created = mslot_create("orders", NULL);
        expect_outcome(created.failure.outcome, MSLOT_UNTRUSTED);
        expect_equal(created.failure.holder_uid, SOMEBODY);
        uint32_t trusted[] = {SOMEBODY_ELSE, SOMEBODY, MSLOT_TRUST_ANYONE};
        for (int i = 0; i < 3; i++) {
            mslot_open_options options = mslot_open_options_default();
            options.trust_user = trusted[i];
            opened = mslot_open("orders", &options);
            expect_outcome(opened.failure.outcome, i == 0 ? MSLOT_UNTRUSTED : MSLOT_DONE);
            if (opened.writer != NULL) must_close_writer(opened.writer);
        }
        expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_DONE);
        expect_equal(mslot_inspect("orders").info.owner_uid, SOMEBODY);
        child_end();
    }
    child_join(client);
    mslot_opened as_root = mslot_open("orders", NULL);
    expect_outcome(as_root.failure.outcome, MSLOT_UNTRUSTED);
    shared_set(&words[1], 1);
    child_join(owner);
}

TEST(roots_mailslot_is_trusted_by_everybody_whom_its_mode_lets_in)
{
    need_root();
    mslot_create_options options = small_options(2, 2);
    options.mode = 0666;
    mslot_created created = mslot_create("orders", &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 1, 1);
        must_close_writer(writer);
        mslot_failure failure = mslot_create("orders", NULL).failure;
        expect_outcome(failure.outcome, MSLOT_ALREADY_EXISTS);
        expect_equal(failure.holder_uid, 0);
        child_end();
    }
    child_join(client);
    must_read_this(created.reader, 1, 1);
    must_close(created.reader);
}

static void expect_description(mslot_failure failure, const char *name, const char *says)
{
    char text[1000];
    mslot_failure_describe(&failure, name, text, sizeof text);
    trying("%s: %s", name, text);
    expect(strstr(text, says) != NULL);
}

TEST(a_directory_without_permission_is_said_to_be_one)
{
    need_root();
    expect_equal(chmod(getenv("MAILSLOT_DIRECTORY"), 0755), 0);
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY);
        expect_outcome(create_outcome("orders", NULL), MSLOT_NO_PERMISSION);
        expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
        const char *says = "cannot be used: Permission denied. Let MAILSLOT_DIRECTORY name one";
        expect_description(mslot_create("orders", NULL).failure, "orders", says);
        expect_description(mslot_open("orders", NULL).failure, "orders", "Start its reader first");
        expect_equal(seteuid(0), 0);
        expect_equal(chmod(getenv("MAILSLOT_DIRECTORY"), 0700), 0);
        become(SOMEBODY);
        expect_outcome(create_outcome("orders", NULL), MSLOT_NO_PERMISSION);
        expect_outcome(open_outcome("orders"), MSLOT_NO_PERMISSION);
        expect_outcome(mslot_list(NULL, NULL).outcome, MSLOT_NO_PERMISSION);
        expect_description(mslot_create("orders", NULL).failure, "orders", says);
        expect_description(mslot_open("orders", NULL).failure, "orders", says);
        expect_description(mslot_list(NULL, NULL), "*", says);
        child_end();
    }
    child_join(client);
}

TEST(a_user_without_privileges_can_do_everything_with_its_own)
{
    need_root();
    pid_t client = child_start();
    if (client == 0) {
        become(SOMEBODY);
        mslot_reader *reader = must_create("orders", 2, 2);
        mslot_writer *writer = must_open("orders");
        must_write(writer, 1, 1);
        must_read_this(reader, 1, 1);
        must_close_writer(writer);
        must_close(reader);
        child_end();
    }
    child_join(client);
}

TEST(a_directory_in_which_only_owners_remove_keeps_a_dead_readers_mailslot_from_others)
{
    need_root();
    expect_equal(chmod(getenv("MAILSLOT_DIRECTORY"), 01777), 0); // as /dev/shm
    mslot_create_options options = small_options(2, 2);
    options.mode = 0666;
    pid_t owner = child_start();
    if (owner == 0) {
        become(SOMEBODY);
        mslot_created created = mslot_create("orders", &options);
        expect_outcome(created.failure.outcome, MSLOT_DONE);
        must_write(must_open("orders"), 0, 0);
        child_end(); // killed, as far as the mailslot can tell
    }
    child_join(owner);
    pid_t other = child_start();
    if (other == 0) {
        become(SOMEBODY_ELSE);
        expect_outcome(mslot_remove("orders").outcome, MSLOT_NO_PERMISSION);
        expect_description(mslot_remove("orders"), "orders", "you may not remove it");
        child_end();
    }
    child_join(other);
    owner = child_start();
    if (owner == 0) {
        become(SOMEBODY);
        mslot_reader *reader = must_adopt("orders");
        must_read_this(reader, 0, 0); // it was not sealed by the attempt
        must_close(reader);
        child_end();
    }
    child_join(owner);
}

// MARK: file systems of our own

static void write_text(const char *file, const char *text)
{
    int descriptor = open(file, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0 || write(descriptor, text, strlen(text)) < 0) skip("%s: %s", file, strerror(errno));
    close(descriptor);
}

/// What this process mounts nobody else sees. Who is not root may do so among users of his own, of whom there is only himself.
static void need_mounts_of_our_own(void)
{
    char user[64], group[64];
    snprintf(user, sizeof user, "%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
    snprintf(group, sizeof group, "%u %u 1", (unsigned)getegid(), (unsigned)getegid());
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) skip("no mount namespace of our own: %s", strerror(errno));
        write_text("/proc/self/uid_map", user);
        write_text("/proc/self/setgroups", "deny");
        write_text("/proc/self/gid_map", group);
    }
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/// A file system of its own below MAILSLOT_DIRECTORY, until unmount_small.
static void mount_small(const char *options)
{
    need_mounts_of_our_own();
    if (mount("tmpfs", getenv("MAILSLOT_DIRECTORY"), "tmpfs", 0, options) != 0)
        skip("cannot mount a small file system: %s", strerror(errno));
}

static void unmount_small(void) { expect_equal(umount(getenv("MAILSLOT_DIRECTORY")), 0); } // EBUSY, were anything still open

// MARK: a file system on which a mapping keeps no lock

static const char *directory_below(const char *name)
{
    static char paths[2][PATH_MAX];
    static unsigned turn;
    char *below = paths[turn++ % 2];
    snprintf(below, PATH_MAX, "%s/%s", getenv("MAILSLOT_DIRECTORY"), name);
    return below;
}

/// An overlay over the directory `upper` of a file system of its own, which is there already, and MAILSLOT_DIRECTORY from here on.
static void mount_overlay(void)
{
    char options[4 * PATH_MAX];
    expect_equal(mkdir(directory_below("lower"), 0700), 0);
    expect_equal(mkdir(directory_below("work"), 0700), 0);
    expect_equal(mkdir(directory_below("merged"), 0700), 0);
    const char *all = getenv("MAILSLOT_DIRECTORY");
    snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", all, all, all);
    if (mount("overlay", directory_below("merged"), "overlay", 0, options) != 0) skip("cannot mount an overlay: %s", strerror(errno));
    setenv("MAILSLOT_DIRECTORY", directory_below("merged"), 1);
}

static void use_directory(const char *directory) { expect_equal(setenv("MAILSLOT_DIRECTORY", directory, 1), 0); }

static void expect_no_lock(mslot_failure failure)
{
    expect_outcome(failure.outcome, MSLOT_SYSTEM_ERROR);
    expect_equal(failure.system_error, ENOLCK);
    char text[1000];
    expect(mslot_failure_describe(&failure, "orders", text, sizeof text) < sizeof text && strstr(text, "tmpfs") != NULL);
}

TEST(where_a_mapping_keeps_no_lock_nothing_is_created_adopted_or_opened)
{
    char all[PATH_MAX];
    mount_small("size=8m");
    snprintf(all, sizeof all, "%s", getenv("MAILSLOT_DIRECTORY"));
    expect_equal(mkdir(directory_below("upper"), 0700), 0);
    use_directory(directory_below("upper"));
    // What is below keeps locks, and this process has seen that it does.
    mslot_reader *reader = must_create("proved", 2, 2);
    for (int i = 0; i < 2; i++) must_close_writer(must_open("proved"));
    must_close(reader);
    close(open_dead_readers_file("dead"));
    use_directory(all);
    mount_overlay();

    trying("a new one");
    mslot_create_options options = small_options(2, 2), adopting = mslot_create_options_default();
    adopting.adopt = true;
    expect_no_lock(mslot_create("orders", &options).failure);
    expect_equal(files_in_directory(), 1);
    pid_t child = child_start();
    if (child == 0) { // likewise under a name that goes away
        refuse_system_call_with_bits(SYS_openat, EOPNOTSUPP, 2, O_TMPFILE & ~O_DIRECTORY);
        expect_no_lock(mslot_create("orders", &options).failure);
        child_end();
    }
    child_join(child);
    expect_equal(files_in_directory(), 1);

    trying("a dead reader's");
    expect_no_lock(mslot_create("dead", &adopting).failure);
    expect_no_lock(mslot_create("dead", &options).failure);
    expect_outcome(mslot_inspect("dead").info.outcome, MSLOT_DONE);
    expect_outcome(open_outcome("dead"), MSLOT_NO_READER); // and not NOT_FOUND, as of one that was sealed

    trying("one whose reader keeps its descriptor");
    expect_outcome(mslot_path("dead", path, sizeof path).outcome, MSLOT_DONE);
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = MSLOT_LOCK_READER, .l_len = 1};
    expect_equal(fcntl(descriptor, F_OFD_SETLK, &lock), 0);
    expect_no_lock(mslot_open("dead", NULL).failure);
    mslot_header header;
    uint64_t hints;
    expect_equal(pread(descriptor, &header, sizeof header, 0), sizeof header);
    expect_equal(pread(descriptor, &hints, sizeof hints, (off_t)header.lane_hints_offset), sizeof hints);
    expect_equal(hints, 0);
    close(descriptor);

    expect_equal(umount(getenv("MAILSLOT_DIRECTORY")), 0); // EBUSY, were anything still open or mapped
    use_directory(all);
    unmount_small();
}

// MARK: limits

/// An emulator may take the advice and do nothing.
static void need_pages_to_be_populated(void)
{
    void *page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(page != MAP_FAILED);
    bool pretends = madvise(page, 1, MADV_POPULATE_WRITE) == 0; // of what may only be read
    munmap(page, 1);
    if (pretends) skip("this kernel does not populate pages, and says that it does");
}

TEST(a_file_system_without_room_for_an_overflow_is_an_error_of_the_long_write_and_of_no_other)
{
    need_pages_to_be_populated();
    mount_small("size=128k");
    unsigned char bytes[MSLOT_MESSAGE_BYTES_MAX + 1] = {0};
    mslot_create_options options = small_options(4, 1);
    options.message_bytes_max = 65536;
    mslot_created created = mslot_create("orders", &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    mslot_writer *writer = must_open("orders");

    expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_NO_SPACE);
    expect_outcome(mslot_writer_write(writer, bytes, sizeof bytes, MSLOT_FOREVER), MSLOT_NO_SPACE);
    expect_outcome(mslot_writer_try_write(writer, bytes, MSLOT_MESSAGE_BYTES_MAX), MSLOT_DONE);
    expect_equal(mount("tmpfs", getenv("MAILSLOT_DIRECTORY"), "tmpfs", MS_REMOUNT, "size=1m"), 0);
    expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_DONE);

    unsigned char received[sizeof bytes];
    expect_equal(mslot_reader_read(created.reader, received, sizeof received, 0).byte_count, MSLOT_MESSAGE_BYTES_MAX);
    expect_equal(mslot_reader_read(created.reader, received, sizeof received, 0).byte_count, sizeof bytes);
    must_close_writer(writer);
    must_close(created.reader);
    unmount_small();
}

/// Writes into a file until there is no room for another page.
static void fill_file_system(void)
{
    static const char page[4096] = {1};
    int descriptor = open(directory_below("filler"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    expect(descriptor >= 0);
    while (write(descriptor, page, sizeof page) > 0) {}
    expect_equal(errno, ENOSPC);
    close(descriptor);
}

/// Publishes a slot that says: a long message, in the overflow of a lane that never had one.
static void publish_a_hole(mslot_writer *writer)
{
    static const unsigned char zeros[MSLOT_EXPRESS_BYTES_MAX + 1]; // too many for the cell's own line
    mslot_slot *slot = mslot__ring_own_slot(&writer->ring);
    expect_outcome(mslot_writer_try_write(writer, zeros, sizeof zeros), MSLOT_DONE);
    slot->length = 65536;
    slot->lane = 1 - writer->lane_index;
}

static void expect_holes_to_be_damage(void)
{
    static unsigned char bytes[65536], received[sizeof bytes];
    mslot_create_options options = small_options(8, 2);
    options.message_bytes_max = sizeof bytes;
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    mslot_writer *writer = must_open("orders");
    expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_DONE); // its own overflow is there
    expect_equal(mslot_reader_read(reader, received, sizeof received, 0).byte_count, sizeof bytes);
    fill_file_system();
    mslot_observer *observer = mslot_observer_open("orders", 0).observer;
    expect(observer != NULL);

    publish_a_hole(writer);
    expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_DONE);
    publish_a_hole(writer);
    // Who only looks maps nothing: to it a hole is zeros, and stays one.
    for (int i = 0; i < 3; i++) expect_outcome(mslot_observer_next(observer, received, sizeof received).outcome, MSLOT_DONE);
    expect(memcmp(received, (const unsigned char[sizeof received]){0}, sizeof received) == 0);
    expect_outcome(mslot_reader_read(reader, received, sizeof received, 0).outcome, MSLOT_DAMAGED);
    mslot_view good = mslot_reader_peek(reader, 0);
    expect(good.outcome == MSLOT_DONE && good.byte_count == sizeof bytes && memcmp(good.bytes, bytes, sizeof bytes) == 0);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_reader_release(reader, 1), MSLOT_DONE);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_DAMAGED);
    expect_outcome(mslot_reader_peek(reader, 0).outcome, MSLOT_EMPTY);
    expect(mslot_reader_check(reader));

    unlink(directory_below("filler")); // what cannot be filled now can be later
    publish_a_hole(writer);
    expect_equal(mslot_reader_read(reader, received, sizeof received, 0).byte_count, sizeof bytes);
    expect_outcome(mslot_observer_close(observer), MSLOT_DONE);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_long_message_that_is_a_hole_of_a_full_file_system_is_damage)
{
    need_pages_to_be_populated();
    mount_small("size=1m");
    expect_holes_to_be_damage();
    unmount_small();
}

TEST(a_long_message_that_is_a_hole_is_damage_too_where_a_mapping_cannot_be_populated)
{
    mount_small("size=1m");
    pid_t child = child_start();
    if (child == 0) {
        refuse_system_call_with_value(SYS_madvise, EINVAL, 2, MADV_POPULATE_READ);
        refuse_system_call_with_value(SYS_madvise, EINVAL, 2, MADV_POPULATE_WRITE);
        expect_holes_to_be_damage();
        child_end();
    }
    child_join(child);
    unmount_small();
}

TEST(a_full_file_system_is_an_error_at_creation_and_leaves_nothing)
{
    mount_small("size=600k");
    expect_outcome(create_outcome("orders", NULL), MSLOT_NO_SPACE); // more
    expect_outcome(open_outcome("orders"), MSLOT_NOT_FOUND);
    mslot_create_options options = small_options(512, 4); // about 270 KB: two of them fit
    mslot_created first = mslot_create("first", &options), second = mslot_create("second", &options);
    mslot_created third = mslot_create("third", &options);
    expect_outcome(first.failure.outcome, MSLOT_DONE);
    expect_outcome(second.failure.outcome, MSLOT_DONE);
    expect_outcome(third.failure.outcome, MSLOT_NO_SPACE);
    mslot_writer *writer = must_open("second");
    for (uint64_t i = 0; i < 512; i++) must_write(writer, 0, i); // every page is there
    for (uint64_t i = 0; i < 512; i++) must_read_this(second.reader, 0, i);
    must_close_writer(writer);
    must_close(first.reader);
    third = mslot_create("third", &options);
    expect_outcome(third.failure.outcome, MSLOT_DONE);
    must_close(second.reader);
    must_close(third.reader);
    unmount_small();
}

TEST(a_file_system_without_room_for_a_name_is_an_error_at_creation)
{
    mount_small("size=8m,nr_inodes=2");
    mslot_create_options options = small_options(1, 1);
    mslot_created created = mslot_create("orders", &options);
    expect_outcome(created.failure.outcome, MSLOT_DONE);
    expect_outcome(create_outcome("others", &options), MSLOT_NO_SPACE);
    must_close(created.reader);
    expect_outcome(create_outcome("others", &options), MSLOT_DONE);
    unmount_small();
}

TEST(a_read_only_file_system_is_no_permission)
{
    mount_small("size=1m,ro");
    expect_outcome(create_outcome("orders", NULL), MSLOT_NO_PERMISSION);
    unmount_small();
}

TEST(a_limit_on_file_sizes_is_no_space)
{
    struct rlimit limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    expect_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect_outcome(create_outcome("orders", NULL), MSLOT_NO_SPACE);
    mslot_create_options options = small_options(4, 4);
    expect_outcome(create_outcome("orders", &options), MSLOT_DONE);
}

// MARK: pages locked in memory

enum { LOCKED_MESSAGE_BYTES = 65536, LOCKED_LANES = 4 };

static mslot_create_options long_options(bool locks)
{
    mslot_create_options options = small_options(1024, LOCKED_LANES);
    options.message_bytes_max = LOCKED_MESSAGE_BYTES;
    options.lock_pages = locks;
    return options;
}

/// Of the file of "orders": the bytes that it has, without holes.
static uint64_t filled_bytes(void)
{
    struct stat status;
    expect_equal(stat(orders_path(), &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

/// Bytes of this process' mappings of "orders" that are in memory and locked there.
static uint64_t locked_bytes(void)
{
    struct stat status;
    expect_equal(stat(orders_path(), &status), 0);
    FILE *maps = fopen("/proc/self/smaps", "re");
    if (maps == NULL) skip("no /proc: %s", strerror(errno));
    char line[PATH_MAX + 200];
    unsigned long long inode = 0, resident = 0, kilobytes = 0;
    while (fgets(line, sizeof line, maps) != NULL) {
        (void)!sscanf(line, "%*x-%*x %*s %*x %*x:%*x %llu", &inode);
        (void)!sscanf(line, "Rss: %llu", &resident);
        bool is_locked = strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " lo") != NULL;
        if (is_locked && inode == status.st_ino) kilobytes += resident;
    }
    fclose(maps);
    return 1024 * kilobytes;
}

static void raise_limit_of_locked_memory(void)
{
    struct rlimit limit = {64 << 20, 64 << 20};
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        expect_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
        if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < 8 << 20)
            skip("only %llu bytes may be locked", (unsigned long long)limit.rlim_cur);
    }
}

/// As they are filled: Linux 4.4. Some emulators do not know it, and sanitizers leave locks out.
static void need_pages_to_be_locked_when_filled(void)
{
    raise_limit_of_locked_memory();
    void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    expect(page != MAP_FAILED);
    bool is_locked = mlock(page, 1) == 0 && msync(page, 1, MS_INVALIDATE) != 0 && errno == EBUSY;
    if (!is_locked) skip("mlock does nothing");
    if (mlock2(page, 1, MLOCK_ONFAULT) != 0) skip("pages are not locked when they are filled: %s", strerror(errno));
    munmap(page, 1);
}

static void use_long_messages(mslot_reader *reader, mslot_writer *writer)
{
    static unsigned char bytes[LOCKED_MESSAGE_BYTES], received[LOCKED_MESSAGE_BYTES];
    expect_outcome(mslot_writer_try_write(writer, bytes, sizeof bytes), MSLOT_DONE);
    expect_equal(mslot_reader_read(reader, received, sizeof received, 0).byte_count, sizeof bytes);
}

TEST(a_process_that_locks_all_that_it_maps_fills_no_overflow_by_creating_opening_and_looking)
{
    need_pages_to_be_locked_when_filled();
    if (mlockall(MCL_FUTURE) != 0) skip("mlockall: %s", strerror(errno));
    mslot_create_options options = long_options(false);
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    uint64_t overflow = LOCKED_LANES * mslot__overflow_lane_bytes(LOCKED_MESSAGE_BYTES);
    uint64_t fixed = mslot_reader_info(reader).segment_bytes - overflow;
    mslot_writer *writer = must_open("orders");
    mslot_observer *observer = mslot_observer_open("orders", 0).observer;
    expect_outcome(mslot_inspect("orders").failure.outcome, MSLOT_DONE);
    expect(filled_bytes() <= fixed + (uint64_t)sysconf(_SC_PAGESIZE));
    expect(locked_bytes() >= 2 * fixed);

    use_long_messages(reader, writer);
    uint64_t lane = mslot__overflow_lane_bytes(LOCKED_MESSAGE_BYTES);
    expect(filled_bytes() <= fixed + lane + (uint64_t)sysconf(_SC_PAGESIZE));
    expect(locked_bytes() >= 2 * fixed + lane); // as they were filled
    mslot_observer_close(observer);
    must_close_writer(writer);
    must_close(reader);
}

TEST(pages_are_locked_for_whoever_asks_and_an_overflows_as_they_are_filled)
{
    need_pages_to_be_locked_when_filled();
    mslot_create_options options = long_options(true);
    mslot_reader *reader = mslot_create("orders", &options).reader;
    expect(reader != NULL);
    uint64_t lane = mslot__overflow_lane_bytes(LOCKED_MESSAGE_BYTES);
    uint64_t fixed = mslot_reader_info(reader).segment_bytes - LOCKED_LANES * lane;
    expect(locked_bytes() >= fixed);
    mslot_writer *without = must_open("orders");
    expect(locked_bytes() < 2 * fixed);
    mslot_open_options locking = mslot_open_options_default();
    locking.lock_pages = true;
    mslot_writer *writer = mslot_open("orders", &locking).writer;
    expect(writer != NULL);
    expect(locked_bytes() >= 2 * fixed);
    expect(filled_bytes() <= fixed + (uint64_t)sysconf(_SC_PAGESIZE));
    use_long_messages(reader, writer);
    expect(locked_bytes() >= 2 * fixed + lane);
    must_close_writer(without);
    must_close_writer(writer);
    must_close(reader);

    mslot_create_options small = small_options(8, 4); // without an overflow
    small.lock_pages = true;
    reader = mslot_create("orders", &small).reader;
    expect(reader != NULL);
    expect(locked_bytes() >= mslot_reader_info(reader).segment_bytes);
    must_close(reader);
}

TEST(where_too_little_may_be_locked_it_is_an_error_that_says_so_and_leaves_nothing)
{
    need_root();
    mslot_create_options options = long_options(true), unlocked = long_options(false);
    struct rlimit limit = {65536, 65536};
    expect_equal(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
    pid_t client = child_start();
    if (client == 0) {
        expect_equal(chmod(getenv("MAILSLOT_DIRECTORY"), 0777), 0);
        if (setresgid(SOMEBODY, SOMEBODY, SOMEBODY) != 0 || setresuid(SOMEBODY, SOMEBODY, SOMEBODY) != 0) skip("%s", strerror(errno));
        mslot_failure failure = mslot_create("orders", &options).failure;
        expect_outcome(failure.outcome, MSLOT_SYSTEM_ERROR);
        expect_equal(failure.system_error, ENOMEM);
        char text[1000];
        expect(mslot_failure_describe(&failure, "orders", text, sizeof text) < sizeof text && strstr(text, "RLIMIT_MEMLOCK") != NULL);
        expect_equal(files_in_directory(), 0);

        mslot_reader *reader = mslot_create("orders", &unlocked).reader;
        expect(reader != NULL);
        mslot_open_options locking = mslot_open_options_default();
        locking.lock_pages = true;
        expect_equal(mslot_open("orders", &locking).failure.system_error, ENOMEM);
        expect_equal(mslot_inspect("orders").info.writer_count, 0);
        must_close(reader);
        child_end();
    }
    child_join(client);
}

TEST(a_process_without_descriptors_is_told_so_and_its_handles_go_on)
{
    mslot_reader *reader = must_create("orders", 1, 2);
    mslot_writer *writer = must_open("orders");
    struct rlimit before, none;
    expect_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    expect_equal(setrlimit(RLIMIT_NOFILE, &none), 0);

    mslot_failure failures[] = {
        mslot_create("new", NULL).failure,
        mslot_create("orders", NULL).failure,
        mslot_open("orders", NULL).failure,
        mslot_inspect("orders").failure,
        mslot_remove("orders"),
        mslot_list(NULL, NULL),
    };
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        trying("call %zu", i);
        expect_outcome(failures[i].outcome, MSLOT_SYSTEM_ERROR);
        expect_equal(failures[i].system_error, EMFILE);
    }
    must_write(writer, 0, 0);
    expect_outcome(mslot_writer_write(writer, "x", 1, MILLISECOND), MSLOT_TIMED_OUT); // cannot ask for the reader: it counts as there
    must_read_this(reader, 0, 0);
    expect_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_process_without_memory_is_told_so_and_leaves_nothing)
{
    struct rlimit before, little;
    expect_equal(getrlimit(RLIMIT_AS, &before), 0);
    mslot_reader *reader = must_create("orders", 16384, 16); // about 7 MB
    little = before;
    little.rlim_cur = 4 << 20; // less than what is mapped already: nothing can be added
    expect_equal(setrlimit(RLIMIT_AS, &little), 0);
    void *more = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more != MAP_FAILED) skip("this kernel does not keep the limit on memory");

    mslot_failure opened = mslot_open("orders", NULL).failure;
    mslot_create_options options = small_options(16384, 16);
    mslot_failure created = mslot_create("others", &options).failure;

    expect_equal(setrlimit(RLIMIT_AS, &before), 0);
    expect_outcome(opened.outcome, MSLOT_SYSTEM_ERROR);
    expect_equal(opened.system_error, ENOMEM);
    expect_outcome(created.outcome, MSLOT_SYSTEM_ERROR);
    expect_equal(created.system_error, ENOMEM);
    expect_outcome(open_outcome("orders"), MSLOT_DONE);
    must_close(reader);
}
