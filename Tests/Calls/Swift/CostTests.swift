import Foundation
import TestSupport
import Testing

/// What a message costs beside time, counted in a process of its own: `mailslots-probe`.
@Suite(.blocking) struct CostTests {
    struct Cost {
        let allocations: Int?
        let systemCalls: Int
        let messages: Int
    }

    static let costs: [String: Cost] = {
        let result = try? run(buildFolder.appending(path: "mailslots-probe"), [])
        var costs: [String: Cost] = [:]
        for line in (result?.text ?? "").split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 7, let systemCalls = Int(words[4]), let messages = Int(words[6]) else { continue }
            costs[words[0]] = Cost(allocations: Int(words[2]), systemCalls: systemCalls, messages: messages)
        }
        return costs
    }()

    static let canTrace = costs["control"].map { $0.systemCalls >= 0 } ?? true
    static let canCountAllocations = costs["control"].map { $0.allocations != nil } ?? true

    @Test(
        .enabled(if: canTrace, "the kernel refuses ptrace"),
        arguments: ["tryWrite+read", "write+withMessage", "loan+withMessages", "text+withMessage"])
    func `a message costs no system call when nobody sleeps`(way: String) throws {
        let cost = try #require(Self.costs[way])
        #expect(cost.messages >= 20_000)
        #expect(cost.systemCalls == 0)
    }

    @Test(
        .enabled(if: canCountAllocations, "a sanitizer has its own allocator"),
        arguments: ["tryWrite+read", "write+withMessage", "loan+withMessages", "text+withMessage"])
    func `a message costs no allocation`(way: String) throws {
        let cost = try #require(Self.costs[way])
        #expect(cost.allocations == 0)
    }

    @Test(.enabled(if: canTrace && canCountAllocations, "see above"))
    func `the counters can see`() throws {
        let control = try #require(Self.costs["control"])
        #expect(control.systemCalls >= control.messages)
        #expect(try #require(control.allocations) >= control.messages)
    }
}
