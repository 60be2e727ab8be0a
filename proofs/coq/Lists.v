(* Functions on lists that need no stack, however long a list is: each calls itself last, and equals that of the
   library, or of Sums.v, whose place it takes in the program (Extract.v). *)

From Coq Require Import ZArith List Lia.
From Kvopt Require Import Model Sums.
Import ListNotations.
Open Scope Z_scope.

(* Short lists, of which there are most, take one pass. *)
Definition map_tail {A B : Type} (f : A -> B) (l : list A) : list B :=
  match l with
  | [] => []
  | [x] => [f x]
  | [x; y] => [f x; f y]
  | x :: y :: z :: rest => f x :: f y :: f z :: rev' (fold_left (fun found u => f u :: found) rest [])
  end.
Definition app_tail {A : Type} (l l' : list A) : list A :=
  match l with
  | [] => l'
  | [x] => x :: l'
  | [x; y] => x :: y :: l'
  | x :: y :: rest => x :: y :: rev_append (rev_append rest []) l'
  end.
Definition rev_tail {A : Type} (l : list A) : list A := rev_append l [].
Definition filter_tail {A : Type} (f : A -> bool) (l : list A) : list A :=
  rev_append (fold_left (fun found x => if f x then x :: found else found) l []) [].
Definition flat_map_tail {A B : Type} (f : A -> list B) (l : list A) : list B :=
  rev_append (fold_left (fun found x => rev_append (f x) found) l []) [].
Definition concat_tail {A : Type} (l : list (list A)) : list A :=
  rev_append (fold_left (fun found x => rev_append x found) l []) [].
Definition fold_right_tail {A B : Type} (f : B -> A -> A) (a : A) (l : list B) : A :=
  match l with
  | [] => a
  | [x] => f x a
  | [x; y] => f x (f y a)
  | _ => fold_left (fun u x => f x u) (rev_append l []) a
  end.
Fixpoint length_from {A : Type} (l : list A) (n : nat) : nat :=
  match l with [] => n | _ :: rest => length_from rest (S n) end.
Definition length_tail {A : Type} (l : list A) : nat := length_from l O.
Fixpoint combine_from {A B : Type} (l : list A) (l' : list B) (found : list (A * B)) : list (A * B) :=
  match l, l' with
  | x :: rest, y :: rest' => combine_from rest rest' ((x, y) :: found)
  | _, _ => rev_append found []
  end.
Definition combine_tail {A B : Type} (l : list A) (l' : list B) : list (A * B) := combine_from l l' [].
Fixpoint seq_before (start count : nat) (found : list nat) : list nat :=
  match count with O => found | S n => seq_before start n ((start + n)%nat :: found) end.
Definition seq_tail (start count : nat) : list nat := seq_before start count [].
Fixpoint repeat_before {A : Type} (x : A) (n : nat) (found : list A) : list A :=
  match n with O => found | S m => repeat_before x m (x :: found) end.
Definition repeat_tail {A : Type} (x : A) (n : nat) : list A := repeat_before x n [].
Definition total_tail {A : Type} (f : A -> Z) (l : list A) : Z := fold_left (fun n x => n + f x) l 0.
Fixpoint sum_below_from (n : nat) (f : nat -> Z) (found : Z) : Z :=
  match n with O => found | S m => sum_below_from m f (found + f m) end.
Definition sum_below_tail (n : nat) (f : nat -> Z) : Z := sum_below_from n f 0.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma map_from {A B : Type} (f : A -> B) l : forall found,
  rev_append (fold_left (fun found u => f u :: found) l found) [] = rev found ++ map f l.
Proof.
  induction l as [|x l IH]; intros found; cbn [fold_left map].
  - rewrite rev_append_rev. reflexivity.
  - rewrite IH. cbn [rev]. rewrite <- app_assoc. reflexivity.
Qed.

Lemma map_tail_eq {A B : Type} (f : A -> B) l : map_tail f l = map f l.
Proof.
  destruct l as [|x [|y [|z l]]]; try reflexivity. unfold map_tail, rev'. rewrite map_from. reflexivity.
Qed.

Lemma app_tail_eq {A : Type} (l l' : list A) : app_tail l l' = l ++ l'.
Proof.
  destruct l as [|x [|y [|z l]]]; try reflexivity. unfold app_tail.
  rewrite !rev_append_rev, app_nil_r, rev_involutive. reflexivity.
Qed.

Lemma rev_tail_eq {A : Type} (l : list A) : rev_tail l = rev l.
Proof. unfold rev_tail. rewrite rev_append_rev, app_nil_r. reflexivity. Qed.

Lemma filter_from {A : Type} (f : A -> bool) l : forall found,
  rev_append (fold_left (fun found x => if f x then x :: found else found) l found) [] = rev found ++ filter f l.
Proof.
  induction l as [|x l IH]; intros found; cbn [fold_left filter].
  - rewrite rev_append_rev. reflexivity.
  - rewrite IH. destruct (f x); [|reflexivity]. cbn [rev]. rewrite <- app_assoc. reflexivity.
Qed.

Lemma filter_tail_eq {A : Type} (f : A -> bool) l : filter_tail f l = filter f l.
Proof. unfold filter_tail. rewrite filter_from. reflexivity. Qed.

Lemma flat_map_from {A B : Type} (f : A -> list B) l : forall found,
  rev_append (fold_left (fun found x => rev_append (f x) found) l found) [] = rev found ++ flat_map f l.
Proof.
  induction l as [|x l IH]; intros found; cbn [fold_left flat_map].
  - rewrite rev_append_rev. reflexivity.
  - rewrite IH, rev_append_rev, rev_app_distr, rev_involutive, <- app_assoc. reflexivity.
Qed.

Lemma flat_map_tail_eq {A B : Type} (f : A -> list B) l : flat_map_tail f l = flat_map f l.
Proof. unfold flat_map_tail. rewrite flat_map_from. reflexivity. Qed.

Lemma concat_tail_eq {A : Type} (l : list (list A)) : concat_tail l = concat l.
Proof.
  unfold concat_tail. rewrite (flat_map_from (fun x => x)), flat_map_concat_map, map_id. reflexivity.
Qed.

Lemma fold_right_tail_eq {A B : Type} (f : B -> A -> A) a l : fold_right_tail f a l = fold_right f a l.
Proof.
  destruct l as [|x [|y [|z l]]]; try reflexivity. unfold fold_right_tail.
  rewrite <- (rev_involutive (x :: y :: z :: l)) at 2. rewrite fold_left_rev_right. fold (rev_tail (x :: y :: z :: l)).
  rewrite rev_tail_eq. reflexivity.
Qed.

Lemma length_tail_eq {A : Type} (l : list A) : length_tail l = length l.
Proof.
  assert (H : forall n, length_from l n = (length l + n)%nat); [|unfold length_tail; rewrite H; lia].
  induction l as [|x l IH]; intros n; cbn [length_from length]; [reflexivity|]. rewrite IH. lia.
Qed.

Lemma combine_tail_eq {A B : Type} (l : list A) (l' : list B) : combine_tail l l' = combine l l'.
Proof.
  assert (H : forall found, combine_from l l' found = rev found ++ combine l l'); [|apply H].
  revert l'. induction l as [|x l IH]; intros [|y l'] found; cbn [combine_from combine];
    try (rewrite rev_append_rev; reflexivity).
  rewrite IH. cbn [rev]. rewrite <- app_assoc. reflexivity.
Qed.

Lemma seq_tail_eq start count : seq_tail start count = seq start count.
Proof.
  assert (H : forall found, seq_before start count found = seq start count ++ found); [|unfold seq_tail; rewrite H; apply app_nil_r].
  induction count as [|n IH]; intros found; [reflexivity|]. cbn [seq_before]. rewrite IH, seq_S, <- app_assoc. reflexivity.
Qed.

Lemma repeat_tail_eq {A : Type} (x : A) n : repeat_tail x n = repeat x n.
Proof.
  assert (H : forall found, repeat_before x n found = repeat x n ++ found); [|unfold repeat_tail; rewrite H; apply app_nil_r].
  induction n as [|n IH]; intros found; [reflexivity|]. cbn [repeat_before]. rewrite IH.
  change (x :: found) with ([x] ++ found). rewrite app_assoc, <- repeat_cons. reflexivity.
Qed.

Lemma total_tail_eq {A : Type} (f : A -> Z) l : total_tail f l = total f l.
Proof.
  assert (H : forall n, fold_left (fun n x => n + f x) l n = n + total f l); [|unfold total_tail; rewrite H; lia].
  induction l as [|x l IH]; intros n; cbn [fold_left total]; [lia|]. rewrite IH. lia.
Qed.

Lemma sum_below_tail_eq n f : sum_below_tail n f = sum_below n f.
Proof.
  assert (H : forall found, sum_below_from n f found = found + sum_below n f); [|unfold sum_below_tail; rewrite H; lia].
  induction n as [|n IH]; intros found; cbn [sum_below_from sum_below]; [lia|]. rewrite IH. lia.
Qed.
