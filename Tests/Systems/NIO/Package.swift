// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who uses Mailslots resolves SwiftNIO.
let package = Package(
    name: "NIOExample",
    dependencies: [
        .package(name: "Mailslots", path: "../../..", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
    ],
    targets: [
        .testTarget(
            name: "NIOExampleTests",
            dependencies: [
                .product(name: "Mailslots", package: "Mailslots"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], path: "Tests")
    ]
)
