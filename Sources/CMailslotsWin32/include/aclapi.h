// On Windows a part of windows.h, or its name in another case.
#include "windows.h"
