import ArgumentParser
import MailslotsBridge

/// What `mailslot-bridge` is told of NATS; the rest is in the configuration file.
struct NATSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A NATS server, as nats://10.0.0.5:4222 or tls://nats.example.com:4222, through which messages go in place of UDP. Repeat it.",
            valueName: "url"))
    var nats: [String] = []

    @Option(help: ArgumentHelp("The credentials for the NATS servers, as nsc makes them.", valueName: "file"), completion: .file())
    var natsCredentials: String?

    @Option(help: ArgumentHelp("A user of the NATS servers, whose password is in MAILSLOT_BRIDGE_NATS_PASSWORD.", valueName: "user"))
    var natsUser: String?

    @Option(
        help: ArgumentHelp("The authorities that the NATS servers' certificates are from. (default: the system's)", valueName: "file"),
        completion: .file(extensions: ["pem"]))
    var natsAuthorities: String?

    var flags: NATSFlags {
        var flags = NATSFlags()
        flags.servers = nats
        flags.credentialsFile = natsCredentials
        flags.user = natsUser
        flags.authoritiesFile = natsAuthorities
        return flags
    }
}
