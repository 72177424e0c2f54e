import ArgumentParser

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Shows the tables of a folder of results once more, and draws its report.html.")

    @Argument(help: "The folder that `peers` has written.")
    var folder: String

    @Flag(help: "Judge the goals instead of drawing, and exit with 1 if one is missed or none could be judged.")
    var check = false

    func run() throws {
        let folder = ResultsFolder(folder)
        let results = try folder.load()
        results.show()
        if check {
            if !results.judgeGoals() { throw ExitCode(1) }
            return
        }
        guard folder.draw() else { throw ExitCode(2) }
        print("\nPictures in \(folder.html.path)")
    }
}
