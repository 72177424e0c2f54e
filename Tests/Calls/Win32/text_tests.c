// Text: errors in words, formats by Microsoft's rules, conversions, bounded strings.

#include "common.h"

#include "../../../Sources/CMailslotsWin32/print.h"

#include <stdlib.h>
#include <strsafe.h>

TEST(format_message_puts_an_error_into_words)
{
    char text[100];
    expect(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, ERROR_SEM_TIMEOUT, 0, text, sizeof text, NULL) == strlen(text));
    expect(strcmp(text, "The semaphore timeout period has expired.\r\n") == 0);
    char *allocated = NULL;
    DWORD length = FormatMessageA(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
        ERROR_FILE_NOT_FOUND, MAKELANGID(LANG_NEUTRAL, SUBLANG_DEFAULT), (LPSTR)&allocated, 0, NULL);
    expect(length == strlen(allocated) && strncmp(allocated, "The system cannot find", 22) == 0);
    LocalFree(allocated);
    expect_error(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, ERROR_SEM_TIMEOUT, 0, text, 10, NULL), ERROR_INSUFFICIENT_BUFFER);
    expect_error(FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM, NULL, 99999, 0, text, sizeof text, NULL), ERROR_MR_MID_NOT_FOUND);
    expect_error(FormatMessageA(FORMAT_MESSAGE_FROM_STRING, "%1", 0, 0, text, sizeof text, NULL), ERROR_NOT_SUPPORTED);
    WCHAR wide[100];
    length = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM, NULL, 2, 0, wide, 100, NULL);
    expect(length == (DWORD)lstrlenW(wide) && wide[0] == 'T');
}

static const char *formatted(const char *format, ...)
{
    static char text[200];
    va_list arguments;
    va_start(arguments, format);
    mslot__win_vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

#define expect_text(call, text)                                                                                \
    do {                                                                                                       \
        const char *made_ = (call);                                                                            \
        if (strcmp(made_, text) != 0) fail_at(__FILE__, __LINE__, "expected \"%s\", got \"%s\"", text, made_); \
    } while (0)

TEST(formats_follow_microsofts_rules)
{
    static const WCHAR wide[] = {'w', 0xe4, 0};
    expect_text(formatted("%ld %lu %lx %li", (LONG)-5, (DWORD)4000000000u, (DWORD)0xabcdef01, (LONG)-1), "-5 4000000000 abcdef01 -1");
    expect_text(
        formatted("%d %u %5d|%-5d|%05d|%+d|% d|%#x|%o", -1, 7u, 42, 42, 42, 42, 42, 255, 8), "-1 7    42|42   |00042|+42| 42|0xff|10");
    expect_text(
        formatted("%I64d %I64u %lld %I32d %Iu %zu", -7LL, 1ULL << 40, -8LL, 9, (size_t)10, (size_t)11), "-7 1099511627776 -8 9 10 11");
    expect_text(formatted("%hhd %hd %hu", 257, 65537, 65535), "1 1 65535");
    expect_text(formatted("%s|%10s|%-10s|%.2s|%S|%ls|%ws|%hs", "a", "b", "c", "defg", wide, wide, wide, "n"),
        "a|         b|c         |de|w\xc3\xa4|w\xc3\xa4|w\xc3\xa4|n");
    expect_text(formatted("%c%C%%|%5c|%-3c|", 'x', 0xe4, 'y', 'z'), "x\xc3\xa4%|    y|z  |");
    expect_text(formatted("%.2f %e %g %5.1f|%Lf", 1.005, 2.5, 0.5, 3.25, 4.5L), "1.00 2.500000e+00 0.5   3.2|4.500000");
    expect_text(formatted("%*d|%-*d|%.*s", 5, 1, 5, 2, 2, "abc"), "    1|2    |ab");
    expect_text(formatted("%s %S", (char *)NULL, (WCHAR *)NULL), "(null) (null)");
    expect_text(formatted("%p", (void *)(uintptr_t)0xabc), "0000000000000ABC");
    expect_text(formatted("100%"), "100%");
    expect_text(formatted(""), "");
    char cut[4];
    expect_equal(mslot__win_snprintf(cut, sizeof cut, "%d", 123456), 6);
    expect_text(cut, "123");
}

TEST(wide_formats_take_wide_text)
{
    static const WCHAR format[] = {'%', 's', ' ', '%', 'S', ' ', '%', 'h', 's', ' ', '%', 'l', 'd', 0}, wide[] = {'w', 0x20ac, 0};
    WCHAR made[50];
    char narrow[100];
    wsprintfW(made, format, wide, "n", "h", (LONG)-3);
    WideCharToMultiByte(CP_UTF8, 0, made, -1, narrow, sizeof narrow, NULL, NULL);
    expect_text(narrow, "w\xe2\x82\xac n h -3");
    expect_equal(StringCchPrintfW(made, 4, format, wide, "n", "h", 1), STRSAFE_E_INSUFFICIENT_BUFFER);
    expect(made[3] == 0 && lstrlenW(made) == 3);
}

TEST(utf8_and_utf16_convert_both_ways_and_broken_text_is_told)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80";
    WCHAR wide[20];
    char narrow[20];
    expect_equal(MultiByteToWideChar(CP_ACP, 0, text, -1, NULL, 0), 6);
    expect_equal(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, 20), 6);
    expect(wide[1] == 0xe4 && wide[2] == 0x20ac && wide[3] == 0xd83d && wide[4] == 0xde00 && wide[5] == 0);
    expect_equal(WideCharToMultiByte(CP_UTF8, 0, wide, -1, narrow, sizeof narrow, NULL, NULL), sizeof text);
    expect_text(narrow, text);
    expect_error(MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, 3), ERROR_INSUFFICIENT_BUFFER);
    expect_error(MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, "\xc0\x80", -1, wide, 20), ERROR_NO_UNICODE_TRANSLATION);
    expect(MultiByteToWideChar(CP_UTF8, 0, "\xff", 1, wide, 20) == 1 && wide[0] == 0xfffd);
    expect_error(MultiByteToWideChar(1252, 0, text, -1, wide, 20), ERROR_INVALID_PARAMETER);
}

TEST(every_text_survives_the_way_to_utf16_and_back)
{
    for (int round = 0; round < 20000; round++) {
        WCHAR wide[12], again[12];
        char text[40];
        size_t count = random_below(6);
        size_t units = 0;
        for (size_t i = 0; i < count; i++) {
            uint32_t character = (uint32_t)random_below(random_below(2) ? 0x800 : 0x110000);
            if (character >= 0xd800 && character < 0xe000) character = 'x';
            if (character >= 0x10000) {
                wide[units++] = (WCHAR)(0xd800 + ((character - 0x10000) >> 10));
                wide[units++] = (WCHAR)(0xdc00 + (character & 0x3ff));
            } else {
                wide[units++] = (WCHAR)character;
            }
        }
        bool broken = false;
        size_t bytes = mslot__win_narrow(wide, units, text, sizeof text, &broken);
        expect_equal(mslot__win_widen(text, bytes, again, ARRAYSIZE(again), &broken), units);
        expect(!broken && memcmp(wide, again, units * sizeof(WCHAR)) == 0);
    }
}

TEST(any_bytes_at_all_convert_without_reading_beyond_them)
{
    for (int round = 0; round < 20000; round++) {
        size_t count = random_below(9);
        char *bytes = malloc(count + 1); // its own block, so that a sanitizer sees what lies beyond
        WCHAR wide[16];
        for (size_t i = 0; i < count; i++) bytes[i] = (char)(random_next() | (random_below(2) ? 0x80 : 0));
        char *exact = realloc(bytes, count != 0 ? count : 1);
        size_t units = mslot__win_widen(exact, count, wide, ARRAYSIZE(wide), NULL);
        expect(units <= count);
        free(exact);
    }
}

TEST(bounded_strings_cut_and_say_so)
{
    char text[6] = "zzzzz";
    size_t length = 77;
    expect_equal(StringCchCopyA(text, 6, "12345"), S_OK);
    expect_equal(StringCchCopyA(text, 6, "123456"), STRSAFE_E_INSUFFICIENT_BUFFER);
    expect_text(text, "12345");
    expect_equal(StringCchCopyA(text, 0, "1"), STRSAFE_E_INVALID_PARAMETER);
    expect_equal(StringCchCopyA(text, 6, "12"), S_OK);
    expect_equal(StringCchCatA(text, 6, "34"), S_OK);
    expect_equal(StringCchCatA(text, 6, "56"), STRSAFE_E_INSUFFICIENT_BUFFER);
    expect_text(text, "12345");
    expect_equal(StringCchLengthA(text, 6, &length), S_OK);
    expect_equal(length, 5);
    expect_equal(StringCchLengthA(text, 5, &length), STRSAFE_E_INVALID_PARAMETER);
    expect_equal(StringCchPrintfA(text, 6, "%s%d", "n", 12), S_OK);
    expect_text(text, "n12");
    WCHAR wide[3];
    static const WCHAR from[] = {'a', 'b', 'c', 0};
    expect_equal(StringCbCopyW(wide, sizeof wide, from), STRSAFE_E_INSUFFICIENT_BUFFER);
    expect(wide[1] == 'b' && wide[2] == 0);
}

TEST(standard_output_takes_write_file)
{
    HANDLE output = GetStdHandle(STD_OUTPUT_HANDLE);
    expect(output != INVALID_HANDLE_VALUE && output == GetStdHandle(STD_OUTPUT_HANDLE));
    DWORD count = 77;
    expect(WriteFile(output, "# through WriteFile\n", 20, &count, NULL) && count == 20);
    expect_error(ReadFile(output, &count, 1, NULL, NULL), ERROR_ACCESS_DENIED);
    expect_no_handle(GetStdHandle(5), ERROR_INVALID_HANDLE);
}

// MARK: the computer's names

TEST(the_whole_name_of_the_computer_is_its_host_a_dot_and_its_domain_if_it_has_one)
{
    char whole[256], host[256], domain[256], joined[600];
    WCHAR wide[256];
    DWORD whole_size = sizeof whole, host_size = sizeof host, domain_size = sizeof domain, wide_size = ARRAYSIZE(wide);
    expect(GetComputerNameExA(ComputerNameDnsFullyQualified, whole, &whole_size));
    expect(GetComputerNameExA(ComputerNamePhysicalDnsHostname, host, &host_size));
    expect(GetComputerNameExA(ComputerNameDnsDomain, domain, &domain_size));
    expect_equal(host_size, strlen(host));
    expect_equal(domain_size, strlen(domain));
    snprintf(joined, sizeof joined, "%s%s%s", host, domain_size != 0 ? "." : "", domain);
    expect(strcmp(whole, joined) == 0);
    expect(GetComputerNameExW(ComputerNameDnsHostname, wide, &wide_size));
    expect_equal(wide_size, host_size);
    expect(wide[0] == (WCHAR)host[0] && wide[wide_size] == 0);

    DWORD small = host_size;
    expect_error(GetComputerNameExA(ComputerNameNetBIOS, host, &small), ERROR_MORE_DATA);
    expect_equal(small, host_size + 1);
    expect_error(GetComputerNameExA(ComputerNameMax, host, &host_size), ERROR_INVALID_PARAMETER);
    expect_error(GetComputerNameExW(ComputerNameNetBIOS, wide, NULL), ERROR_INVALID_PARAMETER);
}
