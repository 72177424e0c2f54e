// Names: what is one, its canonical form, and the file it has.

#include "linux.h"
#include "mailslots/outbox_protocol.h"

#include <stdio.h>

enum { NAME_CHARACTERS_MAX = 255, ESCAPED_BYTES_MAX = 200 };

static unsigned char fold(unsigned char c) { return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c; }
static bool is_separator(unsigned char c) { return c == '\\' || c == '/'; }

/// Bytes of the UTF-8 character at `text`; 0 if there is none: cut short, overlong, a surrogate, or beyond U+10FFFF.
static size_t utf8_length(const unsigned char *text)
{
    unsigned char first = text[0];
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    if (first == 0xe0 && text[1] < 0xa0) return 0;
    if (first == 0xed && text[1] > 0x9f) return 0;
    if (first == 0xf0 && text[1] < 0x90) return 0;
    if (first == 0xf4 && text[1] > 0x8f) return 0;
    return length;
}

static bool is_control(const unsigned char *text)
{
    return *text < 0x20 || *text == 0x7f || (*text == 0xc2 && text[1] < 0xa0); // C0, DEL, C1
}

/// Bytes of the character at `text` that a name may hold; 0 with the problem.
static size_t character_length(const unsigned char *text, mslot_name_problem *problem)
{
    size_t length = utf8_length(text);
    if (length == 0) {
        *problem = MSLOT_NAME_NOT_UTF8;
        return 0;
    }
    if (is_control(text) || strchr(":*?<>\"|", *text) != NULL) {
        *problem = MSLOT_NAME_FORBIDDEN_CHARACTER;
        return 0;
    }
    return length;
}

/// A name's text in its parts: `\\host\mailslot\path`, or a short name, which is all path.
typedef struct name_parts {
    mslot_name_problem problem;
    const char *host; // NULL: a short name
    size_t host_bytes;
    const char *path;
} name_parts;

static name_parts no_parts(mslot_name_problem problem) { return (name_parts){.problem = problem}; }

static name_parts split(const char *text)
{
    if (text == NULL || text[0] == 0) return no_parts(MSLOT_NAME_EMPTY);
    if (!is_separator((unsigned char)text[0])) return (name_parts){.path = text};
    if (!is_separator((unsigned char)text[1])) return no_parts(MSLOT_NAME_EMPTY); // "/orders": the first part is empty
    const char *host = text + 2;
    const char *end = host;
    while (*end != 0 && !is_separator((unsigned char)*end)) end++;
    static const char word[] = "mailslot";
    const char *rest = *end != 0 ? end + 1 : end;
    for (const char *w = word; *w != 0; w++, rest++)
        if (fold((unsigned char)*rest) != *w) return no_parts(MSLOT_NAME_NOT_A_MAILSLOT_PATH);
    if (*rest == 0) return no_parts(MSLOT_NAME_EMPTY);
    if (end == host || !is_separator((unsigned char)*rest)) return no_parts(MSLOT_NAME_NOT_A_MAILSLOT_PATH);
    return (name_parts){.host = host, .host_bytes = (size_t)(end - host), .path = rest + 1};
}

static bool is_this_machine(const name_parts *parts) { return parts->host == NULL || (parts->host_bytes == 1 && *parts->host == '.'); }

static void parse_path(const char *path, mslot_name *name)
{
    const unsigned char *next = (const unsigned char *)path;
    bool part_is_empty = true;
    for (size_t characters = 0; *next != 0; characters++) {
        size_t length = character_length(next, &name->problem);
        if (length == 0) return;
        if (characters == NAME_CHARACTERS_MAX) {
            name->problem = MSLOT_NAME_TOO_LONG;
            return;
        }
        bool separator = is_separator(*next);
        if (separator && part_is_empty) break;
        part_is_empty = separator;
        for (size_t i = 0; i < length; i++) name->text[name->bytes++] = separator ? '/' : (char)fold(next[i]);
        next += length;
    }
    if (part_is_empty) name->problem = MSLOT_NAME_EMPTY;
}

/// Folds a host's or a domain's name into `host`, with a zero byte behind it.
static mslot_name_problem parse_host(const char *text, size_t byte_count, char host[MSLOT_HOST_BYTES_MAX + 1])
{
    if (byte_count == 0 || byte_count > MSLOT_HOST_BYTES_MAX) return MSLOT_NAME_BAD_HOST;
    memcpy(host, text, byte_count);
    host[byte_count] = 0;
    for (size_t i = 0; i < byte_count;) {
        unsigned char *next = (unsigned char *)host + i;
        mslot_name_problem problem;
        size_t length = character_length(next, &problem);
        if (length == 0) return problem == MSLOT_NAME_NOT_UTF8 ? problem : MSLOT_NAME_BAD_HOST;
        if (is_separator(*next) || *next == '@') return MSLOT_NAME_BAD_HOST;
        *next = fold(*next);
        i += length;
    }
    return MSLOT_NAME_FINE;
}

static void parse_destination(const name_parts *parts, mslot_name *name)
{
    if (parts->host_bytes == 1 && *parts->host == '*') name->destination[0] = *MSLOT_OUTBOX_OWN_DOMAIN;
    else name->problem = parse_host(parts->host, parts->host_bytes, name->destination);
    name->destination_bytes = parts->host_bytes;
}

mslot_name mslot__name_parse(const char *text)
{
    mslot_name name;
    memset(&name, 0, sizeof name);
    name_parts parts = split(text != NULL ? text : "");
    name.problem = parts.problem;
    name.is_remote = parts.problem == MSLOT_NAME_FINE && !is_this_machine(&parts);
    if (name.is_remote) parse_destination(&parts, &name);
    if (name.problem == MSLOT_NAME_FINE) parse_path(parts.path, &name);
    bool is_too_long = name.is_remote && name.bytes > MSLOT_REMOTE_NAME_BYTES_MAX;
    if (name.problem == MSLOT_NAME_FINE && is_too_long) name.problem = MSLOT_NAME_TOO_LONG_FOR_REMOTE;
    return name;
}

bool mslot__host_is_canonical(const char *text, size_t byte_count)
{
    char host[MSLOT_HOST_BYTES_MAX + 1];
    return parse_host(text, byte_count, host) == MSLOT_NAME_FINE && memcmp(host, text, byte_count) == 0;
}

void mslot__text_cut(char *text)
{
    unsigned char *next = (unsigned char *)text;
    for (size_t length; *next != 0; next += length) {
        length = utf8_length(next);
        if (length == 0 || is_control(next)) *next = length = 0;
    }
}

/// FNV-1a, 128 bits: spreads names over files. No security rests on it: open compares the whole name.
static void hash_text(const char *bytes, size_t count, char text[33])
{
    unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 hash = (unsigned __int128)0x6c62272e07bb0142ULL << 64 | 0x62b821756295c58dULL;
    for (size_t i = 0; i < count; i++) hash = (hash ^ (unsigned char)bytes[i]) * prime;
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)(hash >> 64), (unsigned long long)hash);
}

void mslot__name_file(const mslot_name *name, char file[MSLOT_FILE_NAME_MAX])
{
    size_t length = sizeof MSLOT_FILE_PREFIX - 1;
    memcpy(file, MSLOT_FILE_PREFIX, length);
    for (size_t i = 0; i < name->bytes; i++) {
        if (length > ESCAPED_BYTES_MAX - 3) {
            // '~' is always escaped, so no short name has this form.
            file[sizeof MSLOT_FILE_PREFIX - 1] = '~';
            hash_text(name->text, name->bytes, file + sizeof MSLOT_FILE_PREFIX);
            return;
        }
        unsigned char c = (unsigned char)name->text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (plain) file[length++] = (char)c;
        else length += (size_t)snprintf(file + length, 4, "%%%02x", c);
    }
    file[length] = 0;
}

/// 0 to 15; -1: no digit of those that mslot__name_file writes.
static int hexadecimal_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

bool mslot__file_name(const char *file, mslot_name *name)
{
    char text[MSLOT_FILE_NAME_MAX];
    size_t length = 0;
    if (strncmp(file, MSLOT_FILE_PREFIX, sizeof MSLOT_FILE_PREFIX - 1) != 0) return false;
    const char *next = file + sizeof MSLOT_FILE_PREFIX - 1;
    while (*next != 0 && length < sizeof text - 1) {
        bool is_escape = *next == '%' && hexadecimal_digit(next[1]) >= 0 && hexadecimal_digit(next[2]) >= 0;
        text[length++] = is_escape ? (char)(hexadecimal_digit(next[1]) << 4 | hexadecimal_digit(next[2])) : *next;
        next += is_escape ? 3 : 1;
    }
    text[length] = 0;
    *name = mslot__name_parse(text);
    if (name->problem != MSLOT_NAME_FINE || name->is_remote) return false;
    char expected[MSLOT_FILE_NAME_MAX];
    mslot__name_file(name, expected);
    return strcmp(expected, file) == 0;
}
