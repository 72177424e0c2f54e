// A System V message queue.

#include "peer.h"

#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>

typedef struct typed_message {
    long type;
    unsigned char bytes[BENCH_PEER_BYTES_MAX];
} typed_message;

static bool make(bench_channel *channel)
{
    int queue = msgget(IPC_PRIVATE, 0600 | IPC_CREAT);
    if (queue < 0) return false;
    channel->descriptors[0] = queue;
    // More than kernel.msgmnb is for root; others keep that.
    struct msqid_ds state;
    if (msgctl(queue, IPC_STAT, &state) == 0) {
        // As many messages as it has bytes are allowed, so that empty ones do not fill the memory.
        state.msg_qbytes = BENCH_PEER_CAPACITY * (channel->message_bytes > 0 ? channel->message_bytes : 1);
        msgctl(queue, IPC_SET, &state);
    }
    return true;
}

static bench_moved failure(void) { return errno == EAGAIN || errno == ENOMSG || errno == EINTR ? BENCH_NOTHING : BENCH_FAILED; }

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    typed_message message;
    message.type = 1;
    memcpy(message.bytes, bytes, channel->message_bytes);
    int sent = msgsnd(channel->descriptors[0], &message, channel->message_bytes, channel->polls ? IPC_NOWAIT : 0);
    return sent == 0 ? BENCH_MOVED : failure();
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    typed_message message;
    ssize_t received = msgrcv(channel->descriptors[0], &message, sizeof message.bytes, 0, channel->polls ? IPC_NOWAIT : 0);
    if (received < 0) return failure();
    memcpy(bytes, message.bytes, (size_t)received);
    return bench_moved_bytes(received, channel->message_bytes);
}

static void remove_channel(bench_channel *channel) { msgctl(channel->descriptors[0], IPC_RMID, NULL); }

const bench_peer bench_system_v_queue = {
    .name = "system-v-queue",
    .settings = "msg_qbytes for 1024 messages, for users kernel.msgmnb; polling: IPC_NOWAIT",
    .polls = true,
    .make = make,
    .send = send_message,
    .receive = receive_message,
    .remove = remove_channel,
};
