// A reader's death, told without a system call: the kernel notes it in a word of the segment, `reader_alive`.
//
// The word holds the id of a thread of the reader's process that only sleeps. When the process ends, by whatever means, the kernel goes
// through the robust list of each of its threads, and where a word named there holds the thread's id, makes it FUTEX_OWNER_DIED. It does so
// before the process can be waited for, and before the mapping goes that holds the reader's lock. So the lock stays what decides: whoever
// finds anything but an id asks for it, as ever.
//
// One thread a mailslot, and no entry in the segment. All entries of a list lie at one distance from their words, so those of words in
// several segments would have to lie in these segments, where a hostile writer could bend the chain and cut off the others'. But a list
// also has one pending entry, which is an address and no more: the kernel reads nothing of the segment but the word. Whatever a hostile
// writer makes of that, it tells a lie about this one mailslot, as it can by writing rubbish into it.
//
// Writers may sleep on the word, too (watch.c): they set FUTEX_WAITERS in it, and the kernel wakes one of them when it marks it.
//
// Never a thread of the program's: its list belongs to libc, and its pending entry to the writers of robust.c.

#include "linux.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    /// What a thread's smallest frames and libc's own data take; of a large program's thread-local data there may be more, and then no
    /// thread is started.
    STACK_BYTES = 64 * 1024
};

/// The kernel's struct robust_list_head.
typedef struct robust_list_words {
    /// Its own address: the list is empty.
    uintptr_t first;
    long futex_offset;
    uintptr_t list_op_pending;
} robust_list_words;

struct mslot_announcer {
    robust_list_words list;
    /// 0: the kernel takes no list here, as an emulator does not.
    uint32_t thread_id;
    pthread_t thread;
    sem_t begun;
    sem_t ending;
};

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0 && errno == EINTR) {}
}

static void *announce(void *argument)
{
    mslot_announcer *self = argument;
    if (syscall(SYS_set_robust_list, &self->list, sizeof self->list) == 0) self->thread_id = (uint32_t)syscall(SYS_gettid);
    sem_post(&self->begun);
    wait_for(&self->ending);
    return NULL;
}

static bool start_thread(mslot_announcer *announcer)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    bool is_started = pthread_create(&announcer->thread, &attributes, announce, announcer) == 0;
    if (is_started) pthread_setname_np(announcer->thread, MSLOT_THREAD_NAME);
    pthread_attr_destroy(&attributes);
    return is_started;
}

void mslot__alive_begin(mslot_reader *reader)
{
    int saved_errno = errno;
    // Shared, for the kernel may take the private memory of a process that it kills for want of memory before it looks at the list. And not
    // for a forked child, which has no such thread.
    mslot_announcer *announcer = mmap(NULL, sizeof *announcer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (announcer == MAP_FAILED) announcer = NULL;
    if (announcer != NULL) {
        madvise(announcer, sizeof *announcer, MADV_DONTFORK);
        announcer->list.first = (uintptr_t)&announcer->list.first;
        announcer->list.list_op_pending = (uintptr_t)&reader->ring.ring.control->reader_alive;
        sem_init(&announcer->begun, 0, 0);
        sem_init(&announcer->ending, 0, 0);
        if (start_thread(announcer)) {
            wait_for(&announcer->begun);
            reader->announcer = announcer;
            mslot__alive_say(reader);
        } else {
            munmap(announcer, sizeof *announcer);
        }
    }
    errno = saved_errno;
}

void mslot__alive_say(mslot_reader *reader)
{
    if (reader->announcer == NULL) return;
    uint32_t *word = &reader->ring.ring.control->reader_alive;
    // Relaxed: nothing else is read because of it. The thread has its list already.
    mslot__store_relaxed_32(word, reader->announcer->thread_id);
    // Who watched over the reader before, whose mark this replaces, is to look again: the kernel wakes nobody for it any more.
    mslot__wake(word, INT32_MAX);
}

void mslot__alive_end(mslot_reader *reader)
{
    mslot_announcer *announcer = reader->announcer;
    if (announcer == NULL) return;
    // A death from here on is what the lock says. acq_rel: pairs with the swap in watch.c. Who asks for a wake before it is woken, and
    // who asks after it finds no thread's id.
    uint32_t *word = &reader->ring.ring.control->reader_alive;
    bool is_watched = (__atomic_exchange_n(word, 0, __ATOMIC_ACQ_REL) & MSLOT_THREAD_WATCHED) != 0;
    if (is_watched) mslot__wake(word, INT32_MAX);
    // The kernel must not find an address in a mapping that is going away.
    *(volatile uintptr_t *)&announcer->list.list_op_pending = 0;
    sem_post(&announcer->ending);
    // The kernel looks at the list before it says that the thread is gone.
    pthread_join(announcer->thread, NULL);
    munmap(announcer, sizeof *announcer);
    reader->announcer = NULL;
}
