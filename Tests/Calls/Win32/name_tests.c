// Table 1.1: names.

#include "common.h"

static bool same_slot(const char *first, const char *second)
{
    HANDLE server = must_create(first, 0, 0);
    HANDLE client = try_open(second, GENERIC_WRITE, OPEN_EXISTING);
    bool same = client != INVALID_HANDLE_VALUE;
    if (same) CloseHandle(client);
    CloseHandle(server);
    return same;
}

TEST(a_slot_may_have_several_levels_and_none_has_to_exist)
{
    expect(same_slot("\\\\.\\mailslot\\abc\\def\\ghi", "\\\\.\\mailslot\\abc\\def\\ghi"));
}
TEST(the_case_of_a_name_and_of_the_word_mailslot_does_not_matter)
{
    expect(same_slot("\\\\.\\MailSlot\\MyAppMAIL", "\\\\.\\MAILSLOT\\myappmail"));
}
TEST(a_question_mark_prefix_names_the_same_slot) { expect(same_slot("\\\\?\\mailslot\\x", "\\\\.\\mailslot\\x")); }
TEST(forward_slashes_name_the_same_slot) { expect(same_slot("//./mailslot/a/b", "\\\\.\\mailslot\\a\\b")); }

TEST(dot_components_are_resolved)
{
    expect(same_slot("\\\\.\\mailslot\\a\\.\\b", "\\\\.\\mailslot\\a\\b"));
    expect(same_slot("\\\\.\\mailslot\\a\\..\\b", "\\\\.\\mailslot\\b"));
    expect(same_slot("\\\\.\\mailslot\\a\\\\b", "\\\\.\\mailslot\\a\\b"));
    expect_no_handle(CreateMailslotA("\\\\.\\mailslot\\..\\nosuch", 0, 0, NULL), ERROR_FILE_NOT_FOUND);
}

TEST(dots_and_spaces_at_the_end_go_but_not_behind_a_question_mark_prefix)
{
    expect(same_slot("\\\\.\\mailslot\\x. .", "\\\\.\\mailslot\\x"));
    expect(!same_slot("\\\\?\\mailslot\\x.", "\\\\.\\mailslot\\x"));
    expect(same_slot("\\\\?\\mailslot\\a\\..\\b", "\\\\?\\mailslot\\a\\..\\b"));
    expect(!same_slot("\\\\?\\mailslot\\a\\..\\b", "\\\\.\\mailslot\\b"));
}

TEST(a_separator_at_the_end_is_refused)
{
    expect_no_handle(CreateMailslotA("\\\\.\\mailslot\\x\\", 0, 0, NULL), ERROR_INVALID_NAME);
    expect_no_handle(try_open("\\\\.\\mailslot\\x\\", GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
}

TEST(no_name_is_error_3)
{
    expect_no_handle(CreateMailslotA(NULL, 0, 0, NULL), ERROR_PATH_NOT_FOUND);
    expect_no_handle(CreateMailslotA("", 0, 0, NULL), ERROR_PATH_NOT_FOUND);
    expect_no_handle(CreateMailslotW(NULL, 0, 0, NULL), ERROR_PATH_NOT_FOUND);
    expect_no_handle(try_open(NULL, GENERIC_WRITE, OPEN_EXISTING), ERROR_PATH_NOT_FOUND);
    expect_no_handle(try_open("", GENERIC_WRITE, OPEN_EXISTING), ERROR_PATH_NOT_FOUND);
    expect_no_handle(CreateFileW(NULL, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL), ERROR_PATH_NOT_FOUND);
}

TEST(what_is_no_mailslot_path_or_another_device_is_error_123_for_create)
{
    static const char *const names[] = {"blah", "C:\\x", "\\\\.\\pipe\\x", "\\\\server\\mailslot\\x", "\\\\*\\mailslot\\x",
        "\\\\.\\C:", "mailslot\\x", "\\mailslot\\x", "\\\\", "\\\\."};
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        trying("%s", names[i]);
        expect_no_handle(CreateMailslotA(names[i], 0, 0, NULL), ERROR_INVALID_NAME);
    }
}

TEST(an_unknown_device_is_error_2)
{
    static const char *const names[] = {"\\\\.\\nosuch\\x", "\\\\.\\mail", "\\\\.\\mailslotx\\y", "\\\\.\\mailslo\\y"};
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        trying("%s", names[i]);
        expect_no_handle(CreateMailslotA(names[i], 0, 0, NULL), ERROR_FILE_NOT_FOUND);
        expect_no_handle(try_open(names[i], GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
    }
}

TEST(mailslot_without_a_name_is_refused)
{
    static const char *const names[] = {"\\\\.\\mailslot", "\\\\.\\mailslot\\", "\\\\?\\mailslot\\", "\\\\.\\mailslot\\..."};
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        trying("%s", names[i]);
        expect_no_handle(CreateMailslotA(names[i], 0, 0, NULL), ERROR_INVALID_NAME);
        expect_no_handle(try_open(names[i], GENERIC_WRITE, OPEN_EXISTING), ERROR_FILE_NOT_FOUND);
    }
}

TEST(a_name_has_up_to_255_characters_then_error_206)
{
    char name[20000] = "\\\\.\\mailslot\\";
    size_t prefix = strlen(name);
    memset(name + prefix, 'x', 255);
    HANDLE server = must_create(name, 0, 0);
    CloseHandle(server);
    static const size_t lengths[] = {256, 1500, 19000};
    for (size_t i = 0; i < ARRAYSIZE(lengths); i++) {
        memset(name + prefix, 'x', lengths[i]);
        expect_no_handle(CreateMailslotA(name, 0, 0, NULL), ERROR_FILENAME_EXCED_RANGE);
        expect_no_handle(try_open(name, GENERIC_WRITE, OPEN_EXISTING), ERROR_FILENAME_EXCED_RANGE);
    }
    static WCHAR wide[20000];
    for (size_t i = 0; i < 19000; i++) wide[i] = (WCHAR)name[i];
    expect_no_handle(CreateMailslotW(wide, 0, 0, NULL), ERROR_FILENAME_EXCED_RANGE);
}

TEST(characters_that_no_name_has_are_error_123)
{
    static const char *const bad[] = {"a:b", "a*", "a?", "a<", "a>", "a\"b", "a|b", "a\tb", "\xff", "\xed\xa0\x80"};
    for (size_t i = 0; i < ARRAYSIZE(bad); i++) {
        char name[64];
        snprintf(name, sizeof name, "\\\\.\\mailslot\\%s", bad[i]);
        trying("%s", bad[i]);
        expect_no_handle(CreateMailslotA(name, 0, 0, NULL), ERROR_INVALID_NAME);
        expect_no_handle(try_open(name, GENERIC_WRITE, OPEN_EXISTING), ERROR_INVALID_NAME);
    }
    expect_no_handle(CreateMailslotA("\\\\?\\mailslot\\a/b", 0, 0, NULL), ERROR_INVALID_NAME);
}

TEST(a_wide_name_and_its_utf8_form_are_one_slot)
{
    static const WCHAR wide[] = {'\\', '\\', '.', '\\', 'm', 'a', 'i', 'l', 's', 'l', 'o', 't', '\\', 0xe4, 0x20ac, 0xd83d, 0xde00, 0};
    static const WCHAR half[] = {'\\', '\\', '.', '\\', 'm', 'a', 'i', 'l', 's', 'l', 'o', 't', '\\', 0xd83d, 0};
    HANDLE server = CreateMailslotW(wide, 0, 0, NULL);
    expect(server != INVALID_HANDLE_VALUE);
    HANDLE client = must_open("\\\\.\\mailslot\\\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    CloseHandle(client);
    client = CreateFileW(wide, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    expect(client != INVALID_HANDLE_VALUE);
    CloseHandle(client);
    CloseHandle(server);
    expect_no_handle(CreateMailslotW(half, 0, 0, NULL), ERROR_INVALID_NAME);
}
