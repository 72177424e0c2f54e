"""A look at this machine's mailslots.

    python -m mailslots                 a line for each
    python -m mailslots NAME            all that is known of one
    python -m mailslots --tail NAME     its messages, as they come, without taking them from the reader

    --json    for programs: with a name an object, without one a list of them; with --tail an object a line
"""

import argparse
import base64
import json
import sys
import time

from . import ClosedError, Info, MailslotError, Message, Observer, inspect, names


def printable(text: str) -> str:
    """What a terminal shows as it is: names and messages are other people's, and may have its commands in them."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def seen() -> list[Info]:
    infos = []
    for name in sorted(names()):
        try:
            infos.append(inspect(name))
        except MailslotError:
            pass  # it went meanwhile, or is another user's
    return infos


def print_table(infos: list[Info]) -> None:
    rows: list[tuple[str, ...]] = [("NAME", "WAITING", "CAPACITY", "WRITTEN", "WRITERS", "READER")]
    for info in infos:
        reader = str(info["reader_pid"]) if info["reader_present"] else "none"
        counts = (info["message_count"], info["capacity"], info["counters"]["messages_written"], info["writer_count"])
        rows.append((printable(info["name"]), *map(str, counts), reader))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells))


def print_info(info: Info) -> None:
    lines: list[tuple[str, object]] = [(key, value) for key, value in info.items() if key not in ("mode", "counters")]
    lines.append(("mode", f"{info['mode']:04o}"))
    lines += info["counters"].items()
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        print(f"{key:{width}}  {printable(str(value))}".rstrip())


def print_message(message: Message, missed: int, as_json: bool) -> None:
    if as_json:
        try:
            data = {"text": message.data.decode()}
        except UnicodeDecodeError:
            data = {"base64": base64.b64encode(message.data).decode()}
        print(json.dumps({"position": message.position, "sender": message.sender, "missed": missed} | data), flush=True)
        return
    if missed:
        print(f"({missed} were gone before they were seen)")
    print(printable(message.data.decode(errors="backslashreplace")), flush=True)


def tail(name: str, as_json: bool) -> None:
    with Observer(name) as observer:
        while True:
            try:
                seen = observer.read()
            except ClosedError:
                return
            if seen is None:
                time.sleep(0.05)  # nothing wakes who only looks
            else:
                print_message(*seen, as_json)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mailslots", description="A look at this machine's mailslots.")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of which to show all that is known")
    parser.add_argument("--tail", action="store_true", help="show its messages, as they come, without taking them")
    parser.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args()
    if arguments.tail and arguments.name is None:
        parser.error("--tail needs a NAME")
    try:
        if arguments.tail:
            tail(arguments.name, arguments.json)
        elif arguments.name is not None:
            info = inspect(arguments.name)
            print(json.dumps(info)) if arguments.json else print_info(info)
        else:
            infos = seen()
            print(json.dumps(infos)) if arguments.json else print_table(infos)
    except MailslotError as error:
        print(f"mailslots: {printable(str(error))}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()  # nor does the interpreter say more of a pipe that is gone
    return 0


sys.exit(main())
