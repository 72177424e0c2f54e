import Foundation
import MailslotsDistributed
import TestProcesses
import Testing

/// Starts a process that has a servant.
func startHost(_ node: String?) throws -> Process {
    let host = Process()
    host.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "mailslots-actor-host")
    host.arguments = node.map { [$0] } ?? []
    try host.run()
    return host
}

/// Whether all threads of a process are stopped.
func isStopped(_ id: Int32) -> Bool {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(id)/task")) ?? []
    return threads.allSatisfy { thread in
        let status = (try? String(contentsOfFile: "/proc/\(id)/task/\(thread)/stat", encoding: .utf8)) ?? ""
        return status.split(separator: ")").last?.hasPrefix(" T") ?? false
    }
}

func expect(
    _ expected: MailslotActorError.Code, _ place: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async {
    let found = await code(body)
    #expect(found == expected, sourceLocation: place)
}

/// The code of the error that `body` throws.
func code(_ body: () async throws -> Void) async -> MailslotActorError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? MailslotActorError)?.code
    }
}
