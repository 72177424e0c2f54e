// A process with actors, which tests call and kill: its argument is the name of its node, if that has one. It ends when it is told to, or
// hangs.

import Foundation
import MailslotsDistributed
import TestActors
import TestProcesses

@main struct ActorHost {
    static func main() async throws {
        endIfItHangs()
        let system = try MailslotActorSystem(node: CommandLine.arguments.dropFirst().first)
        let servant = try system.named("servant") { Servant(actorSystem: system) }
        let receptionist = try MailslotReceptionist(system)
        await receptionist.checkIn(servant, as: MailslotActorKey("servants of \(system.node)"))
        while !Task.isCancelled { try await Task.sleep(for: .seconds(1000)) }
        withExtendedLifetime((servant, receptionist)) {}
    }
}
