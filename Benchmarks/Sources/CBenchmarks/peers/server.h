// A program that a peer cannot do without, started on demand. Not seen by Swift.
#ifndef BENCHMARKS_SERVER_H
#define BENCHMARKS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/// Runs from the first start to the last stop, so that nobody else is measured beside it. Static, all zero at first.
typedef struct bench_server {
    pid_t process;
    /// Of that process: its number alone may be another's, for who waits for sides waits for it too.
    int handle;
    uint32_t users;
    /// Of the loopback address, if it listens on one.
    uint16_t port;
} bench_server;

/// A program of this name is in PATH or in /usr/sbin.
bool bench_server_is_installed(const char *program);

/// What `command` prints behind `before`, up to the next space or the line's end; "?" if it does not.
const char *bench_server_version(const char *command, const char *before);

/// What `arguments` say, the program first, NULL last, unless it runs. It hears nothing, is not heard, runs on any CPU, and does not
/// outlive this process. True when `answers` says so; false, and nothing runs, if that takes longer than 10 s, the program ends, or
/// somebody else answers.
bool bench_server_start(bench_server *server, const char *const arguments[], bool (*answers)(void));

/// Once for each start that succeeded: the last one ends it.
void bench_server_stop(bench_server *server);

/// A port of the loopback address that nobody has at this moment; 0 if there is none.
uint16_t bench_free_port(void);
/// Somebody listens there.
bool bench_port_answers(uint16_t port);

#endif
