(* Pipelines without drains: GBA without drains and the SPT pipeline, from the model to the
   ratio.  Lemma 6, Theorem 13 (without drains) and Theorem 14 of sharper_bounds.md. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Staircase Pipeline Spacing Area BusyTime.
Import ListNotations.
Open Scope Z_scope.

(* A slice rule gives each request a slice, which is at least its output.  x_0 = 0,
   x_{i+1} = x_i + d (slice of i), for an endless sequence of requests q_0, q_1, .... *)
Fixpoint place (d : Z -> Q) (slice : request -> Z) (q : nat -> request) (i : nat) : Q :=
  match i with
  | O => 0
  | S i' => (place d slice q i' + d (slice (q i')))%Q
  end.

(* A list of requests as an endless sequence: the last one is repeated. *)
Definition endless (requests : list request) (i : nat) : request :=
  nth i requests (last requests (Request 0 1)).

(* Request i starts at floor (x_i). *)
Definition staggered (d : Z -> Q) (slice : request -> Z) (requests : list request) : list attempt :=
  map (fun i => Attempt (endless requests i) (Qfloor (place d slice (endless requests) i)))
    (seq 0 (length requests)).

(* Slices do not decrease along the list. *)
Definition in_order (slice : request -> Z) (requests : list request) : Prop :=
  StronglySorted (fun q q' => slice q <= slice q') requests.

(* The SPT pipeline: the slices are the outputs, shortest first. *)
Definition spt (d : Z -> Q) (requests : list request) : list attempt := staggered d output requests.
Definition shortest_first : list request -> Prop := in_order output.

(* GBA without drains: the slices are class ends tau_0 <= tau_1 <= ... <= tau_m; class p holds
   the requests for which p is the first with tau_p >= o.  The order within a class is free. *)
Fixpoint class_from (tau : nat -> Z) (p n : nat) (o : Z) : nat :=
  match n with
  | O => p
  | S n' => if o <=? tau p then p else class_from tau (S p) n' o
  end.
Definition class_of (tau : nat -> Z) (m : nat) (q : request) : nat := class_from tau 0 m (output q).
Definition class_end (tau : nat -> Z) (m : nat) (q : request) : Z := tau (class_of tau m q).
Definition gba (d : Z -> Q) (tau : nat -> Z) (m : nat) (requests : list request) : list attempt :=
  staggered d (class_end tau m) requests.

(* Slices that are powers: tau_p = min (floor (alpha^p), M - s). *)
Fixpoint power (alpha : Q) (p : nat) : Q :=
  match p with O => 1 | S p' => (alpha * power alpha p')%Q end.
Definition powers (s M : Z) (alpha : Q) (p : nat) : Z := Z.min (Qfloor (power alpha p)) (M - s).

(* Slices geometric in area: tau_p = min (t_p, M - s), t_p the largest integer t with
   vol (t) <= (s + 1) g^p. *)
Definition areas (s M : Z) (g : Q) (tau : nat -> Z) : Prop :=
  forall p, exists t, tau p = Z.min t (M - s) /\ 1 <= t /\
    (inject_Z (vol s t) <= inject_Z (s + 1) * power g p)%Q /\
    (inject_Z (s + 1) * power g p < inject_Z (vol s (t + 1)))%Q.

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

Lemma endless_sorted slice requests : in_order slice requests ->
  forall i, slice (endless requests i) <= slice (endless requests (S i)).
Proof.
  unfold endless, in_order. intros Hs. induction Hs as [|q rest Hs IH Hq]; intros i.
  - destruct i; apply Z.le_refl.
  - destruct rest as [|q' rest'].
    + destruct i as [|[|i]]; apply Z.le_refl.
    + change (last (q :: q' :: rest') (Request 0 1)) with (last (q' :: rest') (Request 0 1)).
      destruct i as [|i].
      * cbn [nth]. inversion Hq; assumption.
      * change (nth (S i) (q :: q' :: rest')) with (nth i (q' :: rest')).
        change (nth (S (S i)) (q :: q' :: rest')) with (nth (S i) (q' :: rest')). apply IH.
Qed.

(* It is a schedule. *)
Theorem staggered_schedule s M d slice requests :
  0 <= s -> 0 < M -> rule s M d -> in_order slice requests ->
  (forall q, In q requests ->
    prompt q = s /\ 1 <= output q <= slice q /\ s + slice q <= M) ->
  at_once requests -> schedule M requests (staggered d slice requests).
Proof.
  intros Hs HM0 Hrule Hsorted Hreq Hrel.
  assert (Hdpos : forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q).
  { intros t Ht HM. destruct Hrule as [(k & Hk & Hd)|[(k & Hk & Hd)|Hd]].
    - rewrite Hd. destruct (Hk t Ht HM). apply sps_pos; lia.
    - rewrite Hd. apply (sps2_fits s t M (k t) Hs Ht HM (Hk t Ht HM)).
    - apply (Hd t Ht HM). }
  destruct requests as [|q0 others] eqn:E.
  { repeat split; [constructor|]. intros r. unfold memory. simpl. lia. }
  rewrite <- E in *. assert (Hne : requests <> []) by (rewrite E; discriminate).
  set (q := endless requests).
  assert (Hq : forall i, prompt (q i) = s /\ 1 <= output (q i) <= slice (q i) /\
      s + slice (q i) <= M).
  { intros i. apply Hreq, endless_in, Hne. }
  assert (Hplace : forall i, (0 <= place d slice q i)%Q).
  { induction i as [|i IH]; cbn [place]; [apply Qle_refl|].
    destruct (Hq i) as (_ & H1 & H2). specialize (Hdpos (slice (q i)) ltac:(lia) H2). lra. }
  repeat split.
  - unfold staggered. rewrite map_map. cbn [of]. unfold endless. apply map_nth_seq.
  - apply Forall_forall. intros a Ha. apply in_map_iff in Ha as (i & <- & _).
    destruct (Hq i) as (H1 & H2 & _). fold q. assert (Hz : release (q i) = 0) by (apply Hrel, endless_in, Hne).
    repeat split; cbn [of start]; [lia|lia|lia|]. rewrite Hz. apply le_floor, Hplace.
  - apply no_drain_rules with (s := s) (x := place d slice q) (d := d)
      (tau := fun i => slice (q i)); auto.
    + intros i. destruct (Hq i). lia.
    + apply endless_sorted, Hsorted.
    + intros i. apply Qle_refl.
    + intros i. cbn [of]. fold q. destruct (Hq i). lia.
    + intros i. cbn [of]. fold q. destruct (Hq i). lia.
Qed.

Lemma sum_below_leQ n (f g : nat -> Z) (G : Q) :
  (forall j, (j < n)%nat -> (inject_Z (f j) <= G * inject_Z (g j))%Q) ->
  (inject_Z (sum_below n f) <= G * inject_Z (sum_below n g))%Q.
Proof.
  induction n as [|n IH]; intros H; cbn [sum_below].
  - change (inject_Z 0) with 0%Q. rewrite Qmult_0_r. apply Qle_refl.
  - rewrite !inject_Z_plus, Qmult_plus_distr_r. apply Qplus_le_compat; auto with arith.
Qed.

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

(* The cost, if the utilisation is at least U and the area of a slice is at most G times the
   areas of its own request and of all with slices no smaller:  at most G P / U + L, where
   P = (sum over pairs of min (v_i, v_j)) / M.  Lemma 12 and half of the proofs of Theorems
   13 and 14 of sharper_bounds.md. *)
Theorem staggered_cost s M d slice U G requests :
  0 <= s -> 0 < M -> (0 < U)%Q ->
  (forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q /\ (U <= utilisation s t (d t) M)%Q) ->
  in_order slice requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q <= slice q /\ s + slice q <= M) ->
  (forall q q', In q requests -> In q' requests -> slice q <= slice q' ->
    (inject_Z (vol s (slice q)) <= G * inject_Z (Z.min (area q) (area q')))%Q) ->
  (inject_Z (completions (staggered d slice requests)) <=
   G * inject_Z (pairs (fun q q' => Z.min (area q) (area q')) requests) / (U * inject_Z M)
   + inject_Z (total output requests))%Q.
Proof.
  intros Hs HM HU Hd Hsorted Hreq HG.
  destruct requests as [|q0 others] eqn:E.
  { unfold completions, staggered. cbn [length seq map pairs total]. change (inject_Z 0) with 0%Q.
    unfold Qdiv. rewrite Qmult_0_r, Qmult_0_l. discriminate. }
  rewrite <- E in *. assert (Hne : requests <> []) by (rewrite E; discriminate). clear E q0 others.
  set (q := endless requests).
  assert (Hin : forall i, In (q i) requests) by (intros i; apply endless_in, Hne).
  assert (Hq : forall i, prompt (q i) = s /\ 1 <= output (q i) <= slice (q i) /\
      s + slice (q i) <= M) by (intros i; apply Hreq, Hin).
  assert (Hmono : forall i j, (i <= j)%nat -> slice (q i) <= slice (q j)).
  { intros i j Hij. induction Hij as [|j Hij IH]; [lia|].
    pose proof (endless_sorted slice requests Hsorted j) as H. fold q in H. lia. }
  assert (Hlist : requests = map q (seq 0 (length requests))).
  { unfold q, endless. symmetry. apply map_nth_seq. }
  unfold staggered. fold q. set (n := length requests) in *.
  assert (Hcost : completions (map (fun i => Attempt (q i) (Qfloor (place d slice q i))) (seq 0 n)) =
      sum_below n (fun i => Qfloor (place d slice q i)) + sum_below n (fun i => output (q i))).
  { unfold completions. rewrite total_map, total_seq, <- sum_below_add. reflexivity. }
  assert (Hout : total output requests = sum_below n (fun i => output (q i))).
  { rewrite Hlist, total_map, total_seq. reflexivity. }
  rewrite Hcost, Hout, inject_Z_plus. apply Qplus_le_compat; [|apply Qle_refl].
  rewrite Hlist. clear Hlist Hcost Hout. clearbody n.
  set (B := (U * inject_Z M)%Q).
  assert (HB : (0 < B)%Q) by (apply Qmult_lt_0_compat; [exact HU|apply inject_pos; exact HM]).
  (* x_i is at most the sum of the areas of the slices before it over U M *)
  assert (Hplace : forall i, (place d slice q i <=
      inject_Z (sum_below i (fun j => vol s (slice (q j)))) / B)%Q).
  { induction i as [|i IH]; cbn [place sum_below].
    - change (inject_Z 0) with 0%Q. unfold Qdiv. rewrite Qmult_0_l. apply Qle_refl.
    - destruct (Hq i) as (H1 & H2 & H3). destruct (Hd (slice (q i)) ltac:(lia) H3) as [Hpos Hut].
      pose proof (distance_below s (slice (q i)) M _ U HM Hpos HU Hut) as Hdist. fold B in Hdist.
      rewrite inject_Z_plus.
      assert (E : ((inject_Z (sum_below i (fun j => vol s (slice (q j))))
          + inject_Z (vol s (slice (q i)))) / B
        == inject_Z (sum_below i (fun j => vol s (slice (q j)))) / B
          + inject_Z (vol s (slice (q i))) / B)%Q) by (field; lra).
      rewrite E. lra. }
  induction n as [|n IH].
  - cbn [sum_below seq map pairs]. change (inject_Z 0) with 0%Q.
    unfold Qdiv. rewrite Qmult_0_r, Qmult_0_l. apply Qle_refl.
  - rewrite seq_S, map_app. cbn [map]. rewrite pairs_snoc, total_map, total_seq. cbn [sum_below].
    rewrite !inject_Z_plus.
    set (P := pairs (fun x y => Z.min (area x) (area y)) (map q (seq 0 n))) in *.
    set (X := sum_below n (fun i => Z.min (area (q i)) (area (q (0 + n)%nat)))).
    assert (E : (G * (inject_Z P + inject_Z X) / B == G * inject_Z P / B + G * inject_Z X / B)%Q)
      by (field; lra).
    rewrite E. apply Qplus_le_compat; [exact IH|].
    eapply Qle_trans; [apply Qfloor_le|]. eapply Qle_trans; [apply Hplace|].
    apply Qle_shift_div_l; [exact HB|].
    assert (E' : (inject_Z (sum_below n (fun j => vol s (slice (q j)))) / B * B ==
      inject_Z (sum_below n (fun j => vol s (slice (q j)))))%Q) by (field; lra).
    rewrite E'. apply sum_below_leQ. intros j Hj. apply HG; [apply Hin|apply Hin|].
    apply Hmono. simpl. lia.
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

(* The ratio of a pipeline without drains, against any schedule of the same requests, in
   whatever order they are listed there, with whatever kills. *)
Theorem staggered_ratio s M d slice U G requests other l killed :
  0 <= s -> 0 < M -> (0 < U)%Q -> (0 <= G)%Q ->
  (forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q /\ (U <= utilisation s t (d t) M)%Q) ->
  in_order slice requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q <= slice q /\ s + slice q <= M) ->
  (forall q q', In q requests -> In q' requests -> slice q <= slice q' ->
    (inject_Z (vol s (slice q)) <= G * inject_Z (Z.min (area q) (area q')))%Q) ->
  Permutation requests other -> schedule_with_kills M other l killed ->
  (inject_Z (completions (staggered d slice requests)) <= G / U * inject_Z (completions l) \/
   inject_Z (completions (staggered d slice requests)) <= (2 * (G / U) / 3 + 1) * inject_Z (completions l))%Q.
Proof.
  intros Hs HM HU HG0 Hd Hsorted Hreq HG Hperm Hl. apply no_kills in Hl.
  assert (Hcost := staggered_cost s M d slice U G requests Hs HM HU Hd Hsorted Hreq HG).
  assert (Hbound := opt_third M other l HM Hl).
  assert (HL := output_bound M other l Hl).
  rewrite <- (total_permutation output _ _ Hperm) in HL.
  rewrite <- (total_permutation output _ _ Hperm), <- (total_permutation area _ _ Hperm) in Hbound.
  rewrite <- (pairs_permutation (fun q q' => Z.min (area q) (area q')) _ _
    (fun q q' => Z.min_comm (area q) (area q')) Hperm) in Hbound.
  set (P := pairs (fun q q' => Z.min (area q) (area q')) requests) in *.
  set (V := total area requests) in *. set (L := total output requests) in *.
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (HV : 0 <= V).
  { apply total_nonneg. intros q Hq. destruct (Hreq q Hq) as (H1 & H2 & _).
    apply Z.lt_le_incl, area_pos. split; lia. }
  assert (HL0 : 0 <= L).
  { apply total_nonneg. intros q Hq. destruct (Hreq q Hq) as (_ & H2 & _). lia. }
  set (A := (inject_Z (2 * P + V) / inject_Z (2 * M))%Q) in *.
  assert (HGU : (0 <= G / U)%Q) by (apply Qle_shift_div_l; [exact HU|lra]).
  (* P <= A *)
  assert (HA : (G * inject_Z P / (U * inject_Z M) <= (G / U) * A)%Q).
  { unfold A. rewrite inject_Z_plus, !inject_Z_mult. change (inject_Z 2) with 2%Q.
    assert (E1 : (G / U * ((2 * inject_Z P + inject_Z V) / (2 * inject_Z M)) ==
      G * inject_Z P / (U * inject_Z M) + G / U * (inject_Z V / (2 * inject_Z M)))%Q)
      by (field; lra).
    rewrite E1.
    assert (HVM : (0 <= inject_Z V / (2 * inject_Z M))%Q).
    { apply Qle_shift_div_l; [lra|]. rewrite Qmult_0_l.
      change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact HV. }
    pose proof (Qmult_le_0_compat _ _ HGU HVM). lra. }
  assert (HLq : (0 <= inject_Z L)%Q).
  { change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact HL0. }
  assert (HLo : (inject_Z L <= inject_Z (completions l))%Q) by (rewrite <- Zle_Qle; exact HL).
  apply (closing (G / U) 1 A (inject_Z L)); try lra; try assumption.
Qed.

(* Theorem 14 of sharper_bounds.md.  With tight spacing the SPT pipeline of requests with a
   common prompt s is a schedule, and costs at most 7/3 times any schedule of the same
   requests, in whatever order they are listed there, with whatever kills. *)
Theorem spt_seven_thirds s M d requests other l killed :
  0 <= s -> 0 < M ->
  (forall t, 1 <= t -> s + t <= M -> tight s t M (d t)) ->
  shortest_first requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q /\ s + output q <= M) ->
  at_once requests ->
  Permutation requests other -> schedule_with_kills M other l killed ->
  schedule M requests (spt d requests) /\
  (inject_Z (completions (spt d requests)) <= (7 # 3) * inject_Z (completions l))%Q.
Proof.
  intros Hs HM Htight Hsorted Hreq Hrel Hperm Hl. unfold spt.
  assert (Hreq' : forall q, In q requests ->
      prompt q = s /\ 1 <= output q <= output q /\ s + output q <= M).
  { intros q Hq. destruct (Hreq q Hq). lia. }
  split.
  { apply (staggered_schedule s M d output); try assumption. right. right. exact Htight. }
  assert (Hopt : (0 <= inject_Z (completions l))%Q).
  { change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. apply no_kills in Hl.
    apply (cost_nonneg M other), Hl. }
  destruct (staggered_ratio s M d output (1 # 2) 1 requests other l killed) as [H|H];
    try assumption; try reflexivity; try discriminate.
  - intros t Ht HtM. split; [apply (Htight t Ht HtM)|].
    apply Qlt_le_weak, (tight_half s t M); auto.
  - intros q q' Hq Hq' Hle. rewrite Qmult_1_l, <- Zle_Qle. apply Z.min_glb.
    + unfold area. destruct (Hreq q Hq) as (-> & _). lia.
    + unfold area. destruct (Hreq q Hq) as (_ & H1 & _). destruct (Hreq q' Hq') as (-> & _).
      apply vol_mono; lia.
  - eapply Qle_trans; [exact H|]. apply Qmult_le_compat_r; [discriminate|exact Hopt].
Qed.

(* --- GBA without drains ------------------------------------------------------------------ *)

Lemma class_from_spec tau n p o : o <= tau (p + n)%nat ->
  o <= tau (class_from tau p n o) /\ (p <= class_from tau p n o <= p + n)%nat /\
  forall i, (p <= i < class_from tau p n o)%nat -> tau i < o.
Proof.
  revert p. induction n as [|n IH]; intros p Ho; cbn [class_from].
  - rewrite Nat.add_0_r in Ho. repeat split; try assumption; lia.
  - destruct (o <=? tau p) eqn:E; [repeat split; try lia|].
    destruct (IH (S p)) as (H1 & H2 & H3); [rewrite Nat.add_succ_comm; exact Ho|].
    repeat split; try lia. intros i Hi.
    destruct (Nat.eq_dec i p) as [->|]; [lia|apply H3; lia].
Qed.

(* What is asked of class ends: they do not decrease, the last one is M - s, and the area of
   each is at most G times the least area in its class. *)
Definition class_ends (s M : Z) (tau : nat -> Z) (m : nat) (G : Q) : Prop :=
  (forall p, 1 <= tau p <= tau (S p)) /\ tau m = M - s /\
  (inject_Z (vol s (tau O)) <= G * inject_Z (vol s 1))%Q /\
  forall p, (S p <= m)%nat -> (inject_Z (vol s (tau (S p))) <= G * inject_Z (vol s (tau p + 1)))%Q.

(* Theorem 13 of sharper_bounds.md, without drains.  GBA is a schedule and costs at most
   max (G / U, 2 G / (3 U) + 1) times any schedule of the same requests. *)
Theorem gba_ratio s M d tau m U G requests other l killed :
  0 <= s -> 0 < M -> (0 < U)%Q -> (0 <= G)%Q -> rule s M d ->
  (forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q /\ (U <= utilisation s t (d t) M)%Q) ->
  class_ends s M tau m G -> in_order (class_end tau m) requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q /\ s + output q <= M) ->
  at_once requests ->
  Permutation requests other -> schedule_with_kills M other l killed ->
  schedule M requests (gba d tau m requests) /\
  (inject_Z (completions (gba d tau m requests)) <= G / U * inject_Z (completions l) \/
   inject_Z (completions (gba d tau m requests)) <= (2 * (G / U) / 3 + 1) * inject_Z (completions l))%Q.
Proof.
  intros Hs HM HU HG0 Hrule Hd (Htau & Hm & Hfirst & Hnext) Hsorted Hreq Hrel Hperm Hl. unfold gba.
  assert (Hmono : forall i j, (i <= j)%nat -> tau i <= tau j).
  { intros i j Hij. induction Hij as [|j Hij IH]; [lia|]. destruct (Htau j). lia. }
  assert (Hclass : forall q, In q requests ->
      output q <= class_end tau m q /\ (class_of tau m q <= m)%nat /\
      forall i, (i < class_of tau m q)%nat -> tau i < output q).
  { intros q Hq. destruct (Hreq q Hq) as (_ & _ & Ho).
    destruct (class_from_spec tau m 0 (output q)) as (H1 & H2 & H3); [simpl; lia|].
    repeat split; [exact H1|unfold class_of; lia|]. intros i Hi. apply H3. unfold class_of in Hi. lia. }
  assert (Hreq' : forall q, In q requests ->
      prompt q = s /\ 1 <= output q <= class_end tau m q /\ s + class_end tau m q <= M).
  { intros q Hq. destruct (Hreq q Hq) as (H1 & H2 & H3). destruct (Hclass q Hq) as (H4 & H5 & _).
    repeat split; try lia. pose proof (Hmono _ _ H5). unfold class_end. lia. }
  split; [apply (staggered_schedule s M d (class_end tau m)); assumption|].
  apply (staggered_ratio s M d (class_end tau m) U G requests other l killed); try assumption.
  intros q q' Hq Hq' Hle.
  (* both outputs are above the class end before that of q *)
  assert (Hleast : forall z, In z requests -> class_end tau m q <= class_end tau m z ->
      (inject_Z (vol s (class_end tau m q)) <= G * inject_Z (area z))%Q).
  { intros z Hz Hqz. destruct (Hreq z Hz) as (Hps & Ho & _). unfold area. rewrite Hps.
    destruct (Hclass q Hq) as (_ & Hqm & Hqbelow). destruct (Hclass z Hz) as (Hzo & _ & Hzbelow).
    unfold class_end at 1. destruct (class_of tau m q) as [|p] eqn:Ep.
    - eapply Qle_trans; [exact Hfirst|]. rewrite !(Qmult_comm G).
      apply Qmult_le_compat_r; [|exact HG0]. rewrite <- Zle_Qle. apply vol_mono; lia.
    - eapply Qle_trans; [apply (Hnext p Hqm)|]. rewrite !(Qmult_comm G).
      apply Qmult_le_compat_r; [|exact HG0]. rewrite <- Zle_Qle.
      assert (tau p < output z).
      { destruct (Nat.lt_ge_cases p (class_of tau m z)) as [Hp|Hp]; [apply Hzbelow, Hp|exfalso].
        (* otherwise z is in an earlier class, of the same end as q *)
        assert (H1 : class_end tau m z <= tau p) by (apply Hmono, Hp).
        assert (H2 : tau p < output q) by (apply Hqbelow; lia).
        destruct (Hreq' q Hq) as (_ & H3 & _). lia. }
      destruct (Htau p). apply vol_mono; lia. }
  destruct (Z.min_spec (area q) (area q')) as [[_ ->]|[_ ->]]; apply Hleast; auto; lia.
Qed.

Lemma power_pos a p : (0 < a)%Q -> (0 < power a p)%Q.
Proof. intros Ha. induction p as [|p IH]; cbn [power]; [reflexivity|]. apply Qmult_lt_0_compat; assumption. Qed.

Lemma vol_Q s t : (inject_Z (vol s t) == inject_Z t * (2 * inject_Z s + inject_Z t + 1) / 2)%Q.
Proof.
  assert (H : (2 * inject_Z (vol s t) == inject_Z t * (2 * inject_Z s + inject_Z t + 1))%Q).
  { change 2%Q with (inject_Z 2). change 1%Q with (inject_Z 1).
    rewrite <- !inject_Z_mult, <- !inject_Z_plus, <- inject_Z_mult, vol_double. reflexivity. }
  rewrite <- H. field.
Qed.

(* Powers have G = alpha^2: Lemma 8 and Theorem 13 of sharper_bounds.md. *)
Theorem powers_class_ends s M alpha m :
  0 <= s -> s + 1 <= M -> (1 < alpha)%Q -> powers s M alpha m = M - s ->
  class_ends s M (powers s M alpha) m (alpha * alpha).
Proof.
  intros Hs HM Ha Hm.
  assert (Hstep : forall p, (power alpha p <= power alpha (S p))%Q).
  { intros p. cbn [power]. pose proof (power_pos alpha p ltac:(lra)) as Hp.
    rewrite <- (Qmult_1_l (power alpha p)) at 1. apply Qmult_le_compat_r; lra. }
  assert (Hone : forall p, 1 <= Qfloor (power alpha p)).
  { intros p. apply le_floor. induction p as [|p IH]; [apply Qle_refl|].
    eapply Qle_trans; [exact IH|apply Hstep]. }
  assert (Haa : (1 <= alpha * alpha)%Q).
  { rewrite <- (Qmult_1_l 1). apply Qmult_le_compat_nonneg; lra. }
  repeat split.
  - unfold powers. specialize (Hone p). lia.
  - unfold powers. pose proof (Qfloor_resp_le _ _ (Hstep p)). lia.
  - exact Hm.
  - assert (E : powers s M alpha 0 = 1) by (unfold powers; change (Qfloor (power alpha 0)) with 1; lia).
    rewrite E. rewrite <- (Qmult_1_l (inject_Z (vol s 1))) at 1. apply Qmult_le_compat_r; [exact Haa|].
    change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. apply vol_nonneg; lia.
  - intros p _. set (t := powers s M alpha p + 1).
    destruct (Z.le_gt_cases (M - s) (powers s M alpha p)) as [Hcap|Hfree].
    + (* the slice before is M - s already *)
      apply Qle_trans with (1 * inject_Z (vol s t))%Q.
      * rewrite Qmult_1_l, <- Zle_Qle. apply vol_mono; [exact Hs| |]; unfold t, powers in *;
          specialize (Hone (S p)); lia.
      * apply Qmult_le_compat_r; [exact Haa|]. change 0%Q with (inject_Z 0). rewrite <- Zle_Qle.
        apply vol_nonneg; unfold t; lia.
    + assert (Ht : (power alpha p < inject_Z t)%Q).
      { apply floor_lt. unfold t, powers in *. lia. }
      set (u := powers s M alpha (S p)).
      assert (Hu0 : 1 <= u) by (unfold u, powers; specialize (Hone (S p)); lia).
      assert (Hu : (inject_Z u <= alpha * inject_Z t)%Q).
      { apply Qle_trans with (power alpha (S p)).
        - apply le_floor. unfold u, powers. lia.
        - cbn [power]. rewrite !(Qmult_comm alpha). apply Qmult_le_compat_r; lra. }
      rewrite (vol_Q s u), (vol_Q s t).
      set (x := inject_Z u) in *. set (y := inject_Z t) in *.
      assert (Hsq : (0 <= inject_Z s)%Q) by (change 0%Q with (inject_Z 0); rewrite <- Zle_Qle; exact Hs).
      assert (Hx : (0 < x)%Q) by (apply inject_pos; lia).
      pose proof (power_pos alpha p ltac:(lra)) as Hpp. assert (Hy : (0 < y)%Q) by lra.
      (* x <= alpha y and 2 s + x + 1 <= alpha (2 s + y + 1) *)
      assert (H2 : (2 * inject_Z s + x + 1 <= alpha * (2 * inject_Z s + y + 1))%Q).
      { assert (E : (alpha * (2 * inject_Z s + y + 1) ==
          alpha * y + alpha * (2 * inject_Z s + 1))%Q) by ring.
        rewrite E. assert (1 * (2 * inject_Z s + 1) <= alpha * (2 * inject_Z s + 1))%Q
          by (apply Qmult_le_compat_r; lra). lra. }
      assert (E : (alpha * alpha * (y * (2 * inject_Z s + y + 1) / 2) ==
        (alpha * y) * (alpha * (2 * inject_Z s + y + 1)) / 2)%Q) by field.
      rewrite E. apply Qle_shift_div_l; [reflexivity|].
      assert (E' : (x * (2 * inject_Z s + x + 1) / 2 * 2 == x * (2 * inject_Z s + x + 1))%Q) by field.
      rewrite E'. apply Qmult_le_compat_nonneg; lra.
Qed.

(* Slices geometric in area have G = g. *)
Theorem areas_class_ends s M g tau m :
  0 <= s -> s + 1 <= M -> (1 < g)%Q -> areas s M g tau -> tau m = M - s ->
  class_ends s M tau m g.
Proof.
  intros Hs HM Hg Htau Hm.
  assert (Hvolpos : forall t, 0 <= t -> (0 <= inject_Z (vol s t))%Q).
  { intros t Ht. change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. apply vol_nonneg; lia. }
  assert (Hs1 : (0 < inject_Z (s + 1))%Q) by (apply inject_pos; lia).
  assert (Hvol_lt : forall t t', 1 <= t -> 1 <= t' ->
      (inject_Z (vol s t) < inject_Z (vol s (t' + 1)))%Q -> t <= t').
  { intros t t' Ht Ht' H. rewrite <- Zlt_Qlt in H.
    destruct (Z.le_gt_cases t t') as [|Hgt]; [assumption|exfalso].
    pose proof (vol_mono s (t' + 1) t Hs ltac:(lia) ltac:(lia)). lia. }
  repeat split.
  - destruct (Htau p) as (t & -> & Ht & _). lia.
  - destruct (Htau p) as (t & -> & Ht & Hle & _), (Htau (S p)) as (t' & -> & Ht' & _ & Hlt').
    assert (t <= t'); [|lia]. apply Hvol_lt; try assumption.
    eapply Qle_lt_trans; [exact Hle|]. eapply Qle_lt_trans; [|exact Hlt'].
    cbn [power]. pose proof (power_pos g p ltac:(lra)) as Hp.
    rewrite !(Qmult_comm (inject_Z (s + 1))). apply Qmult_le_compat_r; [|lra].
    rewrite <- (Qmult_1_l (power g p)) at 1. apply Qmult_le_compat_r; lra.
  - exact Hm.
  - destruct (Htau O) as (t & -> & Ht & Hle & _). cbn [power] in Hle. rewrite Qmult_1_r in Hle.
    assert (E : vol s 1 = s + 1) by (pose proof (vol_double s 1); lia). rewrite E.
    apply Qle_trans with (inject_Z (vol s t)).
    + rewrite <- Zle_Qle. apply vol_mono; lia.
    + eapply Qle_trans; [exact Hle|]. rewrite <- (Qmult_1_l (inject_Z (s + 1))) at 1.
      apply Qmult_le_compat_r; lra.
  - intros p _. destruct (Htau p) as (t & -> & Ht & _ & Hlt), (Htau (S p)) as (t' & -> & Ht' & Hle' & _).
    destruct (Z.le_gt_cases (M - s) t) as [Hcap|Hfree].
    + (* the slice before is M - s already *)
      rewrite (Z.min_r t) by lia.
      apply Qle_trans with (1 * inject_Z (vol s (M - s + 1)))%Q.
      * rewrite Qmult_1_l, <- Zle_Qle. apply vol_mono; lia.
      * apply Qmult_le_compat_r; [lra|apply Hvolpos; lia].
    + rewrite (Z.min_l t) by lia. apply Qle_trans with (inject_Z (vol s t')).
      * rewrite <- Zle_Qle. apply vol_mono; lia.
      * eapply Qle_trans; [exact Hle'|]. cbn [power].
        assert (E : (inject_Z (s + 1) * (g * power g p) == g * (inject_Z (s + 1) * power g p))%Q) by ring.
        rewrite E, !(Qmult_comm g). apply Qmult_le_compat_r; lra.
Qed.

(* GBA without drains at alpha = 6/5 with tight spacing: 2.92, as in the table of
   sharper_bounds.md. *)
Theorem gba_six_fifths s M d m requests other l killed :
  0 <= s -> s + 1 <= M ->
  (forall t, 1 <= t -> s + t <= M -> tight s t M (d t)) ->
  powers s M (6 # 5) m = M - s ->
  in_order (class_end (powers s M (6 # 5)) m) requests ->
  (forall q, In q requests -> prompt q = s /\ 1 <= output q /\ s + output q <= M) ->
  at_once requests ->
  Permutation requests other -> schedule_with_kills M other l killed ->
  schedule M requests (gba d (powers s M (6 # 5)) m requests) /\
  (inject_Z (completions (gba d (powers s M (6 # 5)) m requests)) <= (73 # 25) * inject_Z (completions l))%Q.
Proof.
  intros Hs HM Htight Hm Hsorted Hreq Hrel Hperm Hl.
  assert (Hopt : (0 <= inject_Z (completions l))%Q).
  { change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. apply no_kills in Hl.
    apply (cost_nonneg M other), Hl. }
  destruct (gba_ratio s M d (powers s M (6 # 5)) m (1 # 2) ((6 # 5) * (6 # 5)) requests other l killed)
    as [Hschedule H]; try assumption; try reflexivity; try discriminate; try lia.
  - right. right. exact Htight.
  - intros t Ht HtM. split; [apply (Htight t Ht HtM)|].
    apply Qlt_le_weak, (tight_half s t M); auto.
  - apply powers_class_ends; try assumption. reflexivity.
  - split; [exact Hschedule|]. destruct H as [H|H]; (eapply Qle_trans; [exact H|]);
      (apply Qmult_le_compat_r; [discriminate|exact Hopt]).
Qed.
