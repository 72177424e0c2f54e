// Where libnats is not installed: there is never a client. Opening says so, and nobody calls the rest.

#include "client.h"

#if !__has_include(<nats/nats.h>) || defined(MSLOT_NATS_WITHOUT_LIBNATS)

#include <stdio.h>

bool mslot_nats_client_probe(char text[MSLOT_NATS_TEXT_MAX])
{
    snprintf(text, MSLOT_NATS_TEXT_MAX, "%s",
        "this program was built without the NATS client; install libnats (Debian: apt-get install libnats-dev) and build it again");
    return false;
}

mslot_nats_outcome mslot_nats_client_open(mslot_nats_client **opened, const mslot_nats_options *options,
    const mslot_nats_client_calls *calls, void *endpoint, char text[MSLOT_NATS_TEXT_MAX])
{
    (void)opened, (void)options, (void)calls, (void)endpoint;
    mslot_nats_client_probe(text);
    return MSLOT_NATS_NO_CLIENT;
}

void mslot_nats_client_close(mslot_nats_client *client) { (void)client; }

mslot_nats_outcome mslot_nats_client_connect(mslot_nats_client *client, char text[MSLOT_NATS_TEXT_MAX])
{
    (void)client, (void)text;
    return MSLOT_NATS_NO_CLIENT;
}

void mslot_nats_client_disconnect(mslot_nats_client *client, char text[MSLOT_NATS_TEXT_MAX]) { (void)client, (void)text; }

bool mslot_nats_client_is_lost(const mslot_nats_client *client) { return client == NULL; }

int mslot_nats_client_descriptor(const mslot_nats_client *client) { return client == NULL ? -1 : 0; }

bool mslot_nats_client_wants_to_write(const mslot_nats_client *client) { return client == NULL; }

bool mslot_nats_client_blocks(const mslot_nats_client *client) { return client == NULL; }

void mslot_nats_client_read(mslot_nats_client *client) { (void)client; }

void mslot_nats_client_write(mslot_nats_client *client) { (void)client; }

bool mslot_nats_client_flush(mslot_nats_client *client, int64_t milliseconds) { return client == NULL && milliseconds == 0; }

bool mslot_nats_client_subscribe(mslot_nats_client *client, uint32_t index, const char *subject)
{
    (void)client, (void)index, (void)subject;
    return false;
}

void mslot_nats_client_unsubscribe(mslot_nats_client *client, uint32_t index) { (void)client, (void)index; }

mslot_nats_published mslot_nats_client_publish(mslot_nats_client *client, const mslot_nats_datagram *datagram)
{
    (void)client, (void)datagram;
    return MSLOT_NATS_PUBLISHED_NOT;
}

void mslot_nats_client_take(mslot_nats_client *client, uint32_t index, void (*body)(void *endpoint, const mslot_nats_view *view))
{
    (void)client, (void)index, (void)body;
}

#endif
