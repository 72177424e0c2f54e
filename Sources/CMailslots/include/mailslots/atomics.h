// The shared words of a segment, and the only functions that touch them.
//
// C11 `_Atomic` in a header does not compile as C++, and Swift cannot import it. So the shared words are plain
// aligned integers, and every access goes through one of these functions, whose name spells the memory order.
#ifndef MAILSLOTS_ATOMICS_H
#define MAILSLOTS_ATOMICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__x86_64__) && !defined(__aarch64__) && !(defined(__riscv) && __riscv_xlen == 64)
#error "Mailslots needs a 64-bit little-endian processor whose 64-bit atomics are lock-free: x86-64, aarch64 or riscv64."
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Mailslots needs a little-endian processor: the futex word is the low half of a 64-bit cell."
#endif

#ifdef __cplusplus
#define MSLOT_STATIC_ASSERT(condition, reason) static_assert(condition, reason)
#else
#define MSLOT_STATIC_ASSERT(condition, reason) _Static_assert(condition, reason)
#endif

#define MSLOT_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define MSLOT_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

static inline uint64_t mslot__load_relaxed(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline uint64_t mslot__load_acquire(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline uint64_t mslot__load_seq_cst(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }
static inline uint32_t mslot__load_relaxed_32(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline uint32_t mslot__load_acquire_32(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

static inline void mslot__store_relaxed(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
static inline void mslot__store_release(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
static inline void mslot__store_seq_cst(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }
static inline void mslot__store_relaxed_32(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
static inline void mslot__store_release_32(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

/// Adds one to a word that only the caller writes. Others may read it at any time, and see an old or a new value.
static inline void mslot__count(uint64_t *counter) { mslot__store_relaxed(counter, mslot__load_relaxed(counter) + 1); }

/// Adds one to a word that others may add to at the same time.
static inline void mslot__count_shared(uint64_t *counter) { (void)__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

/// The swap that publishes. True if `word` held `expected` and now holds `desired`.
static inline bool mslot__compare_and_swap_seq_cst(uint64_t *word, uint64_t expected, uint64_t desired)
{
    return __atomic_compare_exchange_n(word, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/// Orders this thread's earlier stores before its later loads. The only fence that does.
static inline void mslot__fence_seq_cst(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/// Orders this thread's earlier stores before its later stores.
static inline void mslot__fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }

/// Keeps the compiler, not the processor, from moving memory accesses across. Enough where the other side is a signal
/// handler on this thread, the kernel after this thread's death, or a process that first saw this one's lock released.
static inline void mslot__compiler_order(void) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

/// Asks for the line at `address`, to write to it. Nothing is read, and an address that is not mapped does no harm.
static inline void mslot__prefetch_write(const void *address)
{
#if defined(__x86_64__)
    // __builtin_prefetch(address, 1) fetches for reading only, unless the compiler may assume PRFCHW. Every x86-64 processor
    // takes the instruction; one that lacks it does nothing.
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)address));
#else
    __builtin_prefetch(address, 1);
#endif
}

/// Tells the processor that this is a polling loop: frees the sibling thread, and the line that is polled.
static inline void mslot__pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif
