// Datagrams one behind the other in memory of a fixed size: what is kept until it can be sent, and until it is received.
#ifndef MAILSLOTS_NATS_RECORDS_H
#define MAILSLOTS_NATS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mslot_nats_records {
    unsigned char *bytes;
    size_t capacity;
    /// All records are before it.
    size_t end;
    /// The first record that was not taken.
    size_t next;
} mslot_nats_records;

/// A record. Its text ends with a zero byte.
typedef struct mslot_nats_record {
    uint32_t number;
    uint32_t byte_count;
    const char *text;
    const unsigned char *bytes;
} mslot_nats_record;

bool mslot_nats_records_open(mslot_nats_records *records, size_t capacity);
void mslot_nats_records_close(mslot_nats_records *records);

/// Copies it. False, and nothing was changed: there is no room.
bool mslot_nats_records_append(mslot_nats_records *records, const mslot_nats_record *record);

/// The oldest that was not taken, which stays where it is until the records are cleared; false: there is none.
bool mslot_nats_records_take(mslot_nats_records *records, mslot_nats_record *record);

static inline bool mslot_nats_records_are_empty(const mslot_nats_records *records) { return records->next == records->end; }
static inline void mslot_nats_records_clear(mslot_nats_records *records) { records->next = records->end = 0; }

#endif
