// Waking who waits: an eventfd, which the engines wait for too.

#include "endpoint.h"

#include <errno.h>
#include <unistd.h>

void mslot_datagram_wake(mslot_datagram_endpoint *endpoint)
{
    int saved_errno = errno;
    uint64_t one = 1;
    // EAGAIN - the counter is at its maximum: then it is not 0, which is what matters.
    while (write(endpoint->wake_descriptor, &one, sizeof one) < 0 && errno == EINTR) {}
    errno = saved_errno;
}

bool mslot_datagram_take_wake(const mslot_datagram_endpoint *endpoint)
{
    uint64_t count;
    ssize_t result;
    while ((result = read(endpoint->wake_descriptor, &count, sizeof count)) < 0 && errno == EINTR) {}
    return result == sizeof count;
}
