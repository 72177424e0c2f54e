// What CMailslotsNATS does where libnats was not installed when it was built.

#include <mailslots_nats.h>
#include <stdio.h>

#define REQUIRE(condition) \
    if (!(condition)) return fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), 1

int main(void)
{
    mslot_nats_probed probed = mslot_nats_probe();
    REQUIRE(!probed.is_usable);
    REQUIRE(strstr(probed.text, "apt-get install libnats-dev") != NULL);

    const char *server = "nats://127.0.0.1:4222";
    mslot_nats_options options = mslot_nats_options_default();
    options.servers = &server;
    options.server_count = 1;
    mslot_nats_opened opened = mslot_nats_open(&options);
    REQUIRE(opened.endpoint == NULL);
    REQUIRE(opened.outcome == MSLOT_NATS_NO_CLIENT);
    REQUIRE(strcmp(opened.text, probed.text) == 0);

    options.server_count = 0;
    REQUIRE(mslot_nats_open(&options).outcome == MSLOT_NATS_BAD_ARGUMENT);
    puts("ok without libnats");
    return 0;
}
