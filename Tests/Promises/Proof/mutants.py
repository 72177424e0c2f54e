"""The relation with one mistake each: what must not be "optimised", and where the proof notices it.

A mutant is its name, why it is a mistake, the lemma or theorem at which the proof comes to a halt, and pairs of an old text, which must
occur exactly once in Ring.v, and a new one. `run --mutants` tries all; that the proof halts says that it needs what was taken away.

    mutants.py FILES [NAME ...]     FILES: those of the proof, in their order, as one word
"""

import pathlib
import re
import subprocess
import sys
import tempfile

MUTANTS = [
    ("head_before_cell", "Read 5 before Read 4: a death between them wedges the ring.", "reader_step_kept", [
        ("(set_released (S h) (store_cell (cell_of h) (EMPTY (S (lap_of h)) x) m)) (Read_5 h n)", "(set_head (S h) m) (Read_5 h n)"),
        ("reader_step m (Read_5 h n) (set_head (S h) m) (Ready (S h) n)",
         "reader_step m (Read_5 h n) (set_released (S h) (store_cell (cell_of h) (EMPTY (S (lap_of h)) "
         "(index_of (state_at m h))) m)) (Ready (S h) n)")]),
    ("no_consumed", "Read without step 3: who inherits a lane cannot tell that its slot was read.", "consumes", [
        ("if here then m else store_consumed x t m", "m")]),
    ("recovery_ignores_consumed", "What the reader has taken already counts as never published.", "writer_step_own", [
        ("-> writer_step i m w m (go Recover_consumed w)", "-> writer_step i m w m (go (Recover_own (lane_own m i)) w)")]),
    ("own_before_intent_is_gone", "Write 6 the other way round: a death between leaves the slot that is in the cell.", "writer_step_own", [
        ("writer_step i m w (store_own i s m) (go (Clear t) (set_own s w))",
         "writer_step i m w (store_intent_position i None m) (go (Clear t) w)"),
        ("pc w = Clear t -> writer_step i m w (store_intent_position i None m) (go (Tail_hint t) w)",
         "pc w = Clear t -> writer_step i m w (store_own i (intent_spare m i) m) (go (Tail_hint t) (set_own (intent_spare m i) w))")]),
    ("own_before_swap", "The lane says that it has the spare before the swap is won.", "writer_step_own", [
        ("writer_step i m w (store_intent_position i (Some t) m) (go (Death_note false t s) w)",
         "writer_step i m w (store_own i s (store_intent_position i (Some t) m)) (go (Death_note false t s) w)")]),
    ("no_intent", "Write without step 3.", "writer_step_own", [
        ("writer_step i m w (store_intent_position i (Some t) m) (go (Death_note false t s) w)",
         "writer_step i m w m (go (Death_note false t s) w)")]),
    ("lap_not_compared", "The swap takes an EMPTY cell of any lap.", "writer_step_shared", [
        ("swap_won e t s : pc w = Swap e t s -> state_at m t = EMPTY (lap_of t) s ->",
         "swap_won e t s lap : pc w = Swap e t s -> state_at m t = EMPTY lap s ->")]),
    ("here_exchanges_slot", "A swap that leaves the message in the line takes the spare out as well.", "publish_places", [
        ("store_cell (cell_of t) (FULL (lap_of t) s true) m\n",
         "set_holds (update (holds m) i s) (store_cell (cell_of t) (FULL (lap_of t) s true) m)\n")]),
    ("spare_not_left", "Such a swap puts the own slot in the spare's place.", "published_here", [
        ("store_cell (cell_of t) (FULL (lap_of t) s true) m\n", "store_cell (cell_of t) (FULL (lap_of t) (own w) true) m\n")]),
    ("second_express_writer", "Any writer may fill lines.", "writer_step_own", [
        ("pc w = Idle \\/ pc w = Fill -> i = 0 -> writer_step", "pc w = Idle \\/ pc w = Fill -> i < W -> writer_step")]),
    ("line_not_filled", "The swap before the line is filled.", "writer_step_own", [
        ("(go (if e then Line t s 0 else Note_spare t s) w)", "(go (if e then Line t s words else Note_spare t s) w)")]),
    ("wakes_own_cell", "Write 7 wakes the cell just published, not the one on which the reader sleeps.", "writer_step_own", [
        ("(go (Wake wrote t) (if S t", "(go (Wake wrote (position w - 1)) (if S t")]),
    ("writer_clears_parked", "A stopped writer silences all others.", "writer_step_reader", [
        ("parked_position m <> woken_position w ->\n      writer_step i m w m (go",
         "parked_position m <> woken_position w ->\n      writer_step i m w (set_parked_position 0 m) (go")]),
    ("woken_too_soon", "A wake is remembered though its position is not published yet.", "writer_step_own", [
        ("(if S t <=? position w then set_woken (S t) w else w)", "(set_woken (S t) w)")]),
    ("no_death_note_read", "The kernel wakes for nobody who dies.", "writer_step_heard", [
        ("FULL _ _ _ => futex_wake t m | _ => m end", "FULL _ _ _ => m | _ => m end")]),
    ("parked_not_said", "The reader sleeps without saying where.", "reader_step_own", [
        ("(set_parked_position (S n) m) (Second_look h n)", "m (Second_look h n)")]),
    ("sleeps_without_comparing", "The sleep does not depend on a word that the publish itself changes.", "reader_step_kept", [
        ("futex_wait h n s : state_at m n = EMPTY (lap_of n) s ->", "futex_wait h n :")]),
    ("closed_is_a_flag", "A close that leaves the cell EMPTY.", "reader_step_kept", [
        ("(set_sealed true (say Sealed (store_cell (cell_of t) (CLOSED (lap_of t) s) m))) Over", "(set_sealed true (say Sealed m)) Over")]),
    ("seal_without_consumed", "The seal of a full ring leaves out Read 3.", "reader_step_kept", [
        ("(Seal_3 h t x here) (consume x h here m) (Seal_4 h t x here)", "(Seal_3 h t x here) m (Seal_4 h t x here)")]),
    ("no_catch_up", "Who takes over begins at a head that is behind.", "reader_step_own", [
        ("reader_step m (Begin p) m (Catch_up p (head m))",
         "reader_step m (Begin p) m (match p with Adopt => Clear_parked (head m) | Seal => Seal_look (head m) (head m) end)")]),
    ("leave_takes_lent", "What is lent when a reader leaves counts as read.", "reader_step_kept", [
        ("reader_killed r : r <> Gone -> reader_step m r (leave m) Gone",
         "reader_killed r : r <> Gone -> reader_step m r (match r with Ready h n => set_head n (leave m) | _ => leave m end) Gone")]),
    ("sealed_is_adopted", "A take-over goes on with a sealed ring.", "reader_step_own", [
        ("state_at m t = CLOSED lap s -> reader_step m (Find_tail h t) m Over",
         "state_at m t = CLOSED lap s -> reader_step m (Find_tail h t) m (Ready h h)")]),
]


def halt(folder, files):
    """Where the proof comes to a halt: a file and the lemma in it, or None."""
    for name in files:
        result = subprocess.run(["coqc", "-q", "-Q", ".", "Proof", f"{name}.v"], cwd=folder, capture_output=True, text=True)
        if result.returncode:
            line = int(re.search(r"line (\d+)", result.stderr)[1])
            above = (folder / f"{name}.v").read_text().split("\n")[:line]
            names = re.findall(r"^(?:Lemma|Theorem) (\w+)", "\n".join(above), re.MULTILINE)
            return f"{name}.v", names[-1] if names else ""
    return None


def main():
    here = pathlib.Path(__file__).parent
    ring = (here / "Ring.v").read_text()
    failures = 0
    for name, why, expected, changes in MUTANTS:
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        text = ring
        fits = True
        for old, new in changes:
            fits = fits and text.count(old) == 1
            text = text.replace(old, new)
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            for file in here.glob("*.v"):
                (folder / file.name).write_text(text if file.name == "Ring.v" else file.read_text())
            found = halt(folder, sys.argv[1].split()) if fits else ("Ring.v", "")
        caught = found is not None and found[0] != "Ring.v"
        words = "the proof goes through" if found is None else "the record does not fit Ring.v" if not caught else f"{found[0]}, {found[1]}"
        good = caught and found[1] == expected
        failures += not good
        print(f"{name:26} {words}" + ("" if good else f", NOT {expected}"), flush=True)
    print(f"{failures} failed")
    return failures != 0


sys.exit(main())
