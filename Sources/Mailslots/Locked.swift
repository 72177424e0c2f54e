#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// A value behind a lock.
///
/// As `Mutex` of Synchronization, but ThreadSanitizer understands it: on Linux that one's code is all in a library that is not
/// instrumented, and what it protects looks like a race.
@safe
package final class Locked<Value: ~Copyable>: @unchecked Sendable {
    // Sound: the value is touched only with the lock.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    // Nor need its accesses be checked, which would cost as much as the lock.
    @exclusivity(unchecked) private var value: Value

    package init(_ value: consuming sending Value) {
        unsafe self.value = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value)
    }
}
