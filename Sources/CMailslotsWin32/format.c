// printf as Microsoft's C runtime understands it.
//
// It differs from the standard one where programs notice: `%ld` and `%lu` are 32 bits (a DWORD, a LONG), `%I64d` and `%I32d` are known,
// `%s` in a wide format is wide, and `%S` is the other kind. The work is done on UTF-8; each conversion is handed to libc, one at a time.

#include "win.h"

#include <stdlib.h>

typedef struct sink {
    char *text;
    size_t length;
    size_t capacity;
    bool failed;
} sink;

static void put(sink *to, const char *bytes, size_t count)
{
    if (to->failed) return;
    if (to->length + count + 1 > to->capacity) {
        size_t capacity = 2 * (to->length + count) + 64;
        char *grown = realloc(to->text, capacity);
        if (grown == NULL) {
            to->failed = true;
            return;
        }
        to->text = grown;
        to->capacity = capacity;
    }
    memcpy(to->text + to->length, bytes, count);
    to->length += count;
    to->text[to->length] = 0;
}

static void put_repeated(sink *to, char byte, int count)
{
    while (count-- > 0) put(to, &byte, 1);
}

typedef struct conversion {
    bool left, plus, space, alternative, zero;
    int width;
    /// -1: none.
    int precision;
    mslot_win_size size;
    char letter;
} conversion;

/// The arguments, where a function can take the next: a va_list passed by value may be an array.
typedef struct arguments {
    va_list list;
} arguments;

static int parse_number(const char **format, arguments *from)
{
    if (**format == '*') {
        (*format)++;
        return va_arg(from->list, int);
    }
    int number = 0;
    for (; **format >= '0' && **format <= '9' && number < 100000; (*format)++) number = 10 * number + (**format - '0');
    return number;
}

mslot_win_size mslot__win_format_size(const char **format)
{
    static const struct {
        const char *text;
        mslot_win_size size;
    } prefixes[] = {{"I64", MSLOT_WIN_SIZE_64}, {"I32", MSLOT_WIN_SIZE_LONG}, {"I", MSLOT_WIN_SIZE_POINTER}, {"hh", MSLOT_WIN_SIZE_CHAR},
        {"h", MSLOT_WIN_SIZE_SHORT}, {"ll", MSLOT_WIN_SIZE_64}, {"l", MSLOT_WIN_SIZE_LONG}, {"L", MSLOT_WIN_SIZE_LONG_DOUBLE},
        {"w", MSLOT_WIN_SIZE_WIDE}, {"j", MSLOT_WIN_SIZE_64}, {"z", MSLOT_WIN_SIZE_POINTER}, {"t", MSLOT_WIN_SIZE_POINTER}};
    for (size_t i = 0; i < ARRAYSIZE(prefixes); i++) {
        size_t length = strlen(prefixes[i].text);
        if (strncmp(*format, prefixes[i].text, length) != 0) continue;
        *format += length;
        return prefixes[i].size;
    }
    return MSLOT_WIN_SIZE_NONE;
}

/// What follows a `%`.
static conversion parse(const char **format, arguments *from)
{
    conversion c = {.precision = -1};
    for (;; (*format)++) {
        if (**format == '-') c.left = true;
        else if (**format == '+') c.plus = true;
        else if (**format == ' ') c.space = true;
        else if (**format == '#') c.alternative = true;
        else if (**format == '0') c.zero = true;
        else break;
    }
    c.width = parse_number(format, from);
    if (c.width < 0) {
        c.left = true;
        c.width = c.width == INT_MIN ? INT_MAX : -c.width;
    }
    if (**format == '.') {
        (*format)++;
        c.precision = parse_number(format, from);
        if (c.precision < 0) c.precision = -1;
    }
    c.size = mslot__win_format_size(format);
    c.letter = **format;
    if (c.letter != 0) (*format)++;
    return c;
}

/// The conversion in libc's words, with this size and letter.
static void native(const conversion *c, const char *size, char letter, char text[64])
{
    int length = snprintf(text, 64, "%%%s%s%s%s%s%d", c->left ? "-" : "", c->plus ? "+" : "", c->space ? " " : "",
        c->alternative ? "#" : "", c->zero ? "0" : "", c->width);
    if (c->width == 0) length--; // no width; a lone 0 would be a flag
    if (c->precision >= 0) length += snprintf(text + length, 64 - (size_t)length, ".%d", c->precision);
    snprintf(text + length, 64 - (size_t)length, "%s%c", size, letter);
}

static long long signed_argument(mslot_win_size size, arguments *from)
{
    switch (size) {
    case MSLOT_WIN_SIZE_CHAR: return (signed char)va_arg(from->list, int);
    case MSLOT_WIN_SIZE_SHORT: return (short)va_arg(from->list, int);
    case MSLOT_WIN_SIZE_64:
    case MSLOT_WIN_SIZE_POINTER: return va_arg(from->list, long long);
    default: return va_arg(from->list, int); // `long` too: it has 32 bits there
    }
}

static unsigned long long unsigned_argument(mslot_win_size size, arguments *from)
{
    switch (size) {
    case MSLOT_WIN_SIZE_CHAR: return (unsigned char)va_arg(from->list, int);
    case MSLOT_WIN_SIZE_SHORT: return (unsigned short)va_arg(from->list, int);
    case MSLOT_WIN_SIZE_64:
    case MSLOT_WIN_SIZE_POINTER: return va_arg(from->list, unsigned long long);
    default: return va_arg(from->list, unsigned);
    }
}

#define PUT_NATIVE(to, size, letter, argument)             \
    do {                                                   \
        char format_[64];                                  \
        native(c, size, letter, format_);                  \
        char *made_ = NULL;                                \
        int length_ = asprintf(&made_, format_, argument); \
        if (length_ >= 0) put(to, made_, (size_t)length_); \
        else (to)->failed = true;                          \
        if (length_ >= 0) free(made_);                     \
    } while (0)

static void put_number(sink *to, const conversion *c, arguments *from)
{
    switch (c->letter) {
    case 'd':
    case 'i': PUT_NATIVE(to, "ll", 'd', signed_argument(c->size, from)); break;
    case 'p': { // 16 digits, no prefix
        conversion pointer = {.left = c->left, .width = c->width, .precision = 16};
        c = &pointer;
        PUT_NATIVE(to, "ll", 'X', (unsigned long long)(uintptr_t)va_arg(from->list, void *));
        break;
    }
    case 'u':
    case 'o':
    case 'x':
    case 'X': PUT_NATIVE(to, "ll", c->letter, unsigned_argument(c->size, from)); break;
    default:
        if (c->size == MSLOT_WIN_SIZE_LONG_DOUBLE) PUT_NATIVE(to, "L", c->letter, va_arg(from->list, long double));
        else PUT_NATIVE(to, "", c->letter, va_arg(from->list, double));
        break;
    }
}

static void put_padded(sink *to, const conversion *c, const char *bytes, size_t count, size_t characters)
{
    int padding = (size_t)c->width > characters ? c->width - (int)characters : 0;
    if (!c->left) put_repeated(to, c->zero ? '0' : ' ', padding);
    put(to, bytes, count);
    if (c->left) put_repeated(to, ' ', padding);
}

static void put_wide(sink *to, const conversion *c, const WCHAR *wide)
{
    size_t units = 0;
    while ((c->precision < 0 || units < (size_t)c->precision) && wide[units] != 0) units++;
    char *bytes = malloc(3 * units + 1);
    if (bytes == NULL) {
        to->failed = true;
        return;
    }
    size_t count = mslot__win_narrow(wide, units, bytes, 3 * units, NULL);
    put_padded(to, c, bytes, count, units);
    free(bytes);
}

static void put_text(sink *to, const conversion *c, bool is_wide, arguments *from)
{
    static const WCHAR null_text[] = {'(', 'n', 'u', 'l', 'l', ')', 0};
    if (is_wide) {
        const WCHAR *wide = va_arg(from->list, const WCHAR *);
        put_wide(to, c, wide != NULL ? wide : null_text);
    } else {
        const char *text = va_arg(from->list, const char *);
        if (text == NULL) text = "(null)";
        size_t count = c->precision < 0 ? strlen(text) : strnlen(text, (size_t)c->precision);
        put_padded(to, c, text, count, count);
    }
}

static void put_character(sink *to, const conversion *c, bool is_wide, arguments *from)
{
    int character = va_arg(from->list, int);
    char narrow = (char)character;
    WCHAR wide = (WCHAR)character;
    char bytes[4];
    if (is_wide) put_padded(to, c, bytes, mslot__win_narrow(&wide, 1, bytes, sizeof bytes, NULL), 1);
    else put_padded(to, c, &narrow, 1, 1);
}

bool mslot__win_format_is_wide(mslot_win_format_kind kind, mslot_win_size size, char letter)
{
    if (size == MSLOT_WIN_SIZE_LONG || size == MSLOT_WIN_SIZE_WIDE) return true;
    if (size == MSLOT_WIN_SIZE_SHORT) return false;
    bool is_capital = letter == 'S' || letter == 'C';
    return is_capital != (kind == MSLOT_WIN_WIDE_FORMAT);
}

char *mslot__win_format(mslot_win_format_kind kind, const char *format, va_list list, size_t *length)
{
    sink to = {.text = NULL};
    arguments from;
    va_copy(from.list, list);
    put(&to, "", 0);
    while (*format != 0) {
        size_t plain = strcspn(format, "%");
        put(&to, format, plain);
        format += plain;
        if (*format == 0) break;
        const char *start = format++;
        conversion c = parse(&format, &from);
        if (c.letter != 0 && strchr("diuoxXpeEfFgGaA", c.letter) != NULL) put_number(&to, &c, &from);
        else if (c.letter == 's' || c.letter == 'S') put_text(&to, &c, mslot__win_format_is_wide(kind, c.size, c.letter), &from);
        else if (c.letter == 'c' || c.letter == 'C') put_character(&to, &c, mslot__win_format_is_wide(kind, c.size, c.letter), &from);
        else if (c.letter == '%') put(&to, "%", 1);
        else if (c.letter == 'n') (void)va_arg(from.list, void *); // refused there too: it writes to memory
        else put(&to, start, (size_t)(format - start));
    }
    va_end(from.list);
    if (to.failed) {
        free(to.text);
        return NULL;
    }
    *length = to.length;
    return to.text;
}

char *mslot__win_format_wide(const WCHAR *format, va_list list, size_t *length)
{
    char *narrow = mslot__win_narrow_copy(format);
    if (narrow == NULL) return NULL;
    char *text = mslot__win_format(MSLOT_WIN_WIDE_FORMAT, narrow, list, length);
    free(narrow);
    return text;
}
