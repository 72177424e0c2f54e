// What a program shows and asks: the standard handles, message boxes, the keyboard.

#include "win.h"

#include "conio.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

// MARK: standard handles

typedef struct stream {
    mslot_win_object object;
    int descriptor;
} stream;

static void destroy(mslot_win_object *object) { free(object); }

/// The descriptors belong to the process: closing a handle leaves them open. They cannot be waited for.
const mslot_win_kind mslot__win_stream_kind = {.is_file = true, .destroy = destroy};

static HANDLE standard_handles[3];

HANDLE WINAPI GetStdHandle(DWORD nStdHandle)
{
    DWORD index = STD_INPUT_HANDLE - nStdHandle;
    if (index > 2) return mslot__win_fail_handle(ERROR_INVALID_HANDLE);
    mslot__win_lock();
    if (mslot__win_entry_of(standard_handles[index]) == NULL) {
        stream *made = calloc(1, sizeof *made);
        if (made != NULL) {
            made->object.kind = &mslot__win_stream_kind;
            made->descriptor = (int)index;
            mslot__win_retain(&made->object);
            standard_handles[index] = mslot__win_handle_new(&made->object, index == 0 ? GENERIC_READ : GENERIC_WRITE, true);
            mslot__win_release(&made->object);
        }
    }
    HANDLE handle = standard_handles[index];
    mslot__win_unlock();
    return handle != NULL ? handle : INVALID_HANDLE_VALUE;
}

DWORD mslot__win_stream_read(mslot_win_object *object, void *buffer, DWORD capacity, DWORD *count)
{
    int descriptor = ((stream *)object)->descriptor;
    mslot__win_unlock();
    ssize_t bytes;
    do bytes = read(descriptor, buffer, capacity);
    while (bytes < 0 && errno == EINTR);
    mslot__win_lock();
    *count = bytes > 0 ? (DWORD)bytes : 0;
    return bytes < 0 ? ERROR_GEN_FAILURE : 0;
}

DWORD mslot__win_stream_write(mslot_win_object *object, const void *bytes, DWORD size, DWORD *count)
{
    int descriptor = ((stream *)object)->descriptor;
    mslot__win_unlock();
    if (descriptor == STDOUT_FILENO) fflush(stdout); // what printf has printed before comes before
    *count = 0;
    ssize_t written = 0;
    while (*count < size) {
        written = write(descriptor, (const char *)bytes + *count, size - *count);
        if (written < 0 && errno != EINTR) break;
        if (written > 0) *count += (DWORD)written;
    }
    mslot__win_lock();
    return *count == size ? 0 : ERROR_GEN_FAILURE;
}

DWORD mslot__win_stream_type(mslot_win_object *object)
{
    struct stat status;
    if (fstat(((stream *)object)->descriptor, &status) != 0) return FILE_TYPE_UNKNOWN;
    if (S_ISREG(status.st_mode)) return FILE_TYPE_DISK;
    return S_ISCHR(status.st_mode) ? FILE_TYPE_CHAR : FILE_TYPE_PIPE;
}

BOOL WINAPI SetConsoleOutputCP(UINT wCodePageID)
{
    return wCodePageID == CP_UTF8 || wCodePageID == CP_ACP ? TRUE : mslot__win_fail(ERROR_NOT_SUPPORTED);
}
BOOL WINAPI SetConsoleCP(UINT wCodePageID) { return SetConsoleOutputCP(wCodePageID); }

/// A prompt without a newline is seen while the program waits for something, as there: what goes to a terminal is not kept back. What
/// goes elsewhere is, as there.
__attribute__((constructor)) static void show_at_once(void)
{
    int saved_errno = errno;
    if (isatty(STDOUT_FILENO)) setvbuf(stdout, NULL, _IONBF, 0);
    errno = saved_errno;
}

// MARK: messages

int WINAPI MessageBoxA(HWND hWnd, LPCSTR lpText, LPCSTR lpCaption, UINT uType)
{
    (void)hWnd;
    fprintf(stderr, "%s: %s\n", lpCaption != NULL ? lpCaption : "Error", lpText != NULL ? lpText : "");
    return (uType & 0xf) == MB_YESNO ? IDYES : IDOK;
}

int WINAPI MessageBoxW(HWND hWnd, LPCWSTR lpText, LPCWSTR lpCaption, UINT uType)
{
    char *text = lpText != NULL ? mslot__win_narrow_copy(lpText) : NULL;
    char *caption = lpCaption != NULL ? mslot__win_narrow_copy(lpCaption) : NULL;
    int answer = MessageBoxA(hWnd, text, caption, uType);
    free(text);
    free(caption);
    return answer;
}

void WINAPI OutputDebugStringA(LPCSTR lpOutputString)
{
    if (lpOutputString != NULL) fputs(lpOutputString, stderr);
}

void WINAPI OutputDebugStringW(LPCWSTR lpOutputString)
{
    char *text = lpOutputString != NULL ? mslot__win_narrow_copy(lpOutputString) : NULL;
    OutputDebugStringA(text);
    free(text);
}

BOOL WINAPI SetConsoleTitleA(LPCSTR lpConsoleTitle)
{
    if (lpConsoleTitle == NULL) return mslot__win_fail(ERROR_INVALID_PARAMETER);
    if (isatty(STDOUT_FILENO)) printf("\033]0;%s\a", lpConsoleTitle);
    return TRUE;
}

BOOL WINAPI SetConsoleTitleW(LPCWSTR lpConsoleTitle)
{
    char *title = lpConsoleTitle != NULL ? mslot__win_narrow_copy(lpConsoleTitle) : NULL;
    BOOL done = SetConsoleTitleA(title);
    free(title);
    return done;
}

BOOL WINAPI MessageBeep(UINT uType)
{
    (void)uType;
    return write(STDERR_FILENO, "\a", 1) == 1;
}

// MARK: the keyboard

/// Makes keys come one at a time, as long as `before` is not put back. False: it is no terminal.
static bool begin_keys(struct termios *before, bool echo)
{
    if (tcgetattr(STDIN_FILENO, before) != 0) return false;
    struct termios keys = *before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | (echo ? 0 : ECHO));
    keys.c_cc[VMIN] = 1;
    keys.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    return true;
}

static int get_key(bool echo)
{
    struct termios before;
    bool is_terminal = begin_keys(&before, echo);
    fflush(stdout);
    unsigned char key;
    ssize_t count;
    do count = read(STDIN_FILENO, &key, 1);
    while (count < 0 && errno == EINTR);
    if (is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &before);
    if (count != 1) return EOF;
    return key == '\n' ? '\r' : key; // Enter, as it is there
}

int _getch(void) { return get_key(false); }
int _getche(void) { return get_key(true); }
int _putch(int character) { return putchar(character); }

int _kbhit(void)
{
    struct termios before;
    bool is_terminal = begin_keys(&before, false);
    struct pollfd polled = {.fd = STDIN_FILENO, .events = POLLIN};
    bool waiting = poll(&polled, 1, 0) > 0;
    if (is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &before);
    return waiting;
}
