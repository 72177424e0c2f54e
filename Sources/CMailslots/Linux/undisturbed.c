// Calls that nothing leaves halfway: neither pthread_cancel nor a signal handler of the same thread that forks, jumps or never returns.

#include "linux.h"

#include <pthread.h>

// MARK: cancellation

int mslot__cancellation_hold(void)
{
    int before = PTHREAD_CANCEL_ENABLE;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void mslot__cancellation_allow(const int *before) { pthread_setcancelstate(*before, NULL); }

// MARK: signals

sigset_t mslot__signals_but_faults(void)
{
    sigset_t signals;
    sigfillset(&signals);
    // Those of faults come in any case: a guard has to see a file that was cut short.
    static const int faults[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGABRT};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) sigdelset(&signals, faults[i]);
    return signals;
}

sigset_t mslot__signals_hold(void)
{
    sigset_t held = mslot__signals_but_faults(), before;
    pthread_sigmask(SIG_BLOCK, &held, &before);
    return before;
}

void mslot__signals_allow(const sigset_t *before) { pthread_sigmask(SIG_SETMASK, before, NULL); }
