(* Arithmetic of positions, cells and laps. *)

From Coq Require Import Arith Lia.
From Proof Require Import Segment Ring.

Section Laps.
Context {G : geometry}.

Lemma N_not_0 : N <> 0. Proof. pose proof some_cell. lia. Qed.

Lemma split_position t : t = N * lap_of t + cell_of t. Proof. apply Nat.div_mod, N_not_0. Qed.

Lemma cell_in_range t : cell_of t < N. Proof. apply Nat.mod_upper_bound, N_not_0. Qed.

(* A position is its cell and its lap. *)
Lemma same_position t u : cell_of t = cell_of u -> lap_of t = lap_of u -> t = u.
Proof. intros C L. rewrite (split_position t), (split_position u), C, L. reflexivity. Qed.

Lemma next_lap t : lap_of (t + N) = S (lap_of t).
Proof. unfold lap_of. replace (t + N) with (t + 1 * N) by lia. rewrite Nat.div_add by apply N_not_0. lia. Qed.

Lemma same_cell_next_lap t : cell_of (t + N) = cell_of t.
Proof. unfold cell_of. replace (t + N) with (t + 1 * N) by lia. apply Nat.mod_add, N_not_0. Qed.

Lemma laps_grow t u : t <= u -> lap_of t <= lap_of u. Proof. apply Nat.div_le_mono, N_not_0. Qed.

Lemma later_lap t u : cell_of t = cell_of u -> lap_of t < lap_of u -> t + N <= u.
Proof. intros C L. rewrite (split_position t), (split_position u), C. nia. Qed.

Lemma one_lap_later t u : cell_of t = cell_of u -> lap_of u = S (lap_of t) -> u = t + N.
Proof. intros C L. apply same_position; rewrite ?same_cell_next_lap, ?next_lap; congruence. Qed.

(* Within N positions no two have the same cell. *)
Lemma other_cell t u r : r <= t < r + N -> r <= u < r + N -> t <> u -> cell_of t <> cell_of u.
Proof.
  intros T U D C. destruct (Nat.lt_trichotomy (lap_of t) (lap_of u)) as [L|[L|L]].
  - pose proof (later_lap _ _ C L). lia.
  - apply D, same_position; assumption.
  - pose proof (later_lap _ _ (eq_sym C) L). lia.
Qed.

(* Of N positions in a row one has the cell. *)
Lemma position_of_cell c r : c < N -> exists t, r <= t < r + N /\ cell_of t = c.
Proof.
  intros H. pose proof (cell_in_range r). pose proof (split_position r).
  destruct (le_lt_dec (cell_of r) c).
  - exists (N * lap_of r + c). split; [lia|]. unfold cell_of. rewrite Nat.add_comm, Nat.mul_comm, Nat.mod_add by apply N_not_0.
    apply Nat.mod_small; lia.
  - exists (N * S (lap_of r) + c). split; [nia|]. unfold cell_of. rewrite Nat.add_comm, Nat.mul_comm, Nat.mod_add by apply N_not_0.
    apply Nat.mod_small; lia.
Qed.

Lemma first_lap : lap_of N = 1. Proof. apply Nat.div_same, N_not_0. Qed.
End Laps.
