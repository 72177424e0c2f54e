// The harness of the core's tests. SwiftPM gives a file to one target only, so it is included.
#include "../CoreTests/harness.c"
#include "../CoreTests/checks.c"
#include "../CoreTests/common.c"
