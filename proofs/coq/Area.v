(* The area bound: Theorem 1 of lower_bounds.md. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums.
Import ListNotations.
Open Scope Z_scope.

(* The sum of f x y over the pairs of a list, each pair once. *)
Fixpoint pairs {A : Type} (f : A -> A -> Z) (l : list A) : Z :=
  match l with
  | [] => 0
  | x :: rest => total (f x) rest + pairs f rest
  end.

Lemma pairs_permutation {A : Type} (f : A -> A -> Z) l l' :
  (forall x y, f x y = f y x) -> Permutation l l' -> pairs f l = pairs f l'.
Proof.
  intros Hf. induction 1 as [|x l l' Hp IH|x y l|l l' l'' _ IH1 _ IH2]; simpl; try lia.
  - rewrite IH, (total_permutation _ _ _ Hp). reflexivity.
  - rewrite (Hf x y). lia.
Qed.

Lemma pairs_map {A B : Type} (f : B -> B -> Z) (g : A -> B) l :
  pairs f (map g l) = pairs (fun x y => f (g x) (g y)) l.
Proof. induction l; simpl; [reflexivity|]. rewrite total_map. lia. Qed.

(* A sum over the rounds of an attempt, in terms of its age j = 1..o. *)
Lemma rounds_of_attempt (f : Z -> Z) a T :
  valid a -> completion a <= Z.of_nat T ->
  sum_below T (fun j => if (start a <? Z.of_nat j + 1) && (Z.of_nat j + 1 <=? completion a)
    then f (Z.of_nat j + 1) else 0)
  = sum_below (Z.to_nat (output (of a))) (fun j => f (start a + Z.of_nat j + 1)).
Proof.
  intros [[_ Ho] Hstart] HT. unfold completion in *.
  set (p := Z.to_nat (start a)). set (o := Z.to_nat (output (of a))).
  assert (Hp : Z.of_nat p = start a) by (unfold p; lia).
  assert (Ho' : Z.of_nat o = output (of a)) by (unfold o; lia). clearbody p o.
  replace T with (p + (o + (T - p - o)))%nat by lia.
  rewrite sum_below_split, sum_below_split.
  rewrite (sum_below_ext p _ (fun _ => 0)); [|intros j Hj].
  2:{ rewrite (proj2 (Z.ltb_ge (start a) (Z.of_nat j + 1))) by lia. reflexivity. }
  rewrite (sum_below_ext (T - p - o) _ (fun _ => 0)); [|intros j Hj].
  2:{ rewrite (proj2 (Z.leb_gt (Z.of_nat (p + (o + j)) + 1) (start a + output (of a)))) by lia.
      rewrite andb_false_r. reflexivity. }
  rewrite !sum_below_const, Z.mul_0_l, Z.mul_0_l, Z.add_0_l, Z.add_0_r.
  apply sum_below_ext. intros j Hj.
  rewrite (proj2 (Z.ltb_lt (start a) (Z.of_nat (p + j) + 1))) by lia.
  rewrite (proj2 (Z.leb_le (Z.of_nat (p + j) + 1) (start a + output (of a)))) by lia.
  simpl. f_equal. lia.
Qed.

Lemma ages_vol s n : sum_below n (fun j => s + (Z.of_nat j + 1)) = vol s (Z.of_nat n).
Proof.
  pose proof (vol_double s (Z.of_nat n)). pose proof (sum_below_id n).
  rewrite (sum_below_ext _ _ (fun j => (s + 1) + Z.of_nat j)) by (intros; lia).
  rewrite sum_below_add, sum_below_const. lia.
Qed.

(* By the time T at which it completes, or later, an attempt has used its area. *)
Lemma area_used a T : valid a -> completion a <= Z.of_nat T ->
  sum_below T (fun j => use a (Z.of_nat j + 1)) = area (of a).
Proof.
  intros Ha HT. unfold use.
  rewrite (rounds_of_attempt (fun r => prompt (of a) + r - start a) a T Ha HT).
  unfold area. pose proof (proj2 (proj1 Ha)) as Ho.
  replace (output (of a)) with (Z.of_nat (Z.to_nat (output (of a)))) at 2 by lia.
  rewrite <- ages_vol. apply sum_below_ext. intros. lia.
Qed.

(* What completes by time T has an area of at most M T. *)
Lemma work_done M l T : Forall valid l -> fits M l -> 0 <= T ->
  total (fun a => if completion a <=? T then area (of a) else 0) l <= M * T.
Proof.
  intros Hvalid Hfits HT. rewrite Forall_forall in Hvalid. set (n := Z.to_nat T).
  transitivity (total (fun a => sum_below n (fun j => use a (Z.of_nat j + 1))) l).
  - apply total_le. intros a Ha. destruct (completion a <=? T) eqn:E.
    + rewrite area_used; [lia|apply Hvalid, Ha|unfold n; lia].
    + apply sum_below_nonneg. intros. apply use_nonneg, Hvalid, Ha.
  - replace T with (Z.of_nat n) by (unfold n; lia). rewrite <- sum_below_const.
    assert (Hswap : forall k, total (fun a => sum_below k (fun j => use a (Z.of_nat j + 1))) l =
        sum_below k (fun j => memory l (Z.of_nat j + 1))).
    { induction k as [|k IH]; cbn [sum_below].
      - rewrite total_const. lia.
      - rewrite total_add, IH. reflexivity. }
    rewrite Hswap. apply sum_below_le. intros j _. apply Hfits.
Qed.

(* Theorem 1 of lower_bounds.md, times M:  M cost >= sum over pairs of min (v_i, v_j) + sum of
   the v_i, which is M (P + V1).  By a way that needs no sorting: when request i completes,
   all that completed no later than it have used their areas; and of two requests one
   completes no later than the other. *)
Theorem area_bound M requests l :
  schedule M requests l ->
  pairs (fun q q' => Z.min (area q) (area q')) requests + total area requests <= M * completions l.
Proof.
  intros (Hof & Hvalid & Hfits).
  transitivity (total (fun a => total (fun b =>
      if completion b <=? completion a then area (of b) else 0) l) l).
  - rewrite <- Hof, pairs_map, total_map. rewrite Forall_forall in Hvalid. clear Hof Hfits.
    assert (Harea : forall a, In a l -> 0 <= area (of a)).
    { intros a Ha. destruct (Hvalid a Ha) as [[Hs Ho] _]. unfold area.
      pose proof (vol_double (prompt (of a)) (output (of a))). nia. }
    clear Hvalid. induction l as [|x l IH]; simpl; [lia|].
    specialize (IH (fun a Ha => Harea a (or_intror Ha))).
    replace (completion x <=? completion x) with true by lia. rewrite total_add.
    assert (total (fun y => Z.min (area (of x)) (area (of y))) l <=
        total (fun b => if completion b <=? completion x then area (of b) else 0) l
        + total (fun a => if completion x <=? completion a then area (of x) else 0) l); [|lia].
    rewrite <- total_add. apply total_le. intros y Hy.
    assert (0 <= area (of x)) by (apply Harea; simpl; auto).
    assert (0 <= area (of y)) by (apply Harea; simpl; auto).
    destruct (completion y <=? completion x) eqn:E1, (completion x <=? completion y) eqn:E2; lia.
  - unfold completions. rewrite <- total_scale. apply total_le. intros a Ha.
    apply work_done; auto. rewrite Forall_forall in Hvalid. destruct (Hvalid a Ha) as [[_ Ho] Hp].
    unfold completion. lia.
Qed.

(* No request completes before its own output: cost >= L. *)
Theorem output_bound M requests l : schedule M requests l -> total output requests <= completions l.
Proof.
  intros (<- & Hvalid & _). rewrite total_map. apply total_le. intros a Ha.
  rewrite Forall_forall in Hvalid. destruct (Hvalid a Ha) as [_ Hp]. unfold completion. lia.
Qed.

Lemma cost_nonneg M requests l : schedule M requests l -> 0 <= completions l.
Proof.
  intros (_ & Hvalid & _). apply total_nonneg. intros a Ha. rewrite Forall_forall in Hvalid.
  destruct (Hvalid a Ha) as [[_ Ho] Hp]. unfold completion. lia.
Qed.
