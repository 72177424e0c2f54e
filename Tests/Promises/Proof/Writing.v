(* A writer's step keeps what is shared in order, and what is true of every other process. *)

From Coq Require Import Arith List Lia.
From Proof Require Import Segment Ring Laps Invariant.
Import ListNotations.

(* Takes a conjunction apart, and nothing else. *)
Ltac ands := repeat match goal with |- _ /\ _ => split end.

Section Writing.
Context {G : geometry}.

Lemma update_same {A} (f : nat -> A) i v : update f i v i = v.
Proof. unfold update. rewrite Nat.eqb_refl. reflexivity. Qed.
Lemma update_other {A} (f : nat -> A) i v j : j <> i -> update f i v j = f j.
Proof. intros D. unfold update. apply Nat.eqb_neq in D. rewrite D. reflexivity. Qed.

Lemma stored_here t v m : state_at (store_cell (cell_of t) v m) t = v.
Proof. unfold state_at; simpl. apply update_same. Qed.
Lemma stored_elsewhere t v m u : cell_of u <> cell_of t -> state_at (store_cell (cell_of t) v m) u = state_at m u.
Proof. unfold state_at; simpl. apply update_other. Qed.

(* ---- slots change places ---- *)

Definition exchange (m : memory) (c : nat) (v : cell) (i : nat) : memory :=
  set_holds (update (holds m) i (index_of (cells m c))) (store_cell c v m).

Lemma exchanged m c v i : places m -> c < N -> i < W -> index_of v = holds m i -> places (exchange m c v i).
Proof.
  intros (A & B & D & E & F) C I V. unfold places, exchange; simpl. ands.
  - intros x y X Y. unfold update. destruct (Nat.eqb_spec x c), (Nat.eqb_spec y c); subst; auto; rewrite ?V; intros Q;
      exfalso; [apply (D y i)|apply (D x i)]; auto.
  - intros x y X Y. unfold update. destruct (Nat.eqb_spec x i), (Nat.eqb_spec y i); subst; auto; intros Q;
      exfalso; [apply (D c y)|apply (D c x)]; auto.
  - intros x y X Y. unfold update. destruct (Nat.eqb_spec x c), (Nat.eqb_spec y i); subst; auto; rewrite ?V.
    + intros Q. apply (D c i); auto.
    + intros Q. apply n. symmetry. apply B; auto.
  - intros x X. unfold update. destruct (Nat.eqb_spec x c); auto. rewrite V. auto.
  - intros x X. unfold update. destruct (Nat.eqb_spec x i); auto.
Qed.

Lemma index_kept m c v : places m -> c < N -> index_of v = index_of (cells m c) -> places (store_cell c v m).
Proof.
  intros P C V. assert (K : forall d, index_of (update (cells m) c v d) = index_of (cells m d)).
  { intros d. unfold update. destruct (Nat.eqb_spec d c); subst; auto. }
  destruct P as (A & B & D & E & F). unfold places; simpl. ands; intros; rewrite ?K in *; auto.
Qed.

(* ---- the others ---- *)

(* What the owner of lane i may rely on, whatever step anybody else makes. *)
Definition relied_on (i : nat) (m m' : memory) : Prop :=
  tail m <= tail m' /\ holds m' i = holds m i /\ lane_own m' i = lane_own m i /\ intent_position m' i = intent_position m i /\
  intent_spare m' i = intent_spare m i /\ consumed m' (holds m i) = consumed m (holds m i) /\
  (forall x, consumed m x <= consumed m' x) /\ (forall k, slots m' (holds m i) k = slots m (holds m i) k) /\
  (forall t x, taken m t x -> taken m' t x) /\ (i = 0 -> forall c k, lines m' c k = lines m c k) /\
  (i = 0 -> forall t, line_free m t -> line_free m' t) /\
  (forall t, t < tail m -> asleep m' = Some t -> asleep m = Some t).

Ltac elim_or := repeat match goal with
  | H : _ /\ _ |- _ => destruct H
  | H : exists _, _ |- _ => destruct H
  end.

Lemma lane_stable i m m' : relied_on i m m' -> lane_ok m i -> lane_ok m' i.
Proof.
  unfold relied_on, lane_ok, unwon. intros R L. elim_or.
  replace (lane_own m' i) with (lane_own m i) by congruence. replace (intent_position m' i) with (intent_position m i) by congruence.
  replace (intent_spare m' i) with (intent_spare m i) by congruence. replace (holds m' i) with (holds m i) by congruence.
  replace (consumed m' (holds m i)) with (consumed m (holds m i)) by congruence.
  destruct L as [L|(A & t & B & C)]; [left; assumption|right; eauto].
Qed.

Lemma writer_stable i m m' w : relied_on i m m' -> writer_ok m i w -> writer_ok m' i w.
Proof.
  unfold relied_on. intros R. destruct R as (T & H & O & IP & IS & C & CM & SL & TK & LI & LF & AS).
  assert (S : forall w, settled m i w -> settled m' i w).
  { unfold settled, unwon. intros w'. rewrite H, O, IP, C. intros (? & ? & ? & ? & ?). ands; auto; lia. }
  assert (F : forall e w, filled m i e w -> filled m' i e w).
  { unfold filled. intros [] w'; auto. rewrite H. intros X k. rewrite SL. auto. }
  assert (Q : forall e t w, searching m i e t w -> searching m' i e t w).
  { unfold searching. intros e t w' (? & ? & ?). ands; auto; lia. }
  assert (P : forall e t s w, searching m i e t w -> prepared m i e t s w -> prepared m' i e t s w).
  { unfold searching, prepared, filled. intros [] t s w' (_ & X & _) Y.
    - destruct Y. split; auto. intros. rewrite LI; auto.
    - rewrite IP, IS, H, C. assumption. }
  assert (WR : forall t w, wrote m t w -> wrote m' t w).
  { unfold wrote. intros t w' (? & ?). split; auto; lia. }
  unfold writer_ok. destruct (pc w) as [ | | | x | x | | | e | e t | e t seen | e t seen newest | t s k | t s | t s | e t s | e t s
    | t s | t | t | [] | [] t | | t full | ]; auto;
    rewrite ?H, ?O, ?IP, ?IS; try (intuition (auto; lia); fail).
  - intros (A & t & B & D). split; [lia|]. exists t. rewrite C. split; auto. destruct D as [D|[D D']]; auto.
    right. split; auto. eapply Nat.le_trans; [exact D'|apply CM].
  - intros (A & B & D). split; auto. destruct A as (? & ? & ?). split; auto. intros. rewrite LI; auto.
  - intros (A & B & D). ands; auto. intros X. apply D. apply AS; auto. apply A.
Qed.

(* What the reader may rely on, whatever a writer does. *)
Definition kept_for_reader (m m' : memory) : Prop :=
  head m' = head m /\ released m' = released m /\ sealed m' = sealed m /\ parked_position m' = parked_position m /\
  (forall x, consumed m' x = consumed m x) /\ tail m <= tail m' /\ (tail m = released m + N -> tail m' = tail m) /\
  (forall t, released m <= t < tail m -> state_at m' t = state_at m t) /\
  deliveries (history m') = deliveries (history m) /\ (forall t, In (Delivered t) (history m) -> In (Delivered t) (history m')) /\
  (asleep m' = asleep m \/ asleep m' = None).

Lemma reader_stable m m' r : kept_for_reader m m' -> reader_ok m r -> reader_ok m' r.
Proof.
  unfold kept_for_reader, reader_ok. intros (H & R & S & P & C & T & X & U & D & I & A) (Q & Z). split.
  - unfold reader_at, starts, reads in *. destruct r; rewrite ?H, ?R, ?S, ?P, ?C, ?D; auto; elim_or; try (intuition (auto; lia); fail).
    + rewrite U by lia. intuition (auto; lia).
    + rewrite U by lia. intuition (auto; lia).
    + rewrite U by (pose proof some_cell; lia). rewrite X by lia. intuition (auto; lia).
    + rewrite U by (pose proof some_cell; lia). rewrite X by lia. intuition (auto; lia).
  - destruct A as [->| ->]; auto.
Qed.

(* ---- Write 5 ---- *)

Section Publishing.
Variables (i t s : nat) (e : bool) (w : writer) (m : memory).
Hypothesis (I : i < W) (SH : shared m) (Q : searching m i e t w) (P : prepared m i e t s w) (E : state_at m t = EMPTY (lap_of t) s).

Let m' := publish i t s e w m.

Lemma at_tail : t = tail m /\ t < released m + N /\ sealed m = false.
Proof. apply empty_is_tail with s; auto; [apply SH|apply Q]. Qed.

Lemma published_here : state_at m' t = FULL (lap_of t) (if e then s else own w) e.
Proof. unfold m', publish. unfold state_at. destruct e; simpl; apply update_same. Qed.

Lemma published_elsewhere u : cell_of u <> cell_of t -> state_at m' u = state_at m u.
Proof. unfold m', publish. unfold state_at. destruct e; simpl; apply update_other. Qed.

Lemma published_in_window u : released m <= u < released m + N -> u <> t -> state_at m' u = state_at m u.
Proof.
  intros. apply published_elsewhere, (other_cell _ _ (released m)); auto.
  pose proof at_tail. destruct SH as ((B & _) & _). lia.
Qed.

Lemma tail_moved : tail m' = S t. Proof. unfold m', publish. destruct e; reflexivity. Qed.
Lemma released_stays : released m' = released m. Proof. unfold m', publish. destruct e; reflexivity. Qed.
Lemma logged : log m' = update (log m) t (text w). Proof. unfold m', publish. destruct e; reflexivity. Qed.
Lemma sealed_stays : sealed m' = sealed m. Proof. unfold m', publish. destruct e; reflexivity. Qed.
Lemma said : history m' = Published t :: history m. Proof. unfold m', publish. destruct e; reflexivity. Qed.
Lemma own_is_held : own w = holds m i. Proof. apply Q. Qed.

Lemma publish_window : window m'.
Proof.
  pose proof at_tail as (AT & A & B). destruct SH as ((W1 & W2 & W3 & W4 & W5 & W6) & _).
  unfold window. rewrite tail_moved, released_stays, sealed_stays. ands; try lia.
  - intros u U. destruct (Nat.eq_dec u t) as [->|D].
    + rewrite published_here. eauto.
    + rewrite published_in_window by lia. apply W3. lia.
  - intros u U. rewrite published_in_window by lia. apply W4. lia.
  - intros _ U. rewrite published_in_window by lia. apply W4. lia.
  - congruence.
Qed.

Lemma publish_places : places m'.
Proof.
  destruct SH as (_ & PL & _). pose proof own_is_held as O. unfold state_at in E. unfold m', publish. destruct e.
  - assert (K : places (store_cell (cell_of t) (FULL (lap_of t) s true) m)).
    { apply index_kept; auto using cell_in_range. rewrite E. reflexivity. }
    exact K.
  - assert (K : places (exchange m (cell_of t) (FULL (lap_of t) (own w) false) i)).
    { apply exchanged; auto using cell_in_range. }
    unfold exchange in K. rewrite E in K. exact K.
Qed.

Lemma publish_content : content m'.
Proof.
  destruct SH as (_ & _ & C & _). unfold content. rewrite tail_moved, released_stays, logged. intros u k U K.
  pose proof at_tail as (A & B & _).
  destruct (Nat.eq_dec u t) as [->|D].
  - unfold word_at. rewrite published_here, update_same. destruct Q as ((O & _) & F & _). unfold m', publish, prepared, filled in *.
    destruct e; simpl; [apply P; assumption|rewrite O; apply F].
  - unfold word_at. rewrite published_in_window by lia. rewrite update_other by assumption.
    replace (slots m') with (slots m) by (unfold m', publish; destruct e; reflexivity).
    replace (lines m') with (lines m) by (unfold m', publish; destruct e; reflexivity).
    apply C; lia.
Qed.

Lemma publish_behind : behind m'.
Proof.
  destruct SH as (_ & _ & _ & (A & B & C) & _). pose proof at_tail as (T & _).
  unfold behind. rewrite tail_moved, released_stays.
  replace (consumed m') with (consumed m) by (unfold m', publish; destruct e; reflexivity).
  replace (tail_hint m') with (tail_hint m) by (unfold m', publish; destruct e; reflexivity).
  replace (head m') with (head m) by (unfold m', publish; destruct e; reflexivity).
  split; [|split; [lia|assumption]]. intros x. specialize (A x). lia.
Qed.

Lemma publish_told : told m'.
Proof.
  destruct SH as (_ & _ & _ & _ & A & B & C & D & F & H). pose proof at_tail as (T & _ & S).
  unfold told. rewrite tail_moved, released_stays, logged, sealed_stays, said. simpl. rewrite <- T in *. ands; auto.
  - intros X. specialize (C X). congruence.
  - intros [X|X]; [discriminate|auto].
  - intros u [X|X]; [discriminate|apply D in X; lia].
  - intros u k v [X|X]; [discriminate|]. destruct (F _ _ _ X). split; [lia|]. rewrite update_other by lia. assumption.
  - intros u U. destruct (H u U); auto.
Qed.

Lemma publish_shared : shared m'.
Proof.
  unfold shared. auto using publish_window, publish_places, publish_content, publish_behind, publish_told.
Qed.

Lemma publish_relied_on j : j < W -> j <> i -> relied_on j m m'.
Proof.
  intros J D. pose proof at_tail as (T & B & S). unfold relied_on. rewrite tail_moved.
  assert (TK : forall u x, taken m u x -> taken m' u x).
  { unfold taken. intros u x (U & V). rewrite tail_moved, released_stays. split; [lia|].
    replace (consumed m') with (consumed m) by (unfold m', publish; destruct e; reflexivity).
    destruct V as [(V & X)|V]; auto. left. split; auto. rewrite published_in_window; auto; lia. }
  assert (LF : j = 0 -> forall u, line_free m u -> line_free m' u).
  { intros -> u X lap x. destruct (Nat.eq_dec (cell_of u) (cell_of t)) as [Y|Y].
    - replace (state_at m' u) with (state_at m' t) by (unfold state_at; congruence). rewrite published_here.
      destruct Q as (_ & F & _). unfold filled in F. destruct e; congruence.
    - rewrite published_elsewhere by assumption. apply X. }
  unfold m', publish in *. destruct e; simpl; ands; auto; try lia; rewrite update_other; auto.
Qed.

Lemma publish_kept_for_reader : kept_for_reader m m'.
Proof.
  pose proof at_tail as (T & B & S). unfold kept_for_reader. rewrite tail_moved, released_stays, sealed_stays, said.
  assert (ST : forall u, released m <= u < tail m -> state_at m' u = state_at m u).
  { intros. apply published_in_window; lia. }
  unfold m', publish in *. destruct e; simpl; ands; auto; lia.
Qed.

Lemma publish_lane : lane_ok m' i.
Proof.
  destruct Q as ((O & L & U & _) & _). pose proof at_tail as (T & B & S). pose proof published_here as H.
  unfold lane_ok, prepared in *. unfold m', publish in *. destruct e; simpl in *.
  - left. auto.
  - right. destruct P as (P1 & P2 & P3). split; [rewrite update_same; assumption|]. exists t. split; auto.
    unfold taken. simpl. split; [lia|]. left. destruct SH as ((W1 & _) & _). split; [lia|]. rewrite H. congruence.
Qed.
End Publishing.

(* ---- the kernel's wake, of whom a writer wakes or of whom it dies ---- *)

Lemma futex_wake_cases t m : futex_wake t m = m \/ futex_wake t m = set_asleep None m.
Proof. unfold futex_wake. destruct (asleep m); auto. destruct (_ =? _); auto. Qed.

(* All that a death changes: nobody sleeps any more; or it is remembered. *)
Lemma die_cases w m : die w m = m \/ die w m = set_asleep None m \/ exists t, die w m = say (Died_unnoted t) m.
Proof.
  unfold die. destruct (note w) as [t|], (unannounced w) as [u|]; eauto;
    destruct (state_at m t); auto; destruct (futex_wake_cases t m) as [-> | ->]; auto.
Qed.

Lemma told_died t m : told m -> told (say (Died_unnoted t) m).
Proof.
  intros (A & B & C & D & F & H). unfold told. simpl. ands; auto.
  - intros [X|X]; [discriminate|auto].
  - intros u [X|X]; [discriminate|auto].
  - intros u k v [X|X]; [discriminate|eauto].
  - intros u U. destruct (H u U); auto.
Qed.

(* ---- stores into slots and lines ---- *)

Lemma fill_content i x k v m : places m -> i < W -> x = holds m i -> window m -> content m -> content (store_slot x k v m).
Proof.
  intros (_ & _ & A & _) I -> Wi C u j U J. specialize (C u j U J). unfold word_at in *.
  change (state_at (store_slot (holds m i) k v m) u) with (state_at m u). destruct (state_at m u) eqn:E; auto.
  destruct here; auto. simpl. rewrite update_other; auto. specialize (A (cell_of u) i (cell_in_range u) I).
  unfold state_at in E. rewrite E in A. exact A.
Qed.

Lemma line_content t k v m : window m -> line_free m t -> content m -> content (store_line (cell_of t) k v m).
Proof.
  intros Wi L C u j U J. specialize (C u j U J). destruct Wi as (_ & _ & F & _). destruct (F u U) as (x & here & X). unfold word_at in *.
  change (state_at (store_line (cell_of t) k v m) u) with (state_at m u). rewrite X in *. destruct here; auto.
  simpl. rewrite update_other; auto. intros Y. apply (L (lap_of u) x). unfold state_at in *. rewrite <- Y. assumption.
Qed.

(* ---- all steps of a writer ---- *)

Lemma writer_step_shared i m w m' w' :
  i < W -> shared m -> writer_ok m i w -> writer_step i m w m' w' -> shared m'.
Proof.
  intros I S O H. pose proof S as (S1 & S2 & S3 & S4 & S5). unfold writer_ok in O.
  destruct H; try rewrite H in O; auto; try exact S.
  - refine (conj S1 (conj S2 (conj _ (conj S4 S5)))). eapply fill_content; eauto. apply O.
  - refine (conj S1 (conj S2 (conj _ (conj S4 S5)))). apply line_content; auto. apply O.
  - apply publish_shared; auto; apply O.
  - refine (conj S1 (conj S2 (conj S3 (conj _ S5)))). destruct S4 as (A & B & C), O as ((O & _) & _).
    unfold behind; simpl. ands; auto.
  - destruct (futex_wake_cases t m) as [-> | ->]; exact S.
  - destruct (die_cases w m) as [->|[->|[t ->]]]; [exact S|exact S|].
    refine (conj S1 (conj S2 (conj S3 (conj S4 _)))). apply told_died. exact S5.
Qed.

Lemma relied_on_refl i m : relied_on i m m. Proof. unfold relied_on. ands; auto. Qed.
Lemma kept_refl m : kept_for_reader m m. Proof. unfold kept_for_reader. ands; auto. Qed.

Lemma writer_step_others i m w m' w' j :
  i < W -> shared m -> writer_ok m i w -> writer_step i m w m' w' -> j < W -> j <> i -> relied_on j m m'.
Proof.
  intros I S O H J D. pose proof S as (S1 & S2 & S3 & S4 & S5). unfold writer_ok in O.
  assert (E : holds m j <> holds m i) by (intros E; apply D, S2; auto).
  destruct H; try rewrite H in O; auto using relied_on_refl;
    try (unfold relied_on; simpl; rewrite ?update_other by assumption; ands; auto; fail).
  - unfold relied_on; simpl. destruct O as ((O & _) & _). rewrite O, update_other by assumption. ands; auto.
  - destruct O as ((_ & F & _) & _). simpl in F. unfold relied_on; simpl. ands; auto; lia.
  - apply publish_relied_on; auto; apply O.
  - destruct (futex_wake_cases t m) as [-> | ->]; [apply relied_on_refl|]. unfold relied_on; simpl. ands; auto. discriminate.
  - destruct (die_cases w m) as [->|[->|[t ->]]]; [apply relied_on_refl| |]; unfold relied_on; simpl; ands; auto; discriminate.
Qed.

Lemma writer_step_reader i m w m' w' :
  i < W -> shared m -> writer_ok m i w -> writer_step i m w m' w' -> kept_for_reader m m'.
Proof.
  intros I S O H. unfold writer_ok in O. destruct H; try rewrite H in O; auto using kept_refl;
    try (unfold kept_for_reader; simpl; ands; auto; fail).
  - eapply publish_kept_for_reader; auto; apply O.
  - destruct (futex_wake_cases t m) as [-> | ->]; [apply kept_refl|]. unfold kept_for_reader; simpl. ands; auto.
  - destruct (die_cases w m) as [->|[->|[t ->]]]; [apply kept_refl| |]; unfold kept_for_reader; simpl; ands; auto.
Qed.
End Writing.
