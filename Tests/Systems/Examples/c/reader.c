// Prints the messages of a mailslot until one says "quit".
//
//     cc reader.c $(pkg-config --cflags --libs mailslots) -o reader && ./reader orders
#include <mailslots.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: reader NAME\n");
        return 64;
    }
    mslot_created created = mslot_create(argv[1], NULL);
    if (created.reader == NULL) {
        char why[1024];
        mslot_failure_describe(&created.failure, argv[1], why, sizeof why);
        fprintf(stderr, "reader: %s\n", why);
        return 1;
    }
    char text[MSLOT_MESSAGE_BYTES_MAX];
    mslot_received message;
    do {
        message = mslot_reader_read(created.reader, text, sizeof text, MSLOT_FOREVER);
        if (message.outcome != MSLOT_DONE) {
            fprintf(stderr, "reader: %s\n", mslot_outcome_text(message.outcome));
            break;
        }
        fwrite(text, 1, message.byte_count, stdout);
        putchar('\n');
        fflush(stdout);
    } while (message.byte_count != 4 || memcmp(text, "quit", 4) != 0);
    mslot_reader_close(created.reader);
    return message.outcome == MSLOT_DONE ? 0 : 1;
}
