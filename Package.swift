// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors where we can see them, in CI, and never at a client's.
let isCI = Context.environment["MAILSLOTS_WARNINGS_AS_ERRORS"] != nil

let cSettings: [CSetting] =
    [.define("_GNU_SOURCE"), .enableWarning("all"), .enableWarning("extra")]
    + (isCI ? [.treatAllWarnings(as: .error)] : [])

let swiftSettings: [SwiftSetting] =
    [
        .strictMemorySafety(),
        .enableUpcomingFeature("ExistentialAny"),  // SE-0335: `any` where a call is dynamic
        .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409: what leaks into the API says so
        .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),  // SE-0461
    ] + (isCI ? [.treatAllWarnings(as: .error)] : [])

let package = Package(
    name: "Mailslots",
    products: [
        .library(name: "Mailslots", targets: ["Mailslots"]),
        .library(name: "MailslotsDistributed", targets: ["MailslotsDistributed"]),
        .library(name: "MailslotsService", targets: ["MailslotsService"]),
        .library(name: "MailslotsBridge", targets: ["MailslotsBridge"]),
        // What the bridge seals and opens datagrams with. No API: a product, so that the benchmarks, another package, can measure it alone.
        .library(name: "MailslotsWire", targets: ["MailslotsWire"]),
        .library(name: "CMailslots", targets: ["CMailslots"]),
        .library(name: "CMailslotsWin32", targets: ["CMailslotsWin32"]),
        .executable(name: "mailslot", targets: ["MailslotsCommand"]),
        .executable(name: "mailslot-bridge", targets: ["MailslotsBridgeCommand"]),
    ],
    traits: [
        .trait(
            name: "Bridge",
            description: "The floors above the Swift API: services, the program `mailslot`. Without it no other package is resolved."),
        .default(enabledTraits: ["Bridge"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-async-algorithms", from: "1.0.0"),  // for tests; the services have it anyway
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.7.0"),
    ],
    targets: [
        .target(name: "CMailslots", exclude: ["install.sh", "libmailslots.map"], cSettings: cSettings),
        // The calls of Windows, for programs ported from there.
        .target(
            name: "CMailslotsWin32", dependencies: ["CMailslots"], exclude: ["libmailslots-win32.map"], cSettings: cSettings),
        .target(name: "Mailslots", dependencies: ["CMailslots"], swiftSettings: swiftSettings),
        // Distributed actors: the standard library's Distributed, and no package.
        .target(name: "MailslotsDistributed", dependencies: ["Mailslots"], swiftSettings: swiftSettings),
        // What the programs ask of the kernel and the terminal.
        .target(name: "CMailslotsCommand", dependencies: ["CMailslots"], cSettings: cSettings),
        // What the C below every transport shares.
        .target(name: "CMailslotsTransport", cSettings: cSettings),
        // Batched UDP. liburing is used where its development package is installed, and left out where it is not: see io_uring.c.
        .systemLibrary(name: "CLibURing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
        .target(name: "CMailslotsDatagram", dependencies: ["CMailslotsTransport", "CLibURing"], cSettings: cSettings),
        // Datagrams through NATS servers. libnats is used where its development package is installed, and left out where it is not.
        .systemLibrary(name: "CLibNATS", pkgConfig: "libnats", providers: [.apt(["libnats-dev"])]),
        .target(name: "CMailslotsNATS", dependencies: ["CMailslotsTransport", "CLibNATS"], cSettings: cSettings),
        // Key files: what the programs read and write of a key without cryptography.
        .target(name: "MailslotsKeys", swiftSettings: swiftSettings),
        // Datagrams: their format, sealing and opening them.
        .target(
            name: "MailslotsWire",
            dependencies: [.product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Bridge"]))],
            swiftSettings: swiftSettings),
        .target(
            name: "MailslotsBridge",
            dependencies: [
                "Mailslots", "MailslotsKeys", "MailslotsWire", "CMailslots", "CMailslotsDatagram", "CMailslotsNATS",
                .product(name: "Configuration", package: "swift-configuration", condition: .when(traits: ["Bridge"])),
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Bridge"])),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Bridge"])),
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Bridge"])),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
            ],
            exclude: ["README.md", "bridge.json", "systemd"], swiftSettings: swiftSettings),
        .target(
            name: "MailslotsService",
            dependencies: [
                "Mailslots",
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Bridge"])),
                .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Bridge"])),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
            ],
            swiftSettings: swiftSettings),
        // What the two programs have in common.
        .target(
            name: "MailslotsProgram",
            dependencies: [
                "Mailslots", "CMailslots", "CMailslotsDatagram",
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Bridge"])),
            ],
            swiftSettings: swiftSettings),
        // `mailslot`, which everyone who tries this package waits for: no cryptography and no servers' packages.
        .executableTarget(
            name: "MailslotsCommand",
            dependencies: [
                "Mailslots", "MailslotsKeys", "MailslotsProgram", "CMailslotsCommand", "CMailslotsDatagram", "CMailslotsNATS",
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Bridge"])),
            ],
            swiftSettings: swiftSettings),
        // `mailslot-bridge`, beside it as sshd is beside ssh.
        .executableTarget(
            name: "MailslotsBridgeCommand",
            dependencies: [
                "Mailslots", "MailslotsBridge", "MailslotsKeys", "MailslotsProgram", "CMailslotsCommand",
                .product(name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["Bridge"])),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Bridge"])),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
                .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
            ],
            swiftSettings: swiftSettings),

        // The C core's own tests: C programs, so that they also run by hand and on other processors.
        .executableTarget(
            name: "mailslots-core-tests", dependencies: ["CMailslots"], path: "Tests/Calls/Core",
            exclude: ["README.md", "run", "not-covered.txt"], cSettings: cSettings),
        // The datagram engines' own tests, with the harness of the core's.
        .executableTarget(
            name: "mailslots-datagram-tests", dependencies: ["CMailslotsDatagram", "CMailslots"], path: "Tests/Calls/Datagram",
            exclude: ["README.md", "run"], cSettings: cSettings),
        // A bridge as a process of its own, which tests of whole networks start, stop and kill.
        .executableTarget(
            name: "mailslots-bridge-host",
            dependencies: [
                "Mailslots", "MailslotsBridge",
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Bridge"])),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
            ],
            path: "Tests/Systems/Network/Host", swiftSettings: swiftSettings),
        // A process that tests start: what a message costs beside time.
        .target(name: "TestProcesses", path: "Tests/Support/Processes", swiftSettings: swiftSettings),
        // Random numbers that a seed repeats.
        .target(name: "TestRandomness", path: "Tests/Support/Randomness", swiftSettings: swiftSettings),
        // Waiting in tests, and threads for those that block theirs.
        .target(name: "TestSupport", path: "Tests/Support/Testing", swiftSettings: swiftSettings),
        // Distributed actors that tests call, and the process that has them.
        .target(
            name: "TestActors", dependencies: ["Mailslots", "MailslotsDistributed"], path: "Tests/Support/Actors",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "mailslots-actor-host", dependencies: ["MailslotsDistributed", "TestActors", "TestProcesses"],
            path: "Tests/Support/ActorHost", swiftSettings: swiftSettings),
        // The example of distributed actors.
        .executableTarget(
            name: "mailslots-market", dependencies: ["MailslotsDistributed"], path: "Tests/Systems/Examples/swift/market",
            swiftSettings: swiftSettings),
        .target(name: "CCounting", path: "Tests/Support/Counting", cSettings: cSettings),
        .executableTarget(
            name: "mailslots-probe", dependencies: ["Mailslots", "CCounting"], path: "Tests/Support/Probe", swiftSettings: swiftSettings),
        // Servers and clients that are killed and stopped while they call each other.
        .executableTarget(
            name: "mailslots-requests", dependencies: ["Mailslots", "TestProcesses", "TestRandomness"], path: "Tests/Promises/Requests",
            exclude: ["README.md", "run"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MailslotsTests",
            dependencies: [
                "Mailslots", "CMailslots", "MailslotsProgram", "MailslotsCommand", "MailslotsBridgeCommand", "mailslots-core-tests",
                "mailslots-probe", "mailslots-requests", "TestProcesses", "TestRandomness", "TestSupport",
            ],
            path: "Tests/Calls/Swift", exclude: ["run", "Cases"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MailslotsBridgeTests",
            dependencies: [
                "Mailslots", "CMailslots", "MailslotsBridge", "MailslotsKeys", "MailslotsWire", "MailslotsCommand",
                "MailslotsBridgeCommand", "mailslots-datagram-tests", "TestProcesses", "TestRandomness", "TestSupport",
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Bridge"])),
                .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Bridge"])),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
            ],
            path: "Tests/Calls/Bridge", exclude: ["run"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MailslotsDistributedTests",
            dependencies: [
                "MailslotsDistributed", "TestActors", "TestProcesses", "TestRandomness", "TestSupport", "mailslots-actor-host",
                "mailslots-market",
            ],
            path: "Tests/Calls/Distributed", exclude: ["run"], swiftSettings: swiftSettings),
        .testTarget(
            name: "MailslotsServiceTests",
            dependencies: [
                "Mailslots", "MailslotsService", "TestSupport",
                .product(name: "AsyncAlgorithms", package: "swift-async-algorithms", condition: .when(traits: ["Bridge"])),
                .product(name: "InMemoryLogging", package: "swift-log", condition: .when(traits: ["Bridge"])),
                .product(name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["Bridge"])),
                .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle", condition: .when(traits: ["Bridge"])),
            ],
            path: "Tests/Calls/Service", exclude: ["run"], swiftSettings: swiftSettings),
    ],
    cLanguageStandard: .c11
)
