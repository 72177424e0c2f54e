// swift-tools-version: 6.2
import PackageDescription

// Peers that are libraries are built where their header is found, which each one's C file asks with __has_include, and says there, too,
// what is to be linked. The linker that understands that is LLVM's.

// iceoryx's headers include each other as if this were a system folder.
var peerFlags = ["-I/usr/include/iceoryx/v2.0.3"]
var peerLinkerFlags = ["-use-ld=lld"]
if let prefix = Context.environment["MAILSLOTS_AERON_PREFIX"] {
    peerFlags += ["-I\(prefix)/include/aeron", "-DBENCH_AERON_PREFIX=\"\(prefix)\""]
    peerLinkerFlags += ["-L\(prefix)/lib", "-Xlinker", "-rpath=\(prefix)/lib"]
}

// A package of its own, so that nobody who uses Mailslots resolves what only the benchmarks need.
let package = Package(
    name: "MailslotsBenchmarks",
    dependencies: [
        .package(name: "Mailslots", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),  // a peer
    ],
    targets: [
        .target(
            name: "CBenchmarks",
            dependencies: [
                .product(name: "CMailslots", package: "Mailslots"),
                .product(name: "CMailslotsWin32", package: "Mailslots"),  // a peer, too
            ],
            cSettings: [.define("_GNU_SOURCE"), .enableWarning("all"), .enableWarning("extra"), .unsafeFlags(peerFlags)],
            cxxSettings: [.enableWarning("all"), .enableWarning("extra")]),
        .executableTarget(
            name: "mailslots-bench",
            dependencies: [
                "CBenchmarks",
                .product(name: "Mailslots", package: "Mailslots"),
                .product(name: "MailslotsBridge", package: "Mailslots"),
                .product(name: "MailslotsDistributed", package: "Mailslots"),
                .product(name: "MailslotsWire", package: "Mailslots"),  // sealing alone
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "mailslot", package: "Mailslots"),  // the program that `pipe` measures
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Sources/MailslotsBench",
            linkerSettings: [.unsafeFlags(peerLinkerFlags)]),
    ],
    cLanguageStandard: .gnu11,
    cxxLanguageStandard: .gnucxx17
)
