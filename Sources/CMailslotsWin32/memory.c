// Memory by its Windows names: what malloc gives.

#include "win.h"

#include <malloc.h>
#include <stdlib.h>

static void *allocate(bool zeroed, size_t bytes)
{
    // Windows gives an address for 0 bytes too.
    void *memory = zeroed ? calloc(1, bytes != 0 ? bytes : 1) : malloc(bytes != 0 ? bytes : 1);
    if (memory == NULL) SetLastError(ERROR_NOT_ENOUGH_MEMORY);
    return memory;
}

HLOCAL WINAPI LocalAlloc(UINT uFlags, SIZE_T uBytes) { return allocate((uFlags & LMEM_ZEROINIT) != 0, uBytes); }
HLOCAL WINAPI LocalFree(HLOCAL hMem)
{
    free(hMem);
    return NULL;
}
/// May be more than was asked for.
SIZE_T WINAPI LocalSize(HLOCAL hMem) { return malloc_usable_size(hMem); }

HGLOBAL WINAPI GlobalAlloc(UINT uFlags, SIZE_T dwBytes) { return allocate((uFlags & GMEM_ZEROINIT) != 0, dwBytes); }
HGLOBAL WINAPI GlobalFree(HGLOBAL hMem)
{
    free(hMem);
    return NULL;
}
LPVOID WINAPI GlobalLock(HGLOBAL hMem) { return hMem; }
BOOL WINAPI GlobalUnlock(HGLOBAL hMem)
{
    (void)hMem;
    SetLastError(NO_ERROR); // "unlocked now", and not a failure
    return FALSE;
}

static char the_heap;
HANDLE WINAPI GetProcessHeap(void) { return &the_heap; }

LPVOID WINAPI HeapAlloc(HANDLE hHeap, DWORD dwFlags, SIZE_T dwBytes)
{
    return hHeap == &the_heap ? allocate((dwFlags & HEAP_ZERO_MEMORY) != 0, dwBytes) : NULL;
}

BOOL WINAPI HeapFree(HANDLE hHeap, DWORD dwFlags, LPVOID lpMem)
{
    (void)dwFlags;
    if (hHeap != &the_heap) return mslot__win_fail(ERROR_INVALID_HANDLE);
    free(lpMem);
    return TRUE;
}
