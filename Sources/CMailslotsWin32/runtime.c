// Functions of Microsoft's C runtime that are not in libc.

#include "print.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/// As Microsoft's default handler of invalid parameters: the program ends.
__attribute__((noreturn)) static void does_not_fit(const char *function)
{
    fprintf(stderr, "%s: the text does not fit its buffer\n", function);
    abort();
}

static errno_t append(char *to, size_t capacity, size_t used, const char *from, size_t length, const char *function)
{
    if (to == NULL || from == NULL || used >= capacity || length >= capacity - used) does_not_fit(function);
    memcpy(to + used, from, length);
    to[used + length] = 0;
    return 0;
}

errno_t strcpy_s(char *to, size_t capacity, const char *from)
{
    return append(to, capacity, 0, from, from != NULL ? strlen(from) : 0, "strcpy_s");
}

errno_t strcat_s(char *to, size_t capacity, const char *from)
{
    return append(to, capacity, to != NULL ? strnlen(to, capacity) : 0, from, from != NULL ? strlen(from) : 0, "strcat_s");
}

errno_t strncpy_s(char *to, size_t capacity, const char *from, size_t count)
{
    size_t length = from != NULL ? strnlen(from, count) : 0;
    bool cut = count == _TRUNCATE && capacity != 0 && length >= capacity;
    append(to, capacity, 0, from, cut ? capacity - 1 : length, "strncpy_s");
    return cut ? 80 /* STRUNCATE */ : 0;
}

static errno_t append_wide(WCHAR *to, size_t capacity, size_t used, const WCHAR *from, const char *function)
{
    size_t length = from != NULL ? mslot__win_wide_length(from) : 0;
    if (to == NULL || from == NULL || used >= capacity || length >= capacity - used) does_not_fit(function);
    memcpy(to + used, from, (length + 1) * sizeof(WCHAR));
    return 0;
}

errno_t mslot__win_wcscpy_s(WCHAR *to, size_t capacity, const WCHAR *from) { return append_wide(to, capacity, 0, from, "wcscpy_s"); }

errno_t mslot__win_wcscat_s(WCHAR *to, size_t capacity, const WCHAR *from)
{
    size_t used = 0;
    while (to != NULL && used < capacity && to[used] != 0) used++;
    return append_wide(to, capacity, used, from, "wcscat_s");
}

int vsprintf_s(char *to, size_t capacity, const char *format, va_list arguments)
{
    int length = mslot__win_vsnprintf(to, capacity, format, arguments);
    if (length < 0 || (size_t)length >= capacity) does_not_fit("sprintf_s");
    return length;
}

int sprintf_s(char *to, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsprintf_s(to, capacity, format, arguments);
    va_end(arguments);
    return length;
}

int mslot__win_swprintf_s(WCHAR *to, size_t capacity, const WCHAR *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = mslot__win_vswprintf(to, capacity, format, arguments);
    va_end(arguments);
    if (length < 0) does_not_fit("swprintf_s");
    return length;
}

int _vsnprintf(char *to, size_t capacity, const char *format, va_list arguments)
{
    size_t length = 0;
    char *text = mslot__win_format(MSLOT_WIN_NARROW_FORMAT, format, arguments, &length);
    if (text == NULL) return -1;
    memcpy(to, text, length < capacity ? length + 1 : capacity);
    free(text);
    return length <= capacity ? (int)length : -1;
}

int _snprintf(char *to, size_t capacity, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = _vsnprintf(to, capacity, format, arguments);
    va_end(arguments);
    return length;
}

char *gets_s(char *to, size_t capacity)
{
    if (to == NULL || capacity == 0) does_not_fit("gets_s");
    if (capacity > INT_MAX) capacity = INT_MAX;
    if (fgets(to, (int)capacity, stdin) == NULL) return NULL;
    size_t length = strlen(to);
    if (length != 0 && to[length - 1] == '\n') to[length - 1] = 0;
    else if (!feof(stdin)) does_not_fit("gets_s");
    return to;
}

errno_t fopen_s(FILE **file, const char *path, const char *mode)
{
    if (file == NULL || path == NULL || mode == NULL) return EINVAL;
    *file = fopen(path, mode);
    return *file != NULL ? 0 : errno;
}

errno_t localtime_s(struct tm *parts, const time_t *time)
{
    if (parts == NULL || time == NULL) return EINVAL;
    return localtime_r(time, parts) != NULL ? 0 : EINVAL;
}

// MARK: threads of the C runtime

typedef struct runtime_thread {
    unsigned (*start)(void *);
    void (*start_plain)(void *);
    void *argument;
} runtime_thread;

static DWORD run_runtime(LPVOID parameter)
{
    runtime_thread begun = *(runtime_thread *)parameter;
    free(parameter);
    if (begun.start != NULL) return begun.start(begun.argument);
    begun.start_plain(begun.argument);
    return 0;
}

static HANDLE begin(runtime_thread begun, unsigned stack_size, unsigned flags, unsigned *thread_id)
{
    runtime_thread *kept = malloc(sizeof *kept);
    if (kept == NULL) return NULL;
    *kept = begun;
    HANDLE handle = CreateThread(NULL, stack_size, run_runtime, kept, flags, thread_id);
    if (handle == NULL) free(kept);
    return handle;
}

uintptr_t _beginthreadex(
    void *security, unsigned stack_size, unsigned (*start_routine)(void *), void *argument, unsigned flags, unsigned *thread_id)
{
    (void)security;
    return (uintptr_t)begin((runtime_thread){.start = start_routine, .argument = argument}, stack_size, flags, thread_id);
}

uintptr_t _beginthread(void (*start_routine)(void *), unsigned stack_size, void *argument)
{
    HANDLE handle = begin((runtime_thread){.start_plain = start_routine, .argument = argument}, stack_size, 0, NULL);
    // Windows closes it when the thread ends: a value that a program must not wait for.
    if (handle != NULL) CloseHandle(handle);
    return handle != NULL ? (uintptr_t)handle : (uintptr_t)-1;
}

void _endthreadex(unsigned code) { ExitThread(code); }
void _endthread(void) { ExitThread(0); }
