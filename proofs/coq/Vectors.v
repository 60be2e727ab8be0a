(* Vectors: lists whose entries are found by their place at once.  They are made as a whole and never changed.
   Extract.v makes them arrays of OCaml. *)

From Coq Require Import ZArith List Lia.
Import ListNotations.
Open Scope Z_scope.

Inductive vector (A : Type) := Vector (items : list A).
Arguments Vector {A} _.

(* Entry i, or `none` if there is no such. *)
Definition at_place {A : Type} (none : A) (v : vector A) (i : Z) : A :=
  match v with Vector l => if 0 <=? i then nth (Z.to_nat i) l none else none end.

Definition map_vector {A B : Type} (f : A -> B) (v : vector A) : vector B :=
  match v with Vector l => Vector (map f l) end.

(* f 0, ..., f (n - 1). *)
Definition tabulate {A : Type} (n : Z) (f : Z -> A) : vector A :=
  Vector (map (fun i => f (Z.of_nat i)) (seq 0 (Z.to_nat n))).

Lemma at_map {A B : Type} (f : A -> B) none none' v i : f none = none' ->
  at_place none' (map_vector f v) i = f (at_place none v i).
Proof. intros <-. destruct v as [l]. cbn [at_place map_vector]. destruct (0 <=? i); [apply map_nth|reflexivity]. Qed.

Lemma at_tabulate {A : Type} none n (f : Z -> A) i : 0 <= i < n -> at_place none (tabulate n f) i = f i.
Proof.
  intros Hi. unfold tabulate. cbn [at_place]. destruct (Z.leb_spec 0 i); [|lia].
  rewrite (nth_indep _ none (f (Z.of_nat 0))) by (rewrite map_length, seq_length; lia).
  rewrite (map_nth (fun i => f (Z.of_nat i))), seq_nth by lia. f_equal. lia.
Qed.

(* Entry i is found from those before it: f gets a vector of them, and i. *)
Fixpoint build_from {A : Type} (f : vector A -> Z -> A) (todo : nat) (found : list A) : list A :=
  match todo with
  | O => found
  | S todo' => build_from f todo' (found ++ [f (Vector found) (Z.of_nat (length found))])
  end.
Definition build {A : Type} (none : A) (n : Z) (f : vector A -> Z -> A) : vector A :=
  Vector (build_from f (Z.to_nat n) []).

(* Entry i has all b of the pairs (i, b), the last one first. *)
Definition collect {A : Type} (n : Z) (pairs : list (Z * A)) : vector (list A) :=
  tabulate n (fun i => rev (map snd (filter (fun x => fst x =? i) pairs))).

Lemma build_keeps {A : Type} (f : vector A -> Z -> A) todo : forall found,
  exists more, build_from f todo found = found ++ more /\ length more = todo.
Proof.
  induction todo as [|todo IH]; intros found; cbn [build_from]; [exists []; rewrite app_nil_r; auto|].
  destruct (IH (found ++ [f (Vector found) (Z.of_nat (length found))])) as (more & -> & Hlen).
  rewrite <- app_assoc. eexists. split; [reflexivity|]. cbn [app length]. lia.
Qed.

(* Each entry is f of a vector that agrees with the whole one below it. *)
Lemma at_build {A : Type} (none : A) n f i : 0 <= i < n ->
  exists below, at_place none (build none n f) i = f below i /\
    forall j, 0 <= j < i -> at_place none below j = at_place none (build none n f) j.
Proof.
  intros Hi. unfold build.
  assert (H : forall todo found, (length found <= Z.to_nat i < length found + todo)%nat ->
      exists below, nth (Z.to_nat i) (build_from f todo found) none = f below i /\
        forall j, 0 <= j < i -> at_place none below j = nth (Z.to_nat j) (build_from f todo found) none).
  { induction todo as [|todo IH]; intros found Hfound; [lia|]. cbn [build_from].
    destruct (Nat.eq_dec (length found) (Z.to_nat i)) as [E|Hne].
    - destruct (build_keeps f todo (found ++ [f (Vector found) (Z.of_nat (length found))])) as (more & -> & _).
      exists (Vector found). split.
      + rewrite app_nth1 by (rewrite app_length; cbn [length]; lia). rewrite app_nth2 by lia.
        replace (Z.to_nat i - length found)%nat with O by lia. cbn [nth]. f_equal. lia.
      + intros j Hj. cbn [at_place]. destruct (Z.leb_spec 0 j); [|lia].
        rewrite !app_nth1 by (rewrite ?app_length; cbn [length]; lia). reflexivity.
    - apply IH. rewrite app_length. cbn [length]. lia. }
  destruct (H (Z.to_nat n) []) as (below & H1 & H2); [cbn [length]; lia|].
  exists below. cbn [at_place]. destruct (Z.leb_spec 0 i); [|lia]. split; [exact H1|].
  intros j Hj. destruct (Z.leb_spec 0 j); [|lia]. apply H2. exact Hj.
Qed.

Lemma at_build_beyond {A : Type} (none : A) n f i : n <= i -> at_place none (build none n f) i = none.
Proof.
  intros Hi. unfold build. cbn [at_place]. destruct (Z.leb_spec 0 i); [|reflexivity].
  destruct (build_keeps f (Z.to_nat n) []) as (more & -> & Hlen). apply nth_overflow. cbn [app]. lia.
Qed.

Lemma at_collect {A : Type} n (pairs : list (Z * A)) i b : 0 <= i < n -> In (i, b) pairs ->
  In b (at_place [] (collect n pairs) i).
Proof.
  intros Hi Hin. unfold collect. rewrite at_tabulate by exact Hi. rewrite <- in_rev. apply in_map_iff.
  exists (i, b). split; [reflexivity|]. apply filter_In. split; [exact Hin|]. cbn [fst]. lia.
Qed.
