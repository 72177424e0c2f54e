// One word to sleep on and a message beside it: who sleeps in the kernel cannot be woken faster.

#include "../sides.h"
#include "shared_memory.h"

#include <linux/futex.h>
#include <sys/syscall.h>

typedef struct mailbox {
    alignas(64) uint32_t sent;
    bench_slot slot;
} mailbox;

static bool make(bench_channel *channel) { return bench_map_shared(channel, sizeof(mailbox)); }

static void remove_channel(bench_channel *channel) { bench_unmap_shared(channel, sizeof(mailbox)); }

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    mailbox *mailbox = channel->memory;
    memcpy(mailbox->slot.bytes, bytes, channel->message_bytes);
    __atomic_add_fetch(&mailbox->sent, 1, __ATOMIC_RELEASE);
    return syscall(SYS_futex, &mailbox->sent, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0 ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    mailbox *mailbox = channel->memory;
    uint32_t received = (uint32_t)(uintptr_t)channel->end;
    while (__atomic_load_n(&mailbox->sent, __ATOMIC_ACQUIRE) == received)
        syscall(SYS_futex, &mailbox->sent, FUTEX_WAIT, received, NULL, NULL, 0);
    channel->end = (void *)(uintptr_t)(received + 1);
    memcpy(bytes, mailbox->slot.bytes, channel->message_bytes);
    return BENCH_MOVED;
}

const bench_peer bench_futex = {
    .name = "futex",
    .settings = "one word and one message, FUTEX_WAIT without a time-out, FUTEX_WAKE for each; always sleeps",
    .polls = false,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = remove_channel,
    .limits = {.no_queueing = "it holds one message"},
};
