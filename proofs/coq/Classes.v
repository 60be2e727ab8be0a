(* GBA with given class ends: Theorem 7 of certified_slices.md, with drains and without, and a check
   of class ends with drains that Coq runs. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import Model Sums Pipeline Spacing Area BusyTime Staggered Gsa Slices.
Import ListNotations.
Open Scope Z_scope.

(* --- The policy -------------------------------------------------------------------------- *)

(* A class holds the requests with outputs up to its end, the slice, that are in none before it.  In
   some order, any, they start a distance apart; the next class begins when the last slice is
   over.  Classes without requests are left out. *)
Fixpoint classes (order : nat -> list request -> list request) (q : nat) (ends : list gsa_phase)
    (B : Z) (requests : list request) : list attempt :=
  match ends with
  | [] => []
  | Phase tau d :: later =>
      let members := order q (filter (short tau) requests) in
      let B' := match members with
                | [] => B
                | _ => B + start_at d (length members - 1) + tau
                end in
      placed B d 0 members ++ classes order (S q) later B' (filter (long tau) requests)
  end.

(* What is claimed, as in Gsa.v. *)
Definition classes_at_most (R : Q) (s M : Z) (ends : list gsa_phase) : Prop :=
  forall order requests l killed,
  (forall q l, Permutation l (order q l)) ->
  (forall x, In x requests ->
    prompt x = s /\ release x = 0 /\ 1 <= output x <= last_slice ends) ->
  schedule_with_kills M requests l killed ->
  let found := classes order 0 ends 0 requests in
  Permutation requests (map of found) /\ schedule M (map of found) found /\
  (inject_Z (cost found) <= R * inject_Z (cost l))%Q.

(* --- It is a schedule -------------------------------------------------------------------- *)

Lemma classes_schedule s M order : 0 <= s -> 0 <= M ->
  (forall q l, Permutation l (order q l)) ->
  forall ends q B requests,
  Forall (fitting s M) ends -> 0 <= B ->
  (forall x, In x requests -> served s (last_slice ends) x) ->
  let found := classes order q ends B requests in
  Permutation requests (map of found) /\ Forall valid found /\
  forall r, memory found r <= M /\ (r <= B -> memory found r = 0).
Proof.
  intros Hs HM Horder. induction ends as [|[tau d] later IH]; intros q B requests Hfit HB Hserved found.
  { destruct requests as [|x rest].
    - subst found. cbn [classes map]. split; [constructor|]. split; [constructor|].
      intros r. unfold memory. cbn [total]. lia.
    - destruct (Hserved x (or_introl eq_refl)) as (_ & _ & Ho). cbn in Ho. lia. }
  subst found. cbn [classes]. set (members := order q (filter (short tau) requests)).
  pose proof (Horder q (filter (short tau) requests)) as Hp. fold members in Hp.
  set (B' := match members with [] => B | _ => _ end).
  inversion Hfit as [|? ? (Ht & Hd & HF) Hlater]. subst. cbn [slice distance] in *.
  assert (HBB : B <= B').
  { unfold B'. destruct members; [lia|]. pose proof (start_at_nonneg d (length (r :: members) - 1) ltac:(lra)). lia. }
  destruct (IH (S q) B' _ Hlater ltac:(lia) (long_served _ _ _ _ _ Hserved)) as (Hperm & Hvalid & Hmem).
  assert (Hmembers : forall x, In x members -> prompt x = s /\ release x = 0 /\ 1 <= output x <= tau).
  { intros x Hx. apply (Permutation_in _ (Permutation_sym Hp)) in Hx. apply filter_In in Hx as [Hx Hshort].
    unfold short in Hshort. destruct (Hserved x Hx) as (H1 & H2 & H3). lia. }
  split; [|split].
  - rewrite map_app, placed_of. eapply Permutation_trans; [apply (short_long tau requests)|].
    apply Permutation_app; [exact Hp|exact Hperm].
  - apply Forall_app. split; [|exact Hvalid]. apply Forall_forall. intros a Ha.
    destruct (placed_in a B d members 0 Ha) as [Hof (i & _ & Hstart)].
    destruct (Hmembers _ Hof) as (H1 & H2 & H3).
    pose proof (start_at_nonneg d i ltac:(lra)). unfold valid, valid_request. lia.
  - intros r. rewrite memory_app. destruct (Hmem r) as [Hmem1 Hmem0].
    (* all of them are short: what the phase uses is the memory *)
    assert (Huse : memory (placed B d 0 members) r = phase_use tau (placed B d 0 members) r).
    { unfold phase_use, memory. rewrite total_filter.
      assert (E : filter (fun a => long tau (of a)) (placed B d 0 members) = []).
      { assert (Hall : forall a, In a (placed B d 0 members) -> long tau (of a) = false).
        { intros a Ha. destruct (placed_in a B d members 0 Ha) as [Hof _].
          destruct (Hmembers _ Hof) as (_ & _ & H3). unfold long. lia. }
        revert Hall. generalize (placed B d 0 members). clear. induction l as [|a l IHl]; intros Hall; [reflexivity|].
        cbn [filter]. rewrite (Hall a (or_introl eq_refl)). apply IHl. intros b Hb. apply Hall. simpl. auto. }
      rewrite E. cbn [map total]. rewrite Z.add_0_r. apply total_ext. intros a Ha.
      destruct (placed_in a B d members 0 Ha) as [Hof _]. destruct (Hmembers _ Hof) as (_ & _ & H3).
      unfold short. replace (output (of a) <=? tau) with true by lia. reflexivity. }
    rewrite Huse.
    assert (Hphase : phase_use tau (placed B d 0 members) r <= M).
    { eapply Z.le_trans; [apply (phase_use_le s); [exact Hs|]|].
      - intros x Hx. apply Hmembers, Hx.
      - eapply Z.le_trans; [|exact HF]. apply (pipeline_peak s tau d (length members)); assumption. }
    pose proof (phase_use_outside tau d B members r Hd) as Hout.
    assert (Hempty : members = [] -> phase_use tau (placed B d 0 members) r = 0) by (intros ->; reflexivity).
    split.
    + destruct (Z.le_gt_cases r B') as [Hr|Hr]; [specialize (Hmem0 Hr); lia|].
      destruct members as [|x0 rest] eqn:E; [rewrite Hempty by reflexivity; lia|].
      rewrite Hout by (unfold B' in Hr; lia). lia.
    + intros Hr. specialize (Hmem0 ltac:(lia)). specialize (Hout (or_introl Hr)). lia.
Qed.

(* --- What it costs ----------------------------------------------------------------------- *)

(* R >= d_q / phi_q, where phi_q = Phi (o + 1), o being the end of the class before; R is a factor
   per unit of Phi.  And d_q <= tau_q. *)
Fixpoint classes_hold (R : Q) (Phi : Z -> Z) (o : Z) (ends : list gsa_phase) : Prop :=
  match ends with
  | [] => True
  | Phase tau d :: later =>
      o <= tau /\ (d <= inject_Z tau)%Q /\ (d <= R * inject_Z (Phi (o + 1)%Z))%Q /\ classes_hold R Phi tau later
  end.

Lemma ordered_pairs_long_le Phi tau requests (phi : Z) (n n' : Q) :
  (forall x, In x requests -> phi <= Phi (output x)) ->
  n = inject_Z (size requests) -> n' = inject_Z (size (filter (long tau) requests)) ->
  (inject_Z phi * (n * n - n' * n') + inject_Z (ordered_pairs Phi (filter (long tau) requests))
   <= inject_Z (ordered_pairs Phi requests))%Q.
Proof.
  intros Hphi -> ->. pose proof (pairs_of_phase Phi phi tau requests Hphi) as H. rewrite Zle_Qle in H.
  unfold Z.sub in H. rewrite inject_Z_plus, inject_Z_mult, inject_Z_plus, inject_Z_opp, !inject_Z_mult in H. lra.
Qed.

Lemma size_short_long tau requests :
  (inject_Z (size requests) == inject_Z (size (filter (short tau) requests)) + inject_Z (size (filter (long tau) requests)))%Q.
Proof.
  rewrite <- inject_Z_plus. assert (E : size requests = size (filter (short tau) requests) + size (filter (long tau) requests));
    [|rewrite E; reflexivity].
  unfold size. rewrite (Permutation_length (short_long tau requests)), app_length. lia.
Qed.

Lemma classes_cost s M order R Phi : 0 <= s -> (0 <= R)%Q ->
  (forall q l, Permutation l (order q l)) ->
  (forall o o', 1 <= o -> o <= o' -> Phi o <= Phi o') ->
  forall ends q B o requests,
  0 <= o -> Forall (fitting s M) ends -> classes_hold R Phi o ends ->
  (forall x, In x requests -> served s (last_slice ends) x /\ o < output x) ->
  (2 * inject_Z (completions (classes order q ends B requests)) <=
   2 * inject_Z B * inject_Z (size requests) + 2 * totalQ (fun x => own ends (output x)) requests
   + R * inject_Z (ordered_pairs Phi requests))%Q.
Proof.
  intros Hs HR Horder Hmono. induction ends as [|[tau d] later IH];
    intros q B o requests Ho Hfit Hhold Hserved.
  { destruct requests as [|x rest].
    - cbn. change (inject_Z 0) with 0%Q. lra.
    - destruct (Hserved x (or_introl eq_refl)) as ((_ & _ & H) & _). cbn in H. lia. }
  destruct Hhold as (Hot & Hdt & Hdphi & Hhold).
  inversion Hfit as [|? ? (Ht & Hd & HF) Hlater]. subst. cbn [slice distance classes] in *.
  set (members := order q (filter (short tau) requests)).
  pose proof (Horder q (filter (short tau) requests)) as Hp. fold members in Hp.
  set (B' := match members with [] => B | _ => _ end).
  unfold completions. rewrite total_app. fold (completions (placed B d 0 members)).
  fold (completions (classes order (S q) later B' (filter (long tau) requests))). rewrite inject_Z_plus.
  assert (Hlong : forall x, In x (filter (long tau) requests) -> served s (last_slice later) x /\ tau < output x).
  { intros x Hx. split; [apply (long_served s tau d later requests); [intros y Hy; apply Hserved, Hy|exact Hx]|].
    apply filter_In in Hx as [_ Hx]. unfold long in Hx. lia. }
  specialize (IH (S q) B' tau _ ltac:(lia) Hlater Hhold Hlong).
  (* the class *)
  assert (Hmembers : forall x, In x members -> output x <= tau).
  { intros x Hx. apply (Permutation_in _ (Permutation_sym Hp)) in Hx. apply filter_In in Hx as [_ Hx].
    unfold short in Hx. lia. }
  pose proof (phase_cost tau d B members Hd 0) as Hclass. cbv zeta in Hclass.
  assert (E1 : filter (fun a => short tau (of a)) (placed B d 0 members) = placed B d 0 members).
  { assert (Hall : forall a, In a (placed B d 0 members) -> short tau (of a) = true).
    { intros a Ha. destruct (placed_in a B d members 0 Ha) as [Hof _]. specialize (Hmembers _ Hof). unfold short. lia. }
    revert Hall. generalize (placed B d 0 members). clear. induction l as [|a l IHl]; intros Hall; [reflexivity|].
    cbn [filter]. rewrite (Hall a (or_introl eq_refl)), IHl; [reflexivity|]. intros b Hb. apply Hall. simpl. auto. }
  assert (E2 : filter (long tau) members = []).
  { clear -Hmembers. induction members as [|x l IHl]; [reflexivity|]. cbn [filter]. unfold long at 1.
    pose proof (Hmembers x (or_introl eq_refl)). replace (tau <? output x) with false by lia.
    apply IHl. intros y Hy. apply Hmembers. simpl. auto. }
  assert (E3 : filter (short tau) members = members).
  { clear -Hmembers. induction members as [|x l IHl]; [reflexivity|]. cbn [filter]. unfold short at 1.
    pose proof (Hmembers x (or_introl eq_refl)). replace (output x <=? tau) with true by lia.
    rewrite IHl; [reflexivity|]. intros y Hy. apply Hmembers. simpl. auto. }
  rewrite E1, E2, E3 in Hclass. change (inject_Z (Z.of_nat 0)) with 0%Q in Hclass.
  change (inject_Z (size [])) with 0%Q in Hclass.
  rewrite <- (totalQ_permutation _ _ _ Hp) in Hclass.
  assert (Hsize : size members = size (filter (short tau) requests)).
  { unfold size. rewrite (Permutation_length Hp). reflexivity. }
  rewrite Hsize in Hclass. rewrite own_of_phase.
  pose proof (size_short_long tau requests) as Hn.
  (* the next class begins by then *)
  assert (HB : (inject_Z B' <= inject_Z B + inject_Z (size (filter (short tau) requests)) * d + (inject_Z tau - d))%Q).
  { rewrite <- Hsize. unfold B'. destruct members as [|x0 rest] eqn:E.
    - change (inject_Z (size [])) with 0%Q. lra.
    - rewrite !inject_Z_plus. rewrite size_cons.
      assert (Hfl : (inject_Z (start_at d (length (x0 :: rest) - 1)) <= inject_Z (size rest) * d)%Q).
      { eapply Qle_trans; [apply Qfloor_le|]. replace (Z.of_nat (length (x0 :: rest) - 1)) with (size rest)
          by (unfold size; cbn [length]; lia). apply Qle_refl. }
      lra. }
  (* pairs *)
  pose proof (ordered_pairs_long_le Phi tau requests (Phi (o + 1)) _ _
    (fun x Hx => Hmono (o + 1) (output x) ltac:(lia) ltac:(destruct (Hserved x Hx); lia)) eq_refl eq_refl) as Hpairs.
  assert (Hn' : (0 <= inject_Z (size (filter (long tau) requests)))%Q) by apply nat_nonneg.
  assert (Hn1 : (0 <= inject_Z (size (filter (short tau) requests)))%Q) by apply nat_nonneg.
  set (n := inject_Z (size requests)) in *. set (n' := inject_Z (size (filter (long tau) requests))) in *.
  set (n1 := inject_Z (size (filter (short tau) requests))) in *.
  set (T := inject_Z (ordered_pairs Phi requests)) in *.
  set (T' := inject_Z (ordered_pairs Phi (filter (long tau) requests))) in *.
  set (own' := totalQ (fun x => own later (output x)) _) in *. set (O := totalQ (fun x => inject_Z (output x)) _) in *.
  set (C1 := inject_Z (completions (placed B d 0 members))) in *. set (C2 := inject_Z (completions _)) in *.
  set (phi := inject_Z (Phi (o + 1)%Z)) in *. set (b := inject_Z B) in *. set (b' := inject_Z B') in *.
  set (t := inject_Z tau) in *. clearbody n n' n1 T T' own' O C1 C2 phi b b' t.
  assert (HT : (R * (phi * (n * n - n' * n') + T') <= R * T)%Q).
  { rewrite !(Qmult_comm R). apply Qmult_le_compat_r; assumption. }
  assert (HBn : (b' * n' <= (b + n1 * d + (t - d)) * n')%Q) by (apply Qmult_le_compat_r; assumption).
  assert (Hsq : (0 <= n * n - n' * n')%Q).
  { assert (E : (n * n - n' * n' == n1 * n1 + 2 * (n1 * n'))%Q) by (rewrite Hn; ring). rewrite E.
    assert (0 <= n1 * n1)%Q by (apply Qmult_le_0_compat; assumption).
    assert (0 <= n1 * n')%Q by (apply Qmult_le_0_compat; assumption). lra. }
  assert (Hdd : (d * (n * n - n' * n') <= R * phi * (n * n - n' * n'))%Q) by (apply Qmult_le_compat_r; assumption).
  rewrite Hn in *. lra.
Qed.

(* --- Theorem 7 --------------------------------------------------------------------------- *)

Lemma classes_ratio a b c s M R rho per ends :
  0 <= a -> 0 <= b -> 0 < a + b -> 0 <= s -> 0 < M -> M <= c -> (0 <= R)%Q -> (R <= rho)%Q ->
  let w := round_weight a b M s c in
  (per == R / inject_Z (a * M + b * c))%Q ->
  Forall (fitting s M) ends -> classes_hold per (Phi w) 0 ends ->
  (forall o, 1 <= o <= last_slice ends -> paid R rho w ends 0 o) ->
  classes_at_most rho s M ends.
Proof.
  intros Ha Hb Hab Hs HM Hc HR Hrho w Eper Hfit Hhold Hpaid order requests l killed Horder Hserved Hopt found.
  destruct (classes_schedule s M order Hs ltac:(lia) Horder ends 0 0 requests Hfit ltac:(lia) Hserved)
    as (Hperm & Hvalid & Hmem). fold found in Hperm, Hvalid, Hmem.
  assert (Hsch : schedule M (map of found) found).
  { split; [reflexivity|]. split; [exact Hvalid|]. intros r. apply Hmem. }
  split; [exact Hperm|]. split; [exact Hsch|].
  assert (Hfound : classes order 0 ends 0 requests = found) by reflexivity. clearbody found.
  apply no_kills in Hopt.
  assert (Hzero : at_once requests) by (intros x Hx; apply Hserved, Hx).
  rewrite (cost_at_once M requests l Hopt Hzero).
  rewrite (cost_at_once M (map of found) found Hsch)
    by (intros x Hx; apply Hzero, (Permutation_in _ (Permutation_sym Hperm)), Hx).
  destruct requests as [|x0 rest] eqn:Ereq.
  { apply Permutation_nil in Hperm. destruct found; [|discriminate].
    destruct Hopt as (Hof & _). destruct l; [|discriminate]. cbn. change (inject_Z 0) with 0%Q. lra. }
  rewrite <- Ereq in *. assert (Hne : requests <> []) by (rewrite Ereq; discriminate).
  destruct (mixed_optimum a b M s c requests l Ha Hb Hab Hs Hc Hne) as (Hunit & Hwhole & Hbound);
    [intros x Hx; apply Hserved, Hx|exact Hopt|]. fold w in Hwhole, Hbound.
  assert (Hw : forall j, 1 <= j -> 0 <= w j) by (intros j Hj; apply round_weight_pos; assumption).
  assert (Hunitq := inject_pos _ Hunit). set (u := a * M + b * c) in *.
  assert (Hper : (0 <= per)%Q).
  { rewrite Eper. apply Qle_shift_div_l; [exact Hunitq|]. rewrite Qmult_0_l. exact HR. }
  pose proof (classes_cost s M order per (Phi w) Hs Hper Horder (fun o o' => Phi_mono w o o' Hw)
    ends 0 0 0 requests ltac:(lia) Hfit Hhold) as Hcost.
  assert (Hserved' : forall x, In x requests -> served s (last_slice ends) x /\ 0 < output x).
  { intros x Hx. split; [apply Hserved, Hx|]. destruct (Hserved x Hx) as (_ & _ & H). lia. }
  specialize (Hcost Hserved').
  rewrite Hfound in Hcost. change (inject_Z 0) with 0%Q in Hcost.
  assert (Hown : (totalQ (fun x => own ends (output x)) requests <=
      R * totalQ (delta (fun _ => w)) requests + (rho - R) * inject_Z (total output requests))%Q).
  { clear -Hpaid Hserved. induction requests as [|x rest' IH]; cbn [totalQ total].
    - change (inject_Z 0) with 0%Q. lra.
    - specialize (IH (fun y Hy => Hserved y (or_intror Hy))).
      destruct (Hserved x (or_introl eq_refl)) as (_ & _ & Ho).
      pose proof (Hpaid (output x) Ho) as Hx. unfold paid in Hx.
      change (inject_Z (output x) - inject_Z (moments w (output x)) / inject_Z (2 * Phi w (output x)))%Q
        with (delta (fun _ => w) x) in Hx.
      rewrite inject_Z_plus. lra. }
  assert (Houtput := output_bound M requests l Hopt). rewrite Zle_Qle in Houtput.
  unfold busy_bound in Hbound. rewrite <- ordered_pairs_twice in Hbound.
  set (T := inject_Z (ordered_pairs (Phi w) requests)) in *.
  set (D := totalQ (delta (fun _ => w)) requests) in *. set (O := totalQ _ requests) in *.
  set (L := inject_Z (total output requests)) in *.
  set (X := inject_Z (completions found)) in *. set (Y := inject_Z (completions l)) in *.
  assert (E : (per * T == 2 * (R * (T / inject_Z (2 * u))))%Q).
  { rewrite Eper, inject_Z_mult. change (inject_Z 2) with 2%Q. field. lra. }
  set (A := (T / inject_Z (2 * u))%Q) in *.
  assert (H1 : (R * (A + D) <= R * Y)%Q).
  { rewrite !(Qmult_comm R). apply Qmult_le_compat_r; assumption. }
  assert (H2 : ((rho - R) * L <= (rho - R) * Y)%Q).
  { rewrite !(Qmult_comm (rho - R)). apply Qmult_le_compat_r; [exact Houtput|lra]. }
  set (n := inject_Z (size requests)) in *. set (P := (per * T)%Q) in *.
  clearbody A D O L X Y n P. clear -Hcost Hown H1 H2 E. lra.
Qed.

(* --- The check --------------------------------------------------------------------------- *)

(* The classes from one on: `before` is what their requests have waited; outputs up to o are done
   with, W is Phi (o), V is moments (o). *)
Fixpoint accept_classes_from (w : Z -> Z) (s M : Z) (R rho per before : Q) (ends : list gsa_phase)
    (o W V : Z) : bool :=
  match ends with
  | [] => true
  | Phase tau d :: later =>
      (o <? tau) && (0 <? Qnum d) && (F s tau d <=? M)
      && Qle_bool d (inject_Z tau) && Qle_bool d (per * inject_Z (W + w (o + 1)))
      && (let x := Qred (2 * before - d)%Q in
          let y := (2 * (1 - rho))%Q in
          pay w (Qnum x * (Z.pos (Qden y) * Z.pos (Qden R))) (Qnum y * (Z.pos (Qden x) * Z.pos (Qden R)))
            (Qnum R * (Z.pos (Qden x) * Z.pos (Qden y))) (Z.to_nat (tau - o)) o W V
            (fun W' V' =>
               accept_classes_from w s M R rho per (Qred (before + (inject_Z tau - d))) later tau W' V'))
  end.

Definition accept_classes (s M : Z) (theta R rho : Q) (ends : list gsa_phase) : bool :=
  let p := Qnum theta in
  let q := Z.pos (Qden theta) in
  let c := slot_scale theta s M in
  let a := p * c in
  let b := (q - p) * M in
  let w := round_weight a b M s c in
  let per := Qred (R / inject_Z (a * M + b * c))%Q in
  (0 <=? s) && (0 <? M) && (0 <=? p) && (p <=? q) && Qle_bool 0 R && Qle_bool R rho
  && accept_classes_from w s M R rho per 0 ends 0 0 0.

Lemma accept_classes_from_sound w s M R rho per :
  (forall o, 1 <= o -> s + o <= M -> 0 < Phi w o) ->
  0 <= s ->
  forall ends before o, 0 <= o ->
  accept_classes_from w s M R rho per before ends o (Phi w o) (moments w o) = true ->
  Forall (fitting s M) ends /\ classes_hold per (Phi w) o ends /\
  forall o', o < o' <= last_slice ends -> paid R rho w ends before o'.
Proof.
  intros Hpos Hs. induction ends as [|[tau d] later IH]; intros before o Ho H.
  { split; [constructor|]. split; [exact I|]. cbn. lia. }
  cbn [accept_classes_from] in H. apply andb_true_iff in H as [H Hpay].
  apply andb_true_iff in H as [H Hphi]. apply andb_true_iff in H as [H Hdt].
  apply andb_true_iff in H as [H HF]. apply andb_true_iff in H as [Htau Hd].
  assert (Hdq : (0 < d)%Q) by (unfold Qlt; cbn; lia).
  assert (Hlong : s + tau <= M).
  { apply Z.le_trans with (F s tau d); [|lia]. unfold F.
    assert (Hterm : (0 < terms tau d)%nat) by (apply terms_spec; [exact Hdq|rewrite start_at_0; lia]).
    destruct (terms tau d) as [|n] eqn:En; [lia|].
    replace (S n) with (1 + n)%nat by lia. rewrite sum_below_split. cbn [sum_below]. rewrite start_at_0.
    assert (0 <= sum_below n (fun j => s + tau - start_at d (1 + j))); [|lia].
    apply sum_below_nonneg. intros j Hj.
    assert (start_at d (1 + j) < tau); [|lia]. apply terms_spec; [exact Hdq|lia]. }
  rewrite <- Phi_next in Hphi by exact Ho.
  apply pay_sound in Hpay; [|exact Ho].
  replace (o + Z.of_nat (Z.to_nat (tau - o))) with tau in Hpay by lia.
  destruct Hpay as [Hpay Hlater].
  destruct (IH _ tau ltac:(lia) Hlater) as (HF' & Hhold & Hpaid).
  split; [constructor; [split; [cbn; lia|split; [exact Hdq|cbn; lia]]|exact HF']|]. split.
  - cbn [classes_hold]. split; [lia|]. split; [apply Qle_bool_iff, Hdt|]. split; [apply Qle_bool_iff, Hphi|exact Hhold].
  - intros o' Ho'. unfold paid. cbn [own]. destruct (Z.leb_spec o' tau) as [Hle|Hgt].
    + apply paid_integers; [apply Hpos; lia|]. apply Hpay. lia.
    + destruct later as [|p' later']; [cbn in Ho'; lia|]. rewrite last_slice_cons in Ho'.
      specialize (Hpaid o' ltac:(lia)). unfold paid in Hpaid. rewrite Qred_correct in Hpaid.
      rewrite Qplus_assoc. exact Hpaid.
Qed.

(* Class ends that are accepted have the ratio, whatever the order in each class. *)
Theorem classes_sound s M theta R rho ends :
  accept_classes s M theta R rho ends = true -> classes_at_most rho s M ends.
Proof.
  unfold accept_classes. set (p := Qnum theta). set (q := Z.pos (Qden theta)).
  set (c := slot_scale theta s M). intros H.
  apply andb_true_iff in H as [H Hends]. apply andb_true_iff in H as [H Hrho].
  apply andb_true_iff in H as [H HR]. apply andb_true_iff in H as [H Hq].
  apply andb_true_iff in H as [H Hp]. apply andb_true_iff in H as [Hs HM].
  assert (Hc : M <= c).
  { unfold c, slot_scale. pose proof (multiple_pos (Z.to_nat (M / (s + 1)))). destruct (_ =? _); nia. }
  assert (Hq0 : 0 < q) by (unfold q; lia).
  set (w := round_weight (p * c) ((q - p) * M) M s c) in *.
  assert (Ha : 0 <= p * c) by nia. assert (Hb : 0 <= (q - p) * M) by nia.
  assert (Hab : 0 < p * c + (q - p) * M) by (destruct (Z.eq_dec p 0) as [->|]; nia).
  destruct (accept_classes_from_sound w s M R rho _ (Phi_pos _ _ s M c Ha Hb Hab ltac:(lia) Hc) ltac:(lia)
    ends 0%Q 0 ltac:(lia) Hends) as (Hfit & Hhold & Hpaid).
  apply (classes_ratio (p * c) ((q - p) * M) c s M R rho (Qred (R / inject_Z (p * c * M + (q - p) * M * c))));
    try assumption; try lia.
  - apply Qle_bool_iff, HR.
  - apply Qle_bool_iff, Hrho.
  - apply Qred_correct.
  - intros o Ho. apply Hpaid. lia.
Qed.

(* --- Without drains ----------------------------------------------------------------------- *)

Lemma ordered_pairs_snoc Phi l y :
  ordered_pairs Phi (l ++ [y]) =
  ordered_pairs Phi l + 2 * total (fun x => Z.min (Phi (output x)) (Phi (output y))) l + Phi (output y).
Proof.
  unfold ordered_pairs. rewrite total_app.
  rewrite (total_ext _ (fun x => total (fun z => Z.min (Phi (output x)) (Phi (output z))) l
    + Z.min (Phi (output x)) (Phi (output y)))) by (intros x _; rewrite total_app; cbn [total]; lia).
  rewrite total_add. cbn [total]. rewrite total_app. cbn [total].
  rewrite (total_ext (fun z => Z.min (Phi (output y)) (Phi (output z)))
    (fun x => Z.min (Phi (output x)) (Phi (output y)))) by (intros x _; apply Z.min_comm). lia.
Qed.

(* Twice the places, and each distance once, for the first n of an endless sequence. *)
Lemma places_cost d slice q (Phi : Z -> Z) R :
  (forall i j, (i <= j)%nat ->
    (d (slice (q i)) <= R * inject_Z (Z.min (Phi (output (q i))) (Phi (output (q j)))))%Q) ->
  forall n,
  (totalQ (fun i => 2 * place d slice q i + d (slice (q i))) (seq 0 n)
   <= R * inject_Z (ordered_pairs Phi (map q (seq 0 n))))%Q.
Proof.
  intros Hd n. induction n as [|n IH]; [cbn; change (inject_Z 0) with 0%Q; lra|].
  assert (Happ : forall (f : nat -> Q) l x, (totalQ f (l ++ [x]) == totalQ f l + f x)%Q).
  { intros f l x. induction l as [|y l IHl]; cbn [app totalQ]; [ring|]. rewrite IHl. ring. }
  rewrite seq_S, Happ, map_app, Nat.add_0_l. cbn [map]. rewrite ordered_pairs_snoc, !inject_Z_plus, inject_Z_mult.
  change (inject_Z 2) with 2%Q.
  set (S := total (fun x => Z.min (Phi (output x)) (Phi (output (q n)))) (map q (seq 0 n))).
  assert (Hplace : (place d slice q n <= R * inject_Z S)%Q).
  { unfold S. rewrite total_map. assert (H : forall m, (m <= n)%nat ->
      (place d slice q m <= R * inject_Z (total (fun i => Z.min (Phi (output (q i))) (Phi (output (q n)))) (seq 0 m)))%Q).
    { induction m as [|m IHm]; intros Hm; cbn [place]; [cbn; change (inject_Z 0) with 0%Q; lra|].
      rewrite seq_S, total_app. cbn [total]. rewrite Nat.add_0_l, Z.add_0_r, inject_Z_plus.
      specialize (IHm ltac:(lia)). specialize (Hd m n ltac:(lia)). lra. }
    apply H. lia. }
  specialize (Hd n n (le_n n)). rewrite Z.min_id in Hd. lra.
Qed.

(* Class ends, or any slices, without drains; the weights are those of Lemma 1, of rounds up to
   M - s, in units of 1 / (a M + b c), theta = a M / (a M + b c).  With the outputs as slices it is
   the SPT pipeline. *)
Theorem classes_undrained a b c s M R rho d slice requests other l killed :
  0 <= a -> 0 <= b -> 0 < a + b -> 0 <= s -> 0 < M -> M <= c -> (0 <= R)%Q -> (R <= rho)%Q ->
  rule s M d -> in_order slice requests ->
  (forall x, In x requests -> prompt x = s /\ 1 <= output x <= slice x /\ s + slice x <= M) ->
  at_once requests ->
  let w := round_weight a b M s c in
  let o x := inject_Z (output x) in
  (forall x y, In x requests -> In y requests -> slice x <= slice y ->
    (d (slice x) <= R * inject_Z (Z.min (Phi w (output x)) (Phi w (output y))) / inject_Z (a * M + b * c))%Q) ->
  (forall x, In x requests ->
    (o x - (1 # 2) * d (slice x) <=
     R * (o x - inject_Z (moments w (output x)) / inject_Z (2 * Phi w (output x))) + (rho - R) * o x)%Q) ->
  Permutation requests other -> schedule_with_kills M other l killed ->
  schedule M requests (staggered d slice requests) /\
  (inject_Z (cost (staggered d slice requests)) <= rho * inject_Z (cost l))%Q.
Proof.
  intros Ha Hb Hab Hs HM Hc HR Hrho Hrule Hsorted Hreq Hrel w o Hdist Hown Hperm Hopt.
  pose proof (staggered_schedule s M d slice requests Hs HM Hrule Hsorted Hreq Hrel) as Hsch.
  split; [exact Hsch|]. apply no_kills in Hopt.
  assert (Hrel' : at_once other).
  { intros x Hx. apply Hrel. apply (Permutation_in _ (Permutation_sym Hperm)), Hx. }
  rewrite (cost_at_once M _ _ Hsch Hrel), (cost_at_once M other l Hopt Hrel').
  destruct requests as [|x0 rest] eqn:Ereq.
  { apply Permutation_nil in Hperm. subst other. destruct Hopt as (Hof & _). destruct l; [|discriminate].
    cbn. change (inject_Z 0) with 0%Q. lra. }
  rewrite <- Ereq in *. assert (Hne : requests <> []) by (rewrite Ereq; discriminate). clear x0 rest Ereq.
  assert (Hne' : other <> []).
  { intros ->. apply Permutation_sym, Permutation_nil in Hperm. contradiction. }
  destruct (mixed_optimum a b M s c other l Ha Hb Hab Hs Hc Hne') as (Hunit & _ & Hbound); [|exact Hopt|].
  { intros x Hx. apply Hreq. apply (Permutation_in _ (Permutation_sym Hperm)), Hx. }
  fold w in Hbound. assert (Hunitq := inject_pos _ Hunit). set (u := a * M + b * c) in *.
  set (per := (R / inject_Z u)%Q).
  set (q := endless requests). set (n := length requests).
  assert (Hin : forall i, In (q i) requests) by (intros i; apply endless_in, Hne).
  assert (Hmono : forall i j, (i <= j)%nat -> slice (q i) <= slice (q j)).
  { intros i j Hij. induction Hij as [|j Hij IH]; [lia|].
    pose proof (endless_sorted slice requests Hsorted j) as H. fold q in H. lia. }
  assert (Hlist : map q (seq 0 n) = requests) by apply map_nth_seq.
  pose proof (places_cost d slice q (Phi w) per) as Hplaces.
  specialize (Hplaces (fun i j Hij => ltac:(
    eapply Qle_trans; [apply (Hdist (q i) (q j) (Hin i) (Hin j) (Hmono i j Hij))|];
    unfold per; apply Qle_lteq; right; field; lra)) n).
  rewrite Hlist in Hplaces.
  (* the cost *)
  assert (Hcost : (2 * inject_Z (completions (staggered d slice requests)) <=
    totalQ (fun i => 2 * place d slice q i + d (slice (q i))) (seq 0 n)
    + 2 * totalQ (fun x => o x - (1 # 2) * d (slice x)) requests)%Q).
  { rewrite <- Hlist at 2. rewrite totalQ_map. unfold staggered, completions. fold q n. rewrite total_map.
    clear. induction (seq 0 n) as [|i is IH]; cbn [total totalQ]; [change (inject_Z 0) with 0%Q; lra|].
    rewrite inject_Z_plus. unfold completion at 1. cbn [start of]. rewrite inject_Z_plus.
    pose proof (Qfloor_le (place d slice q i)). unfold o at 1. lra. }
  assert (Hsum : (totalQ (fun x => o x - (1 # 2) * d (slice x)) requests <=
      R * totalQ (delta (fun _ => w)) requests + (rho - R) * inject_Z (total output requests))%Q).
  { clear -Hown. induction requests as [|x rest IH]; cbn [totalQ total].
    - change (inject_Z 0) with 0%Q. lra.
    - specialize (IH (fun y Hy => Hown y (or_intror Hy))). pose proof (Hown x (or_introl eq_refl)) as Hx.
      change (o x - inject_Z (moments w (output x)) / inject_Z (2 * Phi w (output x)))%Q
        with (delta (fun _ => w) x) in Hx.
      rewrite inject_Z_plus. unfold o in *. lra. }
  assert (Houtput := output_bound M other l Hopt). rewrite <- (total_permutation output _ _ Hperm), Zle_Qle in Houtput.
  unfold busy_bound in Hbound. rewrite <- ordered_pairs_twice in Hbound.
  rewrite <- (totalQ_permutation _ _ _ Hperm), <- (ordered_pairs_permutation (Phi w) _ _ Hperm) in Hbound.
  set (T := inject_Z (ordered_pairs (Phi w) requests)) in *.
  set (D := totalQ (delta (fun _ => w)) requests) in *. set (L := inject_Z (total output requests)) in *.
  set (O := totalQ (fun x => o x - _)%Q requests) in *. set (C := totalQ _ (seq 0 n)) in *.
  set (X := inject_Z (completions (staggered d slice requests))) in *. set (Y := inject_Z (completions l)) in *.
  assert (E : (per * T == 2 * (R * (T / inject_Z (2 * u))))%Q).
  { unfold per. rewrite inject_Z_mult. change (inject_Z 2) with 2%Q. field. lra. }
  set (A := (T / inject_Z (2 * u))%Q) in *.
  assert (H1 : (R * (A + D) <= R * Y)%Q).
  { rewrite !(Qmult_comm R). apply Qmult_le_compat_r; assumption. }
  assert (H2 : ((rho - R) * L <= (rho - R) * Y)%Q).
  { rewrite !(Qmult_comm (rho - R)). apply Qmult_le_compat_r; [exact Houtput|lra]. }
  set (P := (per * T)%Q) in *. clearbody A D O L X Y C P. clear -Hcost Hsum Hplaces H1 H2 E. lra.
Qed.
