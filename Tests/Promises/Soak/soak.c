// The conductor of a soak: starts writers and a reader, kills, stops and restarts them at random, and keeps the account.
//
// README.md says what is promised and how it is checked.

#include "account.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_CLEAN = 0, EXIT_VIOLATION = 1, EXIT_USAGE = EX_USAGE, EXIT_CANNOT = 3 };

static const int64_t SECOND_NS = 1000000000;

enum {
    STEP_NS = 200000,
    /// A step that takes longer says that the machine is busy, and nothing about the ring.
    LATE_STEP_NS = 2000000,
    /// Between two deeds of the conductor, at most.
    DEED_NS_MAX = 4000000,
    ROUND_SECONDS = 4,
    /// Without a message, and with nobody stopped: something hangs. A watchdog; sound rings are a hundred times faster.
    SILENCE_SECONDS_MAX = 60,
    /// Leading a process into a call: instructions until it is there, and on its way through it; microseconds for all.
    STEPS_TO_CALL_MAX = 2000,
    STEPS_IN_CALL_MAX = 150,
    LEAD_US_MAX = 10000
};

// MARK: options

static struct {
    uint64_t seconds;
    uint64_t seed;
    uint32_t writers;
} options = {.seconds = 60, .writers = 24};

static const char help[] =
    "usage: soak [--seconds N] [--writers N] [--seed N]\n"
    "\n"
    "Kills, stops and restarts the writers and the reader of a mailslot at random, and accounts for every message.\n"
    "\n"
    "  --seconds N   how long (60)\n"
    "  --writers N   writers at one time, 1 to 512 (24)\n"
    "  --seed N      the choices of an earlier run: rings and deeds; which instruction a kill hits stays chance\n"
    "  --help        this\n"
    "\n"
    "Exit codes: 0 every message is accounted for; 1 one is not, or something hangs; 64 usage; 3 it cannot run here.\n";

_Noreturn static void refuse(const char *what, const char *argument)
{
    fprintf(stderr, "soak: %s: %s\n%s", what, argument, help);
    exit(EXIT_USAGE);
}

static uint64_t number_argument(const char *option, const char *text, uint64_t max)
{
    char *end = NULL;
    if (text == NULL) refuse("needs a number", option);
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || text[0] == '-' || number == 0 || number > max) refuse("not a number in range", text);
    return number;
}

static void parse_options(char **arguments)
{
    for (char **at = arguments + 1; *at != NULL; at += 2) {
        if (strcmp(*at, "--help") == 0) {
            fputs(help, stdout);
            exit(EXIT_CLEAN);
        }
        if (strcmp(*at, "--seconds") == 0) options.seconds = number_argument(*at, at[1], 1000000000);
        else if (strcmp(*at, "--writers") == 0) options.writers = (uint32_t)number_argument(*at, at[1], WRITERS_MAX);
        else if (strcmp(*at, "--seed") == 0) options.seed = number_argument(*at, at[1], UINT64_MAX);
        else refuse("no such option", *at);
    }
}

// MARK: state

typedef struct child {
    pid_t pid; // 0: it is gone
    bool stopped;
} child;

static journal *j;
static child children[WRITERS_MAX + 1];
#define THE_READER (&children[WRITERS_MAX])

static uint64_t random_state;
static pid_t conductor;
/// In a namespace of its own a child may have the conductor's process id.
static bool is_child;
static volatile sig_atomic_t interrupted;

static struct {
    uint64_t rounds, writer_kills, reader_kills, led, stops;
    int64_t longest_silence_ns;
} deeds;

/// Since the reader last logged something: how long, as far as the conductor itself was not kept waiting for a processor.
static int64_t silence_ns, last_step_ns;
static uint64_t progress;

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/// The conductor's choices, which the seed repeats.
static uint64_t choose(uint64_t limit) { return random_below(&random_state, limit); }

void complain(journal *journal, const char *format, ...)
{
    if (__atomic_fetch_add(&journal->complaints, 1, __ATOMIC_RELAXED) == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(journal->complaint, COMPLAINT_BYTES, format, arguments);
        va_end(arguments);
    }
    if (is_child) _exit(1);
}

static bool all_is_well(void) { return __atomic_load_n(&j->complaints, __ATOMIC_RELAXED) == 0; }

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

// MARK: children

/// Of the conductor's own pid namespace, to come back to; -1: this user may make none.
static int own_namespace = -1;

static void find_namespaces(void)
{
    own_namespace = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (own_namespace >= 0 && unshare(CLONE_NEWPID) == 0 && setns(own_namespace, CLONE_NEWPID) == 0) return;
    printf("skipped: processes in pid namespaces of their own: %s\n", strerror(errno));
    own_namespace = -1;
}

/// A child that is process 1 of a namespace of its own, as all others are: no process id means anything there.
static pid_t fork_into_namespace(void)
{
    if (unshare(CLONE_NEWPID) != 0) return -1;
    pid_t pid = fork();
    if (pid != 0 && setns(own_namespace, CLONE_NEWPID) != 0) complain(j, "cannot leave a pid namespace: %s", strerror(errno));
    return pid;
}

static void start(child *c)
{
    uint64_t seed = random_next(&random_state);
    uint32_t writer = (uint32_t)(c - children);
    pid_t pid = j->style.namespaces ? fork_into_namespace() : fork();
    if (pid < 0) complain(j, "cannot fork: %s", strerror(errno));
    if (pid == 0) {
        is_child = true;
        setpgid(0, 0); // Ctrl-C is for the conductor
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != (j->style.namespaces ? 0 : conductor)) _exit(1);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        if (c == THE_READER) reader_run(j, seed);
        writer_run(j, writer, seed);
    }
    *c = (child){.pid = pid};
}

/// Children that ended by themselves: all right only once they were told to.
static void reap(void)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        child *c = children;
        while (c < THE_READER && c->pid != pid) c++;
        const char *who = c == THE_READER ? "the reader" : "a writer";
        bool told = j->phase == (c == THE_READER ? PHASE_READER_ENDS : PHASE_WRITERS_END);
        if (WIFSIGNALED(status)) complain(j, "%s was killed by signal %d, %s", who, WTERMSIG(status), strsignal(WTERMSIG(status)));
        else if (status != 0 || !told) complain(j, "%s ended with status %d", who, WEXITSTATUS(status));
        *c = (child){.pid = 0};
    }
}

static bool is_in_call(const child *c)
{
    if (c == THE_READER) return mslot__load_acquire(&j->released) != mslot__load_acquire(&j->releasing);
    const writer_journal *of = &j->writers[c - children];
    return mslot__load_acquire(&of->published) != mslot__load_acquire(&of->attempted);
}

static bool wait_for_step(pid_t pid) // false: it sleeps, and our timer ended the wait
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

/// Leads a process, instruction by instruction, to some instruction of its next write or read, where it is then killed. A kill out of the
/// blue hits the processor's slow instructions most often, and seldom the gap between two stores. Without ptrace, or if it sleeps: nothing.
static void lead_into_call(child *c)
{
    if (c->stopped || ptrace(PTRACE_SEIZE, c->pid, NULL, NULL) != 0) return;
    const struct timeval limit = {.tv_usec = LEAD_US_MAX};
    setitimer(ITIMER_REAL, &(struct itimerval){limit, limit}, NULL);
    bool steps = ptrace(PTRACE_INTERRUPT, c->pid, NULL, NULL) == 0 && wait_for_step(c->pid);
    uint64_t left = STEPS_TO_CALL_MAX;
    bool inside = false;
    for (; steps && left > 0; left--) {
        if (!inside && is_in_call(c)) {
            inside = true;
            left = 1 + choose(STEPS_IN_CALL_MAX);
        }
        steps = ptrace(PTRACE_SINGLESTEP, c->pid, NULL, NULL) == 0 && wait_for_step(c->pid);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0}}, NULL);
    deeds.led += steps && inside;
}

static void kill_child(child *c)
{
    kill(c->pid, SIGKILL);
    int status = 0;
    do {
        while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) {}
    } while (WIFSTOPPED(status));
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) complain(j, "a process ended by itself, status 0x%x", status);
    *c = (child){.pid = 0};
}

static void kill_and_restart(child *c)
{
    if (choose(4) == 0) lead_into_call(c);
    kill_child(c);
    if (c == THE_READER) {
        deeds.reader_kills++;
        account_reader_killed(j);
    } else {
        deeds.writer_kills++;
        account_writer_killed(j, (uint32_t)(c - children));
    }
    start(c);
}

static void stop(child *c)
{
    kill(c->pid, SIGSTOP);
    int status;
    while (waitpid(c->pid, &status, WUNTRACED) < 0 && errno == EINTR) {}
    if (!WIFSTOPPED(status)) complain(j, "a process ended by itself, status 0x%x", status);
    c->stopped = true;
    deeds.stops++;
}

static void go_on(child *c)
{
    kill(c->pid, SIGCONT);
    c->stopped = false;
}

static child *some_writer(void) { return &children[choose(j->style.writers)]; }

// MARK: time

static void note_progress(bool reader_runs)
{
    int64_t now = now_ns(), step = now - last_step_ns;
    last_step_ns = now;
    if (j->accounted != progress || !reader_runs) {
        progress = j->accounted;
        silence_ns = 0;
        return;
    }
    silence_ns += step < LATE_STEP_NS ? step : LATE_STEP_NS;
    if (silence_ns > deeds.longest_silence_ns) deeds.longest_silence_ns = silence_ns;
    if (silence_ns > SILENCE_SECONDS_MAX * SECOND_NS) complain(j, "no message came for %d seconds", SILENCE_SECONDS_MAX);
}

/// A short while, in which the account goes on.
static void pass_step(int64_t ns)
{
    account_for_all(j);
    reap();
    note_progress(!THE_READER->stopped);
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

static void pass(int64_t ns)
{
    for (; ns > 0 && all_is_well(); ns -= STEP_NS) pass_step(ns < STEP_NS ? ns : STEP_NS);
}

static void pass_until_gone(const child *c)
{
    while (c->pid != 0 && all_is_well()) pass_step(STEP_NS);
}

// MARK: deeds

/// Stops some writers, wherever they are: the others' messages still come. Not all, and a lane is left for another.
static void stop_some_writers(void)
{
    uint32_t count = (uint32_t)choose(j->style.writers < j->style.lanes ? j->style.writers : j->style.lanes);
    for (uint32_t i = 0; i < count; i++) stop(&children[i]);
    uint64_t wanted = sums.messages + 1 + choose(50);
    while (sums.messages < wanted && all_is_well()) pass_step(STEP_NS);
    for (uint32_t i = 0; i < count && all_is_well(); i++) {
        if (choose(2) == 0) kill_and_restart(&children[i]);
        else go_on(&children[i]);
    }
}

static void stop_reader(void)
{
    stop(THE_READER);
    pass((int64_t)choose(5 * DEED_NS_MAX));
    if (!all_is_well()) return;
    if (choose(2) == 0) kill_and_restart(THE_READER);
    else go_on(THE_READER);
}

static void kill_many(void)
{
    for (uint64_t count = 1 + choose(j->style.writers); count > 0 && all_is_well(); count--) kill_and_restart(some_writer());
}

static void do_something(void)
{
    switch (choose(32)) {
    case 0: stop_some_writers(); break;
    case 1: stop_reader(); break;
    case 2: kill_many(); break;
    case 3:
        kill_and_restart(THE_READER); // and its successor at once, as it adopts
        kill_and_restart(THE_READER);
        break;
    case 4:
    case 5:
    case 6:
    case 7:
    case 8: kill_and_restart(THE_READER); break;
    default: kill_and_restart(some_writer()); break;
    }
}

// MARK: where the mailslots are

typedef struct place {
    char directory[64];
    char file_system[32];
} place;
static place places[3];
static uint32_t place_count;
/// Where ramfs is mounted, for the conductor and its children only.
static char ramfs[] = "/tmp/mailslots-soak.XXXXXX";

static const char *file_system_of(const char *directory)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } known[] = {{0x01021994, "tmpfs"}, {0x858458f6, "ramfs"}, {0xef53, "ext4"}, {0x58465342, "xfs"}, {0x9123683e, "btrfs"},
        {0x794c7630, "overlayfs"}, {0x6a656a63, "virtiofs"}};
    struct statfs status;
    if (statfs(directory, &status) != 0) return "?";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].magic == (unsigned long)status.f_type) return known[i].name;
    return "another file system";
}

/// Takes the directory if a mailslot can be there, and says so if not.
static void add_place(const char *parent)
{
    place *new = &places[place_count];
    snprintf(new->directory, sizeof new->directory, "%s/mailslots-soak.XXXXXX", parent);
    if (mkdtemp(new->directory) == NULL) {
        printf("skipped: mailslots in %s: %s\n", parent, strerror(errno));
        return;
    }
    snprintf(new->file_system, sizeof new->file_system, "%s", file_system_of(new->directory));
    for (uint32_t i = 0; i < place_count; i++)
        if (strcmp(places[i].file_system, new->file_system) == 0) {
            printf("skipped: mailslots in %s, which is %s as %s is\n", parent, new->file_system, places[i].directory);
            rmdir(new->directory);
            return;
        }
    setenv("MAILSLOT_DIRECTORY", new->directory, 1);
    mslot_created created = mslot_create(soak_name, NULL);
    if (created.reader == NULL) {
        char text[400];
        mslot_failure_describe(&created.failure, soak_name, text, sizeof text);
        printf("skipped: mailslots on %s, in %s: %s\n", new->file_system, parent, text);
        rmdir(new->directory);
        return;
    }
    mslot_reader_close(created.reader);
    place_count++;
}

static void find_places(void)
{
    add_place("/dev/shm");
    add_place("/var/tmp"); // most often on a disk
    if (mkdtemp(ramfs) != NULL && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
        && mount("none", ramfs, "ramfs", 0, NULL) == 0)
        add_place(ramfs);
    else printf("skipped: mailslots on ramfs: %s\n", strerror(errno));
}

static void remove_directory(const char *path)
{
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.') unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries != NULL) closedir(entries);
    rmdir(path);
}

static void remove_places(void)
{
    for (uint32_t i = 0; i < place_count; i++) remove_directory(places[i].directory);
    umount(ramfs);
    rmdir(ramfs);
}

// MARK: rounds

static round_style choose_style(void)
{
    static const uint32_t capacities[] = {1, 2, 4, 16, 128, CAPACITY_MAX};
    static const uint32_t percents[] = {0, 0, 0, 5, 50};
    // Few writers, that rarely wait, are killed in the middle of a write more often than many.
    bool few = choose(2) == 0;
    round_style style = {
        .capacity = capacities[deeds.rounds % (sizeof capacities / sizeof capacities[0])],
        .writers = few && options.writers > 3 ? 1 + (uint32_t)choose(3) : options.writers,
        .message_bytes_max = choose(2) == 0 ? LONG_BYTES_MAX : MSLOT_MESSAGE_BYTES_MAX,
        .reader_polls = choose(3) == 0 ? 100
            : choose(2) == 0           ? 50
                                       : 0,
        .reader_rests = percents[choose(5)],
        .writer_rests = percents[choose(5)],
        .namespaces = choose(2) == 0 && own_namespace >= 0,
    };
    // Also one lane less than writers: then they also wait for each other's deaths.
    style.lanes = style.writers + (uint32_t)choose(3) - (style.writers > 1 && choose(4) == 0);
    return style;
}

/// The writers finish what they write, then the reader what it reads.
static void end_round(void)
{
    mslot__store_release_32(&j->phase, PHASE_WRITERS_END);
    for (uint32_t i = 0; i < j->style.writers; i++) pass_until_gone(&children[i]);
    mslot__store_release_32(&j->phase, PHASE_READER_ENDS);
    if (THE_READER->pid != 0) kill(THE_READER->pid, SIGUSR1);
    pass_until_gone(THE_READER);
    if (all_is_well()) account_end(j);
}

/// Each capacity meets each file system.
static const place *place_of_round(void) { return &places[(deeds.rounds + deeds.rounds / 6) % place_count]; }

static void run_round(int64_t deadline_ns)
{
    memset(j, 0, offsetof(journal, log));
    // A round's choices do not depend on how many the rounds before it made.
    uint64_t round_seed = options.seed + deeds.rounds;
    random_state = random_next(&round_seed);
    j->style = choose_style();
    setenv("MAILSLOT_DIRECTORY", place_of_round()->directory, 1);
    account_begin(j);
    account_sums before = sums;
    uint64_t kills = deeds.writer_kills, reader_kills = deeds.reader_kills;
    progress = 0;
    silence_ns = 0;

    printf("round %llu: %s%s, %u cells, %u writers, %u lanes, up to %u bytes, reader polls %u %%, rests %u %%, writers rest %u %%: ",
        (unsigned long long)deeds.rounds + 1, place_of_round()->file_system, j->style.namespaces ? ", pid namespaces" : "",
        j->style.capacity, j->style.writers, j->style.lanes, j->style.message_bytes_max, j->style.reader_polls, j->style.reader_rests,
        j->style.writer_rests);
    fflush(stdout);
    start(THE_READER);
    for (uint32_t i = 0; i < j->style.writers; i++) start(&children[i]);
    int64_t end = now_ns() + ROUND_SECONDS * SECOND_NS;
    while (now_ns() < (end < deadline_ns ? end : deadline_ns) && all_is_well() && interrupted == 0) {
        pass((int64_t)choose(DEED_NS_MAX));
        if (all_is_well()) do_something();
    }
    if (all_is_well()) end_round();
    deeds.rounds++;
    printf("%llu messages, killed %llu writers (%llu in a write, %llu lost) and %llu readers (%llu again)\n",
        (unsigned long long)(sums.messages - before.messages), (unsigned long long)(deeds.writer_kills - kills),
        (unsigned long long)(sums.in_doubt - before.in_doubt), (unsigned long long)(sums.lost - before.lost),
        (unsigned long long)(deeds.reader_kills - reader_kills), (unsigned long long)(sums.duplicates - before.duplicates));
    fflush(stdout);
}

// MARK: the report

static void print_violation(void)
{
    printf("VIOLATION in round %llu: %s\n", (unsigned long long)deeds.rounds, j->complaint);
    mslot_inspected seen = mslot_inspect(soak_name);
    printf("  the mailslot: %s; %u messages, %llu written, %llu read, %llu damaged, %u writers, reader %s\n",
        mslot_outcome_text(seen.failure.outcome), seen.info.message_count, (unsigned long long)seen.info.messages_written,
        (unsigned long long)seen.info.messages_read, (unsigned long long)seen.info.damaged, seen.info.writer_count,
        seen.info.reader_present ? "there" : "gone");
    printf("  the journal: released %llu to %llu, logged %llu, accounted %llu\n", (unsigned long long)j->released,
        (unsigned long long)j->releasing, (unsigned long long)j->logged, (unsigned long long)j->accounted);
}

static void print_report(double seconds)
{
    printf("\n%llu rounds in %.0f seconds, seed %llu\n", (unsigned long long)deeds.rounds, seconds, (unsigned long long)options.seed);
    printf("messages            %llu\n", (unsigned long long)sums.messages);
    printf("writers killed      %llu; %llu of them hit a write, and %llu of these lost its message\n",
        (unsigned long long)deeds.writer_kills, (unsigned long long)sums.in_doubt, (unsigned long long)sums.lost);
    printf("readers killed      %llu, and adopted from as often\n", (unsigned long long)deeds.reader_kills);
    printf("readers that left   %llu, and were followed at the message where they stood\n", (unsigned long long)sums.leaves);
    printf("stepped             %llu of all these, to some instruction within a call\n", (unsigned long long)deeds.led);
    printf(
        "came again          %llu, each as it was, after its reader was killed or left holding it\n", (unsigned long long)sums.duplicates);
    printf("had been released   %llu, found in the memory of a reader killed before it could log them\n", (unsigned long long)sums.rescued);
    printf("stops               %llu\n", (unsigned long long)deeds.stops);
    printf("longest silence     %.3f s\n", (double)deeds.longest_silence_ns / 1e9);
    printf("violations          %u\n", j->complaints != 0);
}

static void handle_interrupt(int number) { interrupted = number; }
static void handle_alarm(int number) { (void)number; }

int main(int argument_count, char **arguments)
{
    (void)argument_count;
    parse_options(arguments);
    if (options.seed == 0) options.seed = (uint64_t)now_ns() % 1000000000 + 1;
    conductor = getpid();

    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = handle_interrupt}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = handle_interrupt}, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = handle_alarm}, NULL);
    signal(SIGUSR1, SIG_IGN); // until the reader that inherits it has its handler

    j = mmap(NULL, sizeof *j, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (j == MAP_FAILED) {
        fprintf(stderr, "soak: no shared memory here: %s\n", strerror(errno));
        return EXIT_CANNOT;
    }
    find_namespaces();
    find_places();
    if (place_count == 0) {
        fprintf(stderr, "soak: there is no place for mailslots here\n");
        return EXIT_CANNOT;
    }
    printf("%u writers, %llu seconds, seed %llu\n", options.writers, (unsigned long long)options.seconds, (unsigned long long)options.seed);

    int64_t begun = now_ns(), deadline = begun + (int64_t)options.seconds * SECOND_NS;
    while (now_ns() < deadline && all_is_well() && interrupted == 0) run_round(deadline);
    bool clean = all_is_well();
    if (!clean) print_violation();
    for (child *c = children; c <= THE_READER; c++)
        if (c->pid != 0) {
            kill(c->pid, SIGKILL);
            waitpid(c->pid, NULL, 0);
        }
    remove_places();
    print_report((double)(now_ns() - begun) / 1e9);
    return clean ? EXIT_CLEAN : EXIT_VIOLATION;
}
