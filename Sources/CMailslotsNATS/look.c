// Making the connection's thread look: an eventfd, which it polls beside the socket.

#include "endpoint.h"

#include <errno.h>
#include <unistd.h>

void mslot_nats_look(mslot_nats_endpoint *endpoint)
{
    int saved_errno = errno;
    uint64_t one = 1;
    // EAGAIN - the counter is at its maximum: then it is not 0, which is what matters.
    while (write(endpoint->look_descriptor, &one, sizeof one) < 0 && errno == EINTR) {}
    errno = saved_errno;
}

void mslot_nats_stop_looking(mslot_nats_endpoint *endpoint)
{
    uint64_t count;
    while (read(endpoint->look_descriptor, &count, sizeof count) < 0 && errno == EINTR) {}
}
