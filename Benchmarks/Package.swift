// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who uses Mailslots resolves what only the benchmarks need.
let package = Package(
    name: "MailslotsBenchmarks",
    // Peers that are libraries. Without its trait a peer is only named, with what to install.
    traits: [
        .trait(name: "Boost", description: "Measures Boost.Interprocess; needs libboost-dev."),
        .trait(name: "ZeroMQ", description: "Measures ZeroMQ; needs libzmq3-dev."),
        .trait(name: "Nng", description: "Measures nng; needs libnng-dev."),
    ],
    dependencies: [
        .package(name: "Mailslots", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .target(
            name: "CBenchmarks",
            dependencies: [
                .product(name: "CMailslots", package: "Mailslots"),
                .product(name: "CMailslotsWin32", package: "Mailslots"),
            ],
            cSettings: [
                .define("_GNU_SOURCE"), .enableWarning("all"), .enableWarning("extra"),
                .define("BENCH_ZEROMQ", .when(traits: ["ZeroMQ"])),
                .define("BENCH_NNG", .when(traits: ["Nng"])),
            ],
            cxxSettings: [.define("BENCH_BOOST", .when(traits: ["Boost"])), .enableWarning("all"), .enableWarning("extra")],
            linkerSettings: [
                .linkedLibrary("zmq", .when(traits: ["ZeroMQ"])),
                .linkedLibrary("nng", .when(traits: ["Nng"])),
            ]),
        .executableTarget(
            name: "mailslots-bench",
            dependencies: [
                "CBenchmarks",
                .product(name: "Mailslots", package: "Mailslots"),
                .product(name: "mailslot", package: "Mailslots"),  // the program that `pipe` measures
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Sources/MailslotsBench"),
    ],
    cLanguageStandard: .gnu11,
    cxxLanguageStandard: .gnucxx17
)
