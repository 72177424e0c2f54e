// The calls of Windows on top of our mailslots, as a program from there uses them.

#include "peer.h"

#include <windows.h>

static const char *path(const bench_channel *channel, char *text, size_t capacity)
{
    snprintf(text, capacity, "\\\\.\\mailslot\\%s", channel->name);
    return text;
}

static bool open_end(bench_channel *channel, bench_end end)
{
    char text[96];
    setenv("MAILSLOT_WIN32_CELLS", "1024", 1);
    path(channel, text, sizeof text);
    channel->end = end == BENCH_READER
        ? CreateMailslotA(text, BENCH_PEER_BYTES_MAX, channel->polls ? 0 : MAILSLOT_WAIT_FOREVER, NULL)
        : CreateFileA(text, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    return channel->end != INVALID_HANDLE_VALUE;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    DWORD written;
    if (!WriteFile(channel->end, bytes, channel->message_bytes, &written, NULL))
        return GetLastError() == ERROR_NOT_ENOUGH_QUOTA ? BENCH_NOTHING : BENCH_FAILED;
    return written == channel->message_bytes ? BENCH_MOVED : BENCH_FAILED;
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    DWORD received;
    if (!ReadFile(channel->end, bytes, BENCH_PEER_BYTES_MAX, &received, NULL))
        return GetLastError() == ERROR_SEM_TIMEOUT ? BENCH_NOTHING : BENCH_FAILED;
    return received == channel->message_bytes ? BENCH_MOVED : BENCH_FAILED;
}

static void close_end(bench_channel *channel, bench_end end)
{
    (void)end;
    CloseHandle(channel->end);
}

static void remove_channel(bench_channel *channel) { bench_peer_ours()->remove(channel); }

const bench_peer bench_win32 = {
    .name = "CMailslotsWin32",
    .settings = "CreateMailslot, ReadFile, WriteFile; MAILSLOT_WIN32_CELLS=1024; polling: a read time-out of 0",
    .polls = true,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
    .remove = remove_channel,
};
