// Kill and stop at every instruction: runs every case of the table, and prints what became of them. See README.md.

#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    /// For a whole case, which takes milliseconds: nothing but a hang gets there.
    WATCHDOG_SECONDS = 30,
    LABELS_MAX = 8,
    WORKERS_MAX = 16,
    /// Of the instructions at which a stopped victim looks as it did one before, one in so many is tried.
    STRIDE = 16,
    ROWS_MAX = 256
};

/// What the cases of a row came to. Written by the worker that has the row.
typedef struct row_counts {
    uint32_t states, chosen, tried, violations;
    struct {
        char label[LABEL_BYTES];
        uint32_t count;
    } labels[LABELS_MAX];
    /// How often a case came to another label than the one before.
    uint32_t changes;
    int last_label;
    char skipped[WHY_BYTES];
    /// Of the first violation.
    char why[WHY_BYTES];
    uint64_t is_done;
} row_counts;

typedef struct shared_board {
    uint64_t next_row;
    uint64_t is_decided; // only the first violation was asked for, and is there
    row_counts counts[ROWS_MAX];
} shared_board;

static shared_board *board;
static bool long_form;
static bool every_instruction;
static bool only_first;
static uint32_t seed;
static const row *chosen[ROWS_MAX];
static size_t chosen_count;

static const row *playing;
static trace *whole;         // shared with the case that records it
static int64_t state_number; // -1: record
static cpu_set_t allowed;
static int own_processor;

static void *shared_memory(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("no shared memory");
        exit(2);
    }
    return memory;
}

// MARK: a case

void reach(pid_t victim)
{
    if (state_number < 0) {
        victim_record(victim, whole, playing->operation->awaken);
        child_kill(victim);
        world->result = 'o';
        _exit(0);
    }
    victim_bring_to(victim, whole, (uint32_t)state_number, playing->operation->awaken);
}

uint32_t system_calls_made(void) { return whole->states[state_number].system_calls; }

void leave_processor(void)
{
    cpu_set_t others = allowed;
    CPU_CLR(own_processor, &others);
    if (CPU_COUNT(&others) == 0) skip("there is only one processor");
    if (sched_setaffinity(0, sizeof others, &others) != 0) skip("no other processor: %s", strerror(errno));
}

static volatile pid_t running_case;
static volatile sig_atomic_t interrupted, timed_out;

/// Ends this case: it takes too long, or somebody ends the harness, and the worker cleans up and ends. A case could not be its own
/// watchdog: what hangs may have its signals blocked, as our calls have while nothing may cut in.
static void end_case(int number)
{
    if (number == SIGALRM) timed_out = 1;
    else interrupted = number;
    if (running_case > 0) kill(-running_case, SIGKILL);
}

static void on_signals(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
    for (size_t i = 0; i < 4; i++) sigaction(numbers[i], &(struct sigaction){.sa_handler = handler}, NULL);
}

_Noreturn static void play_case(const row *r)
{
    setpgid(0, 0);
    on_signals(SIG_DFL);
    world->process = getpid();
    cells = r->cells != 0 ? r->cells : CELLS_DEFAULT;
    lanes = r->lanes != 0 ? r->lanes : LANES_DEFAULT;
    messages_are_long = r->long_messages;
    messages_are_short = r->express;
    if (state_number < 0) need_stepping();
    unsigned descriptors_before = descriptors_open();
    r->operation->play(r);
    expect_equal(files_in_directory(), 0);
    expect_equal(descriptors_open(), descriptors_before);
    world->result = 'o';
    _exit(0);
}

static void empty_directory(const char *path)
{
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.') unlinkat(dirfd(entries), entry->d_name, 0);
    if (entries != NULL) closedir(entries);
}

/// Plays the case of one state in a process of its own, and leaves nothing of it behind.
static void run_case(const row *r, int64_t number)
{
    state_number = number;
    memset(world, 0, sizeof *world);
    pid_t child = fork();
    if (child == 0) play_case(r);
    setpgid(child, child);
    running_case = child;
    timed_out = 0;
    alarm(WATCHDOG_SECONDS);
    int status = child_wait(child, 0);
    alarm(0);
    kill(-child, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
    running_case = 0;
    empty_directory(getenv("MAILSLOT_DIRECTORY"));
    if (world->result != 0) return;
    world->result = 'F';
    if (timed_out) snprintf(world->why, WHY_BYTES, "a hang: not done after %d s", WATCHDOG_SECONDS);
    else snprintf(world->why, WHY_BYTES, "it ended with status 0x%x", status);
}

// MARK: a row

static void count_label(row_counts *t, const char *label)
{
    int i = 0;
    while (i < LABELS_MAX - 1 && t->labels[i].count != 0 && strcmp(t->labels[i].label, label) != 0) i++;
    snprintf(t->labels[i].label, LABEL_BYTES, "%s", label);
    t->labels[i].count++;
    t->changes += i != t->last_label;
    t->last_label = i;
}

static void note_violation(row_counts *t, int64_t number, const char *why)
{
    if (t->violations++ == 0) snprintf(t->why, WHY_BYTES, "after %lld instructions: %.500s", (long long)number, why);
}

static bool has_seen(const row_counts *t, const char *label, size_t length)
{
    for (int i = 0; i < LABELS_MAX && t->labels[i].count != 0; i++)
        if (strlen(t->labels[i].label) == length && strncmp(t->labels[i].label, label, length) == 0) return true;
    return false;
}

static void expect_seen(row_counts *t, const char *labels)
{
    for (const char *label = labels; *label != 0;) {
        size_t length = strcspn(label, "|");
        if (!has_seen(t, label, length)) {
            char why[WHY_BYTES];
            snprintf(why, sizeof why, "no case came to \"%.*s\"", (int)length, label);
            note_violation(t, t->tried, why);
        }
        label += length + (label[length] == '|');
    }
}

/// Killed a step later, an operation has come as far or farther: what it came to changes to something new or not at all.
static void expect_no_way_back(row_counts *t)
{
    uint32_t labels = 0;
    while (labels < LABELS_MAX && t->labels[labels].count != 0) labels++;
    if (t->changes >= labels) note_violation(t, t->tried, "killed later, it came to what it had come to when killed earlier");
}

/// Whether the recorded state is worth a case.
static bool is_chosen(const row *r, uint32_t number)
{
    if (every_instruction || number == 0 || !whole->states[number].looks_the_same) return true;
    // A death there leaves what one an instruction earlier leaves.
    if (r->fate == KILLED) return false;
    // It will go on, with what it has read: whatever it has decided on, it has now; or it is at one of the others.
    bool is_about_to_do_it = number + 1 == whole->count || !whole->states[number + 1].looks_the_same;
    return is_about_to_do_it || (number + seed) % STRIDE == 0;
}

/// What a killed victim came to that looked as it did an instruction earlier.
static void expect_the_same(row_counts *t, const row *r, uint32_t number)
{
    if (r->fate != KILLED || number == 0 || !whole->states[number].looks_the_same) return;
    if (strcmp(t->labels[t->last_label].label, world->label) == 0) return;
    note_violation(t, number, "it looked the same, and came to something else");
}

static void run_row(const row *r, row_counts *t)
{
    playing = r;
    if (shared_get(&board->is_decided) != 0) {
        snprintf(t->skipped, WHY_BYTES, "there was a violation before");
        return;
    }
    char directory[] = "/dev/shm/kill-harness.XXXXXX";
    if (mkdtemp(directory) == NULL) {
        snprintf(t->skipped, WHY_BYTES, "no directory in /dev/shm: %s", strerror(errno));
        return;
    }
    setenv("MAILSLOT_DIRECTORY", directory, 1);
    run_case(r, -1);
    t->states = world->result == 'o' ? whole->count : 1;
    for (uint32_t number = 0; number < t->states && interrupted == 0; number++) {
        if (!is_chosen(r, number)) continue;
        t->chosen++;
        if (world->result == 'o' || number > 0) run_case(r, number);
        if (world->result == 'S') {
            snprintf(t->skipped, WHY_BYTES, "%s", world->why);
            break;
        }
        t->tried++;
        if (world->result == 'o') {
            expect_the_same(t, r, number);
            count_label(t, world->label);
        } else {
            note_violation(t, number, world->why);
        }
        if (only_first && t->violations != 0) shared_set(&board->is_decided, 1);
        if (shared_get(&board->is_decided) != 0) break;
    }
    if (t->skipped[0] == 0 && t->violations == 0 && interrupted == 0 && shared_get(&board->is_decided) == 0) {
        expect_seen(t, r->must_see != NULL ? r->must_see : r->operation->must_see[r->fate]);
        if (r->fate == KILLED) expect_no_way_back(t);
    }
    rmdir(directory);
}

// MARK: the workers and the table

_Noreturn static void work(int processor)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    own_processor = processor;
    sched_setaffinity(0, sizeof one, &one); // a step is then a switch of processes, three times as fast as a call across
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    on_signals(end_case);
    world = shared_memory(sizeof *world);
    whole = shared_memory(sizeof *whole);
    for (uint64_t i; interrupted == 0 && (i = shared_add(&board->next_row, 1) - 1) < chosen_count;) {
        run_row(chosen[i], &board->counts[i]);
        shared_set(&board->counts[i].is_done, 1);
    }
    _exit(0);
}

static const char *fate_text(fate f) { return f == KILLED ? "SIGKILL" : f == STOPPED ? "SIGSTOP" : "interrupt"; }

#define COLUMNS "%-27s %-9s %-62s"

static void print_head(const row *r)
{
    char variant[VARIANT_BYTES];
    describe_variant(r, variant);
    printf(COLUMNS, r->operation->name, fate_text(r->fate), variant);
}

static void print_row(const row *r, const row_counts *t)
{
    print_head(r);
    if (t->skipped[0] != 0) {
        printf(" skipped: %s\n", t->skipped);
        return;
    }
    printf(" %6u %6u %4u  ", t->states, t->tried, t->violations);
    for (int i = 0; i < LABELS_MAX && t->labels[i].count != 0; i++)
        printf("%s%s: %u", i != 0 ? "; " : "", t->labels[i].label, t->labels[i].count);
    if (t->violations != 0) printf("\n    VIOLATION %s", t->why);
    puts("");
}

static int print_table(void)
{
    printf(COLUMNS " %6s %6s %4s  %s\n", "operation", "fate", "variant", "states", "tried", "bad", "what became of it");
    uint64_t states = 0, tried = 0, violations = 0, skipped = 0;
    bool complete = true;
    for (size_t i = 0; i < chosen_count; i++) {
        const row_counts *t = &board->counts[i];
        while (shared_get(&t->is_done) == 0) {
            nap();
            if (waitpid(-1, NULL, WNOHANG) < 0 && shared_get(&t->is_done) == 0) {
                fprintf(stderr, "a worker ended early\n");
                return 1;
            }
        }
        print_row(chosen[i], t);
        fflush(stdout);
        states += t->states;
        tried += t->tried;
        violations += t->violations;
        skipped += t->skipped[0] != 0;
        complete = complete && (t->skipped[0] != 0 || t->tried == t->chosen);
    }
    printf("%llu of %llu instructions tried in %zu rows, seed %u: %llu violations, %llu rows skipped\n", (unsigned long long)tried,
        (unsigned long long)states, chosen_count, seed, (unsigned long long)violations, (unsigned long long)skipped);
    return violations != 0 || !complete;
}

static void usage(FILE *to)
{
    fputs("usage: kill-harness [--long] [--every] [--seed N] [--first] [--list] [--help] [WORD...]\n"
          "Kills or stops a process after every instruction of what it does with a mailslot that others can tell from the one\n"
          "before, and checks the promises.\n"
          "  WORD     only rows in which every WORD occurs: an operation, a fate, a part of a variant\n"
          "  --every  after every single instruction\n"
          "  --long   every variant of every operation, not only the most telling; after every single instruction\n"
          "  --seed N which of the other instructions a victim is stopped at, one in sixteen; else chosen at random, and printed\n"
          "  --first  end at the first violation\n"
          "  --list   the rows, without running them\n"
          "  exit     0: no violation; 1: violations; 64: usage\n",
        to);
}

static bool is_wanted(const row *r, char **words)
{
    char variant[VARIANT_BYTES], text[2 * VARIANT_BYTES];
    describe_variant(r, variant);
    snprintf(text, sizeof text, "%.80s %s %s", r->operation->name, fate_text(r->fate), variant);
    for (; *words != NULL; words++)
        if (strstr(text, *words) == NULL) return false;
    return true;
}

int main(int argument_count, char **arguments)
{
    bool only_list = false;
    int word_count = 0; // they move to the front
    seed = (uint32_t)getpid() % STRIDE;
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--long") == 0) long_form = every_instruction = true;
        else if (strcmp(arguments[i], "--every") == 0) every_instruction = true;
        else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < argument_count) seed = (uint32_t)strtoul(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--first") == 0) only_first = true;
        else if (strcmp(arguments[i], "--list") == 0) only_list = true;
        else if (strcmp(arguments[i], "--help") == 0) return usage(stdout), 0;
        else if (arguments[i][0] == '-') return usage(stderr), EX_USAGE;
        else arguments[word_count++] = arguments[i];
    }
    arguments[word_count] = NULL;
    const table *const tables[] = {&writer_rows, &reader_rows, &name_rows, &lane_rows};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (const row *r = tables[t]->rows; r < tables[t]->rows + tables[t]->count && chosen_count < ROWS_MAX; r++)
            if ((long_form || !r->is_long) && is_wanted(r, arguments)) chosen[chosen_count++] = r;
    if (chosen_count == 0) {
        fputs("No row has all these words; --list names the rows, and --long adds some.\n", stderr);
        return EX_USAGE;
    }
    if (only_list) {
        for (size_t i = 0; i < chosen_count; i++) {
            print_head(chosen[i]);
            puts("");
        }
        return 0;
    }
    sigset_t none; // who starts us may have signals blocked
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    board = shared_memory(sizeof *board);
    sched_getaffinity(0, sizeof allowed, &allowed);
    fflush(stdout);
    for (int processor = 0, workers = 0; processor < CPU_SETSIZE && workers < WORKERS_MAX; processor++) {
        if (!CPU_ISSET(processor, &allowed)) continue;
        if (fork() == 0) work(processor);
        workers++;
    }
    return print_table();
}
