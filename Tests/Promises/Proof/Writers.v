(* A writer's step keeps what is true of the writer itself, of its lane, and of who is to be woken. *)

From Coq Require Import Arith List Lia.
From Proof Require Import Segment Ring Laps Invariant Writing.
Import ListNotations.

Section Writers.
Context {G : geometry}.

Lemma settled_lane m i w : settled m i w -> lane_ok m i.
Proof. intros (_ & L & U & _). left. auto. Qed.

(* Recovery is exact: what it goes on with is the slot that the lane holds. *)
Section Recovery.
Variables (m : memory) (i t : nat).
Hypothesis (I : i < W) (S : shared m) (L : lane_ok m i).

Lemma recovers_own : intent_position m i = None \/ lane_own m i = intent_spare m i -> lane_own m i = holds m i.
Proof. destruct L as [(A & _)|(A & u & B & _)]; auto. intros [X|X]; congruence. Qed.

Lemma recovers_spare lap here : lane_own m i <> intent_spare m i -> intent_position m i = Some t ->
  state_at m t = FULL lap (lane_own m i) here -> intent_spare m i = holds m i.
Proof.
  intros D J E. destruct L as [(A & _)|(A & _)]; auto. destruct S as (_ & (_ & _ & P & _) & _).
  exfalso. apply (P (cell_of t) i); auto using cell_in_range. unfold state_at in E. rewrite E. exact A.
Qed.

Lemma asks_consumed : lane_own m i <> intent_spare m i -> intent_position m i = Some t ->
  (forall lap here, state_at m t <> FULL lap (lane_own m i) here) ->
  lane_own m i = holds m i /\ consumed m (holds m i) < t \/ intent_spare m i = holds m i /\ t <= consumed m (lane_own m i).
Proof.
  intros D J E. destruct L as [(A & [[X|(u & X & B)]|B])|(A & u & X & _ & [(_ & B)|B])]; try congruence;
    try (rewrite J in X; injection X as <-); auto.
Qed.
End Recovery.

Lemma writer_step_own i m w m' w' r :
  i < W -> shared m -> reader_ok m r -> lane_ok m i -> writer_ok m i w -> writer_step i m w m' w' -> lane_ok m' i /\ writer_ok m' i w'.
Proof.
  intros I SH R L O H. pose proof SH as (WI & PL & CO & BE & TO).
  assert (HT : head m <= tail m) by (destruct BE as (_ & _ & ?), WI; lia).
  assert (TH : tail_hint m <= tail m) by apply BE.
  unfold writer_ok in O.
  destruct H; try rewrite H in O; simpl in O.
  - split; [exact L|]. unfold writer_ok; simpl. lia.
  - split; [exact L|]. unfold writer_ok; simpl. split; auto. apply recovers_own; auto.
  - split; [exact L|]. unfold writer_ok; simpl. split; auto. eapply recovers_spare; eauto.
  - split; [exact L|]. unfold writer_ok; simpl. split; auto. exists t. split; auto. apply asks_consumed; auto.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & u & X & B). split; auto. rewrite H0 in X. injection X as <-.
    destruct B as [(B & C)|(B & _)]; auto. rewrite B in H1. lia.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & u & X & B). split; auto. rewrite H0 in X. injection X as <-.
    destruct B as [(B & _)|(_ & C)]; auto. lia.
  - destruct O as (A & ->). unfold writer_ok, lane_ok, unwon; simpl. rewrite update_same. split; auto.
    left. split; auto. destruct L as [(B & [C|C])|(B & C)]; auto. right. congruence.
  - destruct O as (A & -> & B). assert (K : unwon (store_intent_position i None m) i).
    { left. simpl. apply update_same. }
    split; [left; auto|]. unfold writer_ok; simpl. unfold settled; simpl. ands; auto; try assumption.
  - split; [exact L|]. unfold writer_ok; simpl. split; [exact O|]. intros k. destruct O as (-> & _). reflexivity.
  - split; [exact L|]. unfold writer_ok; simpl. rewrite H. destruct O as (A & F). split; [exact A|]. intros j. destruct A as (-> & _).
    simpl. rewrite update_same. unfold update. destruct (j =? k); [reflexivity|apply F].
  - split; [exact L|exact O].
  - split; [exact L|]. unfold writer_ok; simpl. apply O.
  - split; [exact L|]. unfold writer_ok; simpl. split; auto. destruct H as [H|H]; rewrite H in O; apply O.
  - split; [exact L|]. unfold writer_ok, searching; simpl. destruct O as (A & B). ands; auto; try assumption.
    destruct A as (_ & _ & _ & A & _). lia.
  - split; [exact L|]. pose proof O as (A & B & C). destruct (empty_is_tail m t s WI C H0) as (T & _).
    destruct e; unfold writer_ok; simpl.
    + ands; auto; try assumption; [|lia]. intros lap x. rewrite H0. discriminate.
    + split; auto. destruct BE as (Q & _). specialize (Q (holds m i)). lia.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & B & C). auto.
  - split; [exact L|]. unfold writer_ok; simpl. pose proof O as (A & B & C). split; auto.
    destruct (look_cases m t WI C) as [(X & x & h & ->)|[(_ & _ & _ & x & X)|[(_ & _ & x & X)|[(_ & _ & _ & l & x & h & -> & X & _)|(X &
      Y)]]]].
    + split; [left; simpl; lia|right; eauto].
    + apply H0 in X. tauto.
    + apply H1 in X. tauto.
    + split; right; eauto 6.
    + destruct WI as (Z & _). split; left; [split; lia|lia].
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as ((A & B & C) & D & _). unfold searching. ands; auto; try assumption.
    destruct D as [(D & _)|(l & y & h & D & F)]; [lia|]. injection D as <- _ _. lia.
  - split; [exact L|]. unfold writer_ok; simpl. split; apply O.
  - split; [exact L|]. unfold writer_ok, searching; simpl. destruct O as ((A & B & C) & _). ands; auto; try assumption. lia.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & B & C). ands; auto; try assumption.
    + destruct B as [B|(l & x & h & -> & B)]; [tauto|]. destruct (H0 _ _ _ eq_refl). tauto.
    + destruct C as [C|(l & x & h & ->)]; auto. destruct (H0 _ _ _ eq_refl) as (X & Y). simpl.
      destruct B as [(_ & B)|(l' & x' & h' & Q & B)]; [simpl in B; lia|injection Q as <- _ _; tauto].
  - split; [exact L|]. unfold writer_ok, searching; simpl. destruct O as ((A & B & C) & D & _). ands; auto; try assumption. lia.
  - split; [exact L|]. unfold writer_ok, searching; simpl. destruct O as ((A & B & C) & D & F & _). ands; auto; try assumption; lia.
  - lia.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & B & C). auto.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & B & C). ands; auto; try assumption. intros j J.
    rewrite update_same. unfold update. destruct (Nat.eqb_spec j k); subst; auto. apply C. lia.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & B & C). ands; auto; try assumption. intros j J. apply C. lia.
  - destruct O as (A & B). assert (K : settled (store_intent_spare i s m) i w) by apply A.
    split; [eapply settled_lane; exact K|]. unfold writer_ok; simpl. ands; auto; try assumption. apply update_same.
  - destruct O as ((A & F & T) & B & C). assert (K : settled (store_intent_position i (Some t) m) i w).
    { destruct A as (A1 & A2 & A3 & A4). unfold settled; simpl. ands; auto; try assumption; try apply A4. right. exists t. simpl.
      rewrite update_same. auto. }
    split; [eapply settled_lane; exact K|]. unfold writer_ok; simpl. split; [split; auto|]. ands; auto; try assumption. apply update_same.
  - split; [exact L|]. unfold writer_ok; simpl. destruct O as (A & B). auto.
  - destruct O as (A & B & C). pose proof (empty_is_tail m t s WI (proj2 (proj2 A)) H0) as (T & _).
    split; [eapply publish_lane; eauto|]. pose proof A as ((A1 & A2 & A3 & A4 & A5) & F & _).
    unfold writer_ok. destruct e; unfold publish in *; simpl in *.
    + unfold wrote; simpl. ands; auto; try assumption; try lia. unfold settled, unwon; simpl. ands; auto; try assumption; lia.
    + destruct B as (B1 & B2 & B3). unfold wrote, taken; simpl. rewrite update_same. ands; auto; try assumption; try lia.
      left. destruct WI. split; [lia|]. unfold state_at; simpl. rewrite update_same. congruence.
  - split; [exact L|]. unfold writer_ok; simpl. apply O.
  - destruct O as (A & B & C & D & F & Q & _). unfold lane_ok, writer_ok, wrote; simpl. rewrite update_same. split.
    + left. auto.
    + ands; auto; try assumption; try apply A; congruence.
  - destruct O as (A & B & C & D & F & Q). assert (K : settled (store_intent_position i None m) i w).
    { unfold settled, unwon; simpl. rewrite update_same. ands; auto; try assumption. destruct A. lia. }
    split; [eapply settled_lane; exact K|]. unfold writer_ok; simpl. ands; auto; try assumption.
  - destruct O as (A & B & C). split; [exact L|]. unfold writer_ok, settled in *; simpl. ands; auto; try assumption; try apply C. apply A.
  - split; [exact L|]. unfold writer_ok; simpl. destruct wrote; apply O.
  - split; [exact L|]. assert (ST : settled m i w) by (destruct wrote; apply O).
    assert (K : settled m i (go (Wake wrote t) (if S t <=? position w then set_woken (S t) w else w))).
    { destruct ST as (S1 & S2 & S3 & S4 & S5). destruct (Nat.leb_spec (S t) (position w)); unfold settled; simpl; ands; auto;
      try assumption; lia. }
    unfold writer_ok; simpl. destruct wrote as [u|]; auto. ands; auto; try assumption.
    + destruct O as ((O1 & O2) & _). split; [exact O1|]. destruct (match position w with 0 => _ | _ => _ end); exact O2.
    + intros X. destruct R as (R & [Y|(h & n & -> & Y)]); [congruence|]. simpl in R. destruct R as (_ & R). congruence.
  - assert (ST : settled m i w) by (destruct wrote; apply O).
    destruct (futex_wake_cases t m) as [-> | ->]; split; auto.
  - split; auto.
  - destruct O as ((O1 & O2 & O3 & O4 & O5) & T). assert (K : settled (store_intent_position i None m) i (set_position t w)).
    { unfold settled, unwon; simpl. rewrite update_same. ands; auto; try assumption. }
    split; [eapply settled_lane; exact K|]. unfold writer_ok; destruct full; exact K.
  - split; [|exact Logic.I]. destruct (die_cases w m) as [->|[->|[t ->]]]; exact L.
Qed.

(* ---- who is to be woken ---- *)

Lemma heard_step i m ws m' w w' :
  i < W -> ws i = w -> heard m ws -> (forall e, In e (history m) -> In e (history m')) ->
  (forall t, asleep m' = Some t -> t < tail m' -> unannounced w' = Some t \/
    asleep m = Some t /\ t < tail m /\ (unannounced w = Some t -> unannounced w' = Some t \/ In (Died_unnoted t) (history m'))) ->
  heard m' (update ws i w').
Proof.
  intros I <- H K C t A T. destruct (C t A T) as [X|(A' & T' & X)].
  - left. exists i. rewrite update_same. auto.
  - destruct (H t A' T') as [(j & J & U)|U]; [|auto].
    destruct (Nat.eq_dec j i) as [->|D].
    + destruct (X U) as [Y|Y]; auto. left. exists i. rewrite update_same. auto.
    + left. exists j. rewrite update_other; auto.
Qed.

(* Whose swap it was may go only when nobody sleeps there any more. *)
Lemma writer_step_heard i m ws w m' w' r :
  i < W -> ws i = w -> shared m -> reader_ok m r -> writer_ok m i w -> heard m ws -> writer_step i m w m' w' -> heard m' (update ws i w').
Proof.
  intros I EW SH R O HE H. pose proof SH as (WI & _).
  assert (Z : forall t, asleep m = Some t -> parked_position m = S t /\ released m <= t).
  { intros t A. destruct R as (R & [Y|(h & n & -> & Y)]); [congruence|]. simpl in R. destruct R as ((_ & R) & P). rewrite A in Y.
    injection Y as ->. split; [assumption|lia]. }
  unfold writer_ok in O.
  destruct H; try rewrite H in O; simpl in O; apply heard_step with m w; auto;
    try (intros t' A T'; right; unfold unannounced; simpl; try rewrite H; auto; fail).
  - intros t' A T'. right. destruct H as [H|H]; unfold unannounced; rewrite H; simpl; ands; auto; try assumption; discriminate.
  - intros t' A T'. right. unfold unannounced at 1. rewrite H. simpl in *. ands; auto; try assumption; discriminate.
  - unfold publish. destruct e; simpl; auto.
  - intros u A U. destruct O as (Q & P & _). destruct (empty_is_tail m t s WI (proj2 (proj2 Q)) H0) as (T & _).
    destruct (Nat.eq_dec u t) as [->|D].
    + left. destruct e; reflexivity.
    + right. unfold unannounced at 1. rewrite H. unfold publish in *. destruct e; simpl in *; ands; auto; try assumption; try lia;
      discriminate.
  - intros u A U. right. ands; auto; try assumption. intros X. exfalso. unfold unannounced in X. rewrite H in X. subst wrote.
    destruct O as (O1 & O2 & _). destruct (Z u A) as (Z1 & _). destruct O1. lia.
  - destruct (futex_wake_cases t m) as [-> | ->]; auto.
  - intros u A U. unfold futex_wake in *. destruct (asleep m) as [v|] eqn:B; [|congruence].
    destruct (Nat.eqb_spec (cell_of v) (cell_of t)) as [C|C]; simpl in *; [congruence|]. right.
    rewrite B in A. injection A as ->. ands; auto; try assumption. intros X. exfalso. unfold unannounced in X. rewrite H in X. subst wrote.
    destruct O as (_ & _ & O). rewrite O in C; auto.
  - intros u A U. right. unfold unannounced at 1. rewrite H. simpl in *. ands; auto; discriminate.
  - destruct (die_cases w m) as [->|[->|[v ->]]]; simpl; auto.
  - intros u A U. right. pose proof (die_cases w m) as D.
    assert (B : asleep m = Some u) by (destruct D as [D|[D|[t D]]]; rewrite D in A; auto; discriminate).
    assert (T : tail (die w m) = tail m) by (destruct D as [D|[D|[t D]]]; rewrite D; auto). rewrite T in U.
    ands; auto; try assumption. intros X. right. destruct (Z u B) as (_ & Y).
    assert (N : note w = Some u \/ note w = None).
    { unfold unannounced in X. destruct (pc w); try discriminate; try (injection X as ->; apply O); subst wrote; apply O. }
    unfold die in *. rewrite X in *. destruct N as [N|N]; rewrite N in *; [exfalso|left; reflexivity].
    destruct WI as (_ & _ & F & _). destruct (F u) as (x & h & E); [lia|]. rewrite E in A. unfold futex_wake in A.
    rewrite B, Nat.eqb_refl in A. discriminate.
Qed.
End Writers.
