// Tests that wait for processes block the thread that they run on. The pool has a thread for each processor: on a machine of two, two such
// tests keep every task of all the others waiting until a process has ended.

import Foundation
package import Testing

extension Trait where Self == BlockingTests {
    /// For a suite whose tests block their thread: by a process that they wait for, or by calls of the library that wait.
    package static var blocking: Self { Self() }
}

/// Runs each test of a suite on a thread that is not of the pool. So do its `async let` and task groups; a `Task` of its own does not.
package struct BlockingTests: SuiteTrait, TestTrait, TestScoping {
    package let isRecursive = true

    @concurrent package func provideScope(
        for test: Test, testCase: Test.Case?, performing body: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await body() }
        try await withTaskExecutorPreference(BlockingThreads.shared) { try await body() }
    }
}

/// As few threads as keep the processors busy while some of them wait. They never end.
private final class BlockingThreads: TaskExecutor, @unchecked Sendable {  // Sound: `jobs` is changed and looked at under the condition.
    static let shared = BlockingThreads(count: 4)

    private let condition = NSCondition()
    private var jobs: [UnownedJob] = []

    private init(count: Int) {
        for _ in 0..<count {
            // Sound: this object is never let go of.
            let thread = Thread { [self] in while true { unsafe next().runSynchronously(on: asUnownedTaskExecutor()) } }
            thread.stackSize = 8 << 20  // as the main thread has it: half a megabyte is little for a test
            thread.start()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.lock()
        jobs.append(job)
        condition.signal()
        condition.unlock()
    }

    private func next() -> UnownedJob {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty { condition.wait() }
        return jobs.removeFirst()
    }
}
