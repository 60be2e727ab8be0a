(* The busy-time bound: Theorem 2 of lower_bounds.md, with memory and slot weights, and Lemma 5
   of sharper_bounds.md. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Area Spacing.
Import ListNotations.
Open Scope Z_scope.

(* Weights are written as integers w in units of 1 / c: round j = 1..o of a request q has
   the weight w q j / c.  What an attempt weighs in round r, in these units: *)
Definition weight (w : request -> Z -> Z) (a : attempt) (r : Z) : Z :=
  if (start a <? r) && (r <=? completion a) then w (of a) (r - start a) else 0.

(* W, the sum of the weights of a request; and the sum of w (j) (2 j - 1), twice the sum of
   w (j) (j - 1/2). *)
Definition whole (w : request -> Z -> Z) (q : request) : Z :=
  sum_below (Z.to_nat (output q)) (fun j => w q (Z.of_nat j + 1)).
Definition moment (w : request -> Z -> Z) (q : request) : Z :=
  sum_below (Z.to_nat (output q)) (fun j => w q (Z.of_nat j + 1) * (2 * (Z.of_nat j + 1) - 1)).

(* Sums of fractions over a list. *)
Fixpoint totalQ {A : Type} (f : A -> Q) (l : list A) : Q :=
  match l with
  | [] => 0
  | x :: rest => (f x + totalQ f rest)%Q
  end.

(* delta = o - (1/W) sum of w (j) (j - 1/2). *)
Definition delta (w : request -> Z -> Z) (q : request) : Q :=
  (inject_Z (output q) - inject_Z (moment w q) / inject_Z (2 * whole w q))%Q.

(* sum over pairs of min (W_i, W_j) + (1/2) sum of W_i + sum of delta_i. *)
Definition busy_bound (w : request -> Z -> Z) (c : Z) (requests : list request) : Q :=
  (inject_Z (2 * pairs (fun q q' => Z.min (whole w q) (whole w q')) requests
      + total (whole w) requests) / inject_Z (2 * c)
    + totalQ (delta w) requests)%Q.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma weight_sum w a T (g : Z -> Z) : valid a -> completion a <= Z.of_nat T ->
  sum_below T (fun j => weight w a (Z.of_nat j + 1) * g (Z.of_nat j + 1)) =
  sum_below (Z.to_nat (output (of a)))
    (fun j => w (of a) (Z.of_nat j + 1) * g (start a + Z.of_nat j + 1)).
Proof.
  intros Ha HT.
  pose proof (rounds_of_attempt (fun r => w (of a) (r - start a) * g r) a T Ha HT) as H.
  transitivity (sum_below T (fun j =>
      if (start a <? Z.of_nat j + 1) && (Z.of_nat j + 1 <=? completion a)
      then w (of a) (Z.of_nat j + 1 - start a) * g (Z.of_nat j + 1) else 0)).
  - apply sum_below_ext. intros j _. unfold weight. destruct (_ && _); lia.
  - rewrite H. apply sum_below_ext. intros j _. do 2 f_equal. lia.
Qed.

(* Twice W times the mean time of the weight of an attempt. *)
Definition busy (w : request -> Z -> Z) (a : attempt) : Z :=
  2 * start a * whole w (of a) + moment w (of a).

Lemma busy_sum w a T : valid a -> completion a <= Z.of_nat T ->
  sum_below T (fun j => weight w a (Z.of_nat j + 1) * (2 * (Z.of_nat j + 1) - 1)) = busy w a.
Proof.
  intros Ha HT. rewrite (weight_sum w a T (fun r => 2 * r - 1) Ha HT). unfold busy, whole, moment.
  rewrite <- sum_below_scale, <- sum_below_add. apply sum_below_ext. intros. ring.
Qed.

Lemma whole_sum w a T : valid a -> completion a <= Z.of_nat T ->
  sum_below T (fun j => weight w a (Z.of_nat j + 1)) = whole w (of a).
Proof.
  intros Ha HT. pose proof (weight_sum w a T (fun _ => 1) Ha HT) as H. cbv beta in H.
  unfold whole. rewrite (sum_below_ext (Z.to_nat _) _ (fun j => w (of a) (Z.of_nat j + 1) * 1))
    by (intros; lia).
  rewrite <- H. apply sum_below_ext. intros. lia.
Qed.

(* At most c in each unit of time: a total of V has a moment of at least V^2 / c. *)
Lemma packed c (m : nat -> Z) T : 0 <= c -> (forall j, 0 <= m j <= c) ->
  sum_below T m * sum_below T m <= c * sum_below T (fun j => m j * (2 * (Z.of_nat j + 1) - 1))
  /\ 0 <= sum_below T m <= c * Z.of_nat T.
Proof.
  intros Hc Hm. induction T as [|T [IH1 IH2]]; cbn [sum_below]; [lia|].
  specialize (Hm T). set (V := sum_below T m) in *. split; [|nia].
  assert (2 * V * m T + m T * m T <= c * (m T * (2 * (Z.of_nat T + 1) - 1))); [|nia].
  assert (V * m T <= c * Z.of_nat T * m T) by (apply Z.mul_le_mono_nonneg_r; lia).
  assert (m T * m T <= c * m T) by (apply Z.mul_le_mono_nonneg_r; lia). nia.
Qed.

Lemma total_sum_below {A : Type} (f : A -> nat -> Z) l n :
  total (fun a => sum_below n (f a)) l = sum_below n (fun j => total (fun a => f a j) l).
Proof.
  induction n as [|n IH]; cbn [sum_below].
  - rewrite total_const. lia.
  - rewrite total_add, IH. reflexivity.
Qed.

Lemma all_complete (l : list attempt) : exists T, forall a, In a l -> completion a <= Z.of_nat T.
Proof.
  induction l as [|x l (T & IH)]; [exists O; intros a []|].
  exists (Nat.max T (Z.to_nat (completion x))). intros a [->|Ha]; [lia|]. specialize (IH a Ha). lia.
Qed.

(* For any set S:  c (sum of 2 W_i B_i) >= W (S)^2. *)
Lemma set_inequality w c l :
  0 <= c -> Forall valid l ->
  (forall a r, In a l -> 0 <= weight w a r) ->
  (forall r, total (fun a => weight w a r) l <= c) ->
  total (fun a => whole w (of a)) l * total (fun a => whole w (of a)) l
    <= c * total (busy w) l.
Proof.
  intros Hc Hvalid Hpos Hcap. rewrite Forall_forall in Hvalid.
  destruct (all_complete l) as (T & HT).
  set (m := fun j : nat => total (fun a => weight w a (Z.of_nat j + 1)) l).
  destruct (packed c m T Hc) as [H _].
  { intros j. split; [apply total_nonneg; auto|apply Hcap]. }
  assert (E1 : total (fun a => whole w (of a)) l = sum_below T m).
  { unfold m. rewrite <- total_sum_below. apply total_ext. intros a Ha.
    rewrite (whole_sum w a T); auto. }
  assert (E2 : total (busy w) l = sum_below T (fun j => m j * (2 * (Z.of_nat j + 1) - 1))).
  { transitivity (total (fun a => sum_below T
        (fun j => weight w a (Z.of_nat j + 1) * (2 * (Z.of_nat j + 1) - 1))) l).
    - apply total_ext. intros a Ha. rewrite (busy_sum w a T); auto.
    - rewrite total_sum_below. apply sum_below_ext. intros j _. unfold m.
      rewrite (Z.mul_comm (total _ _)), <- total_scale. apply total_ext. intros. ring. }
  rewrite E1, E2. exact H.
Qed.

(* Lists with the largest W first. *)
Fixpoint descending (W : attempt -> Z) (l : list attempt) : Prop :=
  match l with
  | [] => True
  | x :: rest => (forall y, In y rest -> W y <= W x) /\ descending W rest
  end.

Fixpoint insert (W : attempt -> Z) (x : attempt) (l : list attempt) : list attempt :=
  match l with
  | [] => [x]
  | y :: rest => if W y <=? W x then x :: l else y :: insert W x rest
  end.

Lemma insert_permutation W x l : Permutation (x :: l) (insert W x l).
Proof.
  induction l as [|y l IH]; simpl; [reflexivity|]. destruct (W y <=? W x); [reflexivity|].
  rewrite perm_swap, IH. reflexivity.
Qed.

Lemma insert_descending W x l : descending W l -> descending W (insert W x l).
Proof.
  induction l as [|y l IH]; simpl; [intros _; split; [intros z []|exact I]|].
  intros [Hy Hl]. destruct (W y <=? W x) eqn:E.
  - simpl. repeat split; auto. intros z [->|Hz]; [lia|]. specialize (Hy z Hz). lia.
  - simpl. split; [|auto]. intros z Hz.
    apply (Permutation_in _ (Permutation_sym (insert_permutation W x l))) in Hz.
    destruct Hz as [->|Hz]; [lia|auto].
Qed.

Lemma sorted_exists W l : exists l', Permutation l l' /\ descending W l'.
Proof.
  induction l as [|x l (l' & Hp & Hd)]; [exists []; split; [constructor|exact I]|].
  exists (insert W x l'). split; [|apply insert_descending, Hd].
  rewrite Hp. apply insert_permutation.
Qed.

Lemma totalQ_permutation {A : Type} (f : A -> Q) l l' :
  Permutation l l' -> (totalQ f l == totalQ f l')%Q.
Proof. induction 1; simpl; lra. Qed.

Lemma totalQ_map {A B : Type} (f : B -> Q) (g : A -> B) l :
  totalQ f (map g l) = totalQ (fun x => f (g x)) l.
Proof. induction l; simpl; [reflexivity|]. rewrite IHl. reflexivity. Qed.

Lemma totalQ_app {A : Type} (f : A -> Q) l l' : (totalQ f (l ++ l') == totalQ f l + totalQ f l')%Q.
Proof. induction l as [|x l IH]; cbn [app totalQ]; [lra|]. rewrite IH. ring. Qed.

(* Summation by parts.  For W_1 >= W_2 >= ... > 0 and numbers Y_i whose sums over all tails
   are at least the squares of those of W:  the sum of Y_i / W_i is at least that for which
   the sums are equal. *)
Lemma by_parts (W Y : attempt -> Z) c l :
  0 < c -> (forall a, In a l -> 0 < W a) -> descending W l ->
  (forall l1 l2, l = l1 ++ l2 -> total W l2 * total W l2 <= c * total Y l2) ->
  (forall x rest, l = x :: rest ->
    inject_Z (c * total Y l - total W l * total W l) / inject_Z (W x)
    <= inject_Z c * totalQ (fun a => inject_Z (Y a) / inject_Z (W a)) l
       - inject_Z (2 * pairs (fun a b => Z.min (W a) (W b)) l + total W l))%Q.
Proof.
  intros Hc. induction l as [|x l IH]; intros Hpos Hdesc Htails x' rest Heq; [discriminate|].
  inversion Heq. subst x' rest. clear Heq.
  destruct Hdesc as [Hx Hdesc]. assert (HWx : 0 < W x) by (apply Hpos; simpl; auto).
  assert (Hmin : total (fun b => Z.min (W x) (W b)) l = total W l).
  { apply total_ext. intros b Hb. specialize (Hx b Hb). lia. }
  cbn [total totalQ pairs]. rewrite Hmin.
  set (A := total W l) in *. set (YY := total Y l) in *.
  set (D := totalQ (fun a => inject_Z (Y a) / inject_Z (W a))%Q l) in *.
  set (PP := pairs (fun a b => Z.min (W a) (W b)) l) in *.
  assert (HWq : (0 < inject_Z (W x))%Q) by (apply inject_pos; exact HWx).
  assert (Hrest : (inject_Z (c * YY - A * A) / inject_Z (W x)
      <= inject_Z c * D - inject_Z (2 * PP + A))%Q).
  { destruct l as [|y l'].
    - unfold A, YY, D, PP. simpl. rewrite Z.mul_0_r. change (inject_Z (0 - 0)) with 0%Q.
      change (inject_Z 0) with 0%Q. unfold Qdiv. rewrite Qmult_0_l. lra.
    - eapply Qle_trans; [|apply (IH (fun a Ha => Hpos a (or_intror Ha)) Hdesc) with (x := y) (rest := l')].
      + fold A YY. apply fraction_le; [exact HWx|apply Hpos; simpl; auto|].
        specialize (Hx y (or_introl eq_refl)). assert (0 < W y) by (apply Hpos; simpl; auto).
        specialize (Htails [x] (y :: l') eq_refl). fold A YY in Htails.
        apply Z.mul_le_mono_nonneg_l; lia.
      + intros l1 l2 E. apply (Htails (x :: l1)). rewrite E. reflexivity.
      + reflexivity. }
  assert (E : (inject_Z (c * (Y x + YY) - (W x + A) * (W x + A)) / inject_Z (W x) ==
      inject_Z (c * YY - A * A) / inject_Z (W x) + inject_Z c * (inject_Z (Y x) / inject_Z (W x))
      - (inject_Z 2 * inject_Z A + inject_Z (W x)))%Q).
  { unfold Z.sub. rewrite !inject_Z_plus, !inject_Z_opp, !inject_Z_mult, !inject_Z_plus.
    change (inject_Z 2) with 2%Q. field. lra. }
  rewrite E. rewrite !inject_Z_plus, !inject_Z_mult, !inject_Z_plus in *. lra.
Qed.

Lemma tail_of_permutation {A : Type} (l l1 l2 : list A) :
  Permutation l (l1 ++ l2) -> forall f, (forall x, In x l -> 0 <= f x) -> total f l2 <= total f l.
Proof.
  intros Hp f Hf. rewrite (total_permutation f _ _ Hp), total_app.
  assert (0 <= total f l1); [|lia]. apply total_nonneg. intros x Hx. apply Hf.
  apply (Permutation_in _ (Permutation_sym Hp)). apply in_or_app. auto.
Qed.

(* 2 C_i = 2 B_i + 2 delta_i. *)
Lemma twice_completions w l : (forall a, In a l -> 0 < whole w (of a)) ->
  (inject_Z 2 * inject_Z (completions l) ==
    totalQ (fun a => inject_Z (busy w a) / inject_Z (whole w (of a))) l
    + inject_Z 2 * totalQ (delta w) (map of l))%Q.
Proof.
  intros Hwhole. rewrite totalQ_map. unfold completions.
  induction l as [|a l IH]; cbn [total totalQ].
  - change (inject_Z 0) with 0%Q. lra.
  - specialize (IH (fun b Hb => Hwhole b (or_intror Hb))).
    rewrite inject_Z_plus, Qmult_plus_distr_r, IH.
    assert (Ha : (0 < inject_Z (whole w (of a)))%Q) by (apply inject_pos, Hwhole; simpl; auto).
    assert (inject_Z 2 * inject_Z (completion a) ==
      inject_Z (busy w a) / inject_Z (whole w (of a)) + inject_Z 2 * delta w (of a))%Q; [|lra].
    unfold delta, busy, completion.
    rewrite !inject_Z_plus, !inject_Z_mult. change (inject_Z 2) with 2%Q. field. lra.
Qed.

(* Theorem 2 of lower_bounds.md, for weights that are fractions (integers over c): if in
   every round of this schedule the weights add up to at most 1, the bound holds. *)
Theorem busy_time w c M requests l :
  schedule M requests l -> 0 < c ->
  (forall a, In a l -> 0 < whole w (of a)) ->
  (forall a r, In a l -> 0 <= weight w a r) ->
  (forall r, total (fun a => weight w a r) l <= c) ->
  (busy_bound w c requests <= inject_Z (completions l))%Q.
Proof.
  intros (Hof & Hvalid & _) Hc Hwhole Hpos Hcap.
  set (W := fun a => whole w (of a)).
  destruct (sorted_exists W l) as (l' & Hp & Hdesc).
  assert (Hin : forall a, In a l' -> In a l).
  { intros a. apply Permutation_in, Permutation_sym, Hp. }
  rewrite Forall_forall in Hvalid.
  (* the sum of the 2 B_i *)
  assert (HB : (inject_Z (2 * pairs (fun a b => Z.min (W a) (W b)) l' + total W l')
      <= inject_Z c * totalQ (fun a => inject_Z (busy w a) / inject_Z (W a)) l')%Q).
  { destruct l' as [|x rest] eqn:El'.
    { simpl. change (inject_Z 0) with 0%Q. lra. }
    rewrite <- El' in *.
    assert (Htails : forall l1 l2, l' = l1 ++ l2 -> total W l2 * total W l2 <= c * total (busy w) l2).
    { intros l1 l2 E. apply set_inequality; [lia| | |].
      - apply Forall_forall. intros a Ha. apply Hvalid, Hin. rewrite E. apply in_or_app. auto.
      - intros a r Ha. apply Hpos, Hin. rewrite E. apply in_or_app. auto.
      - intros r. eapply Z.le_trans; [|apply (Hcap r)].
        apply (tail_of_permutation l l1 l2); [rewrite <- E; exact Hp|]. intros y Hy. apply Hpos, Hy. }
    pose proof (by_parts W (busy w) c l' Hc (fun a Ha => Hwhole a (Hin a Ha)) Hdesc Htails x rest El')
      as H.
    assert (H0 : (0 <= inject_Z (c * total (busy w) l' - total W l' * total W l') / inject_Z (W x))%Q).
    { apply Qle_shift_div_l; [apply inject_pos, Hwhole, Hin; rewrite El'; simpl; auto|].
      rewrite Qmult_0_l. change 0%Q with (inject_Z 0). rewrite <- Zle_Qle.
      specialize (Htails [] l' eq_refl). lia. }
    lra. }
  (* 2 C_i = 2 B_i + 2 delta_i *)
  pose proof (twice_completions w l Hwhole) as HC. rewrite Hof in HC.
  change (totalQ (fun a => inject_Z (busy w a) / inject_Z (whole w (of a))) l)%Q
    with (totalQ (fun a => inject_Z (busy w a) / inject_Z (W a)) l)%Q in HC.
  unfold busy_bound.
  assert (Hpairs : pairs (fun q q' => Z.min (whole w q) (whole w q')) requests =
      pairs (fun a b => Z.min (W a) (W b)) l').
  { rewrite <- Hof, pairs_map. apply pairs_permutation; [intros; apply Z.min_comm|exact Hp]. }
  assert (Htotal : total (whole w) requests = total W l').
  { rewrite <- Hof, total_map. apply total_permutation, Hp. }
  rewrite Hpairs, Htotal.
  rewrite (totalQ_permutation _ _ _ Hp) in HC.
  set (X := 2 * pairs (fun a b => Z.min (W a) (W b)) l' + total W l') in *.
  set (B := totalQ (fun a => inject_Z (busy w a) / inject_Z (W a))%Q l') in *.
  assert (Hcq : (0 < inject_Z c)%Q) by (apply inject_pos; exact Hc).
  assert (HX : (inject_Z X / inject_Z (2 * c) <= B / 2)%Q).
  { apply Qle_shift_div_r; [apply inject_pos; lia|]. rewrite inject_Z_mult.
    change (inject_Z 2) with 2%Q.
    assert (B / 2 * (2 * inject_Z c) == inject_Z c * B)%Q as -> by field. exact HB. }
  change (inject_Z 2) with 2%Q in HC.
  assert (Hhalf : (B / 2 == B * (1 # 2))%Q) by field. lra.
Qed.

(* --- Memory weights ---------------------------------------------------------------------- *)

Definition memory_weights (q : request) (j : Z) : Z := prompt q + j.

Lemma memory_weight a r : weight memory_weights a r = use a r.
Proof. unfold weight, use, memory_weights. destruct (_ && _); lia. Qed.

Lemma memory_whole q : 0 <= output q -> whole memory_weights q = area q.
Proof.
  intros Ho. unfold whole, memory_weights, area.
  rewrite ages_vol. rewrite Z2Nat.id by exact Ho. reflexivity.
Qed.

Lemma area_pos q : valid_request q -> 0 < area q.
Proof. intros [Hs Ho]. unfold area. pose proof (vol_double (prompt q) (output q)). nia. Qed.

(* OPT >= P + V1/2 + sum of delta_i. *)
Theorem busy_time_memory M requests l :
  0 < M -> schedule M requests l -> (busy_bound memory_weights M requests <= inject_Z (completions l))%Q.
Proof.
  intros HM Hl. pose proof Hl as (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
  apply (busy_time memory_weights M M requests l Hl HM).
  - intros a Ha. destruct (Hvalid a Ha) as [Hq _]. rewrite memory_whole by (destruct Hq; lia).
    apply area_pos, Hq.
  - intros a r Ha. rewrite memory_weight. apply use_nonneg, Hvalid, Ha.
  - intros r. rewrite (total_ext _ (fun a => use a r)) by (intros; apply memory_weight).
    apply Hfits.
Qed.

(* --- Slot weights ------------------------------------------------------------------------ *)

(* 1 / (1 + floor ((M - m) / (s_min + 1))) in units of 1 / c, rounded down; exact if c is a
   multiple of all the denominators. *)
Definition slot_weights (M s_min c : Z) (q : request) (j : Z) : Z :=
  c / (1 + (M - (prompt q + j)) / (s_min + 1)).

(* What runs in a round weighs at most 1 together. *)
Lemma slots_shared M s_min c requests l :
  schedule M requests l -> M <= c ->
  (forall q, In q requests -> 0 <= s_min <= prompt q) -> l <> [] ->
  0 < M /\
  (forall a j, In a l -> 1 <= j <= output (of a) -> 1 <= slot_weights M s_min c (of a) j) /\
  (forall r, total (fun a => weight (slot_weights M s_min c) a r) l <= c).
Proof.
  intros Hl Hc Hmin Hne. pose proof Hl as (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
  assert (Hprompt : forall a, In a l -> 0 <= s_min <= prompt (of a)).
  { intros a Ha. apply Hmin. rewrite <- Hof. apply in_map, Ha. }
  (* a run that is alone fits *)
  assert (Halone : forall a j, In a l -> 1 <= j <= output (of a) -> prompt (of a) + j <= M).
  { intros a j Ha Hj. specialize (Hfits (start a + j)). destruct (in_split a l Ha) as (l1 & l2 & E).
    assert (Huse : use a (start a + j) = prompt (of a) + j).
    { unfold use, completion. replace (start a <? start a + j) with true by lia.
      replace (start a + j <=? start a + output (of a)) with true by lia. simpl. lia. }
    rewrite E in Hfits. unfold memory in Hfits. rewrite total_app in Hfits. simpl in Hfits.
    assert (0 <= total (fun b => use b (start a + j)) l1).
    { apply total_nonneg. intros b Hb. apply use_nonneg, Hvalid. rewrite E. apply in_or_app. auto. }
    assert (0 <= total (fun b => use b (start a + j)) l2).
    { apply total_nonneg. intros b Hb. apply use_nonneg, Hvalid. rewrite E. apply in_or_app.
      simpl. auto. }
    lia. }
  (* 1 <= q <= M for all that occur *)
  assert (Hslots : forall a j, In a l -> 1 <= j <= output (of a) ->
      1 <= 1 + (M - (prompt (of a) + j)) / (s_min + 1) <= M).
  { intros a j Ha Hj. specialize (Halone a j Ha Hj). specialize (Hprompt a Ha).
    assert (0 <= (M - (prompt (of a) + j)) / (s_min + 1)) by (apply Z.div_pos; lia).
    assert ((M - (prompt (of a) + j)) / (s_min + 1) <= M - (prompt (of a) + j));
      [apply Z.div_le_upper_bound; nia|lia]. }
  assert (HM : 0 < M).
  { destruct l as [|a0 l0]; [contradiction|]. assert (Ha : In a0 (a0 :: l0)) by (simpl; auto).
    destruct (Hvalid a0 Ha) as [[_ Ho] _]. specialize (Hslots a0 1 Ha ltac:(lia)). lia. }
  assert (Hpos : forall a j, In a l -> 1 <= j <= output (of a) -> 1 <= slot_weights M s_min c (of a) j).
  { intros a j Ha Hj. specialize (Hslots a j Ha Hj). unfold slot_weights.
    apply Z.div_le_lower_bound; lia. }
  split; [exact HM|]. split; [exact Hpos|].
  - intros r. set (R := filter (fun a => (start a <? r) && (r <=? completion a)) l).
    set (n := Z.of_nat (length R)).
    transitivity (total (fun _ : attempt => c / n) R).
    + unfold weight. rewrite <- total_filter. fold R. apply total_le. intros a Ha.
      pose proof Ha as HaR. unfold R in Ha. apply filter_In in Ha as [Ha Hrun]. unfold completion in Hrun.
      (* the others use s_min + 1 at least *)
      assert (Hmem : prompt (of a) + (r - start a) + (n - 1) * (s_min + 1) <= M).
      { specialize (Hfits r). destruct (in_split a R HaR) as (R1 & R2 & E).
        assert (Htot : memory l r = total (fun b => use b r) R).
        { unfold memory, R. rewrite total_filter. apply total_ext. intros b _. unfold use.
          destruct ((start b <? r) && (r <=? completion b)); reflexivity. }
        assert (Huse : forall b, In b R -> s_min + 1 <= use b r).
        { intros b Hb. unfold R in Hb. apply filter_In in Hb as [Hb Hrb]. unfold use. rewrite Hrb.
          specialize (Hprompt b Hb). lia. }
        assert (Ha' : use a r = prompt (of a) + (r - start a)).
        { unfold use, completion. rewrite Hrun. lia. }
        assert (Hlen : n - 1 = Z.of_nat (length R1) + Z.of_nat (length R2)).
        { unfold n. rewrite E, app_length. simpl. lia. }
        rewrite Htot, E, total_app in Hfits. simpl in Hfits. rewrite Ha' in Hfits.
        assert ((s_min + 1) * Z.of_nat (length R1) <= total (fun b => use b r) R1).
        { rewrite <- total_const. apply total_le. intros b Hb. apply Huse. rewrite E.
          apply in_or_app. auto. }
        assert ((s_min + 1) * Z.of_nat (length R2) <= total (fun b => use b r) R2).
        { rewrite <- total_const. apply total_le. intros b Hb. apply Huse. rewrite E.
          apply in_or_app. simpl. auto. }
        rewrite Hlen. nia. }
      assert (Hn : 1 <= n).
      { unfold n. destruct R; [destruct HaR|]. simpl. lia. }
      unfold slot_weights. apply Z.div_le_compat_l; [lia|]. split; [lia|].
      assert (n - 1 <= (M - (prompt (of a) + (r - start a))) / (s_min + 1)); [|lia].
      specialize (Hprompt a Ha). apply Z.div_le_lower_bound; lia.
    + rewrite total_const. fold n. destruct (Z.eq_dec n 0) as [->|Hn]; [lia|].
      assert (0 < n) by lia. rewrite Z.mul_comm. apply Z.mul_div_le. lia.
Qed.

Theorem busy_time_slots M s_min c requests l :
  schedule M requests l -> M <= c ->
  (forall q, In q requests -> 0 <= s_min <= prompt q) ->
  (busy_bound (slot_weights M s_min c) c requests <= inject_Z (completions l))%Q.
Proof.
  intros Hl Hc Hmin. pose proof Hl as (Hof & Hvalid & _). rewrite Forall_forall in Hvalid.
  destruct l as [|a0 l0] eqn:El.
  { subst requests. unfold busy_bound. cbn [map pairs total totalQ].
    change (inject_Z (2 * 0 + 0)) with 0%Q. unfold Qdiv. rewrite Qmult_0_l.
    unfold completions. simpl. change (inject_Z 0) with 0%Q. lra. }
  rewrite <- El in *.
  destruct (slots_shared M s_min c requests l Hl Hc Hmin) as (HM & Hpos & Hcap); [rewrite El; discriminate|].
  apply (busy_time _ c M requests l Hl); [lia| | |exact Hcap].
  - intros a Ha. destruct (Hvalid a Ha) as [[_ Ho] _]. unfold whole.
    apply Z.lt_le_trans with (1 * Z.of_nat (Z.to_nat (output (of a)))); [lia|].
    rewrite <- sum_below_const. apply sum_below_le. intros j Hj. apply Hpos; [exact Ha|lia].
  - intros a r Ha. unfold weight.
    destruct ((start a <? r) && (r <=? completion a)) eqn:E; [|lia].
    unfold completion in E. specialize (Hpos a (r - start a) Ha ltac:(lia)). lia.
Qed.

(* --- A + L / 3 --------------------------------------------------------------------------- *)

Lemma memory_moment s n :
  6 * sum_below n (fun j => (s + (Z.of_nat j + 1)) * (2 * (Z.of_nat j + 1) - 1)) =
  Z.of_nat n * (6 * s * Z.of_nat n + (Z.of_nat n + 1) * (4 * Z.of_nat n - 1)).
Proof. induction n as [|n IH]; cbn [sum_below]; [reflexivity|]. rewrite Z.mul_add_distr_l, IH. nia. Qed.

(* delta_i >= (2 o_i + 1) / 6. *)
Theorem delta_memory q :
  valid_request q -> (inject_Z (2 * output q + 1) / 6 <= delta memory_weights q)%Q.
Proof.
  intros Hq. pose proof (area_pos q Hq) as Ha. destruct Hq as [Hs Ho]. unfold delta.
  rewrite memory_whole by lia.
  pose proof (memory_moment (prompt q) (Z.to_nat (output q))) as Hm.
  fold (moment memory_weights q) in Hm.
  change (sum_below (Z.to_nat (output q))
    (fun j => (prompt q + (Z.of_nat j + 1)) * (2 * (Z.of_nat j + 1) - 1)))
    with (moment memory_weights q) in Hm.
  rewrite Z2Nat.id in Hm by lia.
  pose proof (vol_double (prompt q) (output q)) as Hv. fold (area q) in Hv.
  assert (H : (inject_Z (moment memory_weights q) / inject_Z (2 * area q)
      <= inject_Z (4 * output q - 1) / inject_Z 6)%Q) by (apply fraction_le; nia).
  change (inject_Z 6) with 6%Q in H.
  assert (E1 : (inject_Z (4 * output q - 1) / 6 == (4 # 6) * inject_Z (output q) - (1 # 6))%Q).
  { unfold Z.sub. rewrite inject_Z_plus, inject_Z_mult. change (inject_Z 4) with 4%Q.
    change (inject_Z (- (1))) with (-1)%Q. field. }
  assert (E2 : (inject_Z (2 * output q + 1) / 6 == (2 # 6) * inject_Z (output q) + (1 # 6))%Q).
  { rewrite inject_Z_plus, inject_Z_mult. change (inject_Z 2) with 2%Q.
    change (inject_Z 1) with 1%Q. field. }
  rewrite E1 in H. rewrite E2. lra.
Qed.

(* Lemma 5 of sharper_bounds.md: OPT >= A + L/3, A = P + V1/2 = (2 sum over pairs of
   min (v_i, v_j) + sum of v_i) / (2 M). *)
Theorem opt_third M requests l :
  0 < M -> schedule M requests l ->
  (inject_Z (2 * pairs (fun q q' => Z.min (area q) (area q')) requests + total area requests)
     / inject_Z (2 * M)
   + inject_Z (total output requests) / 3 <= inject_Z (completions l))%Q.
Proof.
  intros HM Hl. eapply Qle_trans; [|apply (busy_time_memory M requests l HM Hl)].
  destruct Hl as (Hof & Hvalid & _). rewrite Forall_forall in Hvalid.
  assert (Hreq : forall q, In q requests -> valid_request q).
  { intros q Hq. rewrite <- Hof in Hq. apply in_map_iff in Hq as (a & <- & Ha). apply Hvalid, Ha. }
  unfold busy_bound. clear Hof Hvalid.
  assert (E : total (whole memory_weights) requests = total area requests).
  { apply total_ext. intros q Hq. apply memory_whole. destruct (Hreq q Hq). lia. }
  assert (E' : pairs (fun q q' => Z.min (whole memory_weights q) (whole memory_weights q')) requests =
      pairs (fun q q' => Z.min (area q) (area q')) requests).
  { clear E. induction requests as [|q rest IH]; [reflexivity|]. cbn [pairs].
    rewrite IH by (intros q' Hq'; apply Hreq; simpl; auto). f_equal. apply total_ext.
    intros q' Hq'. rewrite !memory_whole; [reflexivity| |].
    - destruct (Hreq q' (or_intror Hq')). lia.
    - destruct (Hreq q (or_introl eq_refl)). lia. }
  rewrite E, E'. apply Qplus_le_compat; [apply Qle_refl|]. clear E E'.
  induction requests as [|q rest IH]; cbn [total totalQ].
  - discriminate.
  - specialize (IH (fun q' Hq' => Hreq q' (or_intror Hq'))).
    pose proof (delta_memory q (Hreq q (or_introl eq_refl))) as H.
    assert (E2 : (inject_Z (2 * output q + 1) / 6 == inject_Z (output q) / 3 + (1 # 6))%Q).
    { rewrite inject_Z_plus, inject_Z_mult. change (inject_Z 2) with 2%Q.
      change (inject_Z 1) with 1%Q. field. }
    rewrite E2 in H. rewrite inject_Z_plus.
    assert (E3 : ((inject_Z (output q) + inject_Z (total output rest)) / 3 ==
      inject_Z (output q) / 3 + inject_Z (total output rest) / 3)%Q) by field.
    rewrite E3. set (x := (inject_Z (output q) / 3)%Q) in *.
    set (y := (inject_Z (total output rest) / 3)%Q) in *. lra.
Qed.
