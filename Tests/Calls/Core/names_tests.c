// Names: which there are, which are the same, and the files they have.

#include "common.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/// The file's name without the directory, in a buffer that the next call but one uses again.
static const char *file_of(const char *name)
{
    static char buffers[2][PATH_MAX];
    static int which;
    char *path = buffers[which ^= 1];
    mslot_failure failure = mslot_path(name, path, PATH_MAX);
    expect_outcome(failure.outcome, MSLOT_DONE);
    const char *directory = getenv("MAILSLOT_DIRECTORY");
    expect(strncmp(path, directory, strlen(directory)) == 0 && path[strlen(directory)] == '/');
    return path + strlen(directory) + 1;
}

static void expect_file(const char *name, const char *file)
{
    trying("\"%s\"", name);
    const char *actual = file_of(name);
    if (strcmp(actual, file) != 0) fail_at(__FILE__, __LINE__, "expected the file %s, got %s", file, actual);
}

static void expect_refused(const char *name, mslot_name_problem problem)
{
    trying("\"%s\"", name != NULL ? name : "NULL");
    char path[PATH_MAX];
    mslot_failure failure = mslot_path(name, path, sizeof path);
    expect_outcome(failure.outcome, MSLOT_BAD_NAME);
    expect_equal(failure.detail, problem);
    mslot_created created = mslot_create(name, NULL);
    expect_outcome(created.failure.outcome, MSLOT_BAD_NAME);
    expect(created.reader == NULL);
    mslot_opened opened = mslot_open(name, NULL);
    // A name of another machine is one only for writers; see remote_tests.c.
    expect_outcome(opened.failure.outcome, problem == MSLOT_NAME_REMOTE ? MSLOT_NO_BRIDGE : MSLOT_BAD_NAME);
    expect(opened.writer == NULL);
    expect_outcome(mslot_observer_open(name, 0).failure.outcome, MSLOT_BAD_NAME);
    expect_outcome(mslot_remove(name).outcome, MSLOT_BAD_NAME);
    expect_outcome(mslot_inspect(name).failure.outcome, MSLOT_BAD_NAME);
    char text[1000];
    expect(mslot_failure_describe(&failure, name, text, sizeof text) > 40);
}

TEST(a_name_has_a_file_that_can_be_read)
{
    expect_file("orders", "mailslot.orders");
    expect_file("a", "mailslot.a");
    expect_file("a.b_c-9", "mailslot.a.b_c-9");
    expect_file("app/orders", "mailslot.app%2forders");
    expect_file("app\\orders", "mailslot.app%2forders");
    expect_file("a/b\\c/d", "mailslot.a%2fb%2fc%2fd");
    expect_file("two words", "mailslot.two%20words");
    expect_file("100%", "mailslot.100%25");
    expect_file("~tilde", "mailslot.%7etilde");
    expect_file("..", "mailslot...");
    expect_file(".", "mailslot..");
    expect_file("\xc3\xa4", "mailslot.%c3%a4");
    expect_file("\xf0\x9f\x90\x8c", "mailslot.%f0%9f%90%8c");
}

TEST(case_matters_for_no_ascii_letter_and_for_all_others)
{
    expect_file("ORDERS", "mailslot.orders");
    expect_file("App\\Orders", "mailslot.app%2forders");
    expect_file("\xc3\x84", "mailslot.%c3%84"); // an umlaut is compared as written
}

TEST(the_full_windows_form_names_the_same_mailslot_as_the_short_one)
{
    expect_file("\\\\.\\mailslot\\orders", "mailslot.orders");
    expect_file("\\\\.\\MailSlot\\Orders", "mailslot.orders");
    expect_file("\\\\.\\MAILSLOT\\app\\orders", "mailslot.app%2forders");
    expect_file("//./mailslot/orders", "mailslot.orders");
    expect_file("\\\\.\\mailslot\\mailslot", "mailslot.mailslot");
}

TEST(a_name_that_is_none_is_refused_with_its_reason)
{
    expect_refused(NULL, MSLOT_NAME_EMPTY);
    expect_refused("", MSLOT_NAME_EMPTY);
    static const char *const empty_parts[] = {
        "/",
        "\\",
        "/orders",
        "\\orders",
        "orders/",
        "orders\\",
        "a//b",
        "a\\\\b",
        "a/\\b",
        "\\\\.\\mailslot",
        "\\\\.\\mailslot\\",
        "\\\\.\\mailslot\\\\a",
        "\\\\.\\mailslot\\a\\",
        "\\\\host\\mailslot",
    };
    for (size_t i = 0; i < sizeof empty_parts / sizeof empty_parts[0]; i++) expect_refused(empty_parts[i], MSLOT_NAME_EMPTY);

    static const char *const other_paths[] = {
        "\\\\",
        "\\\\.",
        "\\\\.\\",
        "\\\\.\\pipe\\a",
        "\\\\.\\mailslots\\a",
        "\\\\.\\mail",
        "\\\\host",
        "\\\\\\mailslot\\a",
    };
    for (size_t i = 0; i < sizeof other_paths / sizeof other_paths[0]; i++) expect_refused(other_paths[i], MSLOT_NAME_NOT_A_MAILSLOT_PATH);

    static const char *const remote[] = {"\\\\host\\mailslot\\a", "\\\\*\\mailslot\\a", "//domain/MAILSLOT/a", "\\\\..\\mailslot\\a"};
    for (size_t i = 0; i < sizeof remote / sizeof remote[0]; i++) expect_refused(remote[i], MSLOT_NAME_REMOTE);
}

TEST(a_forbidden_character_is_refused_wherever_it_stands)
{
    const char *forbidden = ":*?<>\"|\x7f";
    for (int c = 1; c < 128; c++) {
        if (c >= 0x20 && strchr(forbidden, c) == NULL) continue;
        char name[8] = {'a', (char)c, 'b', 0};
        expect_refused(name, MSLOT_NAME_FORBIDDEN_CHARACTER);
        name[2] = 0;
        expect_refused(name, MSLOT_NAME_FORBIDDEN_CHARACTER);
        expect_refused(name + 1, MSLOT_NAME_FORBIDDEN_CHARACTER);
    }
}

TEST(bytes_that_are_not_utf8_are_refused)
{
    static const char *const names[] = {
        "\x80",
        "a\xff",
        "\xc3",
        "\xc3(",
        "\xc0\xaf",
        "\xc1\xbf", // stray, cut short, overlong
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf", // overlong, cut short, surrogates
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf0\x9f\x90",
        "ok/\xfe",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) expect_refused(names[i], MSLOT_NAME_NOT_UTF8);
    (void)file_of("\xef\xbf\xbf \xed\x9f\xbf \xee\x80\x80 \xf4\x8f\xbf\xbf \xc2\xa0 \xe0\xa0\x80 \xf0\x90\x80\x80"); // the borders
}

/// `count` times `character`, in a buffer that the next call uses again.
static const char *repeated(const char *character, size_t count)
{
    static char name[2000];
    name[0] = 0;
    for (size_t i = 0; i < count; i++) memcpy(name + i * strlen(character), character, strlen(character) + 1);
    return name;
}

TEST(a_name_has_at_most_255_characters_however_many_bytes_they_take)
{
    static const char *const characters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\x8c"};
    for (size_t i = 0; i < sizeof characters / sizeof characters[0]; i++) {
        (void)file_of(repeated(characters[i], 255));
        expect_refused(repeated(characters[i], 256), MSLOT_NAME_TOO_LONG);
    }
    char full[2000];
    snprintf(full, sizeof full, "\\\\.\\mailslot\\%s", repeated("a", 255)); // the form does not count
    (void)file_of(full);
    snprintf(full, sizeof full, "\\\\.\\mailslot\\%s", repeated("a", 256));
    expect_refused(full, MSLOT_NAME_TOO_LONG);
}

TEST(a_long_name_has_a_short_file_of_its_own)
{
    char first[PATH_MAX];
    for (size_t length = 1; length <= 255; length++) {
        trying("%zu characters", length);
        snprintf(first, sizeof first, "%s", file_of(repeated("a", length)));
        expect(strlen(first) <= 200);
        bool hashed = strncmp(first, "mailslot.~", 10) == 0;
        expect(hashed || strlen(first) == 9 + length);
        expect(!hashed || (strlen(first) == 10 + 32 && strspn(first + 10, "0123456789abcdef") == 32));
        expect(hashed || length < 192); // and not cut off
        expect(!hashed || length > 180);
    }
    // Every byte counts.
    char name[256];
    for (size_t i = 0; i < 255; i++) {
        snprintf(name, sizeof name, "%s", repeated("a", 255));
        name[i] = 'b';
        expect(strcmp(first, file_of(name)) != 0);
    }
    expect(strcmp(first, file_of(repeated("A", 255))) == 0);
}

TEST(two_names_never_share_a_file)
{
    static const char *const names[] = {
        "a",
        "b",
        "a/b",
        "a%2fb",
        "a%2Fb",
        "a%252fb",
        "a b",
        "a%20b",
        "a_b",
        "a.b",
        "a-b",
        "a+b",
        "~",
        "%7e",
        "~0",
        "a/b/c",
        "ab/c",
        "a/bc",
    };
    enum { COUNT = sizeof names / sizeof names[0] };
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < i; j++) {
            trying("\"%s\" and \"%s\"", names[i], names[j]);
            bool same = strcmp(file_of(names[i]), file_of(names[j])) == 0;
            bool only_case_differs = strcasecmp(names[i], names[j]) == 0;
            expect(same == only_case_differs);
        }
    }
    // A short name cannot look like the file of a long one.
    char imitation[64];
    snprintf(imitation, sizeof imitation, "%s", file_of(repeated("a", 255)) + strlen("mailslot."));
    expect(strcmp(file_of(repeated("a", 255)), file_of(imitation)) != 0);
}

TEST(a_long_name_works_like_a_short_one)
{
    char name[1100];
    snprintf(name, sizeof name, "%s", repeated("\xf0\x9f\x90\x8c", 255));
    mslot_reader *reader = must_create(name, 4, 2);
    mslot_writer *writer = must_open(name);
    must_write(writer, 1, 1);
    must_read_this(reader, 1, 1);
    expect(strcmp(mslot_reader_info(reader).name, name) == 0);
    must_close_writer(writer);
    must_close(reader);
}

TEST(a_relative_directory_is_the_one_of_the_moment)
{
    const char *directory = getenv("MAILSLOT_DIRECTORY");
    expect_equal(chdir(directory), 0);
    setenv("MAILSLOT_DIRECTORY", ".", 1);
    mslot_reader *reader = must_create("orders", 4, 2);
    expect_equal(chdir("/"), 0);
    must_close(reader); // removes it, wherever we are now

    setenv("MAILSLOT_DIRECTORY", "", 1); // as if it were not set
    char path[PATH_MAX];
    expect_outcome(mslot_path("x", path, sizeof path).outcome, MSLOT_DONE);
    expect(strcmp(path, "/dev/shm/mailslot.x") == 0);
}

TEST(a_path_that_does_not_fit_is_refused)
{
    char path[PATH_MAX];
    expect_outcome(mslot_path("orders", path, sizeof path).outcome, MSLOT_DONE);
    size_t length = strlen(path);
    path[length] = '#';
    expect_outcome(mslot_path("orders", path, length).outcome, MSLOT_BAD_ARGUMENT);
    expect_equal(path[length], '#');
    expect_outcome(mslot_path("orders", path, length + 1).outcome, MSLOT_DONE);
    expect_outcome(mslot_path("orders", path, 0).outcome, MSLOT_BAD_ARGUMENT);
}
