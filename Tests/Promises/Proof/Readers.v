(* A reader's step keeps what is shared in order, what is true of every writer, and what is true of the reader itself. *)

From Coq Require Import Arith List Lia.
From Proof Require Import Segment Ring Laps Invariant Writing.
Import ListNotations.

Section Readers.
Context {G : geometry}.

(* What of the memory is in order for all but the reader itself. *)
Definition kept (m m' : memory) : Prop :=
  shared m' /\ (forall j, j < W -> relied_on j m m') /\ forall ws, heard m ws -> heard m' ws.

Lemma kept_same m : shared m -> kept m m.
Proof. unfold kept. auto using relied_on_refl. Qed.

(* ---- Read 3 ---- *)

Lemma consumes m h x here : shared m -> released m = h -> h < tail m -> state_at m h = FULL (lap_of h) x here -> kept m (consume x h here
  m).
Proof.
  intros S R T E. destruct here; [apply kept_same; assumption|]. destruct S as (S1 & S2 & S3 & (B1 & B2 & B3) & S5). simpl.
  assert (C : forall y, consumed m y <= update (consumed m) x h y).
  { intros y. unfold update. destruct (Nat.eqb_spec y x); subst; auto. apply B1. }
  split; [|split; [|auto]].
  - refine (conj S1 (conj S2 (conj S3 (conj _ S5)))). unfold behind; simpl. ands; auto.
    intros y. unfold update. destruct (Nat.eqb_spec y x); auto. lia.
  - intros j J. unfold relied_on; simpl. ands; auto.
    + apply update_other. intros X. destruct S2 as (_ & _ & P & _). apply (P (cell_of h) j); auto using cell_in_range.
      unfold state_at in E. rewrite E. symmetry. exact X.
    + unfold taken; simpl. intros t y (U & [V|V]); auto. split; auto. right. eapply Nat.le_trans; [exact V|apply C].
Qed.

(* ---- Read 4, and the seal of a full ring: the oldest message leaves its cell ---- *)

Section Releasing.
Variables (m : memory) (h x : nat) (here seal : bool).
Hypothesis (SH : shared m) (R : released m = h) (HD : head m = h) (T : h < tail m) (E : state_at m h = FULL (lap_of h) x here).
Hypothesis (C : here = false -> consumed m x = h).
(* A reader that reads on has delivered the message. A seal leaves the writers nothing to swap. *)
Hypothesis (D : if seal then tail m = h + N else sealed m = false /\ forall t, N <= t <= h -> In (Delivered t) (history m)).

Let v := if seal then CLOSED (S (lap_of h)) x else EMPTY (S (lap_of h)) x.
Let m' := set_released (S h) (if seal then set_sealed true (say Sealed (store_cell (cell_of h) v m)) else store_cell (cell_of h) v m).

Lemma not_there t : cell_of t <> cell_of h -> state_at m' t = state_at m t.
Proof. unfold m', state_at. destruct seal; simpl; apply update_other. Qed.

Lemma there t : cell_of t = cell_of h -> state_at m' t = v.
Proof. unfold m', state_at. intros ->. destruct seal; simpl; apply update_same. Qed.

Lemma in_window t : h <= t < h + N -> t <> h -> state_at m' t = state_at m t.
Proof. intros. apply not_there, (other_cell _ _ h); auto. pose proof some_cell. lia. Qed.

Lemma released_one : released m' = S h. Proof. reflexivity. Qed.
Lemma tail_same : tail m' = tail m. Proof. unfold m'. destruct seal; reflexivity. Qed.

Lemma releases_window : window m'.
Proof.
  destruct SH as ((W1 & W2 & W3 & W4 & W5 & W6) & _). rewrite R in *. unfold window. rewrite released_one, tail_same.
  assert (SE : sealed m' = if seal then true else sealed m) by (unfold m'; destruct seal; reflexivity). rewrite SE.
  ands; try lia.
  - intros t U. rewrite in_window by lia. apply W3. lia.
  - intros t U. destruct (Nat.eq_dec t (h + N)) as [->|F].
    + rewrite there by apply same_cell_next_lap. rewrite next_lap. unfold v. destruct seal; eauto. lia.
    + rewrite in_window by lia. apply W4. lia.
  - intros Q U. destruct (Nat.eq_dec (tail m) (h + N)) as [F|F].
    + rewrite F, there by apply same_cell_next_lap. rewrite next_lap. unfold v. destruct seal; [discriminate|eauto].
    + rewrite in_window by lia. apply W5; [destruct seal; [discriminate|assumption]|lia].
  - pose proof there as TH. unfold v in *. destruct seal; [|destruct D; congruence]. intros _. split; [lia|].
    rewrite D, TH by apply same_cell_next_lap. rewrite next_lap. eauto.
Qed.

Lemma releases_places : places m'.
Proof.
  assert (K : places (store_cell (cell_of h) v m)).
  { apply index_kept; auto using cell_in_range; [apply SH|]. unfold state_at in E. rewrite E. unfold v. destruct seal; reflexivity. }
  unfold m'. destruct seal; exact K.
Qed.

Lemma releases_content : content m'.
Proof.
  destruct SH as (WI & _ & CO & _). destruct WI as (_ & W2 & _). intros t k U K. rewrite released_one, tail_same in U. unfold word_at.
  rewrite in_window by lia. specialize (CO t k ltac:(lia) K). unfold m', word_at in *. destruct seal; exact CO.
Qed.

Lemma releases_behind : behind m'.
Proof.
  destruct SH as (_ & _ & _ & (B1 & B2 & B3) & _). unfold behind. rewrite released_one, tail_same.
  replace (consumed m') with (consumed m) by (unfold m'; destruct seal; reflexivity).
  replace (tail_hint m') with (tail_hint m) by (unfold m'; destruct seal; reflexivity).
  replace (head m') with (head m) by (unfold m'; destruct seal; reflexivity).
  ands; auto. intros y. specialize (B1 y). lia.
Qed.

Lemma releases_told : told m'.
Proof.
  destruct SH as (_ & _ & _ & _ & T1 & T2 & T3 & T4 & T5 & T6). unfold told, m', v. destruct seal; simpl; ands; auto.
  - intros t [X|X]; [discriminate|auto].
  - intros t k w [X|X]; [discriminate|eauto].
  - intros t U. left. apply D. lia.
Qed.

Lemma releases_relied_on j : j < W -> relied_on j m m'.
Proof.
  intros J. assert (TK : forall t y, taken m t y -> taken m' t y).
  { intros t y (U & V). unfold taken. rewrite tail_same, released_one. split; auto.
    replace (consumed m') with (consumed m) by (unfold m'; destruct seal; reflexivity).
    destruct V as [(V & F)|V]; auto. destruct (Nat.eq_dec t h) as [->|X].
    - right. rewrite E in F. injection F as -> ->. rewrite C; auto.
    - left. destruct SH as ((_ & W2 & _) & _). split; [lia|]. rewrite in_window; auto; lia. }
  assert (LF : forall t, line_free m t -> line_free m' t).
  { intros t F lap y. destruct (Nat.eq_dec (cell_of t) (cell_of h)) as [X|X].
    - rewrite there by assumption. unfold v. destruct seal; discriminate.
    - rewrite not_there by assumption. apply F. }
  unfold relied_on. rewrite tail_same. unfold m' in *. destruct seal; simpl; ands; auto.
Qed.

Lemma releases : kept m m'.
Proof.
  split; [|split; [exact releases_relied_on|]].
  - refine (conj releases_window (conj releases_places (conj releases_content (conj releases_behind releases_told)))).
  - intros ws H t A U. unfold m' in *. destruct seal; simpl in *; destruct (H t A U); auto.
Qed.
End Releasing.

(* ---- the seal ---- *)

Lemma seals m t s : shared m -> t <= tail m -> state_at m t = EMPTY (lap_of t) s ->
  kept m (set_sealed true (say Sealed (store_cell (cell_of t) (CLOSED (lap_of t) s) m))).
Proof.
  intros SH U E. pose proof SH as (WI & S2 & S3 & S4 & T1 & T2 & T3 & T4 & T5 & T6).
  destruct (empty_is_tail m t s WI U E) as (T & A & Q). pose proof WI as (W1 & W2 & W3 & W4 & W5 & W6).
  set (m' := set_sealed _ _).
  assert (O : forall u, released m <= u < released m + N -> u <> t -> state_at m' u = state_at m u).
  { intros u X Y. unfold m', state_at; simpl. apply update_other, (other_cell _ _ (released m)); auto; lia. }
  assert (TH : forall u, cell_of u = cell_of t -> state_at m' u = CLOSED (lap_of t) s).
  { intros u X. unfold m', state_at; simpl. rewrite X. apply update_same. }
  split; [|split].
  - unfold shared. ands.
    + unfold window. change (tail m') with (tail m). change (released m') with (released m). change (sealed m') with true. ands; try lia.
      * intros u X. rewrite O by lia. apply W3. lia.
      * intros u X. rewrite O by lia. apply W4. lia.
      * intros _. split; [lia|]. rewrite <- T. exists s. apply TH. reflexivity.
    + assert (K : places (store_cell (cell_of t) (CLOSED (lap_of t) s) m)).
      { apply index_kept; auto using cell_in_range. unfold state_at in E. rewrite E. reflexivity. }
      exact K.
    + intros u k X K. specialize (S3 u k X K). unfold m' in X; simpl in X. unfold word_at in *. rewrite O by lia. exact S3.
    + exact S4.
    + unfold told, m'; simpl. ands; auto.
      * intros u [X|X]; [discriminate|auto].
      * intros u k w [X|X]; [discriminate|eauto].
  - intros j J. unfold relied_on. ands; auto.
    + unfold taken. intros u y (X & Y). split; [exact X|]. destruct Y as [(Y & Z)|Y]; auto. left. split; auto. rewrite O by lia. exact Z.
    + intros _ u F lap y. destruct (Nat.eq_dec (cell_of u) (cell_of t)) as [X|X].
      * rewrite TH by assumption. discriminate.
      * unfold m', state_at; simpl. rewrite update_other by assumption. apply F.
  - intros ws H u X Y. destruct (H u X Y) as [Z|Z]; auto. right. right. exact Z.
Qed.

(* ---- what is heard of outside ---- *)

Lemma delivers m h n : shared m -> reads m h n -> n < tail m -> kept m (say (Delivered n) m).
Proof.
  intros (S1 & S2 & S3 & S4 & T1 & T2 & T3 & T4 & T5 & T6) R T. split; [|split].
  - refine (conj S1 (conj S2 (conj S3 (conj S4 _)))). unfold told; simpl. ands; auto.
    + apply R.
    + intros [X|X]; [discriminate|auto].
    + intros t [X|X]; auto. injection X as <-. destruct R as (_ & R & ? & _), S1. lia.
    + intros t k v [X|X]; [discriminate|eauto].
    + intros t U. destruct (T6 t U); auto.
  - intros j J. unfold relied_on; simpl. ands; auto.
  - intros ws H t A U. destruct (H t A U); auto. right; right; assumption.
Qed.

Lemma looks m h n t k : shared m -> reads m h n -> h <= t < n -> k < words -> kept m (say (Looked t k (word_at m t k)) m).
Proof.
  intros (S1 & S2 & S3 & S4 & T1 & T2 & T3 & T4 & T5 & T6) (R1 & R2 & R3 & _) T K. split; [|split].
  - refine (conj S1 (conj S2 (conj S3 (conj S4 _)))). unfold told; simpl. ands; auto.
    + intros [X|X]; [discriminate|auto].
    + intros u [X|X]; [discriminate|auto].
    + intros u j v [X|X]; [|eauto]. injection X as <- <- <-. split; [lia|]. apply S3; auto. lia.
    + intros u U. destruct (T6 u U); auto.
  - intros j J. unfold relied_on; simpl. ands; auto.
  - intros ws H u A U. destruct (H u A U); auto. right; right; assumption.
Qed.

Lemma leaves m : shared m -> kept m (leave m).
Proof.
  intros (S1 & S2 & S3 & S4 & T1 & T2 & T3 & T4 & T5 & T6). split; [|split].
  - refine (conj S1 (conj S2 (conj S3 (conj S4 _)))). unfold told; simpl. ands; auto.
    + intros [X|X]; [discriminate|auto].
    + intros u [X|X]; [discriminate|auto].
    + intros u j v [X|X]; [discriminate|eauto].
    + intros u U. destruct (T6 u U); auto.
  - intros j J. unfold relied_on; simpl. ands; auto. discriminate.
  - intros ws H u A. discriminate.
Qed.

Lemma moves_head m h : shared m -> released m = h \/ S h = released m -> kept m (set_head h m).
Proof.
  intros (S1 & S2 & S3 & (B1 & B2 & B3) & S5) E. split; [|split].
  - refine (conj S1 (conj S2 (conj S3 (conj _ S5)))). unfold behind; simpl. ands; auto. destruct E; auto.
  - intros j J. unfold relied_on; simpl. ands; auto.
  - auto.
Qed.

Lemma parks m p : shared m -> kept m (set_parked_position p m).
Proof. intros S. split; [exact S|]. split; auto. intros j J. unfold relied_on; simpl. ands; auto. Qed.

Lemma wakes m : shared m -> kept m (set_asleep None m).
Proof.
  intros S. split; [exact S|]. split; [|intros ws H u A; discriminate]. intros j J. unfold relied_on; simpl. ands; auto. discriminate.
Qed.

Lemma falls_asleep m n s : shared m -> n <= tail m -> state_at m n = EMPTY (lap_of n) s -> kept m (set_asleep (Some n) m).
Proof.
  intros S T E. destruct (empty_is_tail m n s (proj1 S) T E) as (X & _). split; [exact S|]. split.
  - intros j J. unfold relied_on; simpl. ands; auto. intros t U A. injection A as ->. lia.
  - intros ws H t A U. simpl in *. injection A as ->. lia.
Qed.

Lemma reader_step_kept m r m' r' : shared m -> reader_ok m r -> reader_step m r m' r' -> kept m m'.
Proof.
  intros SH (R & _) H. pose proof SH as (WI & _ & _ & BE & _). pose proof N_not_0.
  destruct H; auto using kept_same, parks, wakes, leaves; simpl in R.
  - apply moves_head; auto. left. apply R.
  - eapply delivers; eauto. apply (full_is_published m n x here); auto. apply R.
  - eapply looks; eauto.
  - destruct R as (R & L & E). apply consumes; auto; destruct R as (_ & R1 & R2 & _); auto. lia.
  - destruct R as (R & L & E & C). destruct R as (R0 & R1 & R2 & R3 & R4 & R5).
    apply (releases m h x here false); auto; [lia|]. split; auto. intros t T. apply R5. lia.
  - apply moves_head; auto. left. apply R.
  - apply (falls_asleep m n s); auto. apply R.
  - apply seals; auto. apply R.
  - destruct R as (R0 & R1 & R2 & R3 & E). apply consumes; auto. lia.
  - destruct R as (R0 & R1 & R2 & R3 & E & C). subst t. rewrite same_cell_next_lap, next_lap.
    apply (releases m h x here true); auto. lia.
  - apply moves_head; auto. left. apply R.
Qed.

(* ---- the reader itself ---- *)

(* Only a reader that sleeps is known to the kernel as one. *)
Lemma awake_after m r m' r' : reader_ok m r -> reader_step m r m' r' ->
  asleep m' = None \/ exists h n, r' = Asleep h n /\ asleep m' = Some n.
Proof.
  intros (R & A) H. assert (AS : (forall h n, r <> Asleep h n) -> asleep m = None).
  { intros X. destruct A as [A|(h & n & -> & A)]; auto. destruct (X h n eq_refl). }
  destruct H; simpl; eauto; try (left; apply AS; discriminate).
  - left. destruct here; apply AS; discriminate.
  - left. destruct here; apply AS; discriminate.
Qed.

Lemma reader_step_own m r m' r' : shared m -> reader_ok m r -> reader_step m r m' r' -> reader_at m' r'.
Proof.
  intros SH (R & _) H. pose proof SH as (WI & _ & _ & (B1 & B2 & B3) & T1 & T2 & T3 & T4 & T5 & T6).
  pose proof N_not_0 as N0. pose proof WI as (W1 & W2 & _).
  assert (DE : forall h, released m = h -> sealed m = false -> forall t, N <= t < h -> In (Delivered t) (history m)).
  { intros h <- Q t X. destruct (T6 t X) as [Y|Y]; auto. congruence. }
  destruct H; simpl in *; auto; try exact R.
  - unfold starts. auto.
  - split; auto. destruct B3 as [->|<-]; auto.
  - destruct R as (S & [X|X]); split; auto. exfalso. subst h.
    destruct (look_cases m (released m) WI ltac:(lia)) as [(_ & x & e & Y)|[(_ & _ & _ & x & Y)|[(_ & _ & x & Y)|[(_ & _ & _ & l & x & e
      & Y & L & _)|(Y & _)]]]];
      try lia; rewrite Y in *; simpl in *; try lia.
  - destruct R as ((R1 & R2) & R). unfold starts; simpl. auto.
  - assert (X : released m = h \/ released m = S h /\ sealed m = true).
    { destruct R as (_ & [R|R]); auto. right. split; auto. destruct H as [X|(l & s & X)].
      - destruct (look_cases m h WI ltac:(lia)) as [(Y & _)|[(Y & _)|[(Y & Z & _)|[(Y & _)|(_ & Y)]]]]; auto; lia.
      - apply (closed_is_sealed m h l s); auto. lia. }
    destruct p; simpl; destruct R as ((R1 & R2) & _); unfold starts; auto. ands; auto. lia.
  - destruct R as (S & R). split; [exact S|]. split; auto. destruct (andb _ _); auto. destruct S, B3; lia.
  - destruct R as ((R1 & R2) & R3 & R4). destruct (empty_is_tail m t s WI R4 H) as (X & Y & Q).
    destruct R3 as [R3|(_ & R3)]; [|congruence]. unfold reads. rewrite R2 by reflexivity. ands; simpl; auto; try lia.
    exact (DE h R3 Q).
  - destruct R as ((R1 & R2) & R3 & R4). destruct (full_of_last_lap m t lap x here WI R4 H H0) as (X & Y & Q & _).
    destruct R3 as [R3|(_ & R3)]; [|congruence]. unfold reads. rewrite R2 by reflexivity. ands; simpl; auto; try lia.
    exact (DE h R3 Q).
  - destruct R as (R1 & R3 & R4). pose proof (full_is_published m t x here WI R4 H). ands; auto; lia.
  - ands; apply R.
  - destruct R as (R1 & R2 & R3 & R4 & R5 & R6). pose proof (full_is_published m n x here WI (proj2 R3) H).
    unfold reads; simpl. ands; auto; try lia. intros t X. destruct (Nat.eq_dec t n) as [->|D]; auto. right. apply R6. lia.
  - destruct R as (R1 & R2 & R3 & R4 & R5 & R6). unfold reads; simpl. ands; auto; try lia.
  - destruct R as (R & L & E). destruct here; simpl; ands; auto; try discriminate; try apply R. intros _. apply update_same.
  - destruct R as ((R1 & R2 & R3 & R4 & R5 & R6) & L & E & C). ands; auto; lia.
  - destruct R as (R1 & R2 & R3 & R4 & R5 & R6). unfold reads; simpl. ands; auto; lia.
  - destruct R as (R & _). exact R.
  - unfold starts. split; auto. discriminate.
  - destruct R as (R1 & R2 & R3). pose proof (full_is_published m t x here WI R3 H). ands; auto; lia.
  - destruct R as (R1 & R2 & R3). destruct (full_of_last_lap m t lap x here WI R3 H H0) as (X & Y & Q & Z).
    assert (K : released m = h) by lia. rewrite K in *. ands; auto; lia.
  - destruct R as (R1 & R2 & R3 & R4 & R5). destruct here; simpl; ands; auto; try discriminate. intros _. apply update_same.
  - ands; auto; apply R.
Qed.
End Readers.
