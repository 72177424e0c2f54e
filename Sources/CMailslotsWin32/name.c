// Names of Windows: what Win32 makes of a path before the mailslot file system sees it.
//
// "\\.\" paths are tidied: `/` becomes `\`, "." and ".." are resolved, dots and spaces at the end go. "\\?\" paths are taken as they are.

#include "win.h"

static bool is_separator(char c) { return c == '\\' || c == '/'; }

static mslot_win_name name_of(mslot__win_name_kind kind)
{
    mslot_win_name name;
    name.kind = kind;
    name.text[0] = 0;
    return name;
}

/// Tidies the part behind "\\.\" in place: components joined by one `\`; one at the end stays.
static void tidy(char *path)
{
    char *out = path;
    const char *in = path;
    while (*in != 0) {
        size_t length = strcspn(in, "/\\");
        bool dot = length == 1 && in[0] == '.';
        bool dots = length == 2 && in[0] == '.' && in[1] == '.';
        if (dots) {
            if (out > path) out--; // the separator
            while (out > path && out[-1] != '\\') out--;
        } else if (!dot && length != 0) {
            memmove(out, in, length);
            out += length;
        }
        in += length;
        if (*in == 0) break;
        while (is_separator(*in)) in++;
        if (!dot && !dots && length != 0) *out++ = '\\';
    }
    while (out > path && (out[-1] == '.' || out[-1] == ' ')) out--;
    *out = 0;
}

/// Whether Windows has this device; of those that it has, only mailslots are here.
static bool is_other_device(const char *name, size_t length)
{
    static const char *const devices[] = {"pipe", "nul", "con", "conin$", "conout$", "aux", "prn", "globalroot", "unc"};
    if (length == 2 && name[1] == ':') return true;
    for (size_t i = 0; i < ARRAYSIZE(devices); i++)
        if (strlen(devices[i]) == length && strncasecmp(devices[i], name, length) == 0) return true;
    return false;
}

/// `name` follows "\\.\mailslot\".
static mslot_win_name local_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0) return name_of(MSLOT_WIN_ROOT);
    if (name[length - 1] == '\\') return name_of(MSLOT_WIN_TRAILING_SEPARATOR);
    // "\\?\" paths: to the core `/` is a separator, to Windows a character that only these paths can hold.
    if (strchr(name, '/') != NULL) return name_of(MSLOT_WIN_BAD_CHARACTERS);

    mslot_win_name result = name_of(MSLOT_WIN_LOCAL);
    int bytes = snprintf(result.text, sizeof result.text, "\\\\.\\mailslot\\%s", name);
    if (bytes < 0 || (size_t)bytes >= sizeof result.text) return name_of(MSLOT_WIN_TOO_LONG);
    return result;
}

static mslot_win_name device_path(const char *path)
{
    static const char word[] = "mailslot";
    size_t length = strcspn(path, "\\");
    bool is_mailslot = length == sizeof word - 1 && strncasecmp(path, word, length) == 0;
    if (is_mailslot) return local_name(path[length] != 0 ? path + length + 1 : "");
    return name_of(is_other_device(path, length) ? MSLOT_WIN_OTHER : MSLOT_WIN_NO_SUCH_DEVICE);
}

/// `host` follows "\\".
static mslot_win_name network_path(const char *host)
{
    static const char word[] = "mailslot";
    const char *share = host + strcspn(host, "/\\");
    if (share == host || *share == 0) return name_of(MSLOT_WIN_OTHER);
    size_t host_bytes = (size_t)(share - host);
    share++;
    size_t length = strcspn(share, "/\\");
    bool is_mailslot = length == sizeof word - 1 && strncasecmp(share, word, length) == 0 && share[length] != 0 && share[length + 1] != 0;
    if (!is_mailslot) return name_of(MSLOT_WIN_OTHER);

    mslot_win_name result = name_of(MSLOT_WIN_REMOTE);
    char path[MSLOT_WIN_NAME_BYTES_MAX];
    strcpy(path, share + length + 1);
    tidy(path);
    // What does not fit is refused when it is written to: by far too long, it stays no name when it is cut off.
    int written = snprintf(result.text, sizeof result.text, "\\\\%.*s\\mailslot\\%s", (int)host_bytes, host, path);
    if (written < 0) result.text[0] = 0;
    return result;
}

mslot_win_name mslot__win_name_parse(const char *text)
{
    if (text == NULL || text[0] == 0) return name_of(MSLOT_WIN_NOTHING);
    size_t bytes = strlen(text);
    if (bytes >= MSLOT_WIN_NAME_BYTES_MAX) return name_of(MSLOT_WIN_TOO_LONG);
    if (bytes < 2 || !is_separator(text[0]) || !is_separator(text[1])) return name_of(MSLOT_WIN_OTHER);

    bool is_device = (text[2] == '.' || text[2] == '?') && (text[3] == 0 || is_separator(text[3]));
    if (!is_device) return network_path(text + 2);
    if (text[3] == 0) return name_of(MSLOT_WIN_OTHER);
    if (strncmp(text, "\\\\?\\", 4) == 0) return device_path(text + 4);
    char path[MSLOT_WIN_NAME_BYTES_MAX];
    memcpy(path, text + 4, bytes - 4 + 1);
    tidy(path);
    return device_path(path);
}

bool mslot__win_name_narrow(LPCWSTR wide, char text[MSLOT_WIN_NAME_BYTES_MAX])
{
    bool broken = false;
    size_t bytes = mslot__win_narrow(wide, mslot__win_wide_length(wide), text, MSLOT_WIN_NAME_BYTES_MAX - 1, &broken);
    if (bytes > MSLOT_WIN_NAME_BYTES_MAX - 1) { // as long as it can be: the length is what will be refused
        memset(text, 'x', MSLOT_WIN_NAME_BYTES_MAX - 1);
        memcpy(text, "\\\\.\\mailslot\\", 13);
        bytes = MSLOT_WIN_NAME_BYTES_MAX - 1;
    }
    text[bytes] = 0;
    return !broken;
}
