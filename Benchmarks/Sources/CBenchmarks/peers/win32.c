// Ourselves, by the calls of Windows that CMailslotsWin32 has: what a program ported from there pays.

#include "peer.h"

#include <stdio.h>
#include <windows.h>

static bool open_end(bench_channel *channel, bench_end end)
{
    char name[96];
    snprintf(name, sizeof name, "\\\\.\\mailslot\\%s", channel->name);
    DWORD patience = channel->polls ? 0 : MAILSLOT_WAIT_FOREVER;
    HANDLE handle = end == BENCH_READER
        ? CreateMailslotA(name, BENCH_PEER_BYTES_MAX, patience, NULL)
        : CreateFileA(name, GENERIC_WRITE, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    channel->end = handle;
    return handle != INVALID_HANDLE_VALUE;
}

static bench_moved moved(bool done, DWORD count, uint32_t expected, DWORD nothing)
{
    if (done) return count == expected ? BENCH_MOVED : BENCH_FAILED;
    return GetLastError() == nothing ? BENCH_NOTHING : BENCH_FAILED;
}

static bench_moved send_message(bench_channel *channel, const void *bytes)
{
    DWORD written;
    bool done = WriteFile(channel->end, bytes, channel->message_bytes, &written, NULL);
    return moved(done, written, channel->message_bytes, ERROR_NOT_ENOUGH_QUOTA);
}

static bench_moved receive_message(bench_channel *channel, void *bytes)
{
    DWORD received;
    bool done = ReadFile(channel->end, bytes, BENCH_PEER_BYTES_MAX, &received, NULL);
    return moved(done, received, channel->message_bytes, ERROR_SEM_TIMEOUT);
}

static void close_end(bench_channel *channel, bench_end end)
{
    (void)end;
    CloseHandle(channel->end);
}

const bench_peer bench_win32 = {
    .name = "win32-calls",
    .settings = "our CMailslotsWin32: CreateMailslot, ReadFile, WriteFile, 8192 messages; polling: a read time-out of 0",
    .polls = true,
    .open = open_end,
    .send = send_message,
    .receive = receive_message,
    .close = close_end,
};
