import ArgumentParser

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Shows the tables of a folder of results once more, and draws its report.html.")

    @Argument(help: "The folder that `peers` has written.")
    var folder: String

    func run() throws {
        let folder = ResultsFolder(folder)
        try folder.load().show()
        guard folder.draw() else { throw ExitCode(2) }
        print("\nPictures in \(folder.html.path)")
    }
}
