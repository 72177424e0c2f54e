// Around an include of libc's header: without the inline forms of -O2 and _FORTIFY_SOURCE, which would call libc's functions by
// their old symbols. libc_end.h puts the macros back.
#include <features.h>
#pragma push_macro("__USE_FORTIFY_LEVEL")
#pragma push_macro("__USE_EXTERN_INLINES")
#undef __USE_FORTIFY_LEVEL
#undef __USE_EXTERN_INLINES
#define __USE_FORTIFY_LEVEL 0
