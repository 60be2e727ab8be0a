(* The SPT pipeline costs at most 7/3 times the optimum: Lemma 6 and Theorem 14 of
   sharper_bounds.md, from the model to the ratio. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Staircase Pipeline Spacing Area BusyTime.
Import ListNotations.
Open Scope Z_scope.

(* x_0 = 0, x_{i+1} = x_i + d (o_i), for an endless sequence of requests q_0, q_1, .... *)
Fixpoint place (d : Z -> Q) (q : nat -> request) (i : nat) : Q :=
  match i with
  | O => 0
  | S i' => (place d q i' + d (output (q i')))%Q
  end.

(* A list of requests as an endless sequence: the last one is repeated. *)
Definition endless (requests : list request) (i : nat) : request :=
  nth i requests (last requests (Request 0 1)).

(* The SPT pipeline: request i starts at floor (x_i). *)
Definition spt (d : Z -> Q) (requests : list request) : list attempt :=
  map (fun i => Attempt (endless requests i) (Qfloor (place d (endless requests) i)))
    (seq 0 (length requests)).

(* Shortest first. *)
Definition shortest_first (requests : list request) : Prop :=
  StronglySorted (fun q q' => output q <= output q') requests.

(* --- Proofs ------------------------------------------------------------------------------ *)

Lemma map_nth_seq {A : Type} (l : list A) (x : A) :
  map (fun i => nth i l x) (seq 0 (length l)) = l.
Proof.
  induction l as [|y l IH]; [reflexivity|]. cbn [length seq map nth]. f_equal.
  rewrite <- seq_shift, map_map. exact IH.
Qed.

Lemma endless_in requests i : requests <> [] -> In (endless requests i) requests.
Proof.
  intros H. unfold endless. destruct (Nat.lt_ge_cases i (length requests)) as [Hi|Hi].
  - apply nth_In, Hi.
  - rewrite nth_overflow by exact Hi. destruct (exists_last H) as (l & x & ->).
    rewrite last_last. apply in_or_app. simpl. auto.
Qed.

Lemma endless_sorted requests : shortest_first requests ->
  forall i, output (endless requests i) <= output (endless requests (S i)).
Proof.
  unfold endless, shortest_first. intros Hs. induction Hs as [|q rest Hs IH Hq]; intros i.
  - destruct i; simpl; lia.
  - destruct rest as [|q' rest'].
    + destruct i as [|[|i]]; simpl; lia.
    + change (last (q :: q' :: rest') (Request 0 1)) with (last (q' :: rest') (Request 0 1)).
      destruct i as [|i].
      * cbn [nth]. inversion Hq; assumption.
      * change (nth (S i) (q :: q' :: rest')) with (nth i (q' :: rest')).
        change (nth (S (S i)) (q :: q' :: rest')) with (nth (S i) (q' :: rest')). apply IH.
Qed.

(* It is a schedule. *)
Theorem spt_schedule s M d requests :
  0 <= s -> 0 < M -> rule s M d -> shortest_first requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q /\ s + output q <= M) ->
  schedule M requests (spt d requests).
Proof.
  intros Hs HM0 Hrule Hsorted Hreq.
  assert (Hdpos : forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q).
  { intros t Ht HM. destruct Hrule as [(k & Hk & Hd)|[(k & Hk & Hd)|Hd]].
    - rewrite Hd. destruct (Hk t Ht HM). apply sps_pos; lia.
    - rewrite Hd. apply (sps2_fits s t M (k t) Hs Ht HM (Hk t Ht HM)).
    - apply (Hd t Ht HM). }
  destruct requests as [|q0 rest] eqn:E.
  { repeat split; [constructor|]. intros r. unfold memory. simpl. lia. }
  rewrite <- E in *. assert (Hne : requests <> []) by (rewrite E; discriminate).
  assert (Hq : forall i, prompt (endless requests i) = s /\ 1 <= output (endless requests i) /\
      s + output (endless requests i) <= M).
  { intros i. apply Hreq, endless_in, Hne. }
  assert (Hplace : forall i, (0 <= place d (endless requests) i)%Q).
  { induction i as [|i IH]; simpl; [apply Qle_refl|].
    destruct (Hq i) as (_ & H1 & H2). specialize (Hdpos _ H1 H2). lra. }
  repeat split.
  - unfold spt. rewrite map_map. cbn [of]. unfold endless. apply map_nth_seq.
  - apply Forall_forall. intros a Ha. apply in_map_iff in Ha as (i & <- & _).
    destruct (Hq i) as (H1 & H2 & _). repeat split; cbn [of start]; [lia|lia|].
    apply le_floor, Hplace.
  - apply no_drain_rules with (s := s) (x := place d (endless requests)) (d := d)
      (tau := fun i => output (endless requests i)); auto.
    + intros i. apply Hq.
    + apply endless_sorted, Hsorted.
    + intros i. simpl. apply Qle_refl.
    + intros i. simpl. destruct (Hq i). lia.
    + intros i. simpl. lia.
Qed.

Fixpoint sumQ_below (n : nat) (f : nat -> Q) : Q :=
  match n with
  | O => 0
  | S n' => (sumQ_below n' f + f n')%Q
  end.

Lemma pairs_snoc {A : Type} (f : A -> A -> Z) l y :
  pairs f (l ++ [y]) = pairs f l + total (fun x => f x y) l.
Proof. induction l as [|x l IH]; simpl; [lia|]. rewrite total_app, IH. simpl. lia. Qed.

Lemma vol_mono s o o' : 0 <= s -> 0 <= o -> o <= o' -> vol s o <= vol s o'.
Proof. intros. pose proof (vol_double s o). pose proof (vol_double s o'). nia. Qed.

(* d (t) <= vol (t) / (U M) if U is a lower bound on the utilisation. *)
Lemma distance_below s t M d U : 0 < M -> (0 < d)%Q -> (0 < U)%Q ->
  (U <= utilisation s t d M)%Q -> (d <= inject_Z (vol s t) / (U * inject_Z M))%Q.
Proof.
  intros HM Hd HU H. assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  apply Qle_shift_div_l; [apply Qmult_lt_0_compat; assumption|].
  unfold utilisation in H.
  assert (Hden : (0 < d * inject_Z M)%Q) by (apply Qmult_lt_0_compat; assumption).
  assert (H' : (U * (d * inject_Z M) <= inject_Z (vol s t) / (d * inject_Z M) * (d * inject_Z M))%Q).
  { apply Qmult_le_compat_r; [exact H|lra]. }
  assert (E : (inject_Z (vol s t) / (d * inject_Z M) * (d * inject_Z M) == inject_Z (vol s t))%Q)
    by (field; split; lra).
  rewrite E in H'. assert (E' : (U * (d * inject_Z M) == d * (U * inject_Z M))%Q) by ring.
  rewrite <- E'. exact H'.
Qed.

(* The cost of a pipeline without drains, shortest first, if the utilisation is at least U:
   at most P / U + L, P = (sum over pairs of min (v_i, v_j)) / M. *)
Theorem spt_cost s M d U requests :
  0 <= s -> 0 < M -> (0 < U)%Q ->
  (forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q /\ (U <= utilisation s t (d t) M)%Q) ->
  shortest_first requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q /\ s + output q <= M) ->
  (inject_Z (cost (spt d requests)) <=
   inject_Z (pairs (fun q q' => Z.min (area q) (area q')) requests) / (U * inject_Z M)
   + inject_Z (total output requests))%Q.
Proof.
  intros Hs HM HU Hd Hsorted Hreq.
  destruct requests as [|q0 rest] eqn:E.
  { unfold cost, spt. cbn [length seq map pairs total]. change (inject_Z 0) with 0%Q.
    unfold Qdiv. rewrite Qmult_0_l. discriminate. }
  rewrite <- E in *. assert (Hne : requests <> []) by (rewrite E; discriminate). clear E q0 rest.
  set (q := endless requests).
  assert (Hq : forall i, prompt (q i) = s /\ 1 <= output (q i) /\ s + output (q i) <= M).
  { intros i. apply Hreq, endless_in, Hne. }
  assert (Hmono : forall i j, (i <= j)%nat -> output (q i) <= output (q j)).
  { intros i j Hij. induction Hij as [|j Hij IH]; [lia|].
    pose proof (endless_sorted requests Hsorted j). fold q in H. lia. }
  assert (Hlist : requests = map q (seq 0 (length requests))).
  { unfold q, endless. symmetry. apply map_nth_seq. }
  unfold spt. fold q. set (n := length requests) in *. rewrite Hlist. clear Hlist. clearbody n.
  unfold cost. rewrite !total_map, total_seq.
  change (fun i => completion (Attempt (q i) (Qfloor (place d q i))))
    with (fun i => Qfloor (place d q i) + output (q i)).
  rewrite sum_below_add, inject_Z_plus, total_seq.
  apply Qplus_le_compat; [|apply Qle_refl].
  (* x_i is at most the sum of v_j / (U M) over j < i *)
  set (B := (U * inject_Z M)%Q).
  assert (HB : (0 < B)%Q) by (apply Qmult_lt_0_compat; [exact HU|apply inject_pos; exact HM]).
  assert (Hplace : forall i, (place d q i <= inject_Z (sum_below i (fun j => area (q j))) / B)%Q).
  { induction i as [|i IH]; cbn [place sum_below].
    - change (inject_Z 0) with 0%Q. unfold Qdiv. rewrite Qmult_0_l. apply Qle_refl.
    - destruct (Hq i) as (H1 & H2 & H3). destruct (Hd _ H2 H3) as [Hpos Hut].
      pose proof (distance_below s (output (q i)) M _ U HM Hpos HU Hut) as Hdist. fold B in Hdist.
      rewrite inject_Z_plus. unfold area at 2. rewrite H1.
      assert (E : ((inject_Z (sum_below i (fun j => area (q j))) + inject_Z (vol s (output (q i)))) / B
        == inject_Z (sum_below i (fun j => area (q j))) / B + inject_Z (vol s (output (q i))) / B)%Q)
        by (field; lra).
      rewrite E. lra. }
  induction n as [|n IH].
  - cbn [sum_below seq map pairs]. change (inject_Z 0) with 0%Q.
    unfold Qdiv. rewrite Qmult_0_l. apply Qle_refl.
  - rewrite seq_S, map_app. cbn [map]. rewrite pairs_snoc, total_map, total_seq. cbn [sum_below].
    rewrite !inject_Z_plus.
    assert (E : ((inject_Z (pairs (fun x y => Z.min (area x) (area y)) (map q (seq 0 n))) +
       inject_Z (sum_below n (fun i => Z.min (area (q i)) (area (q (0 + n)%nat))))) / B ==
       inject_Z (pairs (fun x y => Z.min (area x) (area y)) (map q (seq 0 n))) / B +
       inject_Z (sum_below n (fun i => Z.min (area (q i)) (area (q (0 + n)%nat)))) / B)%Q)
      by (field; lra).
    rewrite E. apply Qplus_le_compat; [exact IH|].
    eapply Qle_trans; [apply Qfloor_le|]. eapply Qle_trans; [apply Hplace|].
    assert (Hmin : sum_below n (fun i => Z.min (area (q i)) (area (q (0 + n)%nat))) =
        sum_below n (fun j => area (q j))); [|rewrite Hmin; apply Qle_refl].
    apply sum_below_ext. intros j Hj. apply Z.min_l. unfold area.
    destruct (Hq j) as (-> & H2 & _). destruct (Hq (0 + n)%nat) as (-> & _).
    apply vol_mono; [exact Hs|lia|]. apply Hmono. simpl. lia.
Qed.

(* Lemma 6 of sharper_bounds.md: cost <= a A + b L gives max (a, 2 a / 3 + b), for numbers
   with A + L/3 <= OPT and L <= OPT. *)
Theorem closing (a b A L opt cost : Q) :
  (0 <= a -> 0 <= b -> 0 <= L -> A + L / 3 <= opt -> L <= opt -> cost <= a * A + b * L ->
   cost <= a * opt \/ cost <= (2 * a / 3 + b) * opt)%Q.
Proof.
  intros Ha Hb HL Hopt HLopt Hcost.
  assert (H1 : (a * A <= a * (opt - L / 3))%Q).
  { rewrite !(Qmult_comm a). apply Qmult_le_compat_r; [lra|exact Ha]. }
  assert (E1 : (a * (opt - L / 3) == a * opt - (a / 3) * L)%Q) by field.
  rewrite E1 in H1.
  destruct (Qlt_le_dec b (a / 3)) as [Hlt|Hge].
  - left. assert (b * L <= (a / 3) * L)%Q by (apply Qmult_le_compat_r; lra). lra.
  - right. assert (H2 : ((b - a / 3) * L <= (b - a / 3) * opt)%Q).
    { rewrite !(Qmult_comm (b - a / 3)). apply Qmult_le_compat_r; lra. }
    assert (E2 : ((b - a / 3) * L == b * L - (a / 3) * L)%Q) by ring.
    assert (E3 : (a * opt + (b - a / 3) * opt == (2 * a / 3 + b) * opt)%Q) by field. lra.
Qed.

(* Theorem 14 of sharper_bounds.md.  With tight spacing the SPT pipeline of requests with a
   common prompt s is a schedule, and costs at most 7/3 times any schedule of the same
   requests, in whatever order they are listed there, with whatever kills. *)
Theorem spt_seven_thirds s M d requests other l killed :
  0 <= s -> 0 < M ->
  (forall t, 1 <= t -> s + t <= M -> tight s t M (d t)) ->
  shortest_first requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q /\ s + output q <= M) ->
  Permutation requests other -> schedule_with_kills M other l killed ->
  schedule M requests (spt d requests) /\
  (inject_Z (cost (spt d requests)) <= (7 # 3) * inject_Z (cost l))%Q.
Proof.
  intros Hs HM Htight Hsorted Hreq Hperm Hl.
  assert (Hrule : rule s M d) by (right; right; exact Htight).
  split; [apply (spt_schedule s M d); assumption|].
  apply no_kills in Hl.
  assert (Hcost := spt_cost s M d (1 # 2) requests Hs HM ltac:(reflexivity)).
  assert (Hbound := opt_third M other l HM Hl).
  assert (HL := output_bound M other l Hl).
  rewrite <- (total_permutation output _ _ Hperm) in HL.
  rewrite <- (total_permutation output _ _ Hperm), <- (total_permutation area _ _ Hperm) in Hbound.
  rewrite <- (pairs_permutation (fun q q' => Z.min (area q) (area q')) _ _
    (fun q q' => Z.min_comm (area q) (area q')) Hperm) in Hbound.
  specialize (Hcost (fun t Ht HtM =>
    conj (proj1 (Htight t Ht HtM))
      (Qlt_le_weak _ _ (tight_half s t M (d t) Hs Ht HtM (Htight t Ht HtM)))) Hsorted Hreq).
  set (P := pairs (fun q q' => Z.min (area q) (area q')) requests) in *.
  set (V := total area requests) in *. set (L := total output requests) in *.
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (HV : 0 <= V).
  { apply total_nonneg. intros q Hq. destruct (Hreq q Hq) as (H1 & H2 & _).
    apply Z.lt_le_incl, area_pos. split; lia. }
  assert (HL0 : 0 <= L).
  { apply total_nonneg. intros q Hq. destruct (Hreq q Hq) as (_ & H2 & _). lia. }
  set (A := (inject_Z (2 * P + V) / inject_Z (2 * M))%Q) in *.
  assert (HA : (inject_Z P / ((1 # 2) * inject_Z M) <= 2 * A)%Q).
  { unfold A. rewrite inject_Z_plus, !inject_Z_mult. change (inject_Z 2) with 2%Q.
    assert (E1 : (2 * ((2 * inject_Z P + inject_Z V) / (2 * inject_Z M)) ==
      inject_Z P / ((1 # 2) * inject_Z M) + inject_Z V / inject_Z M)%Q) by (field; lra).
    rewrite E1. assert (0 <= inject_Z V / inject_Z M)%Q; [|lra].
    apply Qle_shift_div_l; [exact HMq|]. rewrite Qmult_0_l.
    change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact HV. }
  assert (HLq : (0 <= inject_Z L)%Q).
  { change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact HL0. }
  assert (HLo : (inject_Z L <= inject_Z (cost l))%Q) by (rewrite <- Zle_Qle; exact HL).
  assert (Hopt0 : (0 <= inject_Z (cost l))%Q) by lra.
  destruct (closing 2 1 A (inject_Z L) (inject_Z (cost l)) (inject_Z (cost (spt d requests))))
    as [H|H]; try lra; try assumption.
Qed.
