#include "cases.h"

#include <signal.h>
#include <stdio.h>

void describe_variant(const row *r, char text[VARIANT_BYTES])
{
    static const char *const readers[] = {"", ", reader parked", ", reader polls"};
    static const char *const when[] = {"", "; heirs first", "; heirs a lap later"};
    static const char *const meanwhiles[] = {
        "", "; the reader closes", "; reader killed, another adopts", "; another creates", "; another adopts"};
    static const char *const lanes_left[] = {"", "; a lane left before its swap", "; a lane left behind its swap",
        "; a lane left behind its swap, read", "; a lane left clearing its intent"};
    static const char *const waiting[] = {"", ", a writer waits", ", two writers wait"};
    const char *waits = r->a_writer_is_about_to_wait ? ", a writer is about to wait" : waiting[r->writers_that_wait];
    const char *far = r->in_pid_namespace ? ", other pid namespace" : "";
    const char *length = r->long_messages ? ", long messages" : r->express ? ", express" : "";
    uint32_t of_cells = r->cells != 0 ? r->cells : CELLS_DEFAULT;
    snprintf(text, VARIANT_BYTES, "%u cell%s, %u unread%s%s%s%s%s%s%s", of_cells, of_cells == 1 ? "" : "s", r->unread, length,
        readers[r->reader], far, waits, when[r->heirs], meanwhiles[r->meanwhile], lanes_left[r->dead_lane]);
}

void open_bystander(bool leaves_express) { bystander = leaves_express ? must_open_without_express("orders") : must_open("orders"); }

void come_to(const char *label) { snprintf(world->label, LABEL_BYTES, "%s", label); }

mslot_outcome outcome_of_act(void) { return (mslot_outcome)(shared_get(&world->outcome) - 1); }
void note_outcome(mslot_outcome outcome) { shared_set(&world->outcome, 1 + (uint64_t)outcome); }

static mslot_reader *interrupted_reader;
static mslot_writer *interrupted_writer;

static void interrupt(int number)
{
    (void)number;
    if (interrupted_reader != NULL) mslot_reader_interrupt(interrupted_reader);
    if (interrupted_writer != NULL) mslot_writer_interrupt(interrupted_writer);
}

void handle_signal(mslot_reader *of_reader, mslot_writer *of_writer)
{
    interrupted_reader = of_reader;
    interrupted_writer = of_writer;
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = interrupt}, NULL);
}
