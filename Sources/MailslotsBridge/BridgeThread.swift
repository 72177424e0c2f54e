#if canImport(Glibc)
    internal import Glibc
#else
    internal import Musl
#endif

/// Runs `body` on a thread of its own, for it blocks, and resumes when it has ended.
func onThread(_ body: @escaping @Sendable () -> Void) async throws(BridgeError) {
    let start = ThreadStart(body)
    let failure: Int32 = await withCheckedContinuation { continuation in
        start.continuation = continuation
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(start).toOpaque()
        let failure = unsafe pthread_create(
            &thread, nil,
            { context in
                // Sound: retained for us.
                let start = unsafe Unmanaged<ThreadStart>.fromOpaque(context!).takeRetainedValue()
                start.body()
                start.continuation?.resume(returning: 0)
                return nil
            }, context)
        guard failure == 0 else {
            unsafe Unmanaged<ThreadStart>.fromOpaque(context).release()
            continuation.resume(returning: failure)
            return
        }
        pthread_detach(thread)
    }
    guard failure == 0 else {
        throw BridgeError(
            .system, "The bridge cannot start a thread: \(unsafe String(cString: strerror(failure))). Raise the limit of processes.")
    }
}

private final class ThreadStart: @unchecked Sendable {
    let body: @Sendable () -> Void
    // Set before the thread starts, read by it.
    var continuation: CheckedContinuation<Int32, Never>?

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
