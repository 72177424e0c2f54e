// The calls that C and Swift inline, once more as exported symbols: other languages cannot inline C.
#define MSLOT_INLINE
#include "mailslots.h"
