(* Lock-free: a writer that is alone comes to the end of its write. Each of its steps brings it nearer, and the distance is known from the
   state; so it waits for nobody's step, whoever is stopped or dead where. Wait-free: a release, or going to sleep and waking up, takes the
   reader at most four steps, whatever the others do meanwhile. Of a take-over and a seal nothing is said here. *)

From Coq Require Import Arith List Lia.
From Proof Require Import Segment Ring Laps Invariant Writing Writers Readers Theorems.

Section Progress.
Context {G : geometry}.

Definition cell_dec (a b : cell) : {a = b} + {a <> b}.
Proof. decide equality; try apply Nat.eq_dec. apply Bool.bool_dec. Defined.

(* Between two writes, or filling for as long as the user likes. *)
Definition writer_rests (w : writer) : Prop := match pc w with Free | Idle | Fill => True | _ => False end.

(* From a look at position t. *)
Definition from_look (m : memory) (t : nat) : nat := 4 * (tail m - t) + words + 20.

(* What was seen of t may have changed meanwhile: then the swap is lost, and the look comes again. *)
Definition if_lost (m : memory) (t s : nat) : nat :=
  if cell_dec (state_at m t) (EMPTY (lap_of t) s) then 0 else S (from_look m t).

(* How many steps of its own a writer has to go at most, if nobody else moves. *)
Definition writer_distance (m : memory) (w : writer) : nat :=
  match pc w with
  | Free | Idle | Fill | Damaged => 0
  | Recover_intent _ => 1 | Recover_own _ => 2 | Recover_consumed => 3 | Recover => 4
  | Start _ => S (from_look m (Nat.max (position w) (tail_hint m)))
  | Look _ t => from_look m t
  | Slow _ t seen => if cell_dec (state_at m t) seen then from_look m t - 1 else S (from_look m t)
  | Hint _ t _ _ => from_look m t - 2
  | Line t s k => words - k + 11 + if_lost m t s
  | Note_spare t s => 12 + if_lost m t s
  | Note_position t s => 11 + if_lost m t s
  | Death_note _ t s => 10 + if_lost m t s
  | Swap _ t s => 9 + if_lost m t s
  | Own _ _ => 8 | Clear _ => 7 | Tail_hint _ => 6 | Parked _ => 5 | Wake _ _ => 2 | End => 1
  | Give_up _ _ => 6
  end.

(* Each step of a writer that is on its way brings it nearer to its end, if nobody else moves. *)
Theorem writers_are_lock_free s i m w : reachable s -> i < W -> ~ writer_rests (writers s i) ->
  writer_step i (mem s) (writers s i) m w -> writer_distance m w < writer_distance (mem s) (writers s i).
Proof.
  intros R I A H. destruct (invariant_holds _ R) as ((WI & _ & _ & BE & _) & LW & _). destruct (LW i I) as (_ & O).
  assert (HT : head (mem s) <= tail (mem s)) by (destruct BE as (_ & _ & ?), WI; lia).
  assert (TH : tail_hint (mem s) <= tail (mem s)) by apply BE.
  unfold writer_ok in O. unfold writer_rests in A.
  destruct H; try rewrite H in O; try rewrite H in A; try tauto; unfold writer_distance; try rewrite H; cbn [pc go];
    try (unfold from_look; lia).
  all: try (destruct H as [H|H]; rewrite H in A; tauto).
  - assert (X : if_lost (mem s) t s0 = 0) by (unfold if_lost; destruct (cell_dec _ _); [reflexivity|contradiction]).
    destruct e; rewrite X; unfold from_look; lia.
  - destruct (cell_dec (state_at (mem s) t) (state_at (mem s) t)); unfold from_look; [lia|contradiction].
  - destruct O as (_ & [(B & _)|(l & x' & h & B & C)] & _); [|injection B as <- _ _; lia].
    destruct (cell_dec _ _); unfold from_look; lia.
  - destruct (cell_dec _ _); unfold from_look; lia.
  - destruct O as ((_ & _ & T) & _). destruct (cell_dec _ _) as [E|E]; unfold from_look; [exfalso|lia].
    destruct (full_of_last_lap _ _ _ _ _ WI T E H0) as (B & C & _). destruct BE as (_ & _ & [D|D]); lia.
  - destruct (cell_dec _ _); unfold from_look; lia.
  - change (if_lost (store_line (cell_of t) k (text (writers s i) k) (mem s)) t s0) with (if_lost (mem s) t s0). lia.
  - change (if_lost (store_intent_spare i s0 (mem s)) t s0) with (if_lost (mem s) t s0). lia.
  - change (if_lost (store_intent_position i (Some t) (mem s)) t s0) with (if_lost (mem s) t s0). lia.
  - destruct e; lia.
  - unfold if_lost. destruct (cell_dec _ _); [contradiction|lia].
  - destruct full; lia.
  - destruct (pc (writers s i)) eqn:E; try (unfold from_look; lia); try tauto.
    destruct (cell_dec _ _); unfold from_look; lia.
Qed.

(* And there always is such a step, other than to be killed. *)
Theorem no_writer_is_stuck s i : reachable s -> i < W -> ~ writer_rests (writers s i) ->
  exists m w, writer_step i (mem s) (writers s i) m w /\ pc w <> Free.
Proof.
  intros R I A. destruct (invariant_holds _ R) as (_ & LW & _). destruct (LW i I) as (_ & O). unfold writer_ok in O.
  set (w := writers s i) in *. set (m := mem s) in *.
  destruct (pc w) as [ | | | x | x | | | e | e t | e t seen | e t seen newest | t x k | t x | t x | e t x | e t x
    | t x | t | t | wrote | wrote t | | t full | ] eqn:E; unfold writer_rests in A; rewrite E in A; try tauto.
  - destruct (intent_position m i) as [t|] eqn:P; [|do 2 eexists; split; [apply recover_none; auto|discriminate]].
    destruct (Nat.eq_dec (lane_own m i) (intent_spare m i)) as [D|D]; [do 2 eexists; split; [apply recover_none; auto|discriminate]|].
    destruct (state_at m t) as [l y|l y here|l y] eqn:C;
      try (do 2 eexists; split; [eapply recover_not_in_its_cell; eauto; intros; congruence|discriminate]).
    destruct (Nat.eq_dec y (lane_own m i)) as [->|F].
    + do 2 eexists; split; [eapply recover_in_its_cell; eauto|discriminate].
    + do 2 eexists; split; [eapply recover_not_in_its_cell; eauto; intros; congruence|discriminate].
  - destruct O as (_ & t & P & _). destruct (le_lt_dec t (consumed m (lane_own m i))).
    + do 2 eexists; split; [eapply recover_read_already; eauto|discriminate].
    + do 2 eexists; split; [eapply recover_never_published; eauto|discriminate].
  - do 2 eexists; split; [eapply recover_own; eauto|discriminate].
  - do 2 eexists; split; [eapply recover_intent; eauto|discriminate].
  - do 2 eexists; split; [eapply start; eauto|discriminate].
  - destruct (state_at m t) as [l y|l y here|l y] eqn:C; [destruct (Nat.eq_dec l (lap_of t)) as [->|D]| |].
    + do 2 eexists; split; [eapply look_empty; eauto|destruct e; discriminate].
    + do 2 eexists; split; [eapply look_other; eauto; intros; congruence|discriminate].
    + do 2 eexists; split; [eapply look_other; eauto; intros; congruence|discriminate].
    + do 2 eexists; split; [eapply look_closed; eauto|discriminate].
  - destruct seen as [l y|l y here|l y].
    + do 2 eexists; split; [eapply slow_other; eauto; discriminate|discriminate].
    + destruct (Nat.eq_dec l (lap_of t)) as [->|D]; [do 2 eexists; split; [eapply slow_published; eauto|discriminate]|].
      destruct (Nat.eq_dec (S l) (lap_of t)) as [F|F]; [destruct (le_lt_dec (head m + N) t)|].
      * do 2 eexists; split; [eapply slow_full; eauto|discriminate].
      * do 2 eexists; split; [eapply slow_again; eauto|discriminate].
      * do 2 eexists; split; [eapply slow_other; eauto; intros ? ? ? X; injection X as <- _ _; auto|discriminate].
    + do 2 eexists; split; [eapply slow_other; eauto; discriminate|discriminate].
  - destruct (le_lt_dec (Nat.max newest (tail_hint m)) t).
    + do 2 eexists; split; [eapply hint_newer_lap; eauto; apply O|discriminate].
    + do 2 eexists; split; [eapply hint_ahead; eauto|discriminate].
  - destruct (le_lt_dec words k) as [K|K].
    + do 2 eexists; split; [eapply line_filled; eauto|discriminate].
    + do 2 eexists; split; [eapply fill_line; eauto|discriminate].
  - do 2 eexists; split; [eapply note_spare; eauto|discriminate].
  - do 2 eexists; split; [eapply note_position; eauto|discriminate].
  - do 2 eexists; split; [eapply death_note; eauto|discriminate].
  - destruct (cell_dec (state_at m t) (EMPTY (lap_of t) x)).
    + do 2 eexists; split; [eapply swap_won; eauto|destruct e; discriminate].
    + do 2 eexists; split; [eapply swap_lost; eauto|discriminate].
  - do 2 eexists; split; [eapply own_spare; eauto|discriminate].
  - do 2 eexists; split; [eapply clear; eauto|discriminate].
  - do 2 eexists; split; [eapply hint; eauto|discriminate].
  - destruct (Nat.eq_dec (parked_position m) (woken_position w)); [do 2 eexists; split; [eapply awake; eauto|discriminate]|].
    destruct (parked_position m) as [|p] eqn:P; [do 2 eexists; split; [eapply awake; eauto|discriminate]|].
    do 2 eexists; split; [eapply parked; eauto; congruence|discriminate].
  - do 2 eexists; split; [eapply wake; eauto|discriminate].
  - do 2 eexists; split; [eapply end_write; eauto|discriminate].
  - do 2 eexists; split; [eapply give_up; eauto|destruct full; discriminate].
Qed.

(* ---- the reader ---- *)

Definition reader_distance (r : reader) : nat :=
  match r with
  | Read_3 _ _ _ _ => 3 | Read_4 _ _ _ _ => 2 | Read_5 _ _ => 1
  | Park _ _ => 4 | Second_look _ _ => 3 | Wait _ _ => 2 | Unpark _ _ => 1
  | _ => 0
  end.

(* Each step of a release, and of going to sleep or waking up, brings the reader nearer to its end, whatever the segment holds. *)
Theorem reads_are_wait_free m r m' r' : 0 < reader_distance r -> reader_step m r m' r' -> reader_distance r' < reader_distance r.
Proof. intros D H. destruct H; simpl in *; lia. Qed.

(* And there always is such a step, other than to be killed. *)
Theorem no_read_is_stuck m r : 0 < reader_distance r -> exists m' r', reader_step m r m' r' /\ r' <> Gone.
Proof.
  intros D. destruct r; simpl in D; try lia; try (do 2 eexists; split; [constructor|discriminate]; fail).
  destruct (state_at m n) as [l x|l x here|l x] eqn:C; [destruct (Nat.eq_dec l (lap_of n)) as [->|F]| |].
  - do 2 eexists; split; [eapply second_look_empty; eauto|discriminate].
  - do 2 eexists; split; [eapply second_look_other; intros; congruence|discriminate].
  - do 2 eexists; split; [eapply second_look_other; intros; congruence|discriminate].
  - do 2 eexists; split; [eapply second_look_other; intros; congruence|discriminate].
Qed.
End Progress.
