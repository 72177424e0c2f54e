/*
 * How a writer has the bridge of this machine make its outbox: names, and the bytes of requests and answers. Not API; mailslots.h
 * does not include it. Writers (Remote/) and the bridge, in Swift, both do.
 *
 * `\\host\mailslot\x`, `\\domain\mailslot\x` and `\\*\mailslot\x` are written to by an outbox, an ordinary mailslot whose reader is the
 * bridge: `bridge/out/K/DESTINATION/x`. DESTINATION is the host or the domain in canonical form, or `@` for `*`. K is 0, and when all
 * lanes of that one are taken 1, and so on up to 63. A writer opens the outbox if it is there. Only if not does it ask, once for all who
 * come after it:
 *
 *     request   a message in `bridge/requests`, whose reader is the bridge
 *               0 version u8 = 1 · 1 kind u8 = 1, make an outbox · 2 K u8 · 3 bytes of destination u8 · 4 bytes of name u8
 *               5 three zeros · 8 id u64, random · 16 destination, name
 *     answer    a message in `bridge/answers`, which the bridge creates, writes and reads itself, so that it is never full; others
 *               observe it
 *               0 version u8 = 1 · 1 kind u8 = 1 · 2 result u8 · 3 zero · 4 bytes of text u16 · 6 zero u16
 *               8 id u64, of the request · 16 text, the bridge's words: cause and cure, for people; UTF-8, 0 to 400 bytes
 *
 * Little-endian. Each request has one answer. Who asks observes the answers before it sends its request, so that none is missed; unless
 * as many others were answered meanwhile as `bridge/answers` holds: then the outbox is there, or it asks again. A request or an answer
 * is valid if and only if all this is so and it ends with its last text; the names in a request are for the bridge to judge.
 *
 * Without either of these mailslots there is no bridge. Whether it is alive the lock of the reader of `bridge/requests` says.
 */
#ifndef MAILSLOTS_OUTBOX_PROTOCOL_H
#define MAILSLOTS_OUTBOX_PROTOCOL_H

#include "../mailslots.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MSLOT_OUTBOX_REQUESTS "bridge/requests"
#define MSLOT_OUTBOX_ANSWERS "bridge/answers"
/// Before K, DESTINATION and the mailslot's name.
#define MSLOT_OUTBOX_PREFIX "bridge/out/"
/// The DESTINATION of `*`: the bridge's own first domain.
#define MSLOT_OUTBOX_OWN_DOMAIN "@"

enum {
    MSLOT_OUTBOX_VERSION = 1,
    MSLOT_OUTBOX_KIND_MAKE = 1,
    /// K is below this.
    MSLOT_OUTBOXES_MAX = 64,
    /// A mailslot's name on another machine, in bytes.
    MSLOT_REMOTE_NAME_BYTES_MAX = 40,
    /// Before the texts.
    MSLOT_OUTBOX_HEADER_BYTES = 16,
    MSLOT_OUTBOX_REQUEST_BYTES_MAX = MSLOT_OUTBOX_HEADER_BYTES + MSLOT_HOST_BYTES_MAX + MSLOT_REMOTE_NAME_BYTES_MAX,
    MSLOT_OUTBOX_ANSWER_BYTES_MAX = MSLOT_OUTBOX_HEADER_BYTES + MSLOT_WORDS_BYTES_MAX
};

/// How a request ended. One of which nothing is said here is of a later version: a refusal.
typedef enum MSLOT_CLOSED_ENUM mslot__outbox_result {
    /// The outbox is there.
    MSLOT_OUTBOX_READY MSLOT_SWIFT_NAME(ready) = 0,
    /// No host and no domain of this name is known.
    MSLOT_OUTBOX_NO_SUCH_HOST MSLOT_SWIFT_NAME(noSuchHost) = 1,
    /// The bridge's configuration does not allow it.
    MSLOT_OUTBOX_NOT_ALLOWED MSLOT_SWIFT_NAME(notAllowed) = 2,
    MSLOT_OUTBOX_BAD_NAME MSLOT_SWIFT_NAME(badName) = 3,
    MSLOT_OUTBOX_TOO_MANY MSLOT_SWIFT_NAME(tooManyOutboxes) = 4,
    MSLOT_OUTBOX_NO_RESOURCES MSLOT_SWIFT_NAME(noResources) = 5,
    /// The bridge is ending.
    MSLOT_OUTBOX_ENDING MSLOT_SWIFT_NAME(ending) = 6
} mslot__outbox_result;

/// The texts lie where the caller has them, or, decoded, in the message.
typedef struct mslot__outbox_request {
    uint64_t id;
    uint8_t outbox;
    uint8_t destination_bytes;
    uint8_t name_bytes;
    const char *destination;
    const char *name;
} mslot__outbox_request;

typedef struct mslot__outbox_answer {
    uint64_t id;
    /// A mslot__outbox_result, perhaps of a later version.
    uint8_t result;
    uint16_t text_bytes;
    const char *text;
} mslot__outbox_answer;

/// The bytes, MSLOT_OUTBOX_REQUEST_BYTES_MAX at most if the names are in their ranges; returns how many.
static inline size_t mslot__outbox_request_encode(const mslot__outbox_request *request, unsigned char *bytes)
{
    unsigned char *destination = bytes + MSLOT_OUTBOX_HEADER_BYTES;
    memset(bytes, 0, MSLOT_OUTBOX_HEADER_BYTES);
    bytes[0] = MSLOT_OUTBOX_VERSION;
    bytes[1] = MSLOT_OUTBOX_KIND_MAKE;
    bytes[2] = request->outbox;
    bytes[3] = request->destination_bytes;
    bytes[4] = request->name_bytes;
    memcpy(bytes + 8, &request->id, sizeof request->id);
    memcpy(destination, request->destination, request->destination_bytes);
    memcpy(destination + request->destination_bytes, request->name, request->name_bytes);
    return (size_t)MSLOT_OUTBOX_HEADER_BYTES + request->destination_bytes + request->name_bytes;
}

/// False: these bytes are no request. They must not change meanwhile.
static inline bool mslot__outbox_request_decode(mslot__outbox_request *request, const unsigned char *bytes, size_t byte_count)
{
    if (byte_count < MSLOT_OUTBOX_HEADER_BYTES || bytes[0] != MSLOT_OUTBOX_VERSION || bytes[1] != MSLOT_OUTBOX_KIND_MAKE) return false;
    if (bytes[5] != 0 || bytes[6] != 0 || bytes[7] != 0) return false;
    memcpy(&request->id, bytes + 8, sizeof request->id);
    request->outbox = bytes[2];
    request->destination_bytes = bytes[3];
    request->name_bytes = bytes[4];
    request->destination = (const char *)bytes + MSLOT_OUTBOX_HEADER_BYTES;
    request->name = request->destination + request->destination_bytes;
    return byte_count == (size_t)MSLOT_OUTBOX_HEADER_BYTES + request->destination_bytes + request->name_bytes;
}

/// The bytes, MSLOT_OUTBOX_ANSWER_BYTES_MAX at most if the text is in its range; returns how many.
static inline size_t mslot__outbox_answer_encode(const mslot__outbox_answer *answer, unsigned char *bytes)
{
    memset(bytes, 0, MSLOT_OUTBOX_HEADER_BYTES);
    bytes[0] = MSLOT_OUTBOX_VERSION;
    bytes[1] = MSLOT_OUTBOX_KIND_MAKE;
    bytes[2] = answer->result;
    memcpy(bytes + 4, &answer->text_bytes, sizeof answer->text_bytes);
    memcpy(bytes + 8, &answer->id, sizeof answer->id);
    if (answer->text_bytes != 0) memcpy(bytes + MSLOT_OUTBOX_HEADER_BYTES, answer->text, answer->text_bytes);
    return (size_t)MSLOT_OUTBOX_HEADER_BYTES + answer->text_bytes;
}

/// False: these bytes are no answer. They must not change meanwhile.
static inline bool mslot__outbox_answer_decode(mslot__outbox_answer *answer, const unsigned char *bytes, size_t byte_count)
{
    if (byte_count < MSLOT_OUTBOX_HEADER_BYTES || bytes[0] != MSLOT_OUTBOX_VERSION || bytes[1] != MSLOT_OUTBOX_KIND_MAKE) return false;
    if (bytes[3] != 0 || bytes[6] != 0 || bytes[7] != 0) return false;
    memcpy(&answer->id, bytes + 8, sizeof answer->id);
    memcpy(&answer->text_bytes, bytes + 4, sizeof answer->text_bytes);
    answer->result = bytes[2];
    answer->text = (const char *)bytes + MSLOT_OUTBOX_HEADER_BYTES;
    return answer->text_bytes <= MSLOT_WORDS_BYTES_MAX && byte_count == (size_t)MSLOT_OUTBOX_HEADER_BYTES + answer->text_bytes;
}

#ifdef __cplusplus
}
#endif

#endif
