// scanf by Microsoft's rules: what it fills, and what it takes.

#include "common.h"

#include "../../../Sources/CMailslotsWin32/print.h"

/// What a scan filled lies between guards, which it leaves alone.
typedef struct guarded {
    uint64_t before;
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        float f;
        double d;
        long double ld;
        unsigned char bytes[16];
    } value;
    uint64_t after;
} guarded;

enum { GUARD = 0x5a };

/// One conversion; how many bytes of the argument it changed.
static size_t scanned(guarded *g, const char *text, const char *format)
{
    guarded other;
    memset(g, GUARD, sizeof *g);
    memset(&other, (char)~GUARD, sizeof other);
    expect_equal(mslot__win_sscanf(text, format, &g->value), 1);
    expect_equal(mslot__win_sscanf(text, format, &other.value), 1);
    // Twice, over different bytes: one that is not written differs.
    size_t written = 0;
    while (written < sizeof g->value && g->value.bytes[written] == other.value.bytes[written]) written++;
    for (size_t i = written; i < sizeof g->value; i++) expect_equal(g->value.bytes[i], GUARD);
    return written;
}

TEST(scanf_fills_as_many_bytes_as_on_windows)
{
    guarded g;
    static const struct {
        const char *size;
        size_t bytes;
    } sizes[] = {{"hh", 1}, {"h", 2}, {"", 4}, {"l", 4}, {"I32", 4}, {"ll", 8}, {"I64", 8}, {"I", 8}, {"z", 8}, {"j", 8}, {"t", 8}};
    for (size_t i = 0; i < ARRAYSIZE(sizes); i++) {
        for (const char *letter = "diuoxX"; *letter != 0; letter++) {
            char format[16];
            snprintf(format, sizeof format, "%%%s%c", sizes[i].size, *letter);
            trying("%s", format);
            expect_equal(scanned(&g, " 7", format), sizes[i].bytes);
            expect_equal(g.value.i8, 7);
        }
    }
    expect_equal(scanned(&g, "-1", "%ld"), 4);
    expect_equal(g.value.i32, -1);
    expect_equal(scanned(&g, "-1", "%I64d"), 8);
    expect_equal(g.value.i64, -1);
    expect_equal(scanned(&g, "4000000000", "%lu"), 4);
    expect_equal((DWORD)g.value.i32, 4000000000u);
    expect_equal(scanned(&g, "0000000000000ABC", "%p"), 8);
    expect_equal(g.value.i64, 0xabc);
    expect_equal(scanned(&g, "1.5", "%f"), sizeof(float));
    expect(g.value.f == 1.5f);
    expect_equal(scanned(&g, "1.5", "%lf"), sizeof(double));
    expect(g.value.d == 1.5);
    expect(mslot__win_sscanf("2.5e3", "%Lf", &g.value.ld) == 1 && g.value.ld == 2500.0L);
}

TEST(scanf_converts_as_the_standard_says)
{
    int a = 0, b = 0, c = 0;
    char text[16] = "", more[16] = "";
    float f = 0;
    expect_equal(mslot__win_sscanf("12 abc-0x1f", "%d %[a-c]%i", &a, text, &b), 3);
    expect(a == 12 && strcmp(text, "abc") == 0 && b == -31);
    expect_equal(mslot__win_sscanf("12345", "%2d%*1d%2d%n", &a, &b, &c), 2);
    expect(a == 12 && b == 45 && c == 5);
    expect_equal(mslot__win_sscanf("017 17 0", "%i%o%x", &a, &b, &c), 3);
    expect(a == 15 && b == 15 && c == 0);
    expect_equal(mslot__win_sscanf("x=5%, y", "x=%d%%, %c%s", &a, more, text), 2);
    expect(a == 5 && more[0] == 'y');
    expect_equal(mslot__win_sscanf("a]b", "%[]a]%[^]]", text, more), 2);
    expect(strcmp(text, "a]") == 0 && strcmp(more, "b") == 0);
    expect_equal(mslot__win_sscanf("-inf", "%f", &f), 1);
    expect(f < 0 && f * 0 != 0);
    expect_equal(mslot__win_sscanf("1e", "%f", &f), 0);
    expect_equal(mslot__win_sscanf("0x", "%x", &a), 0);
    expect_equal(mslot__win_sscanf("abc", "%d", &a), 0);
    expect_equal(mslot__win_sscanf("", "%d", &a), EOF);
    expect_equal(mslot__win_sscanf("  ", "%s", text), EOF);
    expect_equal(mslot__win_sscanf("1", "%d %d", &a, &b), 1);
    expect_equal(mslot__win_sscanf("1", "%*d %d", &b), 0); // the first was converted
    expect_equal(mslot__win_sscanf("1", "%d %", &a), 1);   // a format that ends too soon
    int64_t huge = 0;
    expect_equal(mslot__win_sscanf("99999999999999999999", "%I64u", &huge), 1);
    expect_equal(huge, UINT64_MAX);
    expect_equal(mslot__win_sscanf("8589934593", "%d", &a), 1); // the low bits, as there
    expect_equal(a, 1);
}

TEST(the_bounded_scanf_refuses_what_does_not_fit)
{
    char text[4] = "zzz", one = 'z';
    int number = 0;
    expect_equal(sscanf_s("abc 7", "%s%d", text, (unsigned)sizeof text, &number), 2);
    expect(strcmp(text, "abc") == 0 && number == 7);
    expect_equal(sscanf_s("abcd 7", "%s%d", text, (unsigned)sizeof text, &number), 0);
    expect(text[0] == 0);
    expect_equal(sscanf_s("abcd 8", "%3s%c%d", text, (unsigned)sizeof text, &one, 1u, &number), 3);
    expect(strcmp(text, "abc") == 0 && one == 'd' && number == 8);
    expect_equal(sscanf_s("abcd", "%4c", text, (unsigned)sizeof text), 1);
    expect(memcmp(text, "abcd", 4) == 0);
}

TEST(wide_scanf_reads_16_bit_text)
{
    WCHAR input[] = {'7', ' ', 0xe4, 0x20ac, ' ', 'n', 'x', 0}, format[] = {'%', 'l', 'u', '%', 's', ' ', '%', 'S', 0};
    WCHAR wide[8];
    char narrow[8];
    struct {
        DWORD number, guard;
    } s = {0, 0x11111111};
    expect_equal(mslot__win_swscanf(input, format, &s.number, wide, narrow), 3);
    expect(s.number == 7 && s.guard == 0x11111111 && wide[0] == 0xe4 && wide[1] == 0x20ac && wide[2] == 0);
    expect(strcmp(narrow, "nx") == 0);
    expect_equal(mslot__win_swscanf_s(input, format, &s.number, wide, 2u, narrow, 8u), 1);
    expect_equal(wide[0], 0);
}

TEST(scanf_of_a_stream_leaves_what_it_did_not_take)
{
    char text[] = "12,\xe2\x82\xac"
                  "34\nrest\n",
         line[16];
    DWORD number = 0;
    WCHAR format[] = {'%', 'd', ',', '%', '[', '^', '0', '-', '9', ']', 0}, wide[8];
    FILE *stream = fmemopen(text, sizeof text - 1, "r");
    expect(stream != NULL);
    expect_equal(mslot__win_fwscanf(stream, format, &number, wide), 2);
    expect(number == 12 && wide[0] == 0x20ac && wide[1] == 0);
    expect_equal(mslot__win_fscanf(stream, "%lu", &number), 1);
    expect_equal(number, 34);
    expect(fgets(line, sizeof line, stream) != NULL && strcmp(line, "\n") == 0);
    expect(fgets(line, sizeof line, stream) != NULL && strcmp(line, "rest\n") == 0);
    expect_equal(mslot__win_fscanf(stream, "%lu", &number), EOF);
    fclose(stream);
}
