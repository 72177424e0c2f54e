// Names: what is one, its canonical form, and the file it has.

#include "linux.h"

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

/// The part of a full Windows name behind `\\.\mailslot\`; the text itself if it is a short name; NULL with the problem.
static const char *local_part(const char *text, mslot_name_problem *problem)
{
    if (!is_separator((unsigned char)text[0])) return text;
    if (!is_separator((unsigned char)text[1])) { // "/orders": the first part is empty
        *problem = MSLOT_NAME_EMPTY;
        return NULL;
    }
    const char *host = text + 2;
    const char *end = host;
    while (*end != 0 && !is_separator((unsigned char)*end)) end++;
    static const char word[] = "mailslot";
    const char *rest = *end != 0 ? end + 1 : end;
    for (const char *w = word; *w != 0; w++, rest++) {
        if (fold((unsigned char)*rest) == *w) continue;
        *problem = MSLOT_NAME_NOT_A_MAILSLOT_PATH;
        return NULL;
    }
    if (*rest == 0) {
        *problem = MSLOT_NAME_EMPTY;
        return NULL;
    }
    if (end == host || !is_separator((unsigned char)*rest)) {
        *problem = MSLOT_NAME_NOT_A_MAILSLOT_PATH;
        return NULL;
    }
    if (end - host != 1 || *host != '.') {
        *problem = MSLOT_NAME_REMOTE;
        return NULL;
    }
    return rest + 1;
}

mslot_name mslot_name_parse(const char *text)
{
    mslot_name name;
    memset(&name, 0, sizeof name);
    if (text == NULL || text[0] == 0) {
        name.problem = MSLOT_NAME_EMPTY;
        return name;
    }
    const unsigned char *next = (const unsigned char *)local_part(text, &name.problem);
    if (next == NULL) return name;

    bool part_is_empty = true;
    for (size_t characters = 0; *next != 0; characters++) {
        size_t length = utf8_length(next);
        if (length == 0) {
            name.problem = MSLOT_NAME_NOT_UTF8;
            return name;
        }
        if (characters == NAME_CHARACTERS_MAX) {
            name.problem = MSLOT_NAME_TOO_LONG;
            return name;
        }
        bool control = *next < 0x20 || *next == 0x7f || (*next == 0xc2 && next[1] < 0xa0); // C0, DEL, C1
        if (control || strchr(":*?<>\"|", *next) != NULL) {
            name.problem = MSLOT_NAME_FORBIDDEN_CHARACTER;
            return name;
        }
        bool separator = is_separator(*next);
        if (separator && part_is_empty) break;
        part_is_empty = separator;
        for (size_t i = 0; i < length; i++) name.text[name.bytes++] = separator ? '/' : (char)fold(next[i]);
        next += length;
    }
    if (part_is_empty) name.problem = MSLOT_NAME_EMPTY;
    return name;
}

/// FNV-1a, 128 bits: spreads names over files. No security rests on it: open compares the whole name.
static void hash_text(const char *bytes, size_t count, char text[33])
{
    unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 hash = (unsigned __int128)0x6c62272e07bb0142ULL << 64 | 0x62b821756295c58dULL;
    for (size_t i = 0; i < count; i++) hash = (hash ^ (unsigned char)bytes[i]) * prime;
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)(hash >> 64), (unsigned long long)hash);
}

void mslot_name_file(const mslot_name *name, char file[MSLOT_FILE_NAME_MAX])
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
