(* Vectors: lists whose entries are found by their place at once.  They are made as a whole and never changed.
   Extract.v makes them arrays of OCaml. *)

From Coq Require Import ZArith List Lia.
Import ListNotations.
Open Scope Z_scope.

Inductive vector (A : Type) := Vector (items : list A).
Arguments Vector {A} _.

Definition size {A : Type} (v : vector A) : Z := match v with Vector l => Z.of_nat (length l) end.

(* Entry i, or `none` if there is no such. *)
Definition at_place {A : Type} (none : A) (v : vector A) (i : Z) : A :=
  match v with Vector l => if 0 <=? i then nth (Z.to_nat i) l none else none end.

Definition map_vector {A B : Type} (f : A -> B) (v : vector A) : vector B :=
  match v with Vector l => Vector (map f l) end.

(* f 0, ..., f (n - 1). *)
Definition tabulate {A : Type} (n : Z) (f : Z -> A) : vector A :=
  Vector (map (fun i => f (Z.of_nat i)) (seq 0 (Z.to_nat n))).

Lemma at_map {A B : Type} (f : A -> B) none none' v i : at_place none v i <> none ->
  at_place none' (map_vector f v) i = f (at_place none v i).
Proof.
  destruct v as [l]. cbn [at_place map_vector]. destruct (0 <=? i); [|congruence]. intros H.
  destruct (Nat.lt_ge_cases (Z.to_nat i) (length l)) as [Hi|Hi]; [|rewrite nth_overflow in H by exact Hi; congruence].
  rewrite (nth_indep _ none' (f none)) by (rewrite map_length; exact Hi). apply map_nth.
Qed.

Lemma at_tabulate {A : Type} none n (f : Z -> A) i : 0 <= i < n -> at_place none (tabulate n f) i = f i.
Proof.
  intros Hi. unfold tabulate. cbn [at_place]. destruct (Z.leb_spec 0 i); [|lia].
  rewrite (nth_indep _ none (f (Z.of_nat 0))) by (rewrite map_length, seq_length; lia).
  rewrite (map_nth (fun i => f (Z.of_nat i))), seq_nth by lia. f_equal. lia.
Qed.
