#include "records.h"

#include <stdlib.h>
#include <string.h>

typedef struct header {
    uint32_t number;
    uint32_t byte_count;
    /// Its zero byte included.
    uint32_t text_bytes;
    uint32_t unused;
} header;

static size_t round_up(size_t count) { return (count + 15) & ~(size_t)15; }

bool mslot_nats_records_open(mslot_nats_records *records, size_t capacity)
{
    *records = (mslot_nats_records){.bytes = malloc(round_up(capacity)), .capacity = round_up(capacity)};
    return records->bytes != NULL;
}

void mslot_nats_records_close(mslot_nats_records *records)
{
    free(records->bytes);
    records->bytes = NULL;
}

bool mslot_nats_records_append(mslot_nats_records *records, const mslot_nats_record *record)
{
    header head = {.number = record->number, .byte_count = record->byte_count, .text_bytes = (uint32_t)strlen(record->text) + 1};
    size_t needed = sizeof head + round_up((size_t)head.text_bytes + head.byte_count);
    if (needed > records->capacity - records->end) return false;
    unsigned char *to = records->bytes + records->end;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, record->text, head.text_bytes);
    if (head.byte_count > 0) memcpy(to + sizeof head + head.text_bytes, record->bytes, head.byte_count);
    records->end += needed;
    return true;
}

bool mslot_nats_records_take(mslot_nats_records *records, mslot_nats_record *record)
{
    if (mslot_nats_records_are_empty(records)) return false;
    const unsigned char *from = records->bytes + records->next;
    header head;
    memcpy(&head, from, sizeof head);
    *record = (mslot_nats_record){
        .number = head.number,
        .byte_count = head.byte_count,
        .text = (const char *)from + sizeof head,
        .bytes = from + sizeof head + head.text_bytes,
    };
    records->next += sizeof head + round_up((size_t)head.text_bytes + head.byte_count);
    return true;
}
