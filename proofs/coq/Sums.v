(* Sums over lists and over 0, ..., n - 1: what all files need of them. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model.
Import ListNotations.
Open Scope Z_scope.

Section Lists.
  Context {A : Type}.
  Implicit Types (f g : A -> Z) (l : list A).

  Lemma total_app f l l' : total f (l ++ l') = total f l + total f l'.
  Proof. induction l; simpl; lia. Qed.

  Lemma total_ext f g l : (forall x, In x l -> f x = g x) -> total f l = total g l.
  Proof.
    induction l as [|x l IH]; intros H; simpl; [reflexivity|].
    rewrite (H x) by (simpl; auto). rewrite IH; [reflexivity|].
    intros y Hy. apply H. simpl; auto.
  Qed.

  Lemma total_le f g l : (forall x, In x l -> f x <= g x) -> total f l <= total g l.
  Proof.
    induction l as [|x l IH]; intros H; simpl; [lia|].
    assert (f x <= g x) by (apply H; simpl; auto).
    assert (total f l <= total g l) by (apply IH; intros y Hy; apply H; simpl; auto).
    lia.
  Qed.

  Lemma total_nonneg f l : (forall x, In x l -> 0 <= f x) -> 0 <= total f l.
  Proof.
    induction l as [|x l IH]; intros H; simpl; [lia|].
    assert (0 <= f x) by (apply H; simpl; auto).
    assert (0 <= total f l) by (apply IH; intros y Hy; apply H; simpl; auto). lia.
  Qed.

  Lemma total_add f g l : total (fun x => f x + g x) l = total f l + total g l.
  Proof. induction l; simpl; lia. Qed.

  Lemma total_scale c f l : total (fun x => c * f x) l = c * total f l.
  Proof. induction l; simpl; lia. Qed.

  Lemma total_const c l : total (fun _ => c) l = c * Z.of_nat (length l).
  Proof. induction l; cbn [total length]; lia. Qed.

  Lemma total_filter (keep : A -> bool) f l :
    total f (filter keep l) = total (fun x => if keep x then f x else 0) l.
  Proof. induction l as [|x l IH]; simpl; [reflexivity|]. destruct (keep x); simpl; lia. Qed.

  Lemma filter_length_le (keep : A -> bool) l : (length (filter keep l) <= length l)%nat.
  Proof. induction l as [|x l IH]; simpl; [lia|]. destruct (keep x); simpl; lia. Qed.

  Lemma total_permutation f l l' : Permutation l l' -> total f l = total f l'.
  Proof. induction 1; simpl; lia. Qed.
End Lists.

Lemma total_map {A B : Type} (f : B -> Z) (g : A -> B) l :
  total f (map g l) = total (fun x => f (g x)) l.
Proof. induction l; simpl; lia. Qed.

Lemma total_swap {A B : Type} (f : A -> B -> Z) (l : list A) (l' : list B) :
  total (fun x => total (f x) l') l = total (fun y => total (fun x => f x y) l) l'.
Proof.
  induction l as [|x l IH]; simpl.
  - induction l'; simpl; lia.
  - rewrite IH, <- total_add. reflexivity.
Qed.

(* f 0 + f 1 + ... + f (n - 1). *)
Fixpoint sum_below (n : nat) (f : nat -> Z) : Z :=
  match n with
  | O => 0
  | S n' => sum_below n' f + f n'
  end.

Lemma total_seq n f : total f (seq 0 n) = sum_below n f.
Proof.
  induction n as [|n IH]; [reflexivity|].
  rewrite seq_S, total_app. simpl. rewrite IH. lia.
Qed.

Lemma sum_below_ext n f g :
  (forall j, (j < n)%nat -> f j = g j) -> sum_below n f = sum_below n g.
Proof. induction n; intros H; simpl; [reflexivity|]. rewrite IHn, H by auto with arith; lia. Qed.

Lemma sum_below_le n f g :
  (forall j, (j < n)%nat -> f j <= g j) -> sum_below n f <= sum_below n g.
Proof.
  induction n as [|n IH]; intros H; simpl; [lia|].
  assert (f n <= g n) by auto with arith.
  assert (sum_below n f <= sum_below n g) by auto with arith. lia.
Qed.

Lemma sum_below_nonneg n f : (forall j, (j < n)%nat -> 0 <= f j) -> 0 <= sum_below n f.
Proof.
  induction n as [|n IH]; intros H; simpl; [lia|].
  assert (0 <= f n) by auto with arith. assert (0 <= sum_below n f) by auto with arith. lia.
Qed.

Lemma sum_below_add n f g :
  sum_below n (fun j => f j + g j) = sum_below n f + sum_below n g.
Proof. induction n; simpl; lia. Qed.

Lemma sum_below_scale c n f : sum_below n (fun j => c * f j) = c * sum_below n f.
Proof. induction n; cbn [sum_below]; lia. Qed.

Lemma sum_below_const c n : sum_below n (fun _ => c) = c * Z.of_nat n.
Proof. induction n; cbn [sum_below]; lia. Qed.

Lemma sum_below_id n : 2 * sum_below n Z.of_nat = Z.of_nat n * (Z.of_nat n - 1).
Proof. induction n; cbn [sum_below]; lia. Qed.

Lemma sum_below_split n m f :
  sum_below (n + m) f = sum_below n f + sum_below m (fun j => f (n + j)%nat).
Proof.
  induction m as [|m IH]; simpl.
  - rewrite Nat.add_0_r. lia.
  - rewrite Nat.add_succ_r. simpl. rewrite IH. lia.
Qed.

Lemma sum_below_rev n f :
  sum_below n (fun j => f (n - 1 - j)%nat) = sum_below n f.
Proof.
  induction n as [|n IH]; [reflexivity|].
  change (S n) with (1 + n)%nat at 1. rewrite sum_below_split.
  cbn [sum_below]. rewrite <- IH.
  rewrite Z.add_0_l, Z.add_comm. f_equal.
  - apply sum_below_ext. intros j Hj. f_equal. lia.
  - f_equal. lia.
Qed.

(* Terms that are 0 from n on do not count. *)
Lemma sum_below_more n n' f :
  (n <= n')%nat -> (forall j, (n <= j)%nat -> f j = 0) -> sum_below n' f = sum_below n f.
Proof.
  intros Hn H. replace n' with (n + (n' - n))%nat by lia.
  rewrite sum_below_split, (sum_below_ext (n' - n) _ (fun _ => 0)).
  - rewrite sum_below_const. lia.
  - intros j _. apply H. lia.
Qed.

(* If f is <= 0 before i, and f (i + j) <= g j from there on, where g is 0 from n on, then a
   sum of f is at most the sum of g. *)
Lemma sum_below_shift m n i f g :
  (forall j, (j < i)%nat -> f j <= 0) ->
  (forall j, f (i + j)%nat <= g j) ->
  (forall j, 0 <= g j) -> (forall j, (n <= j)%nat -> g j = 0) ->
  sum_below m f <= sum_below n g.
Proof.
  intros Hbefore Hshift Hg Hend.
  assert (Hzero : forall k, (k <= i)%nat -> sum_below k f <= 0).
  { intros k Hk. transitivity (sum_below k (fun _ => 0)).
    - apply sum_below_le. intros j Hj. apply Hbefore. lia.
    - rewrite sum_below_const. lia. }
  assert (Hsum : 0 <= sum_below n g) by (apply sum_below_nonneg; auto).
  destruct (Nat.le_gt_cases m i) as [Hm|Hm].
  - specialize (Hzero m Hm). lia.
  - replace m with (i + (m - i))%nat by lia. rewrite sum_below_split.
    specialize (Hzero i (le_n i)).
    assert (sum_below (m - i) (fun j => f (i + j)%nat) <= sum_below (m - i) g)
      by (apply sum_below_le; auto).
    assert (sum_below (m - i) g <= sum_below (n + (m - i)) g).
    { replace (n + (m - i))%nat with ((m - i) + n)%nat by lia. rewrite sum_below_split.
      assert (0 <= sum_below n (fun j => g (m - i + j)%nat)) by (apply sum_below_nonneg; auto).
      lia. }
    rewrite (sum_below_more n (n + (m - i))) in H0 by (auto; lia). lia.
Qed.

(* The uses of attempts are never negative, and leaving attempts out frees memory. *)
Lemma use_nonneg a r : valid a -> 0 <= use a r.
Proof.
  intros [[H1 H2] H3]. unfold use.
  destruct (start a <? r) eqn:E; simpl; [|lia].
  destruct (r <=? completion a); lia.
Qed.

Lemma memory_nonneg l r : Forall valid l -> 0 <= memory l r.
Proof.
  intros H. apply total_nonneg. intros a Ha. apply use_nonneg.
  rewrite Forall_forall in H. auto.
Qed.

Lemma memory_app l l' r : memory (l ++ l') r = memory l r + memory l' r.
Proof. apply total_app. Qed.

(* Lemma 0 of model.md: what is killed can be left out; nothing completes later, the cost is
   the same.  So whatever holds for every schedule without kills holds with kills, too. *)
Theorem no_kills M requests l killed :
  schedule_with_kills M requests l killed -> schedule M requests l.
Proof.
  intros (Hof & Hvalid & Hkilled & Hfits). repeat split; auto. intros r. specialize (Hfits r).
  assert (0 <= total (fun k => use_until k r) killed); [|lia].
  apply total_nonneg. intros k Hk. rewrite Forall_forall in Hkilled.
  destruct (Hkilled k Hk) as (_ & Hv & _). unfold use_until.
  destruct (_ <=? _); [apply use_nonneg, Hv|lia].
Qed.

(* The cost is the sum of the completion times less the sum of the releases. *)
Lemma cost_completions l :
  cost l = completions l - total release (map of l).
Proof. unfold cost, completions. induction l; cbn [total map] in *; lia. Qed.

Lemma cost_at_once M requests l :
  schedule M requests l -> at_once requests -> cost l = completions l.
Proof.
  intros (Hof & _) H. rewrite cost_completions, Hof.
  rewrite (total_ext release (fun _ => 0)) by exact H. rewrite total_const. lia.
Qed.

Lemma vol_double s o : 2 * vol s o = o * (2 * s + o + 1).
Proof.
  unfold vol.
  assert (H : (o * (o + 1)) mod 2 = 0).
  { rewrite Z.mul_mod, Z.add_mod by lia.
    destruct (Z.mod_pos_bound o 2 ltac:(lia)).
    assert (o mod 2 = 0 \/ o mod 2 = 1) as [-> | ->] by lia; reflexivity. }
  pose proof (Z.div_mod (o * (o + 1)) 2 ltac:(lia)). lia.
Qed.
