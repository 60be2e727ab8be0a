(* Maps whose keys are lists of integers, in the order of a dictionary. *)

From Coq Require Import ZArith List Lia OrderedType FMapAVL FMapFacts.
Import ListNotations.
Open Scope Z_scope.

Module Key <: OrderedType.
  Definition t := list Z.
  Definition eq (x y : t) := x = y.

  Fixpoint order (x y : t) : comparison :=
    match x, y with
    | [], [] => Eq
    | [], _ => Lt
    | _, [] => Gt
    | a :: x', b :: y' => if a =? b then order x' y' else if a <? b then Lt else Gt
    end.
  Definition lt (x y : t) := order x y = Lt.

  Definition eq_refl (x : t) : eq x x := Logic.eq_refl x.
  Definition eq_sym (x y : t) (H : eq x y) : eq y x := Logic.eq_sym H.
  Definition eq_trans (x y z : t) (H : eq x y) (H' : eq y z) : eq x z := Logic.eq_trans H H'.

  (* The same, as it is defined for integers. *)
  Lemma order_cons a b x y : order (a :: x) (b :: y) = match a ?= b with Eq => order x y | c => c end.
  Proof.
    cbn [order]. destruct (Z.compare_spec a b) as [->| |].
    - rewrite Z.eqb_refl. reflexivity.
    - replace (a =? b) with false by lia. replace (a <? b) with true by lia. reflexivity.
    - replace (a =? b) with false by lia. replace (a <? b) with false by lia. reflexivity.
  Qed.

  Lemma order_eq x y : order x y = Eq -> x = y.
  Proof.
    revert y. induction x as [|a x IH]; intros [|b y]; try discriminate; [reflexivity|]. rewrite order_cons.
    destruct (Z.compare_spec a b) as [->| |]; try discriminate. intros H. f_equal. apply IH, H.
  Qed.

  Lemma order_refl x : order x x = Eq.
  Proof. induction x as [|a x IH]; [reflexivity|]. rewrite order_cons, Z.compare_refl. exact IH. Qed.

  Lemma order_opposite x y : order y x = CompOpp (order x y).
  Proof.
    revert y. induction x as [|a x IH]; intros [|b y]; try reflexivity. rewrite !order_cons.
    rewrite Z.compare_antisym. destruct (a ?= b); cbn [CompOpp]; auto.
  Qed.

  Lemma lt_trans (x y z : t) : lt x y -> lt y z -> lt x z.
  Proof.
    unfold lt. revert y z. induction x as [|a x IH]; intros [|b y] [|c z]; rewrite ?order_cons;
      try discriminate; try reflexivity.
    destruct (Z.compare_spec a b), (Z.compare_spec b c), (Z.compare_spec a c);
      try discriminate; try lia; auto. apply IH.
  Qed.

  Lemma lt_not_eq (x y : t) : lt x y -> ~ eq x y.
  Proof. unfold lt, eq. intros H ->. rewrite order_refl in H. discriminate. Qed.

  Definition compare (x y : t) : Compare lt eq x y.
  Proof.
    destruct (order x y) eqn:E.
    - apply EQ, order_eq, E.
    - apply LT, E.
    - apply GT. unfold lt. rewrite order_opposite, E. reflexivity.
  Defined.

  Definition eq_dec (x y : t) : {eq x y} + {~ eq x y}.
  Proof. apply (list_eq_dec Z.eq_dec). Defined.
End Key.

Module KeyMap := FMapAVL.Make Key.
Module KeyFacts := FMapFacts.WFacts_fun Key KeyMap.

(* A long key with a number before it that tells most keys apart at once. *)
Definition most_mark : Z := 2 ^ 55.
Definition mark (key : list Z) : list Z :=
  fold_left (fun n x => let m := n + n + x in if m <? most_mark then m else m - most_mark) key 0 :: key.

Lemma mark_key key : tl (mark key) = key.
Proof. reflexivity. Qed.
