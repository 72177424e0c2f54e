// The terminal's size, and signals as bytes of a pipe.

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

command_window command_window_of(int descriptor)
{
    struct winsize size;
    memset(&size, 0, sizeof size);
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0) return (command_window){0, 0};
    return (command_window){size.ws_col, size.ws_row};
}

bool command_ignores(int signal)
{
    struct sigaction action;
    return sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int writing_end = -1;

static void tell(int signal)
{
    int saved_errno = errno;
    unsigned char number = (unsigned char)signal;
    ssize_t written = write(writing_end, &number, 1); // full: what is in it says enough
    (void)written;
    errno = saved_errno;
}

static void tell_from_now_on(int signal)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = tell;
    action.sa_flags = SA_RESTART;
    sigaction(signal, &action, NULL);
}

int command_signals_to_pipe(const int *signals, int count)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    writing_end = ends[1];
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) {
        if (command_ignores(signals[i])) continue;
        tell_from_now_on(signals[i]);
        sigaddset(&set, signals[i]);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL); // whoever started us may have had them blocked
    return ends[0];
}

void command_stop_self(int signal_number)
{
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    tell_from_now_on(signal_number);
}
