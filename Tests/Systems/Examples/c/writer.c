// Writes its arguments to a mailslot, a message each.
//
//     cc writer.c $(pkg-config --cflags --libs mailslots) -o writer && ./writer orders hello quit
#include <mailslots.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: writer NAME TEXT...\n");
        return 64;
    }
    mslot_open_options options = mslot_open_options_default();
    options.wait_ns = 10000000000; // the reader may start later
    mslot_opened opened = mslot_open(argv[1], &options);
    if (opened.writer == NULL) {
        char why[1024];
        mslot_failure_describe(&opened.failure, argv[1], why, sizeof why);
        fprintf(stderr, "writer: %s\n", why);
        return 1;
    }
    mslot_outcome outcome = MSLOT_DONE;
    for (int i = 2; i < argc && outcome == MSLOT_DONE; i++)
        outcome = mslot_writer_write(opened.writer, argv[i], strlen(argv[i]), MSLOT_FOREVER);
    if (outcome != MSLOT_DONE) fprintf(stderr, "writer: %s\n", mslot_outcome_text(outcome));
    mslot_writer_close(opened.writer);
    return outcome == MSLOT_DONE ? 0 : 1;
}
