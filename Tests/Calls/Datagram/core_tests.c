// The harness of the core's tests. SwiftPM gives a file to one target only, so it is included.
#include "../Core/harness.c"
#include "../Core/checks.c"
#include "../Core/common.c"
