// `main` for programs that have another beginning: WinMain, wWinMain, wmain.
//
// All are weak, this `main` too: a program's own `main` goes before, and of the other beginnings the one that it has is called. A C++
// program's wmain has a name that tells its parameters.

#include "win.h"

#include <stdlib.h>

#define WEAK __attribute__((weak))

extern int WEAK wmain(int count, WCHAR **arguments, WCHAR **environment);
extern int WEAK wmain_cpp(void) __asm__("_Z5wmainv");
extern int WEAK wmain_cpp_arguments(int count, WCHAR **arguments) __asm__("_Z5wmainiPPw");
extern int WEAK wmain_cpp_const(int count, WCHAR **arguments) __asm__("_Z5wmainiPPKw");
extern int WEAK wmain_cpp_environment(int count, WCHAR **arguments, WCHAR **environment) __asm__("_Z5wmainiPPwS0_");
#pragma weak WinMain
#pragma weak wWinMain

static char *command_line;
static WCHAR *wide_command_line;

static WCHAR *widen(const char *text)
{
    size_t bytes = strlen(text);
    WCHAR *wide = calloc(bytes + 1, sizeof(WCHAR));
    if (wide == NULL) abort();
    mslot__win_widen(text, bytes, wide, bytes, NULL);
    return wide;
}

static WCHAR **widen_all(char **texts)
{
    size_t count = 0;
    while (texts[count] != NULL) count++;
    WCHAR **wide = calloc(count + 1, sizeof *wide);
    if (wide == NULL) abort();
    for (size_t i = 0; i < count; i++) wide[i] = widen(texts[i]);
    return wide;
}

/// The arguments behind the first `skipped`, in one text; those with spaces in quotes.
static char *join(char **arguments, size_t skipped)
{
    char *line = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&line, &bytes);
    if (out == NULL) abort();
    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (i < skipped) continue;
        const char *quote = strpbrk(arguments[i], " \t") != NULL || arguments[i][0] == 0 ? "\"" : "";
        fprintf(out, "%s%s%s%s", i > skipped ? " " : "", quote, arguments[i], quote);
    }
    fclose(out);
    return line;
}

LPSTR WINAPI GetCommandLineA(void)
{
    mslot__win_lock();
    if (command_line == NULL) {
        FILE *file = fopen("/proc/self/cmdline", "re");
        char *text = NULL;
        size_t capacity = 0;
        char **arguments = calloc(1, sizeof *arguments);
        size_t count = 0;
        while (file != NULL && arguments != NULL && getdelim(&text, &capacity, 0, file) > 0) {
            char **grown = realloc(arguments, (count + 2) * sizeof *arguments);
            if (grown == NULL) break;
            arguments = grown;
            arguments[count++] = strdup(text);
            arguments[count] = NULL;
        }
        if (file != NULL) fclose(file);
        if (arguments == NULL) abort();
        command_line = join(arguments, 0);
        for (size_t i = 0; i < count; i++) free(arguments[i]);
        free(arguments);
        free(text);
    }
    mslot__win_unlock();
    return command_line;
}

LPWSTR WINAPI GetCommandLineW(void)
{
    const char *narrow = GetCommandLineA();
    mslot__win_lock();
    if (wide_command_line == NULL) wide_command_line = widen(narrow);
    mslot__win_unlock();
    return wide_command_line;
}

WEAK int main(int count, char **arguments, char **environment)
{
    HINSTANCE instance = (HINSTANCE)(void *)&command_line; // not NULL, and never looked into
    if (WinMain != NULL) return WinMain(instance, NULL, join(arguments, 1), SW_SHOWNORMAL);
    if (wWinMain != NULL) return wWinMain(instance, NULL, widen(join(arguments, 1)), SW_SHOWNORMAL);
    if (wmain != NULL) return wmain(count, widen_all(arguments), widen_all(environment));
    if (wmain_cpp_arguments != NULL) return wmain_cpp_arguments(count, widen_all(arguments));
    if (wmain_cpp_const != NULL) return wmain_cpp_const(count, widen_all(arguments));
    if (wmain_cpp_environment != NULL) return wmain_cpp_environment(count, widen_all(arguments), widen_all(environment));
    if (wmain_cpp != NULL) return wmain_cpp();
    fprintf(stderr, "%s: the program has neither main, wmain, WinMain nor wWinMain\n", arguments[0]);
    return 127;
}
