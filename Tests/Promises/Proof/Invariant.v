(* What is true in every reachable state, clause by clause: of the cells, of the slots, of each writer at each of its steps, and of the
   reader at each of its own. That it stays true is Steps.v. *)

From Coq Require Import Arith List Lia.
From Proof Require Import Segment Ring Laps.
Import ListNotations.

Section Invariant.
Context {G : geometry}.

(* ---- the cells (I2, I3) ----
   N positions from `released` on have a cell each: FULL below the tail, EMPTY above; at the tail EMPTY, or the seal. *)
Definition window (m : memory) : Prop :=
  N <= released m <= tail m /\ tail m <= released m + N /\
  (forall t, released m <= t < tail m -> exists x here, state_at m t = FULL (lap_of t) x here) /\
  (forall t, tail m < t < released m + N -> exists x, state_at m t = EMPTY (lap_of t) x) /\
  (sealed m = false -> tail m < released m + N -> exists x, state_at m (tail m) = EMPTY (lap_of (tail m)) x) /\
  (sealed m = true -> tail m < released m + N /\ exists x, state_at m (tail m) = CLOSED (lap_of (tail m)) x).

(* ---- the slots (I1) ---- *)
Definition places (m : memory) : Prop :=
  (forall c d, c < N -> d < N -> index_of (cells m c) = index_of (cells m d) -> c = d) /\
  (forall i j, i < W -> j < W -> holds m i = holds m j -> i = j) /\
  (forall c i, c < N -> i < W -> index_of (cells m c) <> holds m i) /\
  (forall c, c < N -> index_of (cells m c) < N + W) /\ (forall i, i < W -> holds m i < N + W).

(* What was published and is not released is as it was published. *)
Definition content (m : memory) : Prop :=
  forall t k, released m <= t < tail m -> k < words -> word_at m t k = log m t k.

(* `consumed` names positions that are released, or about to be. Hints are behind. *)
Definition behind (m : memory) : Prop :=
  (forall x, consumed m x <= released m /\ consumed m x < tail m) /\ tail_hint m <= tail m /\
  (head m = released m \/ S (head m) = released m).

(* ---- lanes ---- *)

(* The message of position t was published in slot x, and waits in its cell or has been taken. *)
Definition taken (m : memory) (t x : nat) : Prop :=
  t < tail m /\ (released m <= t /\ state_at m t = FULL (lap_of t) x false \/ t <= consumed m x).

(* No swap that the lane's intent tells of was won. *)
Definition unwon (m : memory) (i : nat) : Prop :=
  intent_position m i = None \/ exists t, intent_position m i = Some t /\ consumed m (holds m i) < t.

(* What the lane's words say of the slot that it holds, whoever dies when: the swap was lost, or the lane's `own` is up to date; or it was
   won, and the spare is the lane's. *)
Definition lane_ok (m : memory) (i : nat) : Prop :=
  lane_own m i = holds m i /\ (unwon m i \/ lane_own m i = intent_spare m i) \/
  intent_spare m i = holds m i /\ exists t, intent_position m i = Some t /\ taken m t (lane_own m i).

(* Between two writes, and until the swap. *)
Definition settled (m : memory) (i : nat) (w : writer) : Prop :=
  own w = holds m i /\ lane_own m i = holds m i /\ unwon m i /\ position w <= tail m /\ woken_position w <= tail m.

Definition filled (m : memory) (i : nat) (express : bool) (w : writer) : Prop :=
  if express then i = 0 else forall k, slots m (holds m i) k = text w k.

Definition searching (m : memory) (i : nat) (express : bool) (t : nat) (w : writer) : Prop :=
  settled m i w /\ filled m i express w /\ t <= tail m.

(* No message is in the line of this cell. *)
Definition line_free (m : memory) (t : nat) : Prop := forall lap x, state_at m t <> FULL lap x true.

(* Ready for the swap: the line has the message, or the lane the intent. *)
Definition prepared (m : memory) (i : nat) (express : bool) (t s : nat) (w : writer) : Prop :=
  if express then line_free m t /\ forall k, k < words -> lines m (cell_of t) k = text w k
  else intent_position m i = Some t /\ intent_spare m i = s /\ consumed m (holds m i) < t.

(* After the swap: the writer has published t, the kernel knows where to wake, or knows nothing, and no wake was for this position. *)
Definition wrote (m : memory) (t : nat) (w : writer) : Prop :=
  t < tail m /\ (note w = Some t \/ note w = None).

Definition writer_ok (m : memory) (i : nat) (w : writer) : Prop :=
  match pc w with
  | Free => True
  | Recover => woken_position w <= tail m
  | Recover_consumed => woken_position w <= tail m /\ exists t, intent_position m i = Some t /\
      (lane_own m i = holds m i /\ consumed m (holds m i) < t \/ intent_spare m i = holds m i /\ t <= consumed m (lane_own m i))
  | Recover_own x => woken_position w <= tail m /\ x = holds m i
  | Recover_intent x => woken_position w <= tail m /\ x = holds m i /\ lane_own m i = holds m i
  | Idle | End => settled m i w
  | Fill => settled m i w /\ filled m i false w
  | Start e => settled m i w /\ filled m i e w
  | Look e t => searching m i e t w
  | Slow e t seen => searching m i e t w /\
      (t < tail m /\ lap_of t <= lap_in seen \/ exists lap x here, seen = FULL lap x here /\ S lap = lap_of t) /\
      (lap_of t < lap_in seen \/ exists lap x here, seen = FULL lap x here)
  | Hint e t seen newest => searching m i e t w /\ newest <= tail m /\ t < tail m /\ lap_of t < lap_in seen
  | Line t s k => searching m i true t w /\ line_free m t /\ forall j, j < k -> lines m (cell_of t) j = text w j
  | Note_spare t s => searching m i false t w /\ consumed m (holds m i) < t
  | Note_position t s => searching m i false t w /\ consumed m (holds m i) < t /\ intent_spare m i = s
  | Death_note e t s => searching m i e t w /\ prepared m i e t s w
  | Swap e t s => searching m i e t w /\ prepared m i e t s w /\ (note w = Some t \/ note w = None)
  | Own t s => wrote m t w /\ woken_position w <= t /\ position w <= tail m /\ intent_position m i = Some t /\ intent_spare m i = s /\
      s = holds m i /\ taken m t (lane_own m i)
  | Clear t => wrote m t w /\ woken_position w <= t /\ position w <= tail m /\ own w = holds m i /\ lane_own m i = holds m i /\
      intent_spare m i = holds m i
  | Tail_hint t => wrote m t w /\ woken_position w <= t /\ settled m i w
  | Parked None | Wake None _ => settled m i w
  | Parked (Some t) => wrote m t w /\ woken_position w <= t /\ position w = S t /\ settled m i w
  | Wake (Some t) u => wrote m t w /\ settled m i w /\ (asleep m = Some t -> u = t)
  | Give_up t _ => settled m i w /\ t <= tail m
  | Damaged => False
  end.

(* ---- the reader ---- *)

(* What was delivered since the last reader was gone; and the positions before n, the newest first, however far back. *)
Fixpoint deliveries (h : list event) : list nat :=
  match h with
  | Delivered t :: h => t :: deliveries h
  | Reader_gone :: _ | [] => []
  | _ :: h => deliveries h
  end.
Fixpoint counts_down (n : nat) (l : list nat) : Prop :=
  match l with [] => True | t :: l => n = S t /\ counts_down t l end.

(* A reader that goes on at h, and has been lent what lies before n. *)
Definition reads (m : memory) (h n : nat) : Prop :=
  head m = h /\ released m = h /\ h <= n <= tail m /\ sealed m = false /\ counts_down n (deliveries (history m)) /\
  forall t, N <= t < n -> In (Delivered t) (history m).

Definition starts (m : memory) (p : purpose) (h : nat) : Prop :=
  head m = h /\ (p = Adopt -> deliveries (history m) = []).

Definition reader_at (m : memory) (r : reader) : Prop :=
  match r with
  | Gone => deliveries (history m) = []
  | Begin p => starts m p (head m)
  | Catch_up p h => starts m p h /\ (released m = h \/ released m = S h)
  | Catch_up_store p h => starts m p h /\ released m = S h
  | Clear_parked h | Begin_tail h => starts m Adopt h /\ (released m = h \/ released m = S h /\ sealed m = true)
  | Find_tail h t => starts m Adopt h /\ (released m = h \/ released m = S h /\ sealed m = true) /\ t <= tail m
  | Ready h n | Park h n => reads m h n
  | Second_look h n | Wait h n | Asleep h n | Unpark h n => reads m h n /\ parked_position m = S n
  | Read_3 h n x here => reads m h n /\ h < n /\ state_at m h = FULL (lap_of h) x here
  | Read_4 h n x here => reads m h n /\ h < n /\ state_at m h = FULL (lap_of h) x here /\ (here = false -> consumed m x = h)
  | Read_5 h n => head m = h /\ released m = S h /\ h < n <= tail m /\ sealed m = false /\ counts_down n (deliveries (history m)) /\
      forall t, N <= t < n -> In (Delivered t) (history m)
  | Seal_look h t | Seal_swap h t _ => head m = h /\ (released m = h \/ released m = S h /\ sealed m = true) /\ t <= tail m
  | Seal_3 h t x here => head m = h /\ released m = h /\ t = h + N /\ tail m = t /\ state_at m h = FULL (lap_of h) x here
  | Seal_4 h t x here => head m = h /\ released m = h /\ t = h + N /\ tail m = t /\ state_at m h = FULL (lap_of h) x here /\
      (here = false -> consumed m x = h)
  | Seal_5 h => head m = h /\ released m = S h
  | Over => True
  end.

Definition reader_ok (m : memory) (r : reader) : Prop :=
  reader_at m r /\ (asleep m = None \/ exists h n, r = Asleep h n /\ asleep m = Some n).

(* ---- what was heard of outside ---- *)

Fixpoint publications (h : list event) : list nat :=
  match h with
  | Published t :: h => t :: publications h
  | _ :: h => publications h
  | [] => []
  end.

(* Nothing is published after the seal; what a reader delivers follows what it has delivered. *)
Fixpoint well_ordered (h : list event) : Prop :=
  match h with
  | Published _ :: h => ~ In Sealed h /\ well_ordered h
  | Delivered t :: h => counts_down t (deliveries h) /\ well_ordered h
  | _ :: h => well_ordered h
  | [] => True
  end.

Definition told (m : memory) : Prop :=
  counts_down (tail m) (publications (history m)) /\
  well_ordered (history m) /\ (In Sealed (history m) -> sealed m = true) /\
  (forall t, In (Delivered t) (history m) -> N <= t < tail m) /\
  (forall t k v, In (Looked t k v) (history m) -> t < tail m /\ v = log m t k) /\
  (forall t, N <= t < released m -> In (Delivered t) (history m) \/ sealed m = true).

(* Nobody sleeps for what is published, but while its very writer is on the way from the swap to the wake, or died there unknown to the
   kernel. *)
Definition heard (m : memory) (ws : nat -> writer) : Prop :=
  forall t, asleep m = Some t -> t < tail m ->
    (exists i, i < W /\ unannounced (ws i) = Some t) \/ In (Died_unnoted t) (history m).

Definition shared (m : memory) : Prop := window m /\ places m /\ content m /\ behind m /\ told m.

Definition invariant (s : system) : Prop :=
  shared (mem s) /\ (forall i, i < W -> lane_ok (mem s) i /\ writer_ok (mem s) i (writers s i)) /\
  reader_ok (mem s) (the_reader s) /\ heard (mem s) (writers s).

(* ---- what one load can find ---- *)

(* Whoever looks at a position that is not beyond the tail finds one of these. *)
Lemma look_cases m t : window m -> t <= tail m ->
  released m <= t < tail m /\ (exists x here, state_at m t = FULL (lap_of t) x here) \/
  t = tail m /\ t < released m + N /\ sealed m = false /\ (exists x, state_at m t = EMPTY (lap_of t) x) \/
  t = tail m /\ sealed m = true /\ (exists x, state_at m t = CLOSED (lap_of t) x) \/
  t = tail m /\ t = released m + N /\ sealed m = false /\
    (exists lap x here, state_at m t = FULL lap x here /\ S lap = lap_of t /\ state_at m (released m) = FULL (lap_of (released m)) x
      here) \/
  t < released m /\ lap_of t < lap_in (state_at m t).
Proof.
  intros (B & B' & F & E & T & S) H.
  destruct (le_lt_dec (released m) t) as [R|R].
  - destruct (Nat.eq_dec t (tail m)) as [->|D].
    + destruct (sealed m) eqn:Q.
      * destruct (S eq_refl) as [_ X]. tauto.
      * destruct (Nat.eq_dec (tail m) (released m + N)) as [A|A].
        -- right; right; right; left. repeat split; auto. pose proof N_not_0.
           destruct (F (released m)) as (x & here & X); [lia|].
           exists (lap_of (released m)), x, here. unfold state_at in *. rewrite A, same_cell_next_lap, next_lap. auto.
        -- right; left. repeat split; auto; [lia|apply T; auto; lia].
    + left. split; [lia|apply F; lia].
  - do 4 right. split; [assumption|].
    destruct (position_of_cell (cell_of t) (released m) (cell_in_range t)) as (u & U & C).
    assert (L : lap_of t < lap_of u).
    { pose proof (laps_grow t u ltac:(lia)). destruct (Nat.eq_dec (lap_of t) (lap_of u)) as [X|X]; [|lia].
      pose proof (same_position t u (eq_sym C) X). lia. }
    unfold state_at in *. rewrite <- C.
    destruct (le_lt_dec (tail m) u) as [V|V].
    + destruct (Nat.eq_dec u (tail m)) as [->|D].
      * destruct (sealed m) eqn:Q.
        -- destruct (S eq_refl) as (_ & x & ->); assumption.
        -- destruct T as (x & ->); auto; lia.
      * destruct (E u) as (x & ->); [lia|assumption].
    + destruct (F u) as (x & here & ->); [lia|assumption].
Qed.

(* EMPTY of its lap is the tail, FULL of its lap is published. *)
Lemma empty_is_tail m t s : window m -> t <= tail m -> state_at m t = EMPTY (lap_of t) s ->
  t = tail m /\ t < released m + N /\ sealed m = false.
Proof.
  intros I H E.
  destruct (look_cases m t I H) as [(_ & x & h & X)|[X|[(_ & _ & x & X)|[(_ & _ & _ & l & x & h & X & _)|(_ & X)]]]];
    try tauto; rewrite E in X; simpl in X; try discriminate; lia.
Qed.

Lemma full_is_published m t x here : window m -> t <= tail m -> state_at m t = FULL (lap_of t) x here -> released m <= t < tail m.
Proof.
  intros I H E. destruct (look_cases m t I H) as [(X & _)|[(_ & _ & _ & y & X)|[(_ & _ & y & X)|[(_ & _ & _ & l & y & h & X & L & _)|(_ &
    X)]]]];
    try assumption; rewrite E in X; try discriminate; [injection X as <- <- <-; lia|simpl in X; lia].
Qed.

Lemma full_of_last_lap m t lap x here : window m -> t <= tail m -> state_at m t = FULL lap x here -> S lap = lap_of t ->
  t = tail m /\ t = released m + N /\ sealed m = false /\ state_at m (released m) = FULL (lap_of (released m)) x here.
Proof.
  intros I H E L. destruct (look_cases m t I H) as [(_ & y & h & X)|[(_ & _ & _ & y & X)|[(_ & _ & y & X)|[(A & B & C & l & y & h & X & _
    & Y)|(_ & X)]]]];
    rewrite E in X; try discriminate; [injection X as ? ? ?; lia|injection X as -> -> ->; auto|simpl in X; lia].
Qed.

Lemma closed_is_sealed m t lap s : window m -> t <= tail m -> state_at m t = CLOSED lap s -> sealed m = true.
Proof.
  intros I H E. destruct (look_cases m t I H) as [(_ & x & h & X)|[(_ & _ & _ & x & X)|[(_ & X & _)|[(_ & _ & _ & l & x & h & X & _)|(A &
    X)]]]];
    try assumption; rewrite E in X; try discriminate.
  destruct (sealed m) eqn:Q; auto. exfalso. destruct I as (B & B' & F & M & T & S).
  destruct (position_of_cell (cell_of t) (released m) (cell_in_range t)) as (u & U & C).
  unfold state_at in *. rewrite <- C in E.
  destruct (Nat.lt_trichotomy u (tail m)) as [V|[V|V]].
  - destruct (F u) as (x & h & Y); [lia|congruence].
  - subst. destruct T as (x & Y); auto; [lia|congruence].
  - destruct (M u) as (x & Y); [lia|congruence].
Qed.
End Invariant.
