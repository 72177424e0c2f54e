// The wide functions of the C runtime, in a UNICODE build: each line says what went wrong, or nothing.
#include <windows.h>
#include <tchar.h>
#include <stdio.h>
#include <locale.h>
#include <stdlib.h>
#define STRSAFE_NO_DEPRECATE
#include <strsafe.h>

static int failures;
static void Check(BOOL fine, LPCTSTR what)
{
    if (!fine)
    {
        _tprintf(TEXT("FAILED %s\n"), what);
        failures++;
    }
}

int _tmain(void)
{
    TCHAR text[64], *end;
    DWORD number = 0;
    char narrow[64];
    TCHAR *copy = _tcsdup(TEXT("copied"));
    Check(sizeof(TCHAR) == 2, TEXT("sizeof TCHAR"));
    Check(_tcslen(TEXT("four")) == 4 && lstrlen(TEXT("")) == 0, TEXT("_tcslen"));
    Check(_tcscmp(copy, TEXT("copied")) == 0 && _tcscmp(TEXT("a"), TEXT("b")) < 0 && _tcscmp(TEXT("b"), TEXT("a")) > 0, TEXT("_tcscmp"));
    Check(_tcsncmp(TEXT("abc"), TEXT("abd"), 2) == 0 && _tcsncmp(TEXT("abc"), TEXT("abd"), 3) < 0, TEXT("_tcsncmp"));
    Check(_tcsicmp(TEXT("ABC"), TEXT("abc")) == 0, TEXT("_tcsicmp"));
    _tcscpy(text, TEXT("one"));
    _tcscat(text, TEXT(" two"));
    _tcsncat(text, TEXT(" three"), 3);
    Check(_tcscmp(text, TEXT("one two th")) == 0, TEXT("_tcscat"));
    _tcsncpy(text, TEXT("ab"), 4);
    Check(text[1] == 'b' && text[2] == 0 && text[3] == 0, TEXT("_tcsncpy"));
    _tcscpy(text, TEXT("a/b/c"));
    Check(_tcschr(text, '/') == text + 1 && _tcsrchr(text, '/') == text + 3 && _tcschr(text, 'x') == NULL, TEXT("_tcschr"));
    Check(_tcschr(text, 0) == text + 5 && _tcsrchr(text, 'x') == NULL, TEXT("_tcsrchr"));
    Check(_tcsstr(text, TEXT("b/")) == text + 2 && _tcsstr(text, TEXT("")) == text && _tcsstr(text, TEXT("cc")) == NULL, TEXT("_tcsstr"));
    Check(_tcstol(TEXT(" -17x"), &end, 10) == -17 && *end == 'x', TEXT("_tcstol"));
    Check(_tcstoul(TEXT("ffffffff"), NULL, 16) == 0xffffffffu && _ttoi(TEXT("12")) == 12, TEXT("_tcstoul"));
    Check(_tcstol(TEXT("99999999999"), NULL, 10) == 0x7fffffff, TEXT("_tcstol of too much"));
    Check(_sntprintf(text, 64, TEXT("%s|%S|%hs|%ld|%08lX|%I64d|%c"), TEXT("w"), "n", "h", (LONG)-5, (DWORD)0xbeef, 1LL << 40, 'x') == 33, TEXT("length"));
    Check(_tcscmp(text, TEXT("w|n|h|-5|0000BEEF|1099511627776|x")) == 0, text);
    Check(SUCCEEDED(StringCchPrintf(text, 64, TEXT("%d of %s"), 3, TEXT("four"))) && _tcscmp(text, TEXT("3 of four")) == 0, text);
    Check(wsprintf(text, TEXT("%d%s"), 3, TEXT("x")) == 2, TEXT("wsprintf"));
    Check(wcstombs(narrow, L"plain", 64) == 5 && strcmp(narrow, "plain") == 0, TEXT("wcstombs"));
    Check(mbstowcs(text, "again", 64) == 5 && _tcscmp(text, TEXT("again")) == 0, TEXT("mbstowcs"));
    Check(sprintf(narrow, "%ls %S %lu", L"wide", L"too", (DWORD)7) == 10 && strcmp(narrow, "wide too 7") == 0, TEXT("sprintf"));
    Check(_fgetts(text, 6, stdin) != NULL && _tcscmp(text, TEXT("a lon")) == 0, TEXT("_fgetts of a part"));
    Check(_fgetts(text, 64, stdin) != NULL && _tcscmp(text, TEXT("g line\n")) == 0, TEXT("_fgetts"));
    Check(_fgetts(text, 3, stdin) != NULL && _gettchar() == 'c' && _tscanf(TEXT("%lu"), &number) == 1 && number == 7, TEXT("_gettchar"));
    Check(_gettchar() == '\n', TEXT("the end of a line"));
    Check(_tcscpy_s(text, 64, TEXT("one")) == 0 && _tcscat_s(text, 64, TEXT("two")) == 0 && _tcscmp(text, TEXT("onetwo")) == 0, text);
    Check(_tsetlocale(LC_ALL, TEXT("C")) != NULL && _tsetlocale(LC_ALL, TEXT("no such place")) == NULL, TEXT("_tsetlocale"));
    Check(_tfopen(TEXT("/nowhere/at/all"), TEXT("r")) == NULL, TEXT("_tfopen"));
    Check(_fgetts(text, 64, stdin) == NULL, TEXT("_fgetts at the end"));
    free(copy);
    _fputts(TEXT("failures: "), stdout);
    _tprintf(TEXT("%d\n"), failures);
    return failures;
}
