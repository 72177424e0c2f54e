(* What the steps of the ring change: the shared words of segment.h, what the kernel knows, and what only the proof remembers.

   Names are those of segment.h and ring.h. Cells, lanes, slots and processes are as many as one likes. Positions and laps are natural
   numbers, which never wrap; README.md says for how long that is true of 43 bits. *)

From Coq Require Import Arith List.

(* N cells, W lanes, N + W slots, each of so many words; so is a cell's own line. *)
Class geometry := { N : nat; W : nat; words : nat; some_cell : 0 < N }.

Definition message := nat -> nat.

Inductive cell :=
  | EMPTY (lap spare : nat)
  | FULL (lap index : nat) (here : bool)
  | CLOSED (lap spare : nat).

(* mslot__cell_index, and the lap that mslot__cell_laps_ahead compares. *)
Definition index_of (c : cell) : nat := match c with EMPTY _ x | FULL _ x _ | CLOSED _ x => x end.
Definition lap_in (c : cell) : nat := match c with EMPTY l _ | FULL l _ _ | CLOSED l _ => l end.

(* What processes do that can be heard of outside. *)
Inductive event :=
  | Published (position : nat)
  | Delivered (position : nat)                  (* the reader's user may look at it from now on *)
  | Looked (position word value : nat)          (* the user reads one word of a message that is lent *)
  | Sealed
  | Reader_gone                                 (* killed, or left *)
  | Died_unnoted (position : nat).              (* a writer, between Write 5 and Write 7, of whom the kernel was told nothing *)

Record memory := {
  (* The segment. *)
  cells : nat -> cell;
  consumed : nat -> nat;
  slots : nat -> message;
  lines : nat -> message;                       (* the bytes behind each cell's state *)
  lane_own : nat -> nat;
  intent_position : nat -> option nat;          (* None: MSLOT_POSITION_NONE *)
  intent_spare : nat -> nat;
  tail_hint : nat;
  head : nat;
  parked_position : nat;
  (* The kernel: the position on whose cell the reader sleeps. *)
  asleep : option nat;
  (* What no process can see, and the proof talks about. *)
  tail : nat;                                   (* every position below is published, and no other *)
  released : nat;                               (* every position below is released, and no other: head, or one more within a release *)
  sealed : bool;
  holds : nat -> nat;                           (* the slot that really belongs to a lane: it changes with the publishing swap *)
  log : nat -> message;                         (* what was published at a position *)
  history : list event                          (* the newest first *)
}.

Definition update {A} (f : nat -> A) (i : nat) (v : A) : nat -> A := fun j => if j =? i then v else f j.

(* One store each. *)
Definition set_cells (v : nat -> cell) (m : memory) : memory :=
  {| cells := v; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := history m |}.
Definition set_consumed (v : nat -> nat) (m : memory) : memory :=
  {| cells := cells m; consumed := v; slots := slots m; lines := lines m; lane_own := lane_own m; intent_position := intent_position m;
     intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m; parked_position := parked_position m; asleep := asleep m;
     tail := tail m; released := released m; sealed := sealed m; holds := holds m; log := log m; history := history m |}.
Definition set_slots (v : nat -> message) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := v; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := history m |}.
Definition set_lines (v : nat -> message) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := v; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := history m |}.
Definition set_lane_own (v : nat -> nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := v; intent_position := intent_position m;
     intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m; parked_position := parked_position m; asleep := asleep m;
     tail := tail m; released := released m; sealed := sealed m; holds := holds m; log := log m; history := history m |}.
Definition set_intent_position (v : nat -> option nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m; intent_position := v;
     intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m; parked_position := parked_position m; asleep := asleep m;
     tail := tail m; released := released m; sealed := sealed m; holds := holds m; log := log m; history := history m |}.
Definition set_intent_spare (v : nat -> nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := v; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := history m |}.
Definition set_tail_hint (v : nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := v; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := history m |}.
Definition set_head (v : nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := v;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := history m |}.
Definition set_parked_position (v : nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := v; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m; holds := holds m;
     log := log m; history := history m |}.
Definition set_asleep (v : option nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := v; tail := tail m; released := released m; sealed := sealed m; holds := holds m;
     log := log m; history := history m |}.
Definition set_tail (v : nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := v; released := released m; sealed := sealed m; holds := holds m;
     log := log m; history := history m |}.
Definition set_released (v : nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := v; sealed := sealed m; holds := holds m;
     log := log m; history := history m |}.
Definition set_sealed (v : bool) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := v; holds := holds m;
     log := log m; history := history m |}.
Definition set_holds (v : nat -> nat) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m; holds := v;
     log := log m; history := history m |}.
Definition set_log (v : nat -> message) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := v; history := history m |}.
Definition set_history (v : list event) (m : memory) : memory :=
  {| cells := cells m; consumed := consumed m; slots := slots m; lines := lines m; lane_own := lane_own m;
     intent_position := intent_position m; intent_spare := intent_spare m; tail_hint := tail_hint m; head := head m;
     parked_position := parked_position m; asleep := asleep m; tail := tail m; released := released m; sealed := sealed m;
     holds := holds m; log := log m; history := v |}.

Definition say (e : event) (m : memory) : memory := set_history (e :: history m) m.

Definition store_cell (c : nat) (v : cell) (m : memory) := set_cells (update (cells m) c v) m.
Definition store_slot (x k v : nat) (m : memory) := set_slots (update (slots m) x (update (slots m x) k v)) m.
Definition store_line (c k v : nat) (m : memory) := set_lines (update (lines m) c (update (lines m c) k v)) m.
Definition store_consumed (x t : nat) (m : memory) := set_consumed (update (consumed m) x t) m.
Definition store_own (i x : nat) (m : memory) := set_lane_own (update (lane_own m) i x) m.
Definition store_intent_position (i : nat) (t : option nat) (m : memory) := set_intent_position (update (intent_position m) i t) m.
Definition store_intent_spare (i s : nat) (m : memory) := set_intent_spare (update (intent_spare m) i s) m.
