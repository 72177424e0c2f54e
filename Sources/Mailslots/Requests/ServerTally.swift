internal import Synchronization

/// A number that any thread counts up.
struct Tally: ~Copyable, Sendable {
    private let value = Atomic<UInt64>(0)
    // Relaxed: nothing else is read because of it.
    func add(_ count: UInt64) { value.wrappingAdd(count, ordering: .relaxed) }
    var count: UInt64 { value.load(ordering: .relaxed) }
}

/// What a server counts.
final class ServerTally: Sendable {
    let requests = Tally()
    let answers = Tally()
    let failures = Tally()
    let cancellations = Tally()
    let expiredRequests = Tally()
    let undecodableRequests = Tally()
    let malformedRequests = Tally()
    let unreachableClients = Tally()
    let delayedAnswers = Tally()
    let droppedAnswers = Tally()

    var counters: MailslotServerCounters {
        MailslotServerCounters(
            requests: requests.count, answers: answers.count, failures: failures.count, cancellations: cancellations.count,
            expiredRequests: expiredRequests.count, undecodableRequests: undecodableRequests.count,
            malformedRequests: malformedRequests.count, unreachableClients: unreachableClients.count,
            delayedAnswers: delayedAnswers.count, droppedAnswers: droppedAnswers.count)
    }
}
