// Starts and ends the servers of peers.

#include "server.h"

#include "peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static const char *const SEARCHED = "/usr/sbin:/sbin";

bool bench_server_is_installed(const char *program)
{
    const char *path = getenv("PATH");
    char folders[4096];
    snprintf(folders, sizeof folders, "%s:%s", path == NULL ? "" : path, SEARCHED);
    char *rest = folders;
    for (const char *folder; (folder = strsep(&rest, ":")) != NULL;) {
        char file[4200];
        snprintf(file, sizeof file, "%s/%s", folder, program);
        if (access(file, X_OK) == 0) return true;
    }
    return access(program, X_OK) == 0;
}

const char *bench_server_version(const char *command, const char *before)
{
    static char line[256];
    FILE *out = popen(command, "re");
    const char *version = NULL;
    while (out != NULL && version == NULL && fgets(line, sizeof line, out) != NULL) {
        version = strstr(line, before);
        if (version == NULL) continue;
        version += strlen(before);
        line[(size_t)(version - line) + strcspn(version, " \n")] = 0;
    }
    if (out != NULL) pclose(out);
    return version == NULL ? "?" : version;
}

static void sleep_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

static pid_t start(const char *const arguments[])
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child != 0) return child;
    // With the driver, however it ends; politely, for some then remove their files.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    // What Swift's threads block, a server may wait for.
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i <= 2; i++) dup2(nowhere, i);
    close_range(3, ~0u, 0);
    char path[4096];
    const char *old = getenv("PATH");
    snprintf(path, sizeof path, "%s:%s", old == NULL ? "" : old, SEARCHED);
    setenv("PATH", path, 1);
    execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static bool has_ended(const bench_server *server)
{
    struct pollfd process = {.fd = server->handle, .events = POLLIN};
    return poll(&process, 1, 0) > 0;
}

static void end(bench_server *server)
{
    pidfd_send_signal(server->handle, SIGTERM, NULL, 0);
    for (int i = 0; i < 500 && !has_ended(server); i++) sleep_ms(10);
    if (!has_ended(server)) pidfd_send_signal(server->handle, SIGKILL, NULL, 0);
    waitpid(server->process, NULL, 0);
    close(server->handle);
    server->process = 0;
}

bool bench_server_start(bench_server *server, const char *const arguments[], bool (*answers)(void))
{
    if (server->users > 0) {
        server->users++;
        return true;
    }
    if (answers()) return false;
    server->process = start(arguments);
    server->handle = server->process < 0 ? -1 : pidfd_open(server->process, 0);
    if (server->handle < 0) return false;
    for (int i = 0; i < 1000; i++) {
        if (answers()) {
            server->users = 1;
            return true;
        }
        if (has_ended(server)) break;
        sleep_ms(10);
    }
    end(server);
    return false;
}

void bench_server_stop(bench_server *server)
{
    if (server->users > 0 && --server->users == 0) end(server);
}

static struct sockaddr_in on_loopback(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

uint16_t bench_free_port(void)
{
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = on_loopback(0);
    socklen_t bytes = sizeof address;
    bool found = bind(probe, (struct sockaddr *)&address, bytes) == 0 && getsockname(probe, (struct sockaddr *)&address, &bytes) == 0;
    close(probe);
    return found ? ntohs(address.sin_port) : 0;
}

bool bench_port_answers(uint16_t port)
{
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = on_loopback(port);
    bool answered = connect(probe, (struct sockaddr *)&address, sizeof address) == 0;
    close(probe);
    return answered;
}
