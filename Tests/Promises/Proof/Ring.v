(* The ring of Sources/CMailslots, step by step: to be held against ring.h and Ring/. Names, and the numbers of the steps, are the same.

   Each constructor of writer_step and reader_step is one step, between which every other process may do any number of its own. A step
   loads or stores one word that several processes use, with what happens in private memory before it; words that only the owner of a lane
   touches, and `released`, `log` and so on, which exist in the proof only, change along with it.

   A process is what it has open: the owner of a lane, or the reader. Killed is every process at any step. Who is stopped, or slow, takes
   no steps: nothing here says that anybody does. *)

From Coq Require Import Arith List.
From Proof Require Import Segment.
Set Implicit Arguments.

Section Ring.
Context {G : geometry}.

(* mslot__ring_cell, mslot__ring_lap. *)
Definition cell_of (t : nat) : nat := t mod N.
Definition lap_of (t : nat) : nat := t / N.
Definition state_at (m : memory) (t : nat) : cell := cells m (cell_of t).

(* A word of the message at a position: of the cell's own line, or of the slot that the cell names. *)
Definition word_at (m : memory) (t k : nat) : nat :=
  match state_at m t with
  | FULL _ x false => slots m x k
  | _ => lines m (cell_of t) k
  end.

(* ---- the kernel ---- *)

(* Whoever sleeps on the cell of position t, if anybody, wakes up. *)
Definition futex_wake (t : nat) (m : memory) : memory :=
  match asleep m with
  | Some p => if cell_of p =? cell_of t then set_asleep None m else m
  | None => m
  end.

(* ---- writers ---- *)

(* Where a writer is. `express`: the message goes into the cell's own line. *)
Inductive writer_pc :=
  | Free                                                (* the lane has no owner: its lock is free *)
  | Recover | Recover_consumed                          (* recovered_slot: the cell, then `consumed` *)
  | Recover_own (x : nat) | Recover_intent (x : nat)    (* mslot__ring_recover_lane: the two stores *)
  | Idle
  | Fill                                                (* Write 1, or a loan: for as long as the user likes *)
  | Start (express : bool)
  | Look (express : bool) (t : nat)                     (* Write 2 *)
  | Slow (express : bool) (t : nat) (seen : cell)       (* mslot__ring_advance_slow: loads `head` *)
  | Hint (express : bool) (t : nat) (seen : cell) (newest : nat) (* the same: loads `tail_hint` *)
  | Line (t s k : nat)                                  (* mslot__ring_fill_line: word k *)
  | Note_spare (t s : nat) | Note_position (t s : nat)  (* Write 3 *)
  | Death_note (express : bool) (t s : nat)             (* Write 4 *)
  | Swap (express : bool) (t s : nat)                   (* Write 5 *)
  | Own (t s : nat) | Clear (t : nat) | Tail_hint (t : nat)  (* Write 6 *)
  | Parked (wrote : option nat)                         (* Write 7: loads `parked_position`; `wrote`: what it has just published *)
  | Wake (wrote : option nat) (t : nat)                 (* Write 7: wakes the cell of t *)
  | End                                                 (* Write 8 *)
  | Give_up (t : nat) (full : bool)                     (* mslot__ring_give_up *)
  | Damaged.                                            (* the writer takes the segment for damaged *)

(* mslot_ring_writer, and the thread's robust-list entry. *)
Record writer := {
  pc : writer_pc;
  own : nat;
  position : nat;
  woken_position : nat;
  note : option nat;                                    (* list_op_pending: the position whose cell it names *)
  text : message                                        (* the message that is to be written *)
}.
Definition go p w := Build_writer p (own w) (position w) (woken_position w) (note w) (text w).
Definition set_own x w := Build_writer (pc w) x (position w) (woken_position w) (note w) (text w).
Definition set_position t w := Build_writer (pc w) (own w) t (woken_position w) (note w) (text w).
Definition set_woken t w := Build_writer (pc w) (own w) (position w) t (note w) (text w).
Definition set_note t w := Build_writer (pc w) (own w) (position w) (woken_position w) t (text w).
Definition set_text x w := Build_writer (pc w) (own w) (position w) (woken_position w) (note w) x.

(* Published, but not yet announced: the writer is between Write 5 and the wake of Write 7. *)
Definition unannounced (w : writer) : option nat :=
  match pc w with
  | Own t _ | Clear t | Tail_hint t => Some t
  | Parked wrote | Wake wrote _ => wrote
  | _ => None
  end.

(* Write 5. By slot the spare comes out of the cell, and is the lane's; in the line it stays where it is. *)
Definition publish (i t s : nat) (express : bool) (w : writer) (m : memory) : memory :=
  let m := set_log (update (log m) t (text w)) (set_tail (S t) (say (Published t) m)) in
  if express then store_cell (cell_of t) (FULL (lap_of t) s true) m
  else set_holds (update (holds m) i s) (store_cell (cell_of t) (FULL (lap_of t) (own w) false) m).

(* The kernel wakes for a dying thread if the word that its entry names is 0, that is, FULL. *)
Definition die (w : writer) (m : memory) : memory :=
  match note w, unannounced w with
  | Some t, _ => match state_at m t with FULL _ _ _ => futex_wake t m | _ => m end
  | None, Some t => say (Died_unnoted t) m
  | None, None => m
  end.

Inductive writer_step (i : nat) (m : memory) (w : writer) : memory -> writer -> Prop :=
  (* Opening: whoever gets the lock of a free lane recovers the slot that its last owner left. *)
  | open_lane : pc w = Free -> writer_step i m w m (go Recover (set_note None (set_woken 0 w)))
  | recover_none : pc w = Recover -> intent_position m i = None \/ lane_own m i = intent_spare m i ->
      writer_step i m w m (go (Recover_own (lane_own m i)) w)
  | recover_in_its_cell t lap here : pc w = Recover -> intent_position m i = Some t -> lane_own m i <> intent_spare m i ->
      state_at m t = FULL lap (lane_own m i) here -> writer_step i m w m (go (Recover_own (intent_spare m i)) w)
  | recover_not_in_its_cell t : pc w = Recover -> intent_position m i = Some t -> lane_own m i <> intent_spare m i ->
      (forall lap here, state_at m t <> FULL lap (lane_own m i) here) -> writer_step i m w m (go Recover_consumed w)
  | recover_read_already t : pc w = Recover_consumed -> intent_position m i = Some t -> t <= consumed m (lane_own m i) ->
      writer_step i m w m (go (Recover_own (intent_spare m i)) w)
  | recover_never_published t : pc w = Recover_consumed -> intent_position m i = Some t -> consumed m (lane_own m i) < t ->
      writer_step i m w m (go (Recover_own (lane_own m i)) w)
  | recover_own x : pc w = Recover_own x -> writer_step i m w (store_own i x m) (go (Recover_intent x) w)
  | recover_intent x : pc w = Recover_intent x ->
      writer_step i m w (store_intent_position i None m) (go Idle (set_own x (set_position (head m) w)))

  (* Write 1. What the user has stored is the message. A short one need not go by the slot, if the lane is the express lane. *)
  | begin_fill : pc w = Idle -> writer_step i m w m (go Fill (set_text (slots m (own w)) w))
  | fill k v : pc w = Fill -> writer_step i m w (store_slot (own w) k v m) (set_text (update (text w) k v) w)
  | filled : pc w = Fill -> writer_step i m w m (go (Start false) w)
  | abandon : pc w = Fill -> writer_step i m w m (go Idle w)
  | begin_express x : pc w = Idle \/ pc w = Fill -> i = 0 -> writer_step i m w m (go (Start true) (set_text x w))

  (* Write 2. *)
  | start e : pc w = Start e -> writer_step i m w m (go (Look e (Nat.max (position w) (tail_hint m))) w)
  | look_empty e t s : pc w = Look e t -> state_at m t = EMPTY (lap_of t) s ->
      writer_step i m w m (go (if e then Line t s 0 else Note_spare t s) w)
  | look_closed e t lap s : pc w = Look e t -> state_at m t = CLOSED lap s -> writer_step i m w m (go (Give_up t false) w)
  | look_other e t : pc w = Look e t -> (forall s, state_at m t <> EMPTY (lap_of t) s) -> (forall lap s, state_at m t <> CLOSED lap s) ->
      writer_step i m w m (go (Slow e t (state_at m t)) w)
  | slow_published e t x here : pc w = Slow e t (FULL (lap_of t) x here) -> writer_step i m w m (go (Look e (S t)) w)
  | slow_full e t lap x here : pc w = Slow e t (FULL lap x here) -> S lap = lap_of t -> head m + N <= t ->
      writer_step i m w m (go (Give_up t true) w)
  | slow_again e t lap x here : pc w = Slow e t (FULL lap x here) -> S lap = lap_of t -> t < head m + N ->
      writer_step i m w m (go (Look e (Nat.max t (head m))) w)
  | slow_other e t seen : pc w = Slow e t seen ->
      (forall lap x here, seen = FULL lap x here -> lap <> lap_of t /\ S lap <> lap_of t) ->
      writer_step i m w m (go (Hint e t seen (head m)) w)
  | hint_ahead e t seen newest : pc w = Hint e t seen newest -> t < Nat.max newest (tail_hint m) ->
      writer_step i m w m (go (Look e (Nat.max newest (tail_hint m))) w)
  | hint_newer_lap e t seen newest : pc w = Hint e t seen newest -> Nat.max newest (tail_hint m) <= t -> lap_of t < lap_in seen ->
      writer_step i m w m (go (Look e (S t)) w)
  | hint_damaged e t seen newest : pc w = Hint e t seen newest -> Nat.max newest (tail_hint m) <= t -> lap_in seen <= lap_of t ->
      writer_step i m w m (go Damaged w)
  (* More steps than a sane segment can cost: MSLOT_WRITE_STEPS_MAX. *)
  | tired e t : pc w = Look e t -> writer_step i m w m (go (Give_up t false) w)

  | fill_line t s k : pc w = Line t s k -> k < words ->
      writer_step i m w (store_line (cell_of t) k (text w k) m) (go (Line t s (S k)) w)
  | line_filled t s k : pc w = Line t s k -> words <= k -> writer_step i m w m (go (Death_note true t s) w)
  (* Write 3 *)
  | note_spare t s : pc w = Note_spare t s -> writer_step i m w (store_intent_spare i s m) (go (Note_position t s) w)
  | note_position t s : pc w = Note_position t s -> writer_step i m w (store_intent_position i (Some t) m) (go (Death_note false t s) w)
  (* Write 4; None: the entry was not null, or the kernel has no robust lists. *)
  | death_note e t s n : pc w = Death_note e t s -> n = Some t \/ n = None -> writer_step i m w m (go (Swap e t s) (set_note n w))
  (* Write 5 *)
  | swap_won e t s : pc w = Swap e t s -> state_at m t = EMPTY (lap_of t) s ->
      writer_step i m w (publish i t s e w m) (go (if e then Tail_hint t else Own t s) w)
  | swap_lost e t s : pc w = Swap e t s -> state_at m t <> EMPTY (lap_of t) s -> writer_step i m w m (go (Look e t) w)
  (* Write 6 *)
  | own_spare t s : pc w = Own t s -> writer_step i m w (store_own i s m) (go (Clear t) (set_own s w))
  | clear t : pc w = Clear t -> writer_step i m w (store_intent_position i None m) (go (Tail_hint t) w)
  | hint t : pc w = Tail_hint t -> writer_step i m w (set_tail_hint (S t) m) (go (Parked (Some t)) (set_position (S t) w))
  (* Write 7: mslot__ring_parked_word *)
  | awake wrote : pc w = Parked wrote -> parked_position m = 0 \/ parked_position m = woken_position w -> writer_step i m w m (go End w)
  | parked wrote t : pc w = Parked wrote -> parked_position m = S t -> parked_position m <> woken_position w ->
      writer_step i m w m (go (Wake wrote t) (if S t <=? position w then set_woken (S t) w else w))
  | wake wrote t : pc w = Wake wrote t -> writer_step i m w (futex_wake t m) (go End w)
  (* Write 8 *)
  | end_write : pc w = End -> writer_step i m w m (go Idle (set_note None w))
  (* Every other way out. Who found the ring full wakes the reader as after a success. *)
  | give_up t full : pc w = Give_up t full ->
      writer_step i m w (store_intent_position i None m) (go (if full then Parked None else Idle) (set_note None (set_position t w)))

  (* Killed; or closed, which is the same where the handle is idle. *)
  | killed : pc w <> Free -> writer_step i m w (die w m) (go Free w).

(* ---- the reader ---- *)

Inductive purpose := Adopt | Seal.

(* Where the reader is. `h`: mslot_ring_reader.head, `n`: its `next`. What lies between is lent. *)
Inductive reader :=
  | Gone                                                (* there is none: the reader's lock is free *)
  | Begin (p : purpose)
  | Catch_up (p : purpose) (h : nat) | Catch_up_store (p : purpose) (h : nat)
  | Clear_parked (h : nat) | Begin_tail (h : nat) | Find_tail (h t : nat)        (* mslot__ring_take_over, mslot__ring_tail *)
  | Ready (h n : nat)
  | Read_3 (h n x : nat) (here : bool) | Read_4 (h n x : nat) (here : bool) | Read_5 (h n : nat)
  | Park (h n : nat) | Second_look (h n : nat) | Wait (h n : nat) | Asleep (h n : nat) | Unpark (h n : nat)
  | Seal_look (h t : nat) | Seal_swap (h t s : nat)
  | Seal_3 (h t x : nat) (here : bool) | Seal_4 (h t x : nat) (here : bool) | Seal_5 (h : nat)
  | Over.                                               (* sealed, and no longer used *)

Definition leave (m : memory) : memory := set_asleep None (say Reader_gone m).
Definition consume (x t : nat) (here : bool) (m : memory) : memory := if here then m else store_consumed x t m.

Inductive reader_step (m : memory) : reader -> memory -> reader -> Prop :=
  (* Take-over: with the reader's lock, to adopt or to seal. *)
  | open_reader p : reader_step m Gone m (Begin p)
  | begin p : reader_step m (Begin p) m (Catch_up p (head m))
  | catch_up_behind p h : lap_of h < lap_in (state_at m h) -> (forall lap s, state_at m h <> CLOSED lap s) ->
      reader_step m (Catch_up p h) m (Catch_up_store p h)
  | catch_up_store p h : reader_step m (Catch_up_store p h) (set_head (S h) m) (Catch_up p (S h))
  | caught_up p h : lap_in (state_at m h) <= lap_of h \/ (exists lap s, state_at m h = CLOSED lap s) ->
      reader_step m (Catch_up p h) m (match p with Adopt => Clear_parked h | Seal => Seal_look h h end)
  | clear_parked h : reader_step m (Clear_parked h) (set_parked_position 0 m) (Begin_tail h)
  | begin_tail h : reader_step m (Begin_tail h) m
      (Find_tail h (if andb (h <=? tail_hint m) (tail_hint m <=? h + N) then tail_hint m else h))
  | find_closed h t lap s : state_at m t = CLOSED lap s -> reader_step m (Find_tail h t) m Over
  | find_empty h t s : state_at m t = EMPTY (lap_of t) s -> reader_step m (Find_tail h t) m (Ready h h)
  | find_full h t lap x here : state_at m t = FULL lap x here -> S lap = lap_of t -> h + N <= t ->
      reader_step m (Find_tail h t) m (Ready h h)
  | find_next h t x here : state_at m t = FULL (lap_of t) x here -> reader_step m (Find_tail h t) m (Find_tail h (S t))
  | find_again h t : (forall lap s, state_at m t <> CLOSED lap s) -> (forall s, state_at m t <> EMPTY (lap_of t) s) ->
      (forall x here, state_at m t <> FULL (lap_of t) x here) ->
      (forall lap x here, state_at m t = FULL lap x here -> S lap = lap_of t -> t < h + N) ->
      reader_step m (Find_tail h t) m (Begin_tail h)

  (* Read 1 and 2. The user may look at every word of what is lent, as often as he likes. *)
  | lend h n x here : state_at m n = FULL (lap_of n) x here -> reader_step m (Ready h n) (say (Delivered n) m) (Ready h (S n))
  | user_looks h n t k : h <= t < n -> k < words -> reader_step m (Ready h n) (say (Looked t k (word_at m t k)) m) (Ready h n)
  | release h n x here : h < n -> state_at m h = FULL (lap_of h) x here -> reader_step m (Ready h n) m (Read_3 h n x here)
  | read_3 h n x here : reader_step m (Read_3 h n x here) (consume x h here m) (Read_4 h n x here)
  | read_4 h n x here : reader_step m (Read_4 h n x here)
      (set_released (S h) (store_cell (cell_of h) (EMPTY (S (lap_of h)) x) m)) (Read_5 h n)
  | read_5 h n : reader_step m (Read_5 h n) (set_head (S h) m) (Ready (S h) n)

  (* Park: mslot__ring_park, the kernel's comparison, and mslot__ring_unpark. *)
  | nothing_there h n : reader_step m (Ready h n) m (Park h n)
  | park h n : reader_step m (Park h n) (set_parked_position (S n) m) (Second_look h n)
  | second_look_empty h n s : state_at m n = EMPTY (lap_of n) s -> reader_step m (Second_look h n) m (Wait h n)
  | second_look_other h n : (forall s, state_at m n <> EMPTY (lap_of n) s) -> reader_step m (Second_look h n) m (Unpark h n)
  | futex_wait h n s : state_at m n = EMPTY (lap_of n) s -> reader_step m (Wait h n) (set_asleep (Some n) m) (Asleep h n)
  | futex_no_wait h n : reader_step m (Wait h n) m (Unpark h n)
  | woken h n : asleep m = None -> reader_step m (Asleep h n) m (Unpark h n)
  | timed_out h n : reader_step m (Asleep h n) (set_asleep None m) (Unpark h n)
  | unpark h n : reader_step m (Unpark h n) (set_parked_position 0 m) (Ready h n)

  (* mslot__ring_seal *)
  | close h n : reader_step m (Ready h n) m (Begin Seal)
  | seal_closed h t lap s : state_at m t = CLOSED lap s -> reader_step m (Seal_look h t) m Over
  | seal_empty h t s : state_at m t = EMPTY (lap_of t) s -> reader_step m (Seal_look h t) m (Seal_swap h t s)
  | seal_next h t x here : state_at m t = FULL (lap_of t) x here -> reader_step m (Seal_look h t) m (Seal_look h (S t))
  | seal_full h t lap x here : state_at m t = FULL lap x here -> S lap = lap_of t -> t = h + N ->
      reader_step m (Seal_look h t) m (Seal_3 h t x here)
  | seal_won h t s : state_at m t = EMPTY (lap_of t) s ->
      reader_step m (Seal_swap h t s) (set_sealed true (say Sealed (store_cell (cell_of t) (CLOSED (lap_of t) s) m))) Over
  | seal_lost h t s : state_at m t <> EMPTY (lap_of t) s -> reader_step m (Seal_swap h t s) m (Seal_look h t)
  | seal_3 h t x here : reader_step m (Seal_3 h t x here) (consume x h here m) (Seal_4 h t x here)
  | seal_4 h t x here : reader_step m (Seal_4 h t x here)
      (set_released (S h) (set_sealed true (say Sealed (store_cell (cell_of t) (CLOSED (lap_of t) x) m)))) (Seal_5 h)
  | seal_5 h : reader_step m (Seal_5 h) (set_head (S h) m) Over

  (* Killed; or left, which is the same between two calls. *)
  | reader_killed r : r <> Gone -> reader_step m r (leave m) Gone.

(* ---- all of it ---- *)

Record system := { mem : memory; writers : nat -> writer; the_reader : reader }.

Inductive step (s : system) : system -> Prop :=
  | writer_steps i m w : i < W -> writer_step i (mem s) (writers s i) m w ->
      step s {| mem := m; writers := update (writers s) i w; the_reader := the_reader s |}
  | reader_steps m r : reader_step (mem s) (the_reader s) m r ->
      step s {| mem := m; writers := writers s; the_reader := r |}.

(* mslot__ring_initialise. What is in slots and lines does not matter. *)
Definition initial (s : system) : Prop :=
  (forall c, cells (mem s) c = EMPTY 1 c) /\ (forall i, lane_own (mem s) i = N + i) /\ (forall i, holds (mem s) i = N + i) /\
  (forall i, intent_position (mem s) i = None) /\ (forall x, consumed (mem s) x = 0) /\
  tail_hint (mem s) = N /\ head (mem s) = N /\ tail (mem s) = N /\ released (mem s) = N /\
  parked_position (mem s) = 0 /\ asleep (mem s) = None /\ sealed (mem s) = false /\ history (mem s) = nil /\
  (forall i, pc (writers s i) = Free) /\ the_reader s = Gone.

Inductive reachable : system -> Prop :=
  | at_first s : initial s -> reachable s
  | and_then s s' : reachable s -> step s s' -> reachable s'.

End Ring.
