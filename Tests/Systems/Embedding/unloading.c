// A program that loads the library, uses it and lets it go, as an interpreter does with a module. What the library leaves in the process, a
// thread, the guard's signal handler, what runs at a fork, must still find its code: the library stays.
//
//     unloading LIBMAILSLOTS.SO NAME [OTHER LIBRARY...]

#include <mailslots.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(bool condition, const char *what)
{
    if (condition) return;
    const char *why = dlerror();
    fprintf(stderr, "unloading: %s%s%s\n", what, why != NULL ? ": " : "", why != NULL ? why : "");
    exit(1);
}

static void *load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    check(library != NULL, "it is not loaded");
    return library;
}

static void let_go(void *library, const char *path)
{
    check(dlclose(library) == 0, "dlclose");
    check(dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) != NULL, "it is gone");
}

/// POSIX lets a pointer to a function be stored so.
static void find(void *library, const char *name, void *function)
{
    *(void **)function = dlsym(library, name);
    check(*(void **)function != NULL, name);
}

static void ended(mslot_wait *wait) { (void)wait; }
static volatile sig_atomic_t bus_errors;
static void count_bus_error(int number)
{
    (void)number;
    bus_errors++;
}

/// Leaves a thread, the guard and fork handlers behind, and nothing open.
static void use(void *library, const char *name)
{
    mslot_created (*create)(const char *, const mslot_create_options *);
    mslot_outcome (*begin_wait)(mslot_reader *, mslot_wait *);
    void (*stop)(mslot_wait *);
    mslot_outcome (*end_wait)(mslot_reader *);
    mslot_outcome (*close_reader)(mslot_reader *);
    mslot_failure (*guard)(void);
    find(library, "mslot_create", &create);
    find(library, "mslot_reader_begin_wait", &begin_wait);
    find(library, "mslot_wait_stop", &stop);
    find(library, "mslot_reader_end_wait", &end_wait);
    find(library, "mslot_reader_close", &close_reader);
    find(library, "mslot_guard_install", &guard);

    signal(SIGBUS, count_bus_error);
    check(guard().outcome == MSLOT_DONE, "mslot_guard_install");
    mslot_reader *reader = create(name, NULL).reader;
    check(reader != NULL, "mslot_create");
    mslot_wait wait;
    memset(&wait, 0, sizeof wait);
    wait.ended = ended;
    wait.timeout_ns = MSLOT_FOREVER;
    wait.never_polls = true;
    check(begin_wait(reader, &wait) == MSLOT_EMPTY, "mslot_reader_begin_wait");
    stop(&wait);
    check(end_wait(reader) == MSLOT_DONE && close_reader(reader) == MSLOT_DONE, "closing");
}

int main(int count, char **arguments)
{
    check(count >= 3, "LIBMAILSLOTS.SO and NAME are missing");
    void *library = load(arguments[1]);
    use(library, arguments[2]);
    let_go(library, arguments[1]);
    raise(SIGBUS); // by way of the guard's handler, to that of before
    check(bus_errors == 1, "the signal did not arrive");
    pid_t child = fork();
    if (child == 0) _exit(0);
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "the forked child died");
    for (int i = 3; i < count; i++) let_go(load(arguments[i]), arguments[i]);
    puts("the library stays");
    return 0;
}
