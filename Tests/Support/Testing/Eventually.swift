// Waiting for what another process or another task does.

import Foundation
package import Testing

/// What takes longer has failed. All tests run at the same time, on a machine that does other things: a turn comes after minutes.
private let waitMax = Duration.seconds(600)

/// Waits until `condition` holds; for a test that blocks its thread. Gives up, and fails the test, after ten minutes.
package func blockUntil(_ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool) throws {
    let end = ContinuousClock.now + waitMax
    while try !condition() {
        try #require(ContinuousClock.now < end, what, sourceLocation: sourceLocation)
        usleep(1000)
    }
}

/// The same for a task, which keeps no thread of the pool. Between two looks it sleeps: who only yields keeps a processor busy, which those
/// that it waits for need.
package func eventually(
    _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + waitMax
    while try await !condition() {
        try #require(ContinuousClock.now < end, what, sourceLocation: sourceLocation)
        try await Task.sleep(for: .milliseconds(1))
    }
}
