(* What the ring promises, in every state that can be reached: for any number of cells, lanes, words, processes, steps and deaths. *)

From Coq Require Import Arith List Lia.
From Proof Require Import Segment Ring Laps Invariant Writing Writers Readers.
Import ListNotations.

Section Theorems.
Context {G : geometry}.

(* ---- the invariant holds ---- *)

Lemma initial_invariant s : initial s -> invariant s.
Proof.
  intros (C & LO & HO & IP & CO & TH & HE & TA & RE & PA & AS & SE & HI & PC & RD). pose proof N_not_0 as N0.
  assert (L : forall t, N <= t < N + N -> lap_of t = 1).
  { intros t T. pose proof (laps_grow N t ltac:(lia)) as X. rewrite first_lap in X.
    assert (Y : lap_of t < 2) by (apply Nat.div_lt_upper_bound; lia). lia. }
  split; [|split; [|split]].
  - unfold shared. ands.
    + unfold window. rewrite RE, TA, SE. ands; try lia; try discriminate.
      * intros t T. exists (cell_of t). unfold state_at. rewrite C, L by lia. reflexivity.
      * intros _ T. exists (cell_of N). unfold state_at. rewrite C, first_lap. reflexivity.
    + unfold places. ands; intros; repeat rewrite C in *; repeat rewrite HO in *; simpl in *; lia.
    + intros t k. rewrite RE, TA. lia.
    + unfold behind. rewrite RE, TA, TH, HE. ands; auto. intros x. rewrite CO. lia.
    + unfold told. rewrite HI, RE, TA. simpl. ands; auto; try tauto. intros; lia.
  - intros i I. split.
    + left. rewrite LO, HO. split; auto. left. left. apply IP.
    + unfold writer_ok. rewrite PC. exact Logic.I.
  - split; [rewrite RD; simpl; rewrite HI; reflexivity|left; exact AS].
  - intros t A. congruence.
Qed.

Lemma step_invariant s s' : invariant s -> step s s' -> invariant s'.
Proof.
  intros (SH & LW & RD & HE) H. destruct H as [i m w I H|m r H]; simpl.
  - destruct (LW i I) as (L & O). destruct (writer_step_own i _ _ _ _ _ I SH RD L O H) as (L' & O').
    split; [eapply writer_step_shared; eauto|split; [|split]].
    + intros j J. destruct (Nat.eq_dec j i) as [->|D]; simpl; [rewrite update_same; auto|]. rewrite update_other by assumption.
      pose proof (writer_step_others i _ _ _ _ j I SH O H J D) as X. destruct (LW j J).
      split; [eapply lane_stable|eapply writer_stable]; eauto.
    + eapply reader_stable; eauto. eapply writer_step_reader; eauto.
    + eapply writer_step_heard; eauto.
  - destruct (reader_step_kept _ _ _ _ SH RD H) as (SH' & RO & HE').
    split; [assumption|split; [|split]]; simpl; auto.
    + intros j J. destruct (LW j J). split; [eapply lane_stable|eapply writer_stable]; eauto.
    + split; [exact (reader_step_own _ _ _ _ SH RD H)|exact (awake_after _ _ _ _ RD H)].
Qed.

(* All of it: what Invariant.v says is true in every state that can be reached. *)
Theorem invariant_holds s : reachable s -> invariant s.
Proof. induction 1; eauto using initial_invariant, step_invariant. Qed.

(* Takes what a reachable state is known for. *)
Ltac known H := let SH := fresh "SH" in let LW := fresh "LW" in let RD := fresh "RD" in let HE := fresh "HE" in
  pose proof (invariant_holds _ H) as (SH & LW & RD & HE);
  let WI := fresh "WI" in let PL := fresh "PL" in let CO := fresh "CO" in let BE := fresh "BE" in let TO := fresh "TO" in
  pose proof SH as (WI & PL & CO & BE & TO).

(* ---- I1 ---- *)

(* Where slot x is. *)
Definition in_cell (s : system) (x c : nat) : Prop := c < N /\ index_of (cells (mem s) c) = x.
Definition in_lane (s : system) (x i : nat) : Prop := i < W /\ holds (mem s) i = x.

Lemma no_duplicates (f : nat -> nat) l : (forall p q, In p l -> In q l -> f p = f q -> p = q) -> NoDup l -> NoDup (map f l).
Proof.
  intros F D. induction D as [|p l N D]; simpl; constructor; auto with datatypes.
  intros I. apply in_map_iff in I. destruct I as (q & E & I). apply F in E; simpl; auto. congruence.
Qed.

(* I1. Every slot index is in exactly one place: in one cell, or in one lane. *)
Theorem every_slot_is_in_one_place s x : reachable s -> x < N + W ->
  (exists c, in_cell s x c /\ (forall d, in_cell s x d -> d = c) /\ forall i, ~ in_lane s x i) \/
  (exists i, in_lane s x i /\ (forall j, in_lane s x j -> j = i) /\ forall c, ~ in_cell s x c).
Proof.
  intros H X. known H. destruct PL as (P1 & P2 & P3 & P4 & P5).
  pose (place p := if p <? N then index_of (cells (mem s) p) else holds (mem s) (p - N)).
  assert (ND : NoDup (map place (seq 0 (N + W)))).
  { apply no_duplicates; [|apply seq_NoDup]. intros p q A B E. apply in_seq in A, B. unfold place in E.
    destruct (Nat.ltb_spec p N), (Nat.ltb_spec q N).
    - apply P1; auto.
    - exfalso. apply (P3 p (q - N)); auto. lia.
    - exfalso. apply (P3 q (p - N)); auto. lia.
    - apply P2 in E; lia. }
  assert (IN : In x (map place (seq 0 (N + W)))).
  { apply (NoDup_length_incl ND (l' := seq 0 (N + W))).
    - rewrite map_length. auto.
    - intros y Y. apply in_map_iff in Y. destruct Y as (p & <- & Y). apply in_seq in Y. apply in_seq. unfold place.
      destruct (Nat.ltb_spec p N); [pose proof (P4 p)|pose proof (P5 (p - N))]; lia.
    - apply in_seq. lia. }
  apply in_map_iff in IN. destruct IN as (p & E & Y). apply in_seq in Y. unfold place in E. destruct (Nat.ltb_spec p N).
  - left. exists p. unfold in_cell, in_lane. ands; auto.
    + intros d (D & F). apply P1; auto. congruence.
    + intros i (I & F). apply (P3 p i); congruence.
  - right. exists (p - N). unfold in_cell, in_lane. ands; auto; [lia| |].
    + intros j (J & F). apply P2; [assumption|lia|congruence].
    + intros c (C & F). apply (P3 c (p - N)); [assumption|lia|congruence].
Qed.

(* So the slot that a writer fills is in no cell, and no other writer fills it. *)
Definition fills (w : writer) : Prop := pc w = Fill \/ (exists t, pc w = Look false t) \/ (exists t s, pc w = Swap false t s).
Theorem own_slot_is_private s i : reachable s -> i < W -> fills (writers s i) ->
  (forall c, c < N -> index_of (cells (mem s) c) <> own (writers s i)) /\
  (forall j, j < W -> j <> i -> fills (writers s j) -> own (writers s j) <> own (writers s i)).
Proof.
  intros H I F. known H. destruct PL as (P1 & P2 & P3 & _).
  assert (K : forall j, j < W -> fills (writers s j) -> own (writers s j) = holds (mem s) j).
  { intros j J Q. destruct (LW j J) as (_ & O). unfold writer_ok in O.
    destruct Q as [Q|[(t & Q)|(t & u & Q)]]; rewrite Q in O; [apply O|apply O|apply O]. }
  rewrite (K i I F). split; [auto|]. intros j J D Q. rewrite (K j J Q). auto.
Qed.

(* Recovery is exact: the slot that a new owner goes on with is the one that the lane holds, wherever its last owners died, one after the
   other, in a write or in a recovery. *)
Theorem recovery_is_exact s i x : reachable s -> i < W ->
  pc (writers s i) = Recover_own x \/ pc (writers s i) = Recover_intent x -> x = holds (mem s) i.
Proof. intros H I P. known H. destruct (LW i I) as (_ & O). unfold writer_ok in O. destruct P as [P|P]; rewrite P in O; apply O. Qed.

(* ---- I2 ---- *)

(* I2. Positions are published one after another, none twice and none left out. *)
Theorem published_one_after_another s : reachable s -> counts_down (tail (mem s)) (publications (history (mem s))).
Proof. intros H. known H. apply TO. Qed.

(* A writer tries a position only when every position below it is published. *)
Theorem tried_in_order s i e t x : reachable s -> i < W -> pc (writers s i) = Swap e t x -> t <= tail (mem s).
Proof. intros H I P. known H. destruct (LW i I) as (_ & O). unfold writer_ok in O. rewrite P in O. apply O. Qed.

(* There is never a hole in front of the reader: all that is published and not released is FULL, and what lies behind it is not. *)
Theorem no_hole s t : reachable s -> released (mem s) <= t < released (mem s) + N ->
  (t < tail (mem s) <-> exists x here, state_at (mem s) t = FULL (lap_of t) x here).
Proof.
  intros H T. known H. destruct WI as (W1 & W2 & W3 & W4 & W5 & W6). split; [intros U; apply W3; lia|]. intros (x & here & E).
  destruct (Nat.lt_trichotomy t (tail (mem s))) as [U|[U|U]]; auto; exfalso.
  - subst t. destruct (sealed (mem s)) eqn:Q.
    + destruct (W6 eq_refl) as (_ & y & F). congruence.
    + destruct (W5 eq_refl) as (y & F); [lia|congruence].
  - destruct (W4 t) as (y & F); [lia|congruence].
Qed.

(* ---- I3 ---- *)

(* I3. A cell leaves EMPTY only by a publishing swap, or by the seal; it leaves FULL only by the reader; it never leaves CLOSED. *)
Theorem cells_change_only_so s s' c : reachable s -> step s s' -> cells (mem s') c <> cells (mem s) c ->
  match cells (mem s) c with
  | EMPTY lap x => (exists i y here, pc (writers s i) = Swap here (tail (mem s)) x /\ cells (mem s') c = FULL lap y here) \/
                   cells (mem s') c = CLOSED lap x /\ sealed (mem s') = true
  | FULL lap x _ => writers s' = writers s /\ (cells (mem s') c = EMPTY (S lap) x \/ cells (mem s') c = CLOSED (S lap) x)
  | CLOSED _ _ => False
  end.
Proof.
  intros R H D. known R. destruct H as [i m w I H|m r H]; simpl in *.
  - destruct (LW i I) as (_ & O). unfold writer_ok in O.
    destruct H; try (destruct (D eq_refl)); try (destruct (futex_wake_cases t (mem s)) as [E|E]; rewrite E in D; destruct (D eq_refl));
      try (destruct (die_cases (writers s i) (mem s)) as [E|[E|[t E]]]; rewrite E in D; destruct (D eq_refl)).
    rewrite H in O. destruct O as (Q & _). destruct (empty_is_tail _ _ _ WI (proj2 (proj2 Q)) H0) as (T & _).
    unfold state_at in H0. destruct (Nat.eq_dec c (cell_of t)) as [->|X].
    + rewrite H0. left. exists i, (if e then s0 else own (writers s i)), e. rewrite <- T. split; auto.
      unfold publish. destruct e; simpl; apply update_same.
    + destruct D. unfold publish. destruct e; simpl; apply update_other; assumption.
  - destruct RD as (RD & _). destruct H; simpl in *; try (destruct (D eq_refl)); try (destruct here; destruct (D eq_refl)).
    + destruct RD as (_ & _ & E & _). unfold state_at in E.
      destruct (Nat.eq_dec c (cell_of h)) as [->|X]; [rewrite E, update_same; auto|rewrite update_other in D; congruence].
    + unfold state_at in H.
      destruct (Nat.eq_dec c (cell_of t)) as [->|X]; [rewrite H, update_same; auto|rewrite update_other in D; congruence].
    + destruct RD as (_ & _ & T & _ & E & _). subst t. rewrite same_cell_next_lap, next_lap in *. unfold state_at in E.
      destruct (Nat.eq_dec c (cell_of h)) as [->|X]; [rewrite E, update_same; auto|rewrite update_other in D; congruence].
Qed.

(* ---- what the reader is given ---- *)

Lemma later_is_greater n l t : counts_down n l -> In t l -> t < n.
Proof. revert n. induction l as [|u l]; simpl; [tauto|]. intros n (-> & C) [->|I]; [lia|]. specialize (IHl u C I). lia. Qed.

Lemma delivered_since_gone h t : In (Delivered t) h -> ~ In Reader_gone h -> In t (deliveries h).
Proof.
  induction h as [|e h]; simpl; [tauto|]. intros [->|I] F; [left; reflexivity|].
  assert (K : In t (deliveries h)) by (apply IHh; tauto). destruct e; simpl; tauto.
Qed.

Lemma well_ordered_tail a b : well_ordered (a ++ b) -> well_ordered b.
Proof. induction a as [|[]]; simpl; tauto. Qed.

(* In order of position, one after the other, as long as the reader lives: of two deliveries of the same reader the later one has the
   greater position. So each message is read at most once by a living reader, and comes again only after its reader is gone. *)
Theorem delivered_in_order s newer t between u older : reachable s ->
  history (mem s) = newer ++ Delivered t :: between ++ Delivered u :: older -> ~ In Reader_gone between -> u < t.
Proof.
  intros H E F. known H. destruct TO as (_ & O & _). rewrite E in O. apply well_ordered_tail in O. destruct O as (O & _).
  apply (later_is_greater _ _ _ O). clear - F. induction between as [|e b]; simpl in *; [auto|].
  destruct e; simpl; tauto.
Qed.

Theorem read_again_only_after_a_readers_end s newer t between older : reachable s ->
  history (mem s) = newer ++ Delivered t :: between ++ Delivered t :: older -> In Reader_gone between.
Proof.
  intros H E. destruct (in_dec (fun a b : event => ltac:(decide equality; apply Nat.eq_dec)) Reader_gone between) as [I|I]; auto.
  pose proof (delivered_in_order s newer t between t older H E I). lia.
Qed.

(* None is left out: as long as the ring is not sealed, what was released has been delivered; what has not waits, and the next reader
   begins with the first that was not released. *)
Theorem released_was_delivered s t : reachable s -> sealed (mem s) = false -> N <= t < released (mem s) -> In (Delivered t) (history (mem
  s)).
Proof. intros H Q T. known H. destruct TO as (_ & _ & _ & _ & _ & X). destruct (X t T); congruence. Qed.

Theorem reader_goes_on_where_the_last_one_released s h n : reachable s -> the_reader s = Ready h n ->
  h = released (mem s) /\ h <= n <= tail (mem s) /\ n <= h + N.
Proof. intros H E. known H. destruct RD as (RD & _). rewrite E in RD. destruct RD as (R1 & R2 & R3 & _), WI. lia. Qed.

(* Only what was published is delivered. *)
Theorem delivered_was_published s t : reachable s -> In (Delivered t) (history (mem s)) -> N <= t < tail (mem s).
Proof. intros H I. known H. apply TO. assumption. Qed.

(* What was published is never written over while it waits or is lent, whoever was stopped where for however many laps. *)
Theorem message_is_whole s t k : reachable s -> released (mem s) <= t < tail (mem s) -> k < words -> word_at (mem s) t k = log (mem s) t k.
Proof. intros H. known H. auto. Qed.

(* And so whatever a user sees of a message is what was published, each time that he looks. *)
Theorem lent_message_does_not_change s t k v : reachable s -> In (Looked t k v) (history (mem s)) -> v = log (mem s) t k.
Proof. intros H I. known H. apply TO in I. apply I. Qed.

(* What was published at a position is what its writer wrote; nothing is published there again. *)
Theorem logged_once s s' t : reachable s -> step s s' -> log (mem s') t <> log (mem s) t ->
  t = tail (mem s) /\ exists i e x, pc (writers s i) = Swap e t x /\ log (mem s') t = text (writers s i).
Proof.
  intros R H D. known R. destruct H as [i m w I H|m r H]; simpl in *.
  - destruct (LW i I) as (_ & O). unfold writer_ok in O.
    destruct H; try (destruct (D eq_refl)); try (destruct (futex_wake_cases t0 (mem s)) as [E|E]; rewrite E in D; destruct (D eq_refl));
      try (destruct (die_cases (writers s i) (mem s)) as [E|[E|[u E]]]; rewrite E in D; destruct (D eq_refl)).
    rewrite H in O. destruct O as (Q & _). destruct (empty_is_tail _ _ _ WI (proj2 (proj2 Q)) H0) as (T & _).
    assert (LG : log (publish i t0 s0 e (writers s i) (mem s)) = update (log (mem s)) t0 (text (writers s i))).
    { unfold publish. destruct e; reflexivity. }
    rewrite LG in *. destruct (Nat.eq_dec t t0) as [->|X]; [|rewrite update_other in D by assumption; destruct (D eq_refl)].
    split; auto. exists i, e, s0. rewrite update_same. auto.
  - destruct H; simpl in *; try (destruct (D eq_refl)); destruct here; destruct (D eq_refl).
Qed.

(* ---- the express lane ---- *)

(* Only the owner of lane 0 stores behind a cell's state, and only where no message is. *)
Theorem only_lane_0_writes_lines s s' c k : reachable s -> step s s' -> lines (mem s') c k <> lines (mem s) c k ->
  exists t x, pc (writers s 0) = Line t x k /\ c = cell_of t /\ line_free (mem s) t /\ writers s' 0 <> writers s 0.
Proof.
  intros R H D. known R. destruct H as [i m w I H|m r H]; simpl in *.
  - destruct (LW i I) as (_ & O). unfold writer_ok in O.
    destruct H; try (destruct (D eq_refl)); try (destruct (futex_wake_cases t (mem s)) as [E|E]; rewrite E in D; destruct (D eq_refl));
      try (destruct (die_cases (writers s i) (mem s)) as [E|[E|[t E]]]; rewrite E in D; destruct (D eq_refl)).
    + rewrite H in O. destruct O as ((_ & F & _) & L & _). simpl in F. subst i. exists t, s0. simpl in D.
      destruct (Nat.eq_dec c (cell_of t)) as [->|X]; [|rewrite update_other in D by assumption; destruct (D eq_refl)].
      rewrite update_same in D. destruct (Nat.eq_dec k k0) as [->|X]; [|rewrite update_other in D by assumption; destruct (D eq_refl)].
      ands; auto. rewrite update_same. intros X. apply (f_equal pc) in X. simpl in X. rewrite H in X. injection X. lia.
    + unfold publish in D. destruct e; destruct (D eq_refl).
  - destruct H; simpl in *; try (destruct (D eq_refl)); destruct here; destruct (D eq_refl).
Qed.

(* A line is whole when its state says that a message is there. *)
Theorem line_is_whole s t lap x k : reachable s -> released (mem s) <= t < tail (mem s) -> state_at (mem s) t = FULL lap x true ->
  k < words -> lines (mem s) (cell_of t) k = log (mem s) t k.
Proof. intros H T E K. rewrite <- (message_is_whole s t k H T K). unfold word_at. rewrite E. reflexivity. Qed.

(* ---- the seal ---- *)

(* Nothing is published after the seal. *)
Theorem nothing_after_the_seal s newer older t : reachable s -> history (mem s) = newer ++ Sealed :: older -> ~ In (Published t) newer.
Proof.
  intros H E. known H. destruct TO as (_ & O & _). rewrite E in O. clear - O.
  induction newer as [|e n]; simpl in *; [tauto|]. intros [->|I].
  - destruct O as (O & _). apply O, in_or_app. right. left. reflexivity.
  - apply IHn; auto. destruct e; tauto.
Qed.

(* Nobody reads a sealed ring. *)
Theorem sealed_is_not_adopted s h n : reachable s -> the_reader s = Ready h n -> sealed (mem s) = false.
Proof. intros H E. known H. destruct RD as (RD & _). rewrite E in RD. apply RD. Qed.

(* ---- sleeping ---- *)

(* No reader sleeps for a position that is published, but while the very writer that published it is between its swap and its wake,
   running or stopped; or if that one died there and the kernel had not been told where to wake. *)
Theorem nobody_sleeps_for_what_is_published s h n : reachable s -> the_reader s = Asleep h n -> asleep (mem s) = Some n ->
  n < tail (mem s) -> (exists i, i < W /\ unannounced (writers s i) = Some n) \/ In (Died_unnoted n) (history (mem s)).
Proof. intros H _ A T. known H. apply HE; assumption. Qed.

(* ---- a sane segment is never taken for damaged ---- *)

Theorem writers_find_no_damage s i : reachable s -> i < W -> pc (writers s i) <> Damaged.
Proof. intros H I E. known H. destruct (LW i I) as (_ & O). unfold writer_ok in O. rewrite E in O. exact O. Qed.

(* The reader finds a message, or that there is none; if all N are lent, the first of them. What it releases is there. *)
Theorem reader_finds_no_damage s h n : reachable s -> the_reader s = Ready h n ->
  ((exists x here, state_at (mem s) n = FULL (lap_of n) x here) \/ (exists x, state_at (mem s) n = EMPTY (lap_of n) x) \/ n = h + N) /\
  (h < n -> exists x here, state_at (mem s) h = FULL (lap_of h) x here).
Proof.
  intros H E. known H. destruct RD as (RD & _). rewrite E in RD. destruct RD as (R1 & R2 & R3 & R4 & _).
  split; [|intros L; destruct WI as (_ & _ & F & _); apply F; lia].
  destruct (look_cases (mem s) n WI ltac:(lia)) as [(_ & X)|[(_ & _ & _ & X)|[(_ & X & _)|[(X & Y & _)|(X & _)]]]]; auto; try lia.
    congruence.
Qed.
End Theorems.
