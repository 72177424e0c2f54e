// The robust-list entry: the kernel wakes the reader in the place of a writer that dies between publishing and waking.

#include "linux.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/// The kernel's struct robust_list_head.
typedef struct robust_list_head_words {
    uintptr_t list;
    long futex_offset;
    uintptr_t list_op_pending;
} robust_list_head_words;

static void register_robust_list(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    if (pthread_mutexattr_init(&attributes) != 0) return;
    if (pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 && pthread_mutex_init(&mutex, &attributes) == 0) {
        if (pthread_mutex_lock(&mutex) == 0) pthread_mutex_unlock(&mutex);
        pthread_mutex_destroy(&mutex);
    }
    pthread_mutexattr_destroy(&attributes);
}

mslot_robust_list mslot__writer_robust_list_slow(mslot_writer *writer)
{
    // libc's own head, never a new one: that would switch off every robust mutex of the thread. Detected by using it.
    int saved_errno = errno;
    void *head = NULL;
    size_t length = 0;
    long result = syscall(SYS_get_robust_list, 0, &head, &length);
    if (result == 0 && head == NULL) {
        // musl registers a thread's list at its first robust mutex.
        register_robust_list();
        result = syscall(SYS_get_robust_list, 0, &head, &length);
    }
    errno = saved_errno;
    if (result == 0 && head != NULL && length >= sizeof(robust_list_head_words)) {
        robust_list_head_words *words = head;
        writer->robust.list_op_pending = &words->list_op_pending;
        writer->robust.futex_offset = words->futex_offset;
    } else {
        // None: an emulator, a sandbox. Not asked again on this thread, for that would cost a system call a write; the
        // re-check of sleepers makes up for it.
        writer->robust.list_op_pending = &writer->no_robust_list;
        writer->robust.futex_offset = 0;
    }
    writer->robust_thread = mslot__this_thread();
    return writer->robust;
}

void mslot__writer_forget_robust_list(mslot_writer *writer)
{
    if (writer->robust_thread != mslot__this_thread()) return;
    uintptr_t word = *writer->robust.list_op_pending + (uintptr_t)writer->robust.futex_offset;
    uintptr_t base = (uintptr_t)writer->mapping.base;
    if (word >= base && word < base + writer->mapping.bytes) *(volatile uintptr_t *)writer->robust.list_op_pending = 0;
}
