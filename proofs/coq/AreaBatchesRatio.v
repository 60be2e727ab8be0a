(* SVF in batches: its ratio.  Lemma 4 and Theorem 5 of area_batches.md. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Area Spacing BusyTime BusyCheck Staggered InTurn MixedSvf AreaBatches.
Import ListNotations.
Open Scope Z_scope.

(* a = mu (1 + 1 / (beta (lambda - 1))), where lambda = g^K, mu = g (lambda - 1) / (K (g - 1)). *)
Definition batches_factor (g : Q) (K : nat) (beta : Q) : Q :=
  (g * (power g K - 1) / (inject_Z (Z.of_nat K) * (g - 1)) * (1 + 1 / (beta * (power g K - 1))))%Q.

(* What Theorem 5 asks of the numbers: c = 4 a, d = a beta + 1. *)
Definition batches_numbers (g : Q) (K : nat) (beta w R : Q) : Prop :=
  let c := (4 * batches_factor g K beta)%Q in
  let d := (batches_factor g K beta * beta + 1)%Q in
  (1 < g)%Q /\ (0 < K)%nat /\ (0 < beta)%Q /\ (8 <= c)%Q /\ (0 < w)%Q /\ (w <= c)%Q /\ (c <= R)%Q /\
  ((c - w) * (c - w) <= (R - c) * w)%Q /\ (d + 2 * w / 3 <= R)%Q /\ (w + c - 8 <= R)%Q.

(* --- The cost ---------------------------------------------------------------------------- *)

Lemma pair_up : forall (ordered : list ranked) (l : list attempt),
  map of l = map job ordered ->
  exists pl, map fst pl = ordered /\ map snd pl = l /\ forall z, In z pl -> of (snd z) = job (fst z).
Proof.
  induction ordered as [|x ordered IH]; intros [|a l] H; try discriminate.
  - exists []. repeat split. intros z [].
  - inversion H as [[H1 H2]]. destruct (IH l H2) as (pl & E1 & E2 & E3).
    exists ((x, a) :: pl). cbn [map fst snd]. rewrite E1, E2. repeat split.
    intros z [<-|Hz]; [exact H1|exact (E3 z Hz)].
Qed.

Lemma sorted_map {A B : Type} (R : B -> B -> Prop) (f : A -> B) l :
  StronglySorted R (map f l) -> StronglySorted (fun x y => R (f x) (f y)) l.
Proof.
  induction l as [|x l IH]; cbn [map]; intros H; inversion H as [|? ? Hs Hx]; subst; constructor; auto.
  rewrite Forall_forall in *. intros y Hy. apply Hx, in_map, Hy.
Qed.

Lemma ranks_large M g beta : forall items v, ranks M g beta v items ->
  forall x, In x items ->
    large_enough M g beta x (level x) /\ forall e, large_enough M g beta x e -> (level x <= e)%nat.
Proof.
  induction items as [|y items IH]; [intros v _ x []|]. intros v (_ & H1 & H2 & H3) x [<-|Hx]; [auto|].
  exact (IH _ H3 x Hx).
Qed.

Lemma totalQ_sum {A : Type} (f h : A -> Q) l :
  (totalQ (fun x => f x + h x) l == totalQ f l + totalQ h l)%Q.
Proof. induction l as [|x l IH]; cbn [totalQ]; [ring|]. rewrite IH. ring. Qed.

Lemma totalQ_inject {A : Type} (f : A -> Z) l : (totalQ (fun x => inject_Z (f x)) l == inject_Z (total f l))%Q.
Proof. induction l as [|x l IH]; cbn [total totalQ]; [reflexivity|]. rewrite IH, inject_Z_plus. reflexivity. Qed.

(* Lemma 2, for all requests together. *)
Lemma batches_cost M g K beta items r ordered l :
  0 < M -> (1 < g)%Q -> (0 < beta)%Q -> (r < K)%nat ->
  (forall x, In x items -> valid_request (job x) /\ request_peak (job x) <= M /\ release (job x) = 0) ->
  ranks M g beta 0 items -> Permutation items ordered -> StronglySorted (goes_before M K r) ordered ->
  map of l = map job ordered -> in_turn M [] l ->
  schedule M (map job ordered) l /\
  (inject_Z (completions l) <=
   (beta + 1 / (power g K - 1)) * offset_cost g K r items
   + inject_Z (total (fun x => output (job x)) items)
   - 4 * inject_Z (total (fun x => area (job x)) items) / inject_Z M)%Q.
Proof.
  intros HM Hg Hbeta Hr Hreq Hranks Hperm Hsorted Hof Hturn.
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (HinO : forall x, In x ordered -> In x items) by (intros x; apply Permutation_in, Permutation_sym, Hperm).
  assert (Hrel : at_once (map of l)).
  { intros q Hq. rewrite Hof in Hq. apply in_map_iff in Hq as (x & <- & Hx). apply Hreq, HinO, Hx. }
  assert (Hsch : schedule M (map of l) l).
  { apply in_turn_schedule; auto; [lia|]. intros a Ha. apply (in_map of) in Ha. rewrite Hof in Ha.
    apply in_map_iff in Ha as (x & <- & Hx). apply Hreq, HinO, Hx. }
  split; [rewrite <- Hof; exact Hsch|]. destruct Hsch as (_ & Hvalid & _).
  destruct (pair_up ordered l Hof) as (pl & E1 & E2 & Hjob). subst ordered l.
  assert (Hin : forall z, In z pl -> In (fst z) items) by (intros z Hz; apply HinO, in_map, Hz).
  assert (HK1 : (0 < power g K - 1)%Q).
  { pose proof (power_above g K ltac:(lra)) as H. assert (HK : (1 <= inject_Z (Z.of_nat K))%Q).
    { change 1%Q with (inject_Z 1). rewrite <- Zle_Qle. lia. }
    assert (0 < inject_Z (Z.of_nat K) * (g - 1))%Q by (apply Qmult_lt_0_compat; lra). lra. }
  set (D := (power g K - 1)%Q) in *.
  (* each start *)
  assert (Hstart : forall z, In z pl ->
    (inject_Z (start (snd z)) <= (beta + 1 / D) * power g (ends_at K r (fst z))
      - 4 * inject_Z (area (job (fst z))) / inject_Z M)%Q).
  { intros z Hz. apply in_split in Hz as (k1 & k2 & Epl).
    assert (Hz : In z pl) by (rewrite Epl; apply in_or_app; simpl; auto).
    pose proof (batch_wait M g K r pl HM Hg Hr Hjob (sorted_map _ _ _ Hsorted) Hvalid Hrel Hturn) as Hwait.
    specialize (Hwait (fun y Hy => proj2 (proj1 (ranks_large M g beta items 0 Hranks _ (Hin y Hy))))).
    specialize (Hwait (fun y Hy => proj1 (proj2 (Hreq _ (Hin y Hy)))) k1 z k2 Epl).
    fold D in Hwait.
    assert (Harea : forall x, In x items -> 0 <= area (job x)).
    { intros x Hx. apply Z.lt_le_incl, area_pos, Hreq, Hx. }
    pose proof (areas_to_level M g beta (ends_at K r (fst z)) HM ltac:(lra) ltac:(lra) items 0 Hranks Harea) as Hlev.
    assert (Hends : forall x, (level x <= ends_at K r x)%nat) by (intros x; apply (batch_end_spec K r _ Hr)).
    specialize (Hlev (ex_intro _ (fst z) (conj (Hin z Hz) (Hends (fst z))))). rewrite Z.add_0_l in Hlev.
    set (E := ends_at K r (fst z)) in *.
    set (part := total (fun x => if Nat.leb (level x) E then area (job x) else 0) items) in *.
    assert (Hpart : total (fun y => area (job (fst y))) k1 + area (job (fst z)) <= part).
    { unfold part. rewrite (total_permutation _ _ _ Hperm), total_map, Epl, total_app. cbn [total].
      assert (H2 : 0 <= total (fun x => if Nat.leb (level (fst x)) E then area (job (fst x)) else 0) k2).
      { apply total_nonneg. intros x Hx. destruct (Nat.leb _ _); [|lia]. apply Harea, Hin. rewrite Epl.
        apply in_or_app. simpl. auto. }
      pose proof (Hends (fst z)) as Hze. fold E in Hze. rewrite (proj2 (Nat.leb_le _ _) Hze).
      assert (H1 : total (fun y => area (job (fst y))) k1
          <= total (fun x => if Nat.leb (level (fst x)) E then area (job (fst x)) else 0) k1); [|lia].
      apply total_le. intros y Hy.
      assert (HyE : (level (fst y) <= E)%nat).
      { apply Nat.le_trans with (ends_at K r (fst y)); [apply Hends|].
        pose proof (sorted_map _ _ _ Hsorted) as Hs. rewrite Epl in Hs.
        destruct (proj1 (sorted_split _ _ _ _ Hs) y Hy) as [H|(H & _)]; unfold E; lia. }
      rewrite (proj2 (Nat.leb_le _ _) HyE). lia. }
    assert (HpartQ : (4 * (inject_Z (total (fun y => area (job (fst y))) k1) + inject_Z (area (job (fst z))))
        <= beta * inject_Z M * power g E)%Q).
    { eapply Qle_trans; [|exact Hlev]. rewrite <- inject_Z_plus, !(Qmult_comm 4).
      apply Qmult_le_compat_r; [|discriminate]. rewrite <- Zle_Qle. exact Hpart. }
    rewrite !inject_Z_mult in Hwait. change (inject_Z 4) with 4%Q in Hwait.
    set (S := inject_Z (total _ k1)) in *. set (v := inject_Z (area (job (fst z)))) in *.
    set (X := power g E) in *. set (m := inject_Z M) in *. set (p := inject_Z (start (snd z))) in *.
    assert (HS : (4 * S * D <= (beta * m * X - 4 * v) * D)%Q) by (apply Qmult_le_compat_r; lra).
    assert (H : (p * (m * D) <= (beta * m * X - 4 * v) * D + m * X)%Q) by lra.
    assert (HmD : (0 < m * D)%Q) by (apply Qmult_lt_0_compat; assumption).
    apply Qle_shift_div_l in H; [|exact HmD]. eapply Qle_trans; [exact H|].
    apply Qle_lteq. right. unfold m in *. field. split; lra. }
  (* all together *)
  assert (Hsum : (inject_Z (completions (map snd pl)) <=
    totalQ (fun z => (beta + 1 / D) * power g (ends_at K r (fst z))
      + (inject_Z (output (job (fst z))) + (- (4) / inject_Z M) * inject_Z (area (job (fst z))))) pl)%Q).
  { unfold completions. rewrite total_map, <- totalQ_inject. apply totalQ_le. intros z Hz.
    specialize (Hstart z Hz). unfold completion. rewrite (Hjob z Hz), inject_Z_plus.
    assert (E : (- (4) / inject_Z M * inject_Z (area (job (fst z)))
      == - (4 * inject_Z (area (job (fst z))) / inject_Z M))%Q) by (field; lra).
    rewrite E. lra. }
  eapply Qle_trans; [exact Hsum|]. rewrite !totalQ_sum, !totalQ_times, !totalQ_inject.
  unfold offset_cost. rewrite (totalQ_permutation _ _ _ Hperm), totalQ_map.
  rewrite !(total_permutation _ _ _ Hperm), !total_map. apply Qle_lteq. right. field. lra.
Qed.

(* --- Lemma 3: what the offset makes of it -------------------------------------------------- *)

(* 4 V / M >= beta o: the areas decide the level, not the output; set A of Theorem 5. *)
Definition by_area (M : Z) (beta : Q) (x : ranked) : bool :=
  Qle_bool (beta * inject_Z (output (job x))) (4 * inject_Z (area_sum x) / inject_Z M).
Definition kappa (M : Z) (beta : Q) (x : ranked) : Q :=
  if by_area M beta x then (4 * inject_Z (area_sum x) / inject_Z M)%Q else (beta * inject_Z (output (job x)))%Q.

Lemma level_kappa M g beta x :
  (1 < g)%Q -> (0 < beta)%Q -> 1 <= output (job x) ->
  (forall e, large_enough M g beta x e -> (level x <= e)%nat) ->
  (beta * power g (level x) <= g * kappa M beta x)%Q.
Proof.
  intros Hg Hbeta Ho Hleast.
  assert (H1 : (beta * inject_Z (output (job x)) <= kappa M beta x)%Q).
  { unfold kappa, by_area. destruct (Qle_bool _ _) eqn:E; [apply Qle_bool_iff, E|apply Qle_refl]. }
  assert (H2 : (4 * inject_Z (area_sum x) / inject_Z M <= kappa M beta x)%Q).
  { unfold kappa, by_area. destruct (Qle_bool _ _) eqn:E; [apply Qle_refl|].
    apply Qlt_le_weak, Qnot_le_lt. intros H. apply Qle_bool_iff in H. congruence. }
  assert (Ho' : (1 <= inject_Z (output (job x)))%Q).
  { change 1%Q with (inject_Z 1). rewrite <- Zle_Qle. exact Ho. }
  assert (Hb : (beta * 1 <= beta * inject_Z (output (job x)))%Q).
  { rewrite !(Qmult_comm beta). apply Qmult_le_compat_r; lra. }
  destruct (level x) as [|e] eqn:El; cbn [power].
  - assert (0 <= (g - 1) * kappa M beta x)%Q by (apply Qmult_le_0_compat; lra). lra.
  - enough (beta * power g e <= kappa M beta x)%Q as H.
    { assert (H' : (0 <= g * (kappa M beta x - beta * power g e))%Q) by (apply Qmult_le_0_compat; lra). lra. }
    destruct (Qlt_le_dec (kappa M beta x) (beta * power g e)) as [H|H]; [exfalso|exact H].
    assert (Hlarge : large_enough M g beta x e).
    { split; [lra|]. destruct (Qlt_le_dec (power g e) (inject_Z (output (job x)))) as [Hlt|Hle]; [|exact Hle].
      assert (0 < beta * (inject_Z (output (job x)) - power g e))%Q by (apply Qmult_lt_0_compat; lra). lra. }
    specialize (Hleast e Hlarge). lia.
Qed.

Lemma kappa_cost M g K beta items r :
  (1 < g)%Q -> (0 < beta)%Q -> (r < K)%nat ->
  (forall x, In x items -> 1 <= output (job x)) -> ranks M g beta 0 items ->
  (forall r', (r' < K)%nat -> (offset_cost g K r items <= offset_cost g K r' items)%Q) ->
  ((beta + 1 / (power g K - 1)) * offset_cost g K r items
   <= batches_factor g K beta * totalQ (kappa M beta) items)%Q.
Proof.
  intros Hg Hbeta Hr Ho Hranks Hbest.
  pose proof (best_offset g K r items Hg ltac:(lia) Hbest) as H.
  assert (Hk : (beta * totalQ (fun x => power g (level x)) items <= g * totalQ (kappa M beta) items)%Q).
  { rewrite <- !totalQ_times. apply totalQ_le. intros x Hx.
    apply level_kappa; auto. apply (ranks_large M g beta items 0 Hranks x Hx). }
  assert (HK : (1 <= inject_Z (Z.of_nat K))%Q).
  { change 1%Q with (inject_Z 1). rewrite <- Zle_Qle. lia. }
  assert (HK1 : (0 < power g K - 1)%Q).
  { pose proof (power_above g K ltac:(lra)) as H1.
    assert (0 < inject_Z (Z.of_nat K) * (g - 1))%Q by (apply Qmult_lt_0_compat; lra). lra. }
  unfold batches_factor. set (D := (power g K - 1)%Q) in *. set (k := inject_Z (Z.of_nat K)) in *.
  set (Phi := offset_cost g K r items) in *. set (S := totalQ (fun x => power g (level x)) items) in *.
  set (T := totalQ (kappa M beta) items) in *.
  (* Phi <= D S / (k (g - 1)) <= D g T / (beta k (g - 1)) *)
  assert (Hkg : (0 < k * (g - 1))%Q) by (apply Qmult_lt_0_compat; lra).
  assert (Hbkg : (0 < beta * (k * (g - 1)))%Q) by (apply Qmult_lt_0_compat; lra).
  assert (H1 : (Phi * (beta * (k * (g - 1))) <= D * g * T)%Q).
  { assert (beta * (k * Phi * (g - 1)) <= beta * (D * S))%Q.
    { rewrite !(Qmult_comm beta). apply Qmult_le_compat_r; lra. }
    assert (D * (beta * S) <= D * (g * T))%Q.
    { rewrite !(Qmult_comm D). apply Qmult_le_compat_r; lra. }
    lra. }
  apply Qle_shift_div_l in H1; [|exact Hbkg].
  assert (Hf : (0 <= beta + 1 / D)%Q).
  { assert (0 <= 1 / D)%Q by (apply Qle_shift_div_l; lra). lra. }
  apply (Qmult_le_compat_r _ _ (beta + 1 / D)) in H1; [|exact Hf].
  rewrite Qmult_comm. eapply Qle_trans; [exact H1|]. apply Qle_lteq. right. field. repeat split; lra.
Qed.

(* --- Lemma 4: two kinds -------------------------------------------------------------------- *)

Definition smaller (x y : ranked) : Z := Z.min (area (job x)) (area (job y)).

(* The matrix of the min (v_i, v_j) is positive semidefinite. *)
Lemma min_kernel (c : ranked -> Z) : forall l m,
  StronglySorted (fun x y => area (job x) <= area (job y)) l ->
  (forall x, In x l -> m <= area (job x)) -> 0 <= m ->
  m * (total c l * total c l) <=
  2 * pairs (fun x y => c x * c y * smaller x y) l + total (fun x => c x * c x * area (job x)) l.
Proof.
  induction l as [|x l IH]; intros m Hs Hm H0; cbn [pairs total]; [lia|].
  inversion Hs as [|? ? Hl Hx]; subst. rewrite Forall_forall in Hx.
  pose proof (Hm x (or_introl eq_refl)) as Hmx.
  specialize (IH (area (job x)) Hl Hx ltac:(lia)).
  assert (E : total (fun y => c x * c y * smaller x y) l = c x * area (job x) * total c l).
  { rewrite <- total_scale. apply total_ext. intros y Hy. specialize (Hx y Hy). unfold smaller.
    rewrite Z.min_l by exact Hx. ring. }
  rewrite E. set (S := total c l) in *. set (v := area (job x)) in *.
  assert (m * ((c x + S) * (c x + S)) <= v * ((c x + S) * (c x + S))).
  { apply Z.mul_le_mono_nonneg_r; [apply Z.square_nonneg|exact Hmx]. }
  nia.
Qed.

Section TwoKinds.
  Context (late : ranked -> bool) (items : list ranked).
  Context (Hsorted : StronglySorted (fun x y => area (job x) <= area (job y)) items).
  Context (Hpos : forall x, In x items -> 0 <= area (job x)).

  Let on x : bool := negb (late x).
  Definition pairs_within (keep : ranked -> bool) : Z := pairs smaller (filter keep items).
  Definition pairs_across : Z := pairs (fun x y => if xorb (late x) (late y) then smaller x y else 0) items.
  Definition areas_within (keep : ranked -> bool) : Z := total (fun x => area (job x)) (filter keep items).

  Lemma all_kinds : pairs smaller items = pairs_within late + pairs_across + pairs_within on.
  Proof.
    unfold pairs_within, pairs_across. rewrite !pairs_filter, <- !pairs_add. apply pairs_ext. intros x y.
    unfold on. destruct (late x), (late y); cbn [andb xorb negb]; lia.
  Qed.

  (* x^2 Q_A - x y P_AO + y^2 Q_O >= 0; as a discriminant. *)
  Lemma form_nonneg x y :
    0 <= x * x * (2 * pairs_within late + areas_within late) - 2 * (x * y) * pairs_across
         + y * y * (2 * pairs_within on + areas_within on).
  Proof.
    set (c := fun z => if late z then x else - y).
    pose proof (min_kernel c items 0 Hsorted Hpos ltac:(lia)) as H. rewrite Z.mul_0_l in H.
    assert (E1 : pairs (fun u v => c u * c v * smaller u v) items =
        x * x * pairs_within late + (y * y * pairs_within on + (- (x * y)) * pairs_across)).
    { unfold pairs_within, pairs_across. rewrite !pairs_filter, <- !pairs_scale, <- !pairs_add.
      apply pairs_ext. intros u v. unfold c, on. destruct (late u), (late v); cbn [andb xorb negb]; lia. }
    assert (E2 : total (fun z => c z * c z * area (job z)) items =
        x * x * areas_within late + y * y * areas_within on).
    { unfold areas_within. rewrite !total_filter, <- !total_scale, <- total_add. apply total_ext. intros z _.
      unfold c, on. destruct (late z); cbn [negb]; lia. }
    rewrite E1, E2 in H. lia.
  Qed.

  Lemma smaller_nonneg f : 0 <= pairs_within f.
  Proof.
    unfold pairs_within. rewrite pairs_filter. clear Hsorted. induction items as [|x l IH]; cbn [pairs]; [lia|].
    specialize (IH (fun y Hy => Hpos y (or_intror Hy))).
    assert (0 <= total (fun y => if f x && f y then smaller x y else 0) l); [|lia].
    apply total_nonneg. intros y Hy. destruct (_ && _); [|lia]. unfold smaller.
    pose proof (Hpos x (or_introl eq_refl)). pose proof (Hpos y (or_intror Hy)). lia.
  Qed.

  Lemma across_nonneg : 0 <= pairs_across.
  Proof.
    unfold pairs_across. clear Hsorted. induction items as [|x l IH]; cbn [pairs]; [lia|].
    specialize (IH (fun y Hy => Hpos y (or_intror Hy))).
    assert (0 <= total (fun y => if xorb (late x) (late y) then smaller x y else 0) l); [|lia].
    apply total_nonneg. intros y Hy. destruct (xorb _ _); [|lia]. unfold smaller.
    pose proof (Hpos x (or_introl eq_refl)). pose proof (Hpos y (or_intror Hy)). lia.
  Qed.

  Lemma areas_nonneg f : 0 <= areas_within f.
  Proof. apply total_nonneg. intros x Hx. apply filter_In in Hx as [Hx _]. apply Hpos, Hx. Qed.

  Lemma discriminant :
    pairs_across * pairs_across <=
    (2 * pairs_within late + areas_within late) * (2 * pairs_within on + areas_within on).
  Proof.
    set (a := 2 * pairs_within late + areas_within late). set (o := 2 * pairs_within on + areas_within on).
    pose proof across_nonneg as Hb. set (b := pairs_across) in *.
    assert (H : forall x y, 0 <= x * x * a - 2 * (x * y) * b + y * y * o) by apply form_nonneg.
    assert (Ha : 0 <= a).
    { pose proof (smaller_nonneg late). pose proof (areas_nonneg late). unfold a. lia. }
    assert (Ho : 0 <= o).
    { pose proof (smaller_nonneg on). pose proof (areas_nonneg on). unfold o. lia. }
    destruct (Z.eq_dec a 0) as [E|E].
    - specialize (H (o + 1) 1). rewrite E in *. nia.
    - specialize (H b a). assert (0 <= a * (a * o - b * b)) by lia. nia.
  Qed.
End TwoKinds.

(* The sum of the V_i of those that are late, v being the areas before the list. *)
Lemma sums_of_late M g beta (late : ranked -> bool) : forall items v,
  0 <= v -> ranks M g beta v items ->
  StronglySorted (fun x y => area (job x) <= area (job y)) items ->
  (forall x, In x items -> 0 <= area (job x)) ->
  total (fun x => if late x then area_sum x else 0) items <=
  v * total (fun x => if late x then 1 else 0) items
  + pairs (fun x y => if late x || late y then smaller x y else 0) items
  + total (fun x => if late x then area (job x) else 0) items.
Proof.
  induction items as [|x items IH]; intros v Hv Hranks Hs Hpos; cbn [total pairs]; [lia|].
  destruct Hranks as (Hsum & _ & _ & Hrest). inversion Hs as [|? ? Hl Hx]; subst. rewrite Forall_forall in Hx.
  pose proof (Hpos x (or_introl eq_refl)) as H0.
  specialize (IH (area_sum x) ltac:(lia) Hrest Hl (fun y Hy => Hpos y (or_intror Hy))). rewrite Hsum in *.
  assert (area (job x) * total (fun y => if late y then 1 else 0) items
    <= total (fun y => if late x || late y then smaller x y else 0) items).
  { rewrite <- total_scale. apply total_le. intros y Hy. specialize (Hx y Hy). unfold smaller.
    rewrite Z.min_l by exact Hx. destruct (late x), (late y); cbn [orb]; lia. }
  set (n := total (fun y => if late y then 1 else 0) items) in *.
  destruct (late x); nia.
Qed.

(* A part of a schedule is a schedule. *)
Lemma part_of_schedule M pl (keep : ranked -> bool) :
  (forall z, In z pl -> of (snd z) = job (fst z)) ->
  schedule M (map job (map fst pl)) (map snd pl) ->
  schedule M (map job (filter keep (map fst pl))) (map snd (filter (fun z => keep (fst z)) pl)).
Proof.
  intros Hjob (_ & Hvalid & Hfits). repeat split.
  - clear Hvalid Hfits. induction pl as [|z pl IH]; [reflexivity|]. cbn [map filter].
    specialize (IH (fun y Hy => Hjob y (or_intror Hy))).
    destruct (keep (fst z)); cbn [map]; [|exact IH]. rewrite IH, (Hjob z (or_introl eq_refl)). reflexivity.
  - rewrite Forall_forall in *. intros a Ha. apply in_map_iff in Ha as (z & <- & Hz).
    apply filter_In in Hz as [Hz _]. apply Hvalid, in_map, Hz.
  - intros r. specialize (Hfits r). eapply Z.le_trans; [|exact Hfits]. unfold memory.
    rewrite !total_map, total_filter. apply total_le. intros z Hz.
    rewrite Forall_forall in Hvalid. pose proof (use_nonneg (snd z) r (Hvalid _ (in_map snd _ _ Hz))).
    destruct (keep (fst z)); lia.
Qed.

Definition outputs_within (keep : ranked -> bool) (items : list ranked) : Z :=
  total (fun x => output (job x)) (filter keep items).

(* The bounds (2), (3) and (4); Q_S = (2 pairs + areas) / (2 M). *)
Lemma kinds_below M late items best :
  0 < M -> schedule M (map job items) best ->
  let on x := negb (late x) in
  let Q_in keep := (inject_Z (2 * pairs_within items keep + areas_within items keep) / inject_Z (2 * M))%Q in
  let L keep := inject_Z (outputs_within keep items) in
  (L on + Q_in late + L late / 3 <= inject_Z (completions best))%Q /\
  (L on + inject_Z (pairs_within items late + areas_within items late) / inject_Z M
     <= inject_Z (completions best))%Q /\
  (Q_in late + inject_Z (pairs_across late items) / inject_Z M + Q_in on + (L late + L on) / 3
     <= inject_Z (completions best))%Q.
Proof.
  intros HM Hbest on Q_in L. assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  destruct (pair_up items best (proj1 Hbest)) as (pl & E1 & E2 & Hjob).
  assert (Hpart : forall keep, schedule M (map job (filter keep items))
      (map snd (filter (fun z => keep (fst z)) pl))).
  { intros keep. rewrite <- E1. apply part_of_schedule; [exact Hjob|]. rewrite E1, E2. exact Hbest. }
  set (part := fun keep : ranked -> bool => map snd (filter (fun z => keep (fst z)) pl)) in *.
  assert (Hsplit : completions best = completions (part late) + completions (part on)).
  { unfold part, completions. rewrite <- E2, !total_map, !total_filter, <- total_add. apply total_ext.
    intros z _. unfold on. destruct (late (fst z)); cbn [negb]; lia. }
  assert (EL : forall keep, total output (map job (filter keep items)) = outputs_within keep items).
  { intros keep. unfold outputs_within. apply total_map. }
  assert (EV : forall keep, total area (map job (filter keep items)) = areas_within items keep).
  { intros keep. unfold areas_within. apply total_map. }
  assert (EP : forall keep, pairs (fun q q' => Z.min (area q) (area q')) (map job (filter keep items))
      = pairs_within items keep).
  { intros keep. rewrite pairs_map. reflexivity. }
  pose proof (output_bound M _ _ (Hpart on)) as HO. rewrite EL in HO.
  pose proof (opt_third M _ _ HM (Hpart late)) as HT. rewrite EL, EV, EP in HT.
  pose proof (area_bound M _ _ (Hpart late)) as HA. rewrite EV, EP in HA.
  pose proof (opt_third M _ _ HM Hbest) as HB. rewrite pairs_map, !total_map in HB.
  change (pairs (fun x y => Z.min (area (job x)) (area (job y))) items) with (pairs smaller items) in HB.
  rewrite (all_kinds late items) in HB. fold on in HB.
  assert (EV2 : total (fun x => area (job x)) items = areas_within items late + areas_within items on).
  { unfold areas_within. rewrite !total_filter, <- total_add. apply total_ext. intros x _. unfold on.
    destruct (late x); cbn [negb]; lia. }
  assert (EL2 : total (fun x => output (job x)) items = outputs_within late items + outputs_within on items).
  { unfold outputs_within. rewrite !total_filter, <- total_add. apply total_ext. intros x _. unfold on.
    destruct (late x); cbn [negb]; lia. }
  rewrite EV2, EL2 in HB. rewrite Hsplit in *. rewrite (inject_Z_plus (completions (part late))) in *.
  rewrite Zle_Qle in HO, HA. rewrite inject_Z_mult in HA.
  fold (L on) in HO. fold (Q_in late) (L late) in HT.
  split; [|split].
  - change (map snd (filter (fun z => on (fst z)) pl)) with (part on) in HO.
    change (map snd (filter (fun z => late (fst z)) pl)) with (part late) in HT. lra.
  - change (map snd (filter (fun z => on (fst z)) pl)) with (part on) in HO.
    change (map snd (filter (fun z => late (fst z)) pl)) with (part late) in HA.
    enough (inject_Z (pairs_within items late + areas_within items late) / inject_Z M
      <= inject_Z (completions (part late)))%Q by lra.
    apply Qle_shift_div_r; [exact HMq|]. rewrite Qmult_comm. exact HA.
  - eapply Qle_trans; [|exact HB]. unfold Q_in, L. rewrite !inject_Z_mult, !inject_Z_plus, !inject_Z_mult, !inject_Z_plus.
    change (inject_Z 2) with 2%Q. apply Qle_lteq. right. field. lra.
Qed.

(* The rest of the proof of Theorem 5 is about these numbers. *)
Lemma closing_batches (a beta w R opt QA QO B VA LA LO cost : Q) :
  let c := (4 * a)%Q in
  (8 <= c)%Q -> (0 < w)%Q -> (w <= c)%Q -> (c <= R)%Q ->
  ((c - w) * (c - w) <= (R - c) * w)%Q -> (a * beta + 1 + 2 * w / 3 <= R)%Q -> (w + c - 8 <= R)%Q ->
  (0 <= QA)%Q -> (0 <= QO)%Q -> (0 <= B)%Q -> (0 <= VA)%Q -> (0 <= LA)%Q -> (0 <= LO)%Q ->
  (B * B <= 4 * QA * QO)%Q ->
  (cost <= a * (4 * (QA + VA / 2 + B) + beta * LO) + LA + LO - 4 * VA)%Q ->
  (LO + QA + LA / 3 <= opt)%Q -> (LO + QA + VA / 2 <= opt)%Q -> (QA + B + QO + (LA + LO) / 3 <= opt)%Q ->
  (cost <= R * opt)%Q.
Proof.
  intros c H8 Hw Hwc HcR Hdisc Hd Hlast HQA HQO HB HVA HLA HLO HBB Hcost H2 H3 H4.
  (* the form is not negative *)
  assert (Hform : (0 <= (R - c) * QA - (c - w) * B + w * QO)%Q).
  { set (al := (R - c)%Q) in *. set (de := (c - w)%Q) in *.
    assert (Hal : (0 <= al)%Q) by (unfold al; lra). assert (Hde : (0 <= de)%Q) by (unfold de; lra).
    clearbody al de. destruct (Qlt_le_dec (al * QA - de * B + w * QO) 0) as [Hneg|]; [exfalso|assumption].
    set (x := (al * QA)%Q) in *. set (y := (w * QO)%Q) in *.
    assert (Hx : (0 <= x)%Q) by (apply Qmult_le_0_compat; assumption).
    assert (Hy : (0 <= y)%Q) by (apply Qmult_le_0_compat; lra).
    assert (Hlt : (x + y < de * B)%Q) by lra.
    assert (H1 : ((x + y) * (x + y) < (de * B) * (de * B))%Q).
    { apply Qle_lt_trans with ((x + y) * (de * B))%Q.
      - rewrite (Qmult_comm (x + y) (de * B)). apply Qmult_le_compat_r; lra.
      - apply Qmult_lt_compat_r; lra. }
    assert (H5 : ((de * B) * (de * B) <= (al * w) * (4 * QA * QO))%Q).
    { apply Qle_trans with ((al * w) * (B * B))%Q.
      - assert (E : (de * B * (de * B) == (de * de) * (B * B))%Q) by ring. rewrite E.
        apply Qmult_le_compat_r; [exact Hdisc|apply Qmult_le_0_compat; assumption].
      - rewrite !(Qmult_comm (al * w)). apply Qmult_le_compat_r; [exact HBB|].
        apply Qmult_le_0_compat; lra. }
    assert (E : ((al * w) * (4 * QA * QO) == 4 * (x * y))%Q) by (unfold x, y; ring). rewrite E in H5.
    assert (H6 : (0 <= (x - y) * (x - y))%Q) by (destruct (Qlt_le_dec x y); nra). lra. }
  assert (HR : (0 <= R - w - (c - 8))%Q) by lra.
  assert (M2 : ((R - w - (c - 8)) * (LO + QA + LA / 3) <= (R - w - (c - 8)) * opt)%Q).
  { rewrite !(Qmult_comm (R - w - (c - 8))). apply Qmult_le_compat_r; assumption. }
  assert (M3 : ((c - 8) * (LO + QA + VA / 2) <= (c - 8) * opt)%Q).
  { rewrite !(Qmult_comm (c - 8)). apply Qmult_le_compat_r; [assumption|lra]. }
  assert (M4 : (w * (QA + B + QO + (LA + LO) / 3) <= w * opt)%Q).
  { rewrite !(Qmult_comm w). apply Qmult_le_compat_r; lra. }
  assert (N1 : (0 <= (R - (a * beta + 1 + 2 * w / 3)) * LO)%Q) by (apply Qmult_le_0_compat; lra).
  assert (N2 : (0 <= (R - c + 5) / 3 * LA)%Q).
  { apply Qmult_le_0_compat; [apply Qle_shift_div_l; lra|assumption]. }
  unfold c in *.
  set (t2 := (LA / 3)%Q) in *. assert (LA == 3 * t2)%Q as EA by (unfold t2; field).
  set (t3 := (VA / 2)%Q) in *. assert (VA == 2 * t3)%Q as EVA by (unfold t3; field).
  assert (E4 : ((LA + LO) / 3 == t2 + LO / 3)%Q) by (unfold t2; field). rewrite E4 in M4.
  set (t4 := (LO / 3)%Q) in *. assert (LO == 3 * t4)%Q as EO by (unfold t4; field).
  assert (E5 : (2 * w / 3 * LO == 2 * w * t4)%Q) by (unfold t4; field).
  assert (E6 : ((R - 4 * a + 5) / 3 * LA == (R - 4 * a + 5) * t2)%Q) by (unfold t2; field).
  rewrite E6 in N2. clearbody t2 t3 t4. rewrite EA, EVA, EO in *.
  assert (E7 : (2 * w / 3 * (3 * t4) == 2 * w * t4)%Q) by field.
  assert (N1' : (0 <= (R - (a * beta + 1)) * (3 * t4) - 2 * w * t4)%Q) by lra.
  lra.
Qed.

(* Theorem 5 of area_batches.md, against any schedule of the same requests, in whatever order they
   are listed there, with whatever kills. *)
Theorem svf_batches_ratio M g K beta w R requests l other best killed :
  0 < M -> batches_numbers g K beta w R ->
  (forall q, In q requests -> valid_request q /\ request_peak q <= M) -> at_once requests ->
  svf_in_batches M g K beta requests l ->
  Permutation requests other -> schedule_with_kills M other best killed ->
  Permutation requests (map of l) /\ schedule M (map of l) l /\
  (inject_Z (cost l) <= R * inject_Z (cost best))%Q.
Proof.
  intros HM (Hg & HK & Hbeta & H8 & Hw & Hwc & HcR & Hdisc & Hd & Hlast) Hreq Hrel
    (items & r & ordered & Hjobs & Hinorder & Hranks & Hr & Hbest & Hperm & Hsorted & Hof & Hturn) Hother Hopt.
  apply no_kills in Hopt. assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (Hreq' : forall x, In x items ->
      valid_request (job x) /\ request_peak (job x) <= M /\ release (job x) = 0).
  { intros x Hx. assert (Hq : In (job x) requests) by (rewrite <- Hjobs; apply in_map, Hx).
    destruct (Hreq _ Hq). repeat split; try assumption; try apply H. apply Hrel, Hq. }
  destruct (batches_cost M g K beta items r ordered l) as [Hsch Hcost]; auto.
  rewrite <- Hof in Hsch.
  assert (HpermL : Permutation requests (map of l)).
  { rewrite <- Hjobs, Hof. apply Permutation_map, Hperm. }
  split; [exact HpermL|]. split; [exact Hsch|].
  assert (HrelL : at_once (map of l)).
  { intros q Hq. apply Hrel. apply (Permutation_in _ (Permutation_sym HpermL)), Hq. }
  assert (HrelO : at_once other).
  { intros q Hq. apply Hrel. apply (Permutation_in _ (Permutation_sym Hother)), Hq. }
  rewrite (cost_at_once M _ l Hsch HrelL), (cost_at_once M other best Hopt HrelO).
  (* the other schedule, with its attempts in the order of the requests *)
  assert (Hbest' : exists best', completions best' = completions best /\ schedule M (map job items) best').
  { destruct Hopt as (HofB & HvalidB & HfitsB). rewrite Hjobs.
    destruct (Permutation_map_inv of best (l1 := requests)) as (best' & E & HpB); [rewrite HofB; exact Hother|].
    exists best'. split; [apply total_permutation, Permutation_sym, HpB|]. split; [congruence|]. split.
    - rewrite Forall_forall in *. intros b Hb. apply HvalidB, (Permutation_in _ (Permutation_sym HpB)), Hb.
    - intros rr. unfold memory. rewrite <- (total_permutation _ _ _ HpB). apply HfitsB. }
  destruct Hbest' as (best' & Ecost & Hschb). rewrite <- Ecost.
  set (late := by_area M beta). set (on := fun x => negb (late x)).
  destruct (kinds_below M late items best' HM Hschb) as (B2 & B3 & B4). cbv zeta in B2, B3, B4. fold on in B2, B3, B4.
  assert (Hascend : StronglySorted (fun x y => area (job x) <= area (job y)) items).
  { apply (sorted_map (fun q q' => area q <= area q') job). rewrite Hjobs. exact Hinorder. }
  assert (Harea : forall x, In x items -> 0 <= area (job x)).
  { intros x Hx. apply Z.lt_le_incl, area_pos, Hreq', Hx. }
  pose proof (discriminant late items Hascend Harea) as HBB. cbv zeta in HBB. fold on in HBB.
  pose proof (smaller_nonneg items Harea late) as HPA. pose proof (smaller_nonneg items Harea on) as HPO.
  pose proof (across_nonneg late items Harea) as HAO.
  pose proof (areas_nonneg items Harea late) as HVA. pose proof (areas_nonneg items Harea on) as HVO.
  assert (HL : forall keep, 0 <= outputs_within keep items).
  { intros keep. apply total_nonneg. intros x Hx. apply filter_In in Hx as [Hx _].
    destruct (Hreq' x Hx) as ((_ & Ho) & _). lia. }
  pose proof (HL late) as HLA. pose proof (HL on) as HLO.
  (* the cost in the same numbers *)
  pose proof (kappa_cost M g K beta items r Hg Hbeta Hr
    (fun x Hx => proj2 (proj1 (Hreq' x Hx))) Hranks Hbest) as Hkappa.
  pose proof (sums_of_late M g beta late items 0 ltac:(lia) Hranks Hascend Harea) as Hsums.
  assert (E1 : pairs (fun x y => if late x || late y then smaller x y else 0) items =
      pairs_within items late + pairs_across late items).
  { unfold pairs_within, pairs_across. rewrite pairs_filter, <- pairs_add. apply pairs_ext. intros x y.
    destruct (late x), (late y); cbn [orb andb xorb]; lia. }
  rewrite E1, <- (total_filter late (fun x => area (job x))) in Hsums.
  fold (areas_within items late) in Hsums. rewrite Z.mul_0_l, Z.add_0_l in Hsums.
  set (SV := total (fun x => if late x then area_sum x else 0) items) in *.
  assert (Ekappa : (totalQ (kappa M beta) items ==
      4 * inject_Z SV / inject_Z M + beta * inject_Z (outputs_within on items))%Q).
  { unfold SV, outputs_within. rewrite total_filter, <- !totalQ_inject.
    assert (E : (4 * totalQ (fun x => inject_Z (if late x then area_sum x else 0%Z)) items / inject_Z M
        == totalQ (fun x => 4 / inject_Z M * inject_Z (if late x then area_sum x else 0%Z)) items)%Q)
      by (rewrite totalQ_times; field; lra).
    rewrite E, <- totalQ_times, <- totalQ_sum. clear. induction items as [|x items IH]; cbn [totalQ]; [reflexivity|].
    rewrite IH. apply Qplus_comp; [|reflexivity]. unfold kappa, on. fold late. fold (late x).
    destruct (late x); cbn [negb]; change (inject_Z 0) with 0%Q; unfold Qdiv; ring. }
  assert (EL : total (fun x => output (job x)) items = outputs_within late items + outputs_within on items).
  { unfold outputs_within. rewrite !total_filter, <- total_add. apply total_ext. intros x _. unfold on.
    destruct (late x); cbn [negb]; lia. }
  assert (EV : total (fun x => area (job x)) items = areas_within items late + areas_within items on).
  { unfold areas_within. rewrite !total_filter, <- total_add. apply total_ext. intros x _. unfold on.
    destruct (late x); cbn [negb]; lia. }
  rewrite EL, EV in Hcost. rewrite Ekappa in Hkappa.
  set (PA := pairs_within items late) in *. set (PO := pairs_within items on) in *.
  set (AO := pairs_across late items) in *. set (VA := areas_within items late) in *.
  set (VO := areas_within items on) in *. set (LA := outputs_within late items) in *.
  set (LO := outputs_within on items) in *. set (a := batches_factor g K beta) in *.
  assert (Hdiv : forall z m, 0 <= z -> 0 < m -> (0 <= inject_Z z / inject_Z m)%Q).
  { intros z m Hz Hm. apply Qle_shift_div_l; [apply inject_pos, Hm|]. rewrite Qmult_0_l.
    change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact Hz. }
  assert (Hint : forall z, 0 <= z -> (0 <= inject_Z z)%Q).
  { intros z Hz. change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact Hz. }
  assert (Ha : (0 < a)%Q) by lra.
  apply (closing_batches a beta w R _ (inject_Z (2 * PA + VA) / inject_Z (2 * M))
    (inject_Z (2 * PO + VO) / inject_Z (2 * M)) (inject_Z AO / inject_Z M) (inject_Z VA / inject_Z M)
    (inject_Z LA) (inject_Z LO)); try assumption; auto; try (apply Hdiv; lia).
  - (* the discriminant *)
    rewrite Zle_Qle in HBB. rewrite !(inject_Z_mult AO), (inject_Z_mult (2 * PA + VA)) in HBB.
    set (x := inject_Z (2 * PA + VA)) in *. set (y := inject_Z (2 * PO + VO)) in *.
    rewrite inject_Z_mult. change (inject_Z 2) with 2%Q. set (m := inject_Z M) in *.
    assert (Ex : (4 * (x / (2 * m)) * (y / (2 * m)) == (x * y) / (m * m))%Q) by (field; lra).
    assert (Ey : (inject_Z AO / m * (inject_Z AO / m) == inject_Z AO * inject_Z AO / (m * m))%Q) by (field; lra).
    rewrite Ex, Ey. unfold Qdiv. apply Qmult_le_compat_r; [exact HBB|].
    apply Qlt_le_weak, Qinv_lt_0_compat. apply Qmult_lt_0_compat; exact HMq.
  - (* the cost *)
    eapply Qle_trans; [exact Hcost|]. rewrite !inject_Z_plus, !inject_Z_mult in *. change (inject_Z 2) with 2%Q in *.
    rewrite Zle_Qle, !inject_Z_plus in Hsums. set (m := inject_Z M) in *.
    assert (Hk : (a * (4 * inject_Z SV / m) <= a * (4 * (inject_Z PA + inject_Z AO + inject_Z VA) / m))%Q).
    { rewrite !(Qmult_comm a). apply Qmult_le_compat_r; [|lra]. unfold Qdiv. apply Qmult_le_compat_r; [lra|].
      apply Qlt_le_weak, Qinv_lt_0_compat, HMq. }
    pose proof (Hdiv VO M HVO HM) as HVOm. fold m in HVOm.
    assert (Ev : (4 * (inject_Z VA + inject_Z VO) / m == 4 * (inject_Z VA / m) + 4 * (inject_Z VO / m))%Q)
      by (field; lra).
    assert (Eq : ((2 * inject_Z PA + inject_Z VA) / (2 * m) + inject_Z VA / m / 2 + inject_Z AO / m
        == (inject_Z PA + inject_Z AO + inject_Z VA) / m)%Q) by (field; lra).
    rewrite Ev, Eq.
    assert (Ew : (4 * (inject_Z PA + inject_Z AO + inject_Z VA) / m
        == 4 * ((inject_Z PA + inject_Z AO + inject_Z VA) / m))%Q) by (field; lra).
    rewrite Ew in Hk. lra.
  - (* (3) *)
    eapply Qle_trans; [|exact B3]. rewrite !inject_Z_plus, !inject_Z_mult. change (inject_Z 2) with 2%Q.
    apply Qle_lteq. right. field. lra.
Qed.

(* The numbers that kvopt uses. *)
Theorem svf_batches_nine M requests l other best killed :
  0 < M ->
  (forall q, In q requests -> valid_request q /\ request_peak q <= M) -> at_once requests ->
  svf_in_batches M (101 # 100) 76 (21 # 10) requests l ->
  Permutation requests other -> schedule_with_kills M other best killed ->
  Permutation requests (map of l) /\ schedule M (map of l) l /\
  (inject_Z (cost l) <= (954 # 100) * inject_Z (cost best))%Q.
Proof.
  intros HM Hreq Hrel Hl Hother Hbest.
  apply (svf_batches_ratio M (101 # 100) 76 (21 # 10) (608 # 100) (954 # 100) requests l other best killed); auto.
  unfold batches_numbers. repeat split; try (vm_compute; congruence). lia.
Qed.
