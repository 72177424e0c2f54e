// scanf as Microsoft's C runtime understands it, narrow and wide: what programs compiled with the headers of crt/ call.
//
// `%ld` and `%lu` fill 32 bits, a LONG or a DWORD, and no more; `%I64d` is known, and what `%s` and `%S` mean is what printf means by them.
// The _s functions take a size behind each buffer for text. All is done in units: the bytes of a narrow format's input, the 16-bit
// characters of a wide one's.

#include "print.h"

#include <stdlib.h>

enum { END = -1, NUMBER_CHARACTERS_MAX = 400 };

// MARK: what is read

/// One of the first three is not NULL.
typedef struct input {
    const char *text;
    const WCHAR *wide;
    FILE *stream;
    mslot_win_format_kind kind;
    /// Units that were taken.
    long long taken;
    /// Of a stream: a character that was read, and its units from `next_unit` on that were not taken yet.
    char bytes[4];
    size_t byte_count;
    WCHAR units[4];
    size_t unit_count;
    size_t next_unit;
} input;

static void fill(input *from)
{
    from->next_unit = from->unit_count = 0;
    if (from->kind == MSLOT_WIN_WIDE_FORMAT) {
        from->byte_count = mslot__win_get_character(from->stream, from->bytes);
        from->unit_count = mslot__win_widen(from->bytes, from->byte_count, from->units, ARRAYSIZE(from->units), NULL);
        return;
    }
    int byte = getc(from->stream);
    from->byte_count = from->unit_count = byte == EOF ? 0 : 1;
    from->bytes[0] = (char)byte;
    from->units[0] = (WCHAR)(byte & 0xff);
}

/// The next unit, which stays; END.
static int look(input *from)
{
    if (from->text != NULL) return *from->text != 0 ? (unsigned char)*from->text : END;
    if (from->wide != NULL) return *from->wide != 0 ? (uint16_t)*from->wide : END;
    if (from->next_unit == from->unit_count) fill(from);
    return from->next_unit < from->unit_count ? (uint16_t)from->units[from->next_unit] : END;
}

/// Goes behind the unit that `look` has told.
static void take(input *from)
{
    from->taken++;
    if (from->text != NULL) from->text++;
    else if (from->wide != NULL) from->wide++;
    else from->next_unit++;
}

/// What was looked at and not taken belongs to who reads next.
static void give_back(input *from)
{
    if (from->stream != NULL && from->next_unit == 0)
        mslot__win_unget_character(from->stream, from->bytes, from->unit_count != 0 ? from->byte_count : 0);
}

static bool is_space(int unit) { return unit == ' ' || (unit >= '\t' && unit <= '\r'); }

static void skip_spaces(input *from)
{
    while (is_space(look(from))) take(from);
}

// MARK: conversions

typedef struct conversion {
    bool is_suppressed;
    /// 0: none.
    int width;
    mslot_win_size size;
    char letter;
    /// Of `[`: what stands between the brackets.
    const WCHAR *set;
    size_t set_units;
    bool is_negated;
} conversion;

/// What follows a `%`; goes behind it. False: the format ends too soon.
static bool parse(const WCHAR **format, conversion *c)
{
    *c = (conversion){.width = 0};
    if (**format == '*') {
        c->is_suppressed = true;
        (*format)++;
    }
    for (; **format >= '0' && **format <= '9' && c->width < 100000000; (*format)++) c->width = 10 * c->width + (**format - '0');
    char prefix[4] = {0};
    for (size_t i = 0; i < 3 && (*format)[i] != 0 && (uint16_t)(*format)[i] < 0x80; i++) prefix[i] = (char)(*format)[i];
    const char *behind = prefix;
    c->size = mslot__win_format_size(&behind);
    *format += behind - prefix;
    if (**format == 0) return false;
    c->letter = (uint16_t) * *format < 0x80 ? (char)**format : '?';
    (*format)++;
    if (c->letter != '[') return true;
    if (**format == '^') {
        c->is_negated = true;
        (*format)++;
    }
    c->set = *format;
    if (**format == ']') (*format)++; // as the first it is one of the set
    while (**format != 0 && **format != ']') (*format)++;
    c->set_units = (size_t)(*format - c->set);
    if (**format == 0) return false;
    (*format)++;
    return true;
}

/// Whether text of this kind goes on with the unit.
static bool belongs(const conversion *c, int unit)
{
    if (c->letter == 'c' || c->letter == 'C') return true;
    if (c->letter != '[') return !is_space(unit);
    bool found = false;
    for (size_t i = 0; i < c->set_units && !found; i++) {
        int first = (uint16_t)c->set[i], last = first;
        if (i + 2 < c->set_units && c->set[i + 1] == '-') {
            last = (uint16_t)c->set[i + 2];
            i += 2;
        }
        found = unit >= first && unit <= last;
    }
    return found != c->is_negated;
}

/// The arguments, where a function can take the next: a va_list passed by value may be an array.
typedef struct arguments {
    va_list list;
} arguments;

typedef enum { CONVERTED, MISMATCH, NO_INPUT } conversion_result;

// MARK: text

typedef struct units {
    WCHAR *all;
    size_t count;
    size_t capacity;
} units;

static bool append(units *to, int unit)
{
    if (to->count == to->capacity) {
        size_t capacity = 2 * to->capacity + 64;
        WCHAR *grown = realloc(to->all, capacity * sizeof *grown);
        if (grown == NULL) return false;
        to->all = grown;
        to->capacity = capacity;
    }
    to->all[to->count++] = (WCHAR)unit;
    return true;
}

/// Text as the bytes or the wide characters that the program wants; on the heap.
static void *text_as(const units *text, mslot_win_format_kind kind, bool is_wide, size_t *count)
{
    bool was_wide = kind == MSLOT_WIN_WIDE_FORMAT;
    char *bytes = malloc(3 * text->count + 1);
    WCHAR *wide = malloc((text->count + 1) * sizeof *wide);
    if (bytes != NULL && wide != NULL) {
        *count = text->count;
        for (size_t i = 0; i < text->count; i++) wide[i] = text->all[i];
        if (was_wide && !is_wide) *count = mslot__win_narrow(wide, text->count, bytes, 3 * text->count, NULL);
        for (size_t i = 0; i < text->count && !was_wide; i++) bytes[i] = (char)text->all[i];
        if (!was_wide && is_wide) *count = mslot__win_widen(bytes, text->count, wide, text->count, NULL);
    }
    bool is_complete = bytes != NULL && wide != NULL;
    void *wanted = is_wide ? (void *)wide : bytes;
    void *other = is_wide ? (void *)bytes : wide;
    free(other);
    if (!is_complete) free(wanted);
    return is_complete ? wanted : NULL;
}

/// Into a buffer of `capacity` units. What does not fit is no match, and leaves an empty text.
static bool deliver(const units *text, const conversion *c, mslot_win_format_kind kind, void *to, size_t capacity)
{
    bool is_wide = mslot__win_format_is_wide(kind, c->size, c->letter);
    bool is_closed = c->letter != 'c' && c->letter != 'C';
    size_t unit_bytes = is_wide ? sizeof(WCHAR) : 1, count = 0;
    void *made = text_as(text, kind, is_wide, &count);
    bool fits = made != NULL && (is_closed ? count < capacity : count <= capacity);
    if (fits) memcpy(to, made, count * unit_bytes);
    if (fits && is_closed) memset((char *)to + count * unit_bytes, 0, unit_bytes);
    if (!fits && capacity != 0) memset(to, 0, unit_bytes);
    free(made);
    return fits;
}

static conversion_result scan_text(input *from, const conversion *c, bool is_bounded, arguments *to)
{
    bool is_characters = c->letter == 'c' || c->letter == 'C';
    size_t most = c->width != 0 ? (size_t)c->width : is_characters ? 1 : SIZE_MAX;
    units text = {.all = NULL};
    bool is_kept = true;
    int unit = look(from);
    conversion_result result = unit == END ? NO_INPUT : CONVERTED;
    for (; is_kept && text.count < most && unit != END && belongs(c, unit); unit = look(from)) {
        is_kept = append(&text, unit);
        take(from);
    }
    if (result == CONVERTED && (!is_kept || text.count == 0 || (is_characters && text.count < most))) result = MISMATCH;
    if (!c->is_suppressed) {
        void *buffer = va_arg(to->list, void *);
        size_t capacity = is_bounded ? va_arg(to->list, unsigned) : SIZE_MAX;
        if (result == CONVERTED && !deliver(&text, c, from->kind, buffer, capacity)) result = MISMATCH;
    }
    free(text.all);
    return result;
}

// MARK: numbers

/// A number's characters, as strtoull and strtold take them.
typedef struct number {
    char text[NUMBER_CHARACTERS_MAX + 1];
    size_t length;
    size_t width_left;
    bool is_too_long;
} number;

static void put(number *to, input *from)
{
    int unit = look(from);
    take(from);
    to->width_left--;
    if (to->length < NUMBER_CHARACTERS_MAX) to->text[to->length++] = (char)unit;
    else to->is_too_long = true;
}

/// Takes one of these characters, if it comes next.
static bool put_one_of(number *to, input *from, const char *characters)
{
    int unit = look(from);
    if (to->width_left == 0 || unit <= 0 || unit > 0x7f || strchr(characters, unit) == NULL) return false;
    put(to, from);
    return true;
}

static size_t put_digits(number *to, input *from, int base)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    char allowed[sizeof digits] = {0};
    memcpy(allowed, digits, base == 16 ? sizeof digits - 1 : (size_t)base);
    size_t count = 0;
    while (put_one_of(to, from, allowed)) count++;
    return count;
}

static conversion_result scan_integer(input *from, const conversion *c, arguments *to)
{
    if (look(from) == END) return NO_INPUT;
    number n = {.width_left = c->width != 0 ? (size_t)c->width : SIZE_MAX};
    int base = c->letter == 'i' ? 0 : c->letter == 'o' ? 8 : c->letter == 'd' || c->letter == 'u' ? 10 : 16;
    put_one_of(&n, from, "+-");
    size_t digits = 0;
    if ((base == 0 || base == 16) && put_one_of(&n, from, "0")) {
        bool is_hexadecimal = put_one_of(&n, from, "xX");
        if (base == 0) base = is_hexadecimal ? 16 : 8;
        digits = is_hexadecimal ? 0 : 1;
    }
    if (base == 0) base = 10;
    digits += put_digits(&n, from, base);
    if (digits == 0) return MISMATCH;
    if (c->is_suppressed) return CONVERTED;
    n.text[n.length] = 0;
    // Of a number that is too large the low bits, as there; what not even 64 bits hold is all ones.
    unsigned long long value = strtoull(n.text, NULL, base);
    if (c->letter == 'p') *va_arg(to->list, uint64_t *) = value;
    else if (c->size == MSLOT_WIN_SIZE_CHAR) *va_arg(to->list, uint8_t *) = (uint8_t)value;
    else if (c->size == MSLOT_WIN_SIZE_SHORT) *va_arg(to->list, uint16_t *) = (uint16_t)value;
    else if (c->size == MSLOT_WIN_SIZE_64 || c->size == MSLOT_WIN_SIZE_POINTER) *va_arg(to->list, uint64_t *) = value;
    else *va_arg(to->list, uint32_t *) = (uint32_t)value; // `long` too: it has 32 bits there
    return CONVERTED;
}

/// Behind the sign: infinity, or no number. The words are taken as far as they go.
static bool put_word(number *to, input *from)
{
    static const char *const letters[] = {"iI", "nN", "fF", "iI", "nN", "iI", "tT", "yY"};
    if (put_one_of(to, from, "nN")) return put_one_of(to, from, "aA") && put_one_of(to, from, "nN");
    size_t count = 0;
    while (count < ARRAYSIZE(letters) && put_one_of(to, from, letters[count])) count++;
    return count == 3 || count == ARRAYSIZE(letters);
}

static bool put_floating(number *to, input *from)
{
    size_t digits = 0;
    int base = 10;
    if (put_one_of(to, from, "0")) {
        base = put_one_of(to, from, "xX") ? 16 : 10;
        digits = base == 16 ? 0 : 1;
    }
    digits += put_digits(to, from, base);
    if (put_one_of(to, from, ".")) digits += put_digits(to, from, base);
    if (digits == 0) return false;
    if (!put_one_of(to, from, base == 16 ? "pP" : "eE")) return true;
    put_one_of(to, from, "+-");
    return put_digits(to, from, 10) != 0;
}

static conversion_result scan_floating(input *from, const conversion *c, arguments *to)
{
    if (look(from) == END) return NO_INPUT;
    number n = {.width_left = c->width != 0 ? (size_t)c->width : SIZE_MAX};
    put_one_of(&n, from, "+-");
    int unit = look(from);
    bool is_word = unit > 0 && unit < 0x80 && strchr("iInN", unit) != NULL;
    if (!(is_word ? put_word(&n, from) : put_floating(&n, from)) || n.is_too_long) return MISMATCH;
    if (c->is_suppressed) return CONVERTED;
    n.text[n.length] = 0;
    if (c->size == MSLOT_WIN_SIZE_LONG_DOUBLE) *va_arg(to->list, long double *) = strtold(n.text, NULL);
    else if (c->size == MSLOT_WIN_SIZE_LONG) *va_arg(to->list, double *) = strtod(n.text, NULL);
    else *va_arg(to->list, float *) = strtof(n.text, NULL);
    return CONVERTED;
}

// MARK: a whole format

static void store_taken(const input *from, const conversion *c, arguments *to)
{
    if (c->is_suppressed) return;
    if (c->size == MSLOT_WIN_SIZE_CHAR) *va_arg(to->list, int8_t *) = (int8_t)from->taken;
    else if (c->size == MSLOT_WIN_SIZE_SHORT) *va_arg(to->list, int16_t *) = (int16_t)from->taken;
    else if (c->size == MSLOT_WIN_SIZE_64 || c->size == MSLOT_WIN_SIZE_POINTER) *va_arg(to->list, int64_t *) = from->taken;
    else *va_arg(to->list, int32_t *) = (int32_t)from->taken;
}

static conversion_result scan_one(input *from, const conversion *c, bool is_bounded, arguments *to)
{
    if (strchr("cC[", c->letter) == NULL) skip_spaces(from);
    if (strchr("cC[sS", c->letter) != NULL) return scan_text(from, c, is_bounded, to);
    if (strchr("diouxXp", c->letter) != NULL) return scan_integer(from, c, to);
    if (strchr("aAeEfFgG", c->letter) != NULL) return scan_floating(from, c, to);
    return MISMATCH;
}

/// How many arguments were filled; EOF: the input ended before the first of them.
static int scan(input *from, const WCHAR *format, bool is_bounded, va_list list)
{
    arguments to;
    va_copy(to.list, list);
    int filled = 0;
    bool any = false;
    conversion_result result = CONVERTED;
    while (*format != 0 && result == CONVERTED) {
        conversion c = {.letter = '%'};
        int unit = (uint16_t)*format++;
        if (is_space(unit)) {
            skip_spaces(from);
            continue;
        }
        if (unit == '%' && !parse(&format, &c)) break;
        if (unit == '%' && c.letter == 'n') {
            store_taken(from, &c, &to);
        } else if (unit != '%' || c.letter == '%') { // this very character
            if (unit == '%') skip_spaces(from);
            if (look(from) == unit) take(from);
            else result = look(from) == END ? NO_INPUT : MISMATCH;
        } else {
            result = scan_one(from, &c, is_bounded, &to);
            any = any || result != NO_INPUT;
            if (result == CONVERTED && !c.is_suppressed) filled++;
        }
    }
    va_end(to.list);
    give_back(from);
    return result == NO_INPUT && !any ? EOF : filled;
}

/// A narrow format: units are its bytes.
static int scan_narrow(input from, const char *format, bool is_bounded, va_list arguments)
{
    size_t length = strlen(format);
    WCHAR *units = malloc((length + 1) * sizeof *units);
    if (units == NULL) return EOF;
    for (size_t i = 0; i <= length; i++) units[i] = (unsigned char)format[i];
    from.kind = MSLOT_WIN_NARROW_FORMAT;
    if (from.stream != NULL) flockfile(from.stream);
    int filled = scan(&from, units, is_bounded, arguments);
    if (from.stream != NULL) funlockfile(from.stream);
    free(units);
    return filled;
}

static int scan_wide(input from, const WCHAR *format, bool is_bounded, va_list arguments)
{
    from.kind = MSLOT_WIN_WIDE_FORMAT;
    if (from.stream != NULL) flockfile(from.stream);
    int filled = scan(&from, format, is_bounded, arguments);
    if (from.stream != NULL) funlockfile(from.stream);
    return filled;
}

// MARK: the functions

int mslot__win_vsscanf(const char *text, const char *format, va_list arguments)
{
    return scan_narrow((input){.text = text}, format, false, arguments);
}
int mslot__win_vfscanf(FILE *stream, const char *format, va_list arguments)
{
    return scan_narrow((input){.stream = stream}, format, false, arguments);
}
int mslot__win_vscanf(const char *format, va_list arguments) { return mslot__win_vfscanf(stdin, format, arguments); }

#define FORWARD(call)                \
    do {                             \
        va_list arguments;           \
        va_start(arguments, format); \
        int filled = (call);         \
        va_end(arguments);           \
        return filled;               \
    } while (0)

int mslot__win_scanf(const char *format, ...) { FORWARD(mslot__win_vfscanf(stdin, format, arguments)); }
int mslot__win_fscanf(FILE *stream, const char *format, ...) { FORWARD(mslot__win_vfscanf(stream, format, arguments)); }
int mslot__win_sscanf(const char *text, const char *format, ...) { FORWARD(mslot__win_vsscanf(text, format, arguments)); }

int scanf_s(const char *format, ...) { FORWARD(scan_narrow((input){.stream = stdin}, format, true, arguments)); }
int fscanf_s(FILE *stream, const char *format, ...) { FORWARD(scan_narrow((input){.stream = stream}, format, true, arguments)); }
int sscanf_s(const char *text, const char *format, ...) { FORWARD(scan_narrow((input){.text = text}, format, true, arguments)); }

int mslot__win_wscanf(const WCHAR *format, ...) { FORWARD(scan_wide((input){.stream = stdin}, format, false, arguments)); }
int mslot__win_fwscanf(FILE *stream, const WCHAR *format, ...) { FORWARD(scan_wide((input){.stream = stream}, format, false, arguments)); }
int mslot__win_swscanf(const WCHAR *text, const WCHAR *format, ...) { FORWARD(scan_wide((input){.wide = text}, format, false, arguments)); }
int mslot__win_wscanf_s(const WCHAR *format, ...) { FORWARD(scan_wide((input){.stream = stdin}, format, true, arguments)); }
int mslot__win_fwscanf_s(FILE *stream, const WCHAR *format, ...) { FORWARD(scan_wide((input){.stream = stream}, format, true, arguments)); }
int mslot__win_swscanf_s(const WCHAR *text, const WCHAR *format, ...)
{
    FORWARD(scan_wide((input){.wide = text}, format, true, arguments));
}
