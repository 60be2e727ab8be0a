(* SVF in batches as a function: there is such a schedule of all requests that fit alone. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Area Pipeline Spacing BusyTime Staggered InTurn MixedSvf AreaBatches
  AreaBatchesRatio.
Import ListNotations.
Open Scope Z_scope.

Definition is_large_enough (M : Z) (beta : Q) (v o : Z) (p : Q) : bool :=
  Qle_bool (4 * inject_Z v / inject_Z M) (beta * p) && Qle_bool (inject_Z o) p.

(* p is g^e.  The first of n + 1 levels from e on that is large enough. *)
Fixpoint level_from (M : Z) (g beta : Q) (v o : Z) (p : Q) (e n : nat) : nat :=
  match n with
  | O => e
  | S n' =>
      if is_large_enough M beta v o p then e else level_from M g beta v o (g * p)%Q (S e) n'
  end.

(* A level that is large enough. *)
Definition level_limit (M : Z) (g beta : Q) (v o : Z) : nat :=
  Z.to_nat (Qceiling ((4 * inject_Z v / inject_Z M / beta + inject_Z o) / (g - 1))).

Fixpoint rank_all (M : Z) (g beta : Q) (v : Z) (requests : list request) : list ranked :=
  match requests with
  | [] => []
  | q :: rest =>
      let v' := v + area q in
      Ranked q v' (level_from M g beta v' (output q) 1 0 (level_limit M g beta v' (output q)))
        :: rank_all M g beta v' rest
  end.

(* The best offset up to n, the first of equal ones. *)
Fixpoint least_offset (g : Q) (K : nat) (items : list ranked) (n : nat) : nat :=
  match n with
  | O => O
  | S n' =>
      let r := least_offset g K items n' in
      if Qle_bool (offset_cost g K r items) (offset_cost g K n items) then r else n
  end.

Definition is_before (M : Z) (K r : nat) (x y : ranked) : bool :=
  Nat.ltb (ends_at K r x) (ends_at K r y)
  || Nat.eqb (ends_at K r x) (ends_at K r y)
     && (is_wide M x && negb (is_wide M y)
         || Bool.eqb (is_wide M x) (is_wide M y) && (area_sum x <=? area_sum y)).

Fixpoint put_in (M : Z) (K r : nat) (x : ranked) (l : list ranked) : list ranked :=
  match l with
  | [] => [x]
  | y :: rest => if is_before M K r x y then x :: l else y :: put_in M K r x rest
  end.

Definition batches_order (M : Z) (g : Q) (K : nat) (beta : Q) (requests : list request) : list ranked :=
  let items := rank_all M g beta 0 requests in
  fold_right (put_in M K (least_offset g K items (K - 1))) [] items.

Definition batches_run (M : Z) (g : Q) (K : nat) (beta : Q) (requests : list request) : list attempt :=
  start_in_turn M [] (map job (batches_order M g K beta requests)).

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma is_large_enough_spec M g beta x e :
  is_large_enough M beta (area_sum x) (output (job x)) (power g e) = true <-> large_enough M g beta x e.
Proof. unfold is_large_enough, large_enough. rewrite andb_true_iff, !Qle_bool_iff. reflexivity. Qed.

Lemma level_from_spec M g beta q v : forall n e,
  let x := Ranked q v (level_from M g beta v (output q) (power g e) e n) in
  large_enough M g beta x (e + n) ->
  large_enough M g beta x (level x) /\ (e <= level x)%nat /\
  forall e', (e <= e')%nat -> large_enough M g beta x e' -> (level x <= e')%nat.
Proof.
  induction n as [|n IH]; intros e x H.
  - subst x. cbn [level_from level] in *. rewrite Nat.add_0_r in H. auto.
  - subst x. cbn [level_from level] in *. destruct (is_large_enough _ _ _ _ _) eqn:E.
    + split; [|auto]. apply is_large_enough_spec, E.
    + change (g * power g e)%Q with (power g (S e)) in *. specialize (IH (S e)).
      rewrite Nat.add_succ_comm in IH. destruct IH as (H1 & H2 & H3); [exact H|]. cbn [level] in *.
      split; [exact H1|]. split; [lia|]. intros e' He' Hlarge.
      destruct (Nat.eq_dec e' e) as [->|]; [exfalso|apply H3; [lia|exact Hlarge]].
      apply is_large_enough_spec in Hlarge. cbn [area_sum job] in Hlarge. congruence.
Qed.

Lemma level_limit_enough M g beta x :
  0 < M -> (1 < g)%Q -> (0 < beta)%Q -> 0 <= area_sum x -> 0 <= output (job x) ->
  large_enough M g beta x (level_limit M g beta (area_sum x) (output (job x))).
Proof.
  intros HM Hg Hbeta Hv Ho. set (n := level_limit _ _ _ _ _).
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (Hint : forall z, 0 <= z -> (0 <= inject_Z z)%Q).
  { intros z Hz. change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact Hz. }
  set (y := (4 * inject_Z (area_sum x) / inject_Z M)%Q).
  assert (Hy : (0 <= y)%Q).
  { apply Qle_shift_div_l; [exact HMq|]. pose proof (Hint _ Hv). lra. }
  assert (Hyb : (0 <= y / beta)%Q) by (apply Qle_shift_div_l; lra).
  pose proof (Hint _ Ho) as Hoq. set (o := inject_Z (output (job x))) in *.
  pose proof (power_above g n ltac:(lra)) as Hpow.
  assert (Hn : (y / beta + o <= inject_Z (Z.of_nat n) * (g - 1))%Q).
  { unfold n, level_limit. fold y o. set (z := ((y / beta + o) / (g - 1))%Q).
    assert (Hz : (0 <= z)%Q) by (apply Qle_shift_div_l; lra).
    assert (Hz' : (z <= inject_Z (Z.of_nat (Z.to_nat (Qceiling z))))%Q).
    { eapply Qle_trans; [apply Qle_ceiling|]. rewrite <- Zle_Qle. lia. }
    assert (E : (y / beta + o == z * (g - 1))%Q) by (unfold z; field; lra). rewrite E.
    apply Qmult_le_compat_r; [exact Hz'|lra]. }
  split; [|fold o; lra]. fold y.
  assert (E : (y == beta * (y / beta))%Q) by (field; lra). rewrite E.
  rewrite !(Qmult_comm beta). apply Qmult_le_compat_r; lra.
Qed.

Lemma rank_all_spec M g beta : forall requests v,
  0 < M -> (1 < g)%Q -> (0 < beta)%Q -> 0 <= v -> (forall q, In q requests -> valid_request q) ->
  map job (rank_all M g beta v requests) = requests /\ ranks M g beta v (rank_all M g beta v requests).
Proof.
  induction requests as [|q rest IH]; intros v HM Hg Hbeta Hv Hreq; [split; [reflexivity|exact I]|].
  pose proof (area_pos q (Hreq q (or_introl eq_refl))) as Ha.
  destruct (IH (v + area q)) as [H1 H2]; auto; [lia|intros q' Hq'; apply Hreq; simpl; auto|].
  cbn [rank_all map job ranks]. rewrite H1. cbn [area_sum]. split; [reflexivity|].
  set (n := level_limit M g beta (v + area q) (output q)).
  set (x := Ranked q (v + area q) (level_from M g beta (v + area q) (output q) 1 0 n)).
  assert (Hx : large_enough M g beta x (0 + n)).
  { apply (level_limit_enough M g beta x HM Hg Hbeta); cbn [x area_sum job]; [lia|].
    destruct (Hreq q (or_introl eq_refl)). lia. }
  destruct (level_from_spec M g beta q (v + area q) n 0 Hx) as (L1 & _ & L3).
  split; [reflexivity|]. split; [exact L1|]. split; [|exact H2]. intros e He. apply L3; [lia|exact He].
Qed.

Lemma least_offset_spec g K items n :
  (least_offset g K items n <= n)%nat /\
  forall r, (r <= n)%nat -> (offset_cost g K (least_offset g K items n) items <= offset_cost g K r items)%Q.
Proof.
  induction n as [|n [IH1 IH2]]; cbn [least_offset].
  - split; [lia|]. intros r Hr. replace r with O by lia. apply Qle_refl.
  - destruct (Qle_bool _ _) eqn:E.
    + apply Qle_bool_iff in E. split; [lia|]. intros r Hr.
      destruct (Nat.eq_dec r (S n)) as [->|]; [exact E|apply IH2; lia].
    + split; [lia|]. intros r Hr. destruct (Nat.eq_dec r (S n)) as [->|]; [apply Qle_refl|].
      eapply Qle_trans; [|apply IH2; lia]. apply Qlt_le_weak, Qnot_le_lt. intros H.
      apply Qle_bool_iff in H. congruence.
Qed.

Lemma is_before_spec M K r x y : is_before M K r x y = true <-> goes_before M K r x y.
Proof.
  unfold is_before, goes_before. rewrite orb_true_iff, andb_true_iff, orb_true_iff, !andb_true_iff, negb_true_iff,
    Nat.ltb_lt, Nat.eqb_eq, Bool.eqb_true_iff, Z.leb_le. reflexivity.
Qed.

Lemma precedes_total M K r x y : goes_before M K r x y \/ goes_before M K r y x.
Proof.
  unfold goes_before. destruct (Nat.lt_trichotomy (ends_at K r x) (ends_at K r y)) as [H|[H|H]]; auto.
  destruct (is_wide M x), (is_wide M y), (Z.le_gt_cases (area_sum x) (area_sum y)); intuition lia.
Qed.

Lemma precedes_trans M K r x y z : goes_before M K r x y -> goes_before M K r y z -> goes_before M K r x z.
Proof.
  unfold goes_before. intros [H1|(E1 & H1)] [H2|(E2 & H2)]; try (left; lia).
  right. split; [congruence|].
  destruct H1 as [(A1 & A2)|(A1 & A2)], H2 as [(B1 & B2)|(B1 & B2)].
  - congruence.
  - left. split; congruence.
  - left. split; congruence.
  - right. split; [congruence|lia].
Qed.

Lemma put_in_spec M K r x : forall l, StronglySorted (goes_before M K r) l ->
  Permutation (x :: l) (put_in M K r x l) /\ StronglySorted (goes_before M K r) (put_in M K r x l).
Proof.
  induction l as [|y l IH]; intros Hs; cbn [put_in]; [split; [reflexivity|repeat constructor]|].
  inversion Hs as [|? ? Hl Hy]; subst. destruct (is_before M K r x y) eqn:E.
  - split; [reflexivity|]. constructor; [exact Hs|]. constructor; [apply is_before_spec, E|].
    rewrite Forall_forall in *. intros z Hz. apply (precedes_trans M K r x y z); [apply is_before_spec, E|auto].
  - destruct (IH Hl) as [Hp Hs']. split; [rewrite perm_swap, Hp; reflexivity|]. constructor; [exact Hs'|].
    rewrite Forall_forall in *. intros z Hz. apply (Permutation_in _ (Permutation_sym Hp)) in Hz.
    destruct Hz as [<-|Hz]; [|auto]. destruct (precedes_total M K r x y) as [H|H]; [|exact H].
    apply is_before_spec in H. congruence.
Qed.

Lemma put_all_spec M K r items :
  Permutation items (fold_right (put_in M K r) [] items) /\
  StronglySorted (goes_before M K r) (fold_right (put_in M K r) [] items).
Proof.
  induction items as [|x items [H1 H2]]; cbn [fold_right]; [split; constructor|].
  destruct (put_in_spec M K r x _ H2) as [H3 H4]. split; [|exact H4]. rewrite <- H3. constructor. exact H1.
Qed.

Theorem svf_batches_exists M g K beta requests :
  0 < M -> (1 < g)%Q -> (0 < K)%nat -> (0 < beta)%Q ->
  (forall q, In q requests -> valid_request q /\ request_peak q <= M) ->
  at_once requests -> in_order area requests ->
  svf_in_batches M g K beta requests (batches_run M g K beta requests).
Proof.
  intros HM Hg HK Hbeta Hreq Hrel Hsorted.
  destruct (rank_all_spec M g beta requests 0) as [Hjobs Hranks]; auto; [lia|intros q Hq; apply Hreq, Hq|].
  set (items := rank_all M g beta 0 requests) in *. set (r := least_offset g K items (K - 1)).
  destruct (least_offset_spec g K items (K - 1)) as [Hr Hbest]. fold r in Hr, Hbest.
  destruct (put_all_spec M K r items) as [Hperm Hs]. exists items, r, (fold_right (put_in M K r) [] items).
  assert (HpermR : Permutation requests (map job (fold_right (put_in M K r) [] items))).
  { rewrite <- Hjobs at 1. apply Permutation_map, Hperm. }
  destruct (start_in_turn_spec M (map job (fold_right (put_in M K r) [] items)) []) as (S1 & _ & S3).
  - lia.
  - constructor.
  - intros t. unfold memory. cbn. lia.
  - cbn. lia.
  - intros q Hq. apply Hreq, (Permutation_in _ (Permutation_sym HpermR)), Hq.
  - intros q Hq. apply Hrel, (Permutation_in _ (Permutation_sym HpermR)), Hq.
  - repeat split; auto; [lia|]. intros r' Hr'. apply Hbest. lia.
Qed.
