(* The ratio of GSA with given slices to the optimum: Lemma 1 and Theorem 6 of
   certified_slices.md, and a check of slices that Coq runs. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import Model Sums Pipeline Spacing Area BusyTime Gsa.
Import ListNotations.
Open Scope Z_scope.

(* --- The optimum ------------------------------------------------------------------------- *)

(* The weight of round j (Lemma 1), in units: theta times the share of the memory, and the rest for
   the share of the slots. *)
Definition round_weight (a b M s c : Z) (j : Z) : Z :=
  a * (s + j) + b * Z.max 0 (c / (1 + (M - (s + j)) / (s + 1))).

(* Phi (o), and the sum of w (j) (2 j - 1) over the rounds up to o. *)
Definition Phi (w : Z -> Z) (o : Z) : Z := sum_below (Z.to_nat o) (fun j => w (Z.of_nat j + 1)).
Definition moments (w : Z -> Z) (o : Z) : Z :=
  sum_below (Z.to_nat o) (fun j => w (Z.of_nat j + 1) * (2 * (Z.of_nat j + 1) - 1)).

Lemma round_weight_pos a b M s c j :
  0 <= a -> 0 <= b -> 0 <= s -> 1 <= j -> 0 <= round_weight a b M s c j.
Proof. intros. unfold round_weight. nia. Qed.

Lemma Phi_mono w o o' : (forall j, 1 <= j -> 0 <= w j) -> 1 <= o -> o <= o' -> Phi w o <= Phi w o'.
Proof.
  intros Hw Ho Hle. unfold Phi. replace (Z.to_nat o') with (Z.to_nat o + (Z.to_nat o' - Z.to_nat o))%nat by lia.
  rewrite sum_below_split.
  assert (0 <= sum_below (Z.to_nat o' - Z.to_nat o) (fun j => w (Z.of_nat (Z.to_nat o + j) + 1))); [|lia].
  apply sum_below_nonneg. intros. apply Hw. lia.
Qed.

(* Lemma 1. *)
Lemma mixed_optimum a b M s c requests l :
  0 <= a -> 0 <= b -> 0 < a + b -> 0 <= s -> M <= c -> requests <> [] ->
  (forall x, In x requests -> prompt x = s) -> schedule M requests l ->
  let w := round_weight a b M s c in
  0 < a * M + b * c /\ (forall x, In x requests -> 0 < Phi w (output x)) /\
  (busy_bound (fun _ => w) (a * M + b * c) requests <= inject_Z (completions l))%Q.
Proof.
  intros Ha Hb Hab Hs Hc Hne Hprompt Hl w. pose proof Hl as (Hof & Hvalid & Hfits).
  rewrite Forall_forall in Hvalid.
  assert (Hne' : l <> []) by (intros ->; apply Hne; symmetry; exact Hof).
  destruct (slots_shared M s c requests l Hl Hc) as (HM & Hslot & Hcap);
    [intros x Hx; rewrite (Hprompt x Hx); lia|exact Hne'|].
  assert (Hp : forall x, In x l -> prompt (of x) = s).
  { intros x Hx. apply Hprompt. rewrite <- Hof. apply in_map, Hx. }
  assert (Hround : forall x j, In x l -> 1 <= j <= output (of x) ->
      w j = a * (s + j) + b * slot_weights M s c (of x) j /\ 1 <= w j).
  { intros x j Hx Hj. specialize (Hslot x j Hx Hj). unfold w, round_weight.
    unfold slot_weights in *. rewrite (Hp x Hx) in *. rewrite Z.max_r by lia. split; [reflexivity|nia]. }
  assert (Hpos : forall x, In x l -> 0 < whole (fun _ => w) (of x)).
  { intros x Hx. destruct (Hvalid x Hx) as [[_ Ho] _]. unfold whole.
    apply Z.lt_le_trans with (1 * Z.of_nat (Z.to_nat (output (of x)))); [lia|].
    rewrite <- sum_below_const. apply sum_below_le. intros j Hj.
    apply (Hround x (Z.of_nat j + 1) Hx). lia. }
  assert (Hweight : forall x r, In x l ->
      weight (fun _ => w) x r = a * use x r + b * weight (slot_weights M s c) x r).
  { intros x r Hx. unfold weight, use, completion.
    destruct (Z.ltb_spec (start x) r); cbn [andb]; [|lia].
    destruct (Z.leb_spec r (start x + output (of x))); [|lia].
    destruct (Hround x (r - start x) Hx) as [-> _]; [lia|]. rewrite (Hp x Hx). lia. }
  assert (Hunit : 0 < a * M + b * c).
  { destruct (Z.eq_dec a 0) as [->|]; nia. }
  split; [exact Hunit|]. split.
  - intros x Hx. rewrite <- Hof in Hx. apply in_map_iff in Hx as (y & <- & Hy). apply (Hpos y Hy).
  - apply (busy_time _ _ M requests l Hl Hunit Hpos).
    + intros x r Hx. unfold weight, completion.
      destruct (Z.ltb_spec (start x) r); cbn [andb]; [|lia].
      destruct (Z.leb_spec r (start x + output (of x))); [|lia].
      destruct (Hround x (r - start x) Hx) as [_ H1]; lia.
    + intros r. rewrite (total_ext _ (fun x => a * use x r + b * weight (slot_weights M s c) x r)) by auto.
      rewrite total_add, !total_scale. specialize (Hfits r). specialize (Hcap r). unfold memory in Hfits. nia.
Qed.

(* All ordered pairs are the pairs twice, and each request with itself. *)
Lemma ordered_pairs_twice w requests :
  ordered_pairs (Phi w) requests =
  2 * pairs (fun x y => Z.min (whole (fun _ => w) x) (whole (fun _ => w) y)) requests
  + total (whole (fun _ => w)) requests.
Proof.
  unfold ordered_pairs. induction requests as [|x rest IH]; [reflexivity|].
  cbn [total pairs]. rewrite total_add.
  change (whole (fun _ => w) x) with (Phi w (output x)).
  rewrite Z.min_id.
  rewrite (total_ext (fun y => Z.min (Phi w (output y)) (Phi w (output x)))
    (fun y => Z.min (Phi w (output x)) (whole (fun _ => w) y))) by (intros; apply Z.min_comm).
  set (t := total (fun y => Z.min (Phi w (output x)) (whole (fun _ => w) y)) rest).
  change (total (fun y => Z.min (Phi w (output x)) (Phi w (output y))) rest) with t.
  rewrite IH. lia.
Qed.

(* --- Theorem 6 --------------------------------------------------------------------------- *)

(* What a request costs by itself is no more than what it adds to the bound on the optimum. *)
Definition paid (R rho : Q) (w : Z -> Z) (phases : list gsa_phase) (before : Q) (o : Z) : Prop :=
  (before + own phases o <=
   R * (inject_Z o - inject_Z (moments w o) / inject_Z (2 * Phi w o)) + (rho - R) * inject_Z o)%Q.

Lemma phases_ratio a b c s M R rho per phases :
  0 <= a -> 0 <= b -> 0 < a + b -> 0 <= s -> 0 < M -> M <= c -> (0 <= R)%Q -> (R <= rho)%Q ->
  let w := round_weight a b M s c in
  (per == R / inject_Z (a * M + b * c))%Q ->
  Forall (fitting s M) phases ->
  pivots_hold per (Phi w) (Phi w 1) (per * inject_Z (Phi w 1)) phases ->
  (forall o, 1 <= o <= last_slice phases -> paid R rho w phases 0 o) ->
  ratio_at_most rho s M phases.
Proof.
  intros Ha Hb Hab Hs HM Hc HR Hrho w Eper Hfit Hpivots Hpaid order requests completed killed l l_killed
    Horder Hserved Hrun Hopt.
  destruct (gsa_schedule s M order Hs ltac:(lia) Horder phases 0 0 requests completed killed Hfit
    ltac:(lia) Hserved Hrun) as (Hperm & Hvalid & Hkills & Hmem).
  assert (Hgsa : schedule_with_kills M (map of completed) completed killed).
  { split; [reflexivity|]. split; [exact Hvalid|]. split; [|intros r; apply Hmem].
    eapply Forall_impl; [|exact Hkills]. intros y (H1 & H2). split; [|exact H2].
    apply (Permutation_in _ Hperm), H1. }
  split; [exact Hperm|]. split; [exact Hgsa|].
  apply no_kills in Hopt.
  assert (Hzero : at_once requests) by (intros x Hx; apply Hserved, Hx).
  rewrite (cost_at_once M requests l Hopt Hzero).
  rewrite (cost_at_once M (map of completed) completed (no_kills _ _ _ _ Hgsa))
    by (intros x Hx; apply Hzero, (Permutation_in _ (Permutation_sym Hperm)), Hx).
  destruct requests as [|x0 rest] eqn:Ereq.
  { apply Permutation_nil in Hperm. destruct completed; [|discriminate].
    destruct Hopt as (Hof & _). destruct l; [|discriminate]. cbn. change (inject_Z 0) with 0%Q. lra. }
  rewrite <- Ereq in *. assert (Hne : requests <> []) by (rewrite Ereq; discriminate).
  destruct (mixed_optimum a b M s c requests l Ha Hb Hab Hs Hc Hne) as (Hunit & Hwhole & Hbound);
    [intros x Hx; apply Hserved, Hx|exact Hopt|]. fold w in Hwhole, Hbound.
  assert (Hw : forall j, 1 <= j -> 0 <= w j) by (intros j Hj; apply round_weight_pos; assumption).
  assert (Hunitq := inject_pos _ Hunit). set (u := a * M + b * c) in *.
  assert (Hper : (0 <= per)%Q).
  { rewrite Eper. apply Qle_shift_div_l; [exact Hunitq|]. rewrite Qmult_0_l. exact HR. }
  pose proof (gsa_cost s M order per (Phi w) Hs Hper Horder
    (fun o o' => Phi_mono w o o' Hw) phases 0 0 (Phi w 1) (per * inject_Z (Phi w 1))%Q requests
    completed killed Hfit Hpivots) as Hcost.
  cbv zeta in Hcost. specialize (Hcost (fun x Hx => conj (Hserved x Hx)
    (Phi_mono w 1 (output x) Hw ltac:(lia) ltac:(destruct (Hserved x Hx) as (_ & _ & ?); lia))) Hrun).
  change (inject_Z 0) with 0%Q in Hcost.
  (* the costs of their own *)
  assert (Hown : (totalQ (fun x => own phases (output x)) requests <=
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
  set (X := inject_Z (completions completed)) in *. set (Y := inject_Z (completions l)) in *.
  assert (E : (per * T == 2 * (R * (T / inject_Z (2 * u))))%Q).
  { rewrite Eper, inject_Z_mult. change (inject_Z 2) with 2%Q. field. lra. }
  set (A := (T / inject_Z (2 * u))%Q) in *.
  assert (H1 : (R * (A + D) <= R * Y)%Q).
  { rewrite !(Qmult_comm R). apply Qmult_le_compat_r; assumption. }
  assert (H2 : ((rho - R) * L <= (rho - R) * Y)%Q).
  { rewrite !(Qmult_comm (rho - R)). apply Qmult_le_compat_r; [exact Houtput|lra]. }
  set (n := inject_Z (size requests)) in *. set (P := (per * T)%Q) in *. set (ph := inject_Z (Phi w 1)) in *.
  clearbody A D O L X Y n P ph. clear -Hcost Hown H1 H2 E.
  assert ((per * ph - per * ph) * (n * n) == 0)%Q as E0 by ring. rewrite E0 in Hcost. lra.
Qed.

(* --- The check --------------------------------------------------------------------------- *)

(* Rounded down, if its denominator is long. *)
Definition trim (x : Q) : Q :=
  if Z.pos (Qden x) <=? 2 ^ 60 then x else (Qfloor (x * inject_Z (2 ^ 60)) # 2 ^ 60)%Q.

(* Outputs o + 1, ..., o + n, where W is Phi (o) and V is moments (o); then what follows. *)
Fixpoint pay (w : Z -> Z) (x y z : Z) (n : nat) (o W V : Z) (next : Z -> Z -> bool) : bool :=
  match n with
  | O => next W V
  | S n' =>
      let j := o + 1 in
      let W' := W + w j in
      let V' := V + w j * (2 * j - 1) in
      if (x + y * j) * W' + z * V' <=? 0 then pay w x y z n' j W' V' next else false
  end.

(* The phases from one on: `before` is what their requests have waited, phi the least weight, g the
   pivot; outputs up to o are done with. *)
Fixpoint accept_phases (w : Z -> Z) (s M : Z) (R rho per before : Q) (phi : Z) (g : Q)
    (phases : list gsa_phase) (o W V : Z) : bool :=
  match phases with
  | [] => true
  | Phase tau d :: later =>
      (o <? tau) && (0 <? Qnum d) && (F s tau d <=? M)
      && match later with [] => Qle_bool d g | _ => negb (Qle_bool g d) end
      && (let x := Qred (2 * before - d)%Q in
          let y := (2 * (1 - rho))%Q in
          pay w (Qnum x * (Z.pos (Qden y) * Z.pos (Qden R))) (Qnum y * (Z.pos (Qden x) * Z.pos (Qden R)))
            (Qnum R * (Z.pos (Qden x) * Z.pos (Qden y))) (Z.to_nat (tau - o)) o W V
            (fun W' V' =>
               let phi' := W' + w (tau + 1) in
               accept_phases w s M R rho per (Qred (before + (inject_Z tau - d))) phi'
                 (trim (per * (inject_Z phi' - inject_Z phi) + d - d * d / (g - d))) later tau W' V'))
  end.

(* The least common multiple of 1, ..., n. *)
Fixpoint multiple (n : nat) : Z :=
  match n with O => 1 | S n' => Z.lcm (multiple n') (Z.of_nat n) end.

(* In these units slot weights are integers: 1 / M if there are none, for theta = 1. *)
Definition slot_scale (theta : Q) (s M : Z) : Z :=
  if Qnum theta =? Z.pos (Qden theta) then M else M * multiple (Z.to_nat (M / (s + 1))).

Definition accept (s M : Z) (theta R rho : Q) (phases : list gsa_phase) : bool :=
  let p := Qnum theta in
  let q := Z.pos (Qden theta) in
  let c := slot_scale theta s M in
  let a := p * c in
  let b := (q - p) * M in
  let w := round_weight a b M s c in
  let per := Qred (R / inject_Z (a * M + b * c))%Q in
  (0 <=? s) && (0 <? M) && (0 <=? p) && (p <=? q) && Qle_bool 0 R && Qle_bool R rho
  && accept_phases w s M R rho per 0 (w 1) (per * inject_Z (w 1)) phases 0 0 0.

Lemma trim_le x : (trim x <= x)%Q.
Proof.
  unfold trim. destruct (_ <=? _); [apply Qle_refl|].
  pose proof (Qfloor_le (x * inject_Z (2 ^ 60))) as H. set (z := Qfloor _) in *.
  assert (E : (z # 2 ^ 60 == inject_Z z / inject_Z (2 ^ 60))%Q) by (unfold Qeq; cbn; lia).
  rewrite E. apply Qle_shift_div_r; [apply inject_pos; lia|exact H].
Qed.

Lemma multiple_pos n : 1 <= multiple n.
Proof.
  induction n as [|n IH]; cbn [multiple]; [lia|].
  pose proof (Z.lcm_nonneg (multiple n) (Z.of_nat (S n))).
  assert (Z.lcm (multiple n) (Z.of_nat (S n)) <> 0); [|lia].
  intros E. apply Z.lcm_eq_0 in E. lia.
Qed.

Lemma Phi_next w o : 0 <= o -> Phi w (o + 1) = Phi w o + w (o + 1).
Proof.
  intros Ho. unfold Phi. replace (Z.to_nat (o + 1)) with (S (Z.to_nat o)) by lia. cbn [sum_below].
  rewrite Z2Nat.id by exact Ho. reflexivity.
Qed.

Lemma Phi_pos a b s M c : 0 <= a -> 0 <= b -> 0 < a + b -> 0 <= s -> M <= c ->
  forall o, 1 <= o -> s + o <= M -> 0 < Phi (round_weight a b M s c) o.
Proof.
  intros Ha Hb Hab Hs Hc o Ho HM. unfold Phi.
  apply Z.lt_le_trans with (1 * Z.of_nat (Z.to_nat o)); [lia|].
  rewrite <- sum_below_const. apply sum_below_le. intros j Hj. unfold round_weight.
  set (m := M - (s + (Z.of_nat j + 1))). assert (Hm : 0 <= m) by (unfold m; lia).
  assert (0 <= m / (s + 1)) by (apply Z.div_pos; lia).
  assert (m / (s + 1) <= m) by (apply Z.div_le_upper_bound; nia).
  assert (1 <= c / (1 + m / (s + 1))) by (apply Z.div_le_lower_bound; unfold m in *; lia).
  nia.
Qed.

Lemma moments_next w o : 0 <= o -> moments w (o + 1) = moments w o + w (o + 1) * (2 * (o + 1) - 1).
Proof.
  intros Ho. unfold moments. replace (Z.to_nat (o + 1)) with (S (Z.to_nat o)) by lia. cbn [sum_below].
  rewrite Z2Nat.id by exact Ho. reflexivity.
Qed.

Lemma pay_sound w x y z next : forall n o, 0 <= o ->
  pay w x y z n o (Phi w o) (moments w o) next = true ->
  (forall j, o < j <= o + Z.of_nat n -> (x + y * j) * Phi w j + z * moments w j <= 0) /\
  next (Phi w (o + Z.of_nat n)) (moments w (o + Z.of_nat n)) = true.
Proof.
  induction n as [|n IH]; intros o Ho H; cbn [pay] in H.
  - rewrite Z.add_0_r. split; [lia|exact H].
  - rewrite <- Phi_next, <- moments_next in H by exact Ho.
    destruct (Z.leb_spec ((x + y * (o + 1)) * Phi w (o + 1) + z * moments w (o + 1)) 0) as [H0|]; [|discriminate].
    destruct (IH (o + 1) ltac:(lia) H) as [H1 H2].
    replace (o + 1 + Z.of_nat n) with (o + Z.of_nat (S n)) in * by lia. split; [|exact H2].
    intros j Hj. destruct (Z.eq_dec j (o + 1)) as [->|]; [exact H0|apply H1; lia].
Qed.

(* The integers of the check are those of the inequality. *)
Lemma paid_integers R rho w before d o :
  let x := Qred (2 * before - d)%Q in
  let y := (2 * (1 - rho))%Q in
  0 < Phi w o ->
  (Qnum x * (Z.pos (Qden y) * Z.pos (Qden R)) + Qnum y * (Z.pos (Qden x) * Z.pos (Qden R)) * o) * Phi w o
    + Qnum R * (Z.pos (Qden x) * Z.pos (Qden y)) * moments w o <= 0 ->
  (before + (inject_Z o - (1 # 2) * d) <=
   R * (inject_Z o - inject_Z (moments w o) / inject_Z (2 * Phi w o)) + (rho - R) * inject_Z o)%Q.
Proof.
  intros x y HPhi H.
  assert (Hx : (x == 2 * before - d)%Q) by apply Qred_correct.
  assert (HPq := inject_pos _ HPhi).
  assert (Hq : ((x + y * inject_Z o) * inject_Z (Phi w o) + R * inject_Z (moments w o) <= 0)%Q).
  { clearbody x y. rewrite Zle_Qle in H.
    rewrite ?inject_Z_plus, ?inject_Z_mult, ?inject_Z_plus, ?inject_Z_mult in H.
    assert (Hfrac : forall f : Q, (inject_Z (Qnum f) == f * inject_Z (Z.pos (Qden f)))%Q).
    { intros [n m]. unfold Qeq. cbn. lia. }
    rewrite (Hfrac x), (Hfrac y), (Hfrac R) in H.
    assert (H1 := inject_pos (Z.pos (Qden x)) ltac:(lia)). assert (H2 := inject_pos (Z.pos (Qden y)) ltac:(lia)).
    assert (H3 := inject_pos (Z.pos (Qden R)) ltac:(lia)).
    set (u1 := inject_Z (Z.pos (Qden x))) in *. set (u2 := inject_Z (Z.pos (Qden y))) in *.
    set (u3 := inject_Z (Z.pos (Qden R))) in *.
    assert (Hu : (0 < u1 * (u2 * u3))%Q) by (repeat apply Qmult_lt_0_compat; assumption).
    apply (Qmult_le_r _ _ _ Hu). rewrite Qmult_0_l. change (inject_Z 0) with 0%Q in H.
    eapply Qle_trans; [|exact H]. apply Qle_lteq. right. ring. }
  rewrite Hx in Hq. unfold y in Hq. clear x y H Hx.
  assert (E : (inject_Z (moments w o) / inject_Z (2 * Phi w o) ==
      (1 # 2) * (inject_Z (moments w o) / inject_Z (Phi w o)))%Q).
  { rewrite inject_Z_mult. change (inject_Z 2) with 2%Q. field. lra. }
  rewrite E. clear E. set (W := inject_Z (Phi w o)) in *. set (V := inject_Z (moments w o)) in *.
  set (t := inject_Z o) in *.
  assert (H : (2 * before - d + 2 * (1 - rho) * t + R * (V / W) <= 0)%Q).
  { apply (Qmult_le_r _ _ _ HPq). rewrite Qmult_0_l. eapply Qle_trans; [|exact Hq].
    apply Qle_lteq. right. field. lra. }
  lra.
Qed.

Lemma accept_phases_sound w s M R rho per :
  (forall o, 1 <= o -> s + o <= M -> 0 < Phi w o) ->
  0 <= s ->
  forall phases before phi g o, 0 <= o ->
  accept_phases w s M R rho per before phi g phases o (Phi w o) (moments w o) = true ->
  Forall (fitting s M) phases /\ pivots_hold per (Phi w) phi g phases /\
  forall o', o < o' <= last_slice phases -> paid R rho w phases before o'.
Proof.
  intros Hpos Hs. induction phases as [|[tau d] later IH]; intros before phi g o Ho H.
  { split; [constructor|]. split; [exact I|]. cbn. lia. }
  cbn [accept_phases] in H. apply andb_true_iff in H as [H Hpay].
  apply andb_true_iff in H as [H Hg]. apply andb_true_iff in H as [H HF].
  apply andb_true_iff in H as [Htau Hd].
  assert (Hdq : (0 < d)%Q) by (unfold Qlt; cbn; lia).
  assert (Hlong : s + tau <= M).
  { apply Z.le_trans with (F s tau d); [|lia]. unfold F.
    assert (Hterm : (0 < terms tau d)%nat) by (apply terms_spec; [exact Hdq|rewrite start_at_0; lia]).
    destruct (terms tau d) as [|n] eqn:En; [lia|].
    replace (S n) with (1 + n)%nat by lia. rewrite sum_below_split. cbn [sum_below]. rewrite start_at_0.
    assert (0 <= sum_below n (fun j => s + tau - start_at d (1 + j))); [|lia].
    apply sum_below_nonneg. intros j Hj.
    assert (start_at d (1 + j) < tau); [|lia]. apply terms_spec; [exact Hdq|lia]. }
  apply pay_sound in Hpay; [|exact Ho].
  replace (o + Z.of_nat (Z.to_nat (tau - o))) with tau in Hpay by lia.
  destruct Hpay as [Hpay Hlater]. rewrite <- Phi_next in Hlater by lia.
  destruct (IH _ _ _ tau ltac:(lia) Hlater) as (HF' & Hpivots & Hpaid).
  split; [constructor; [split; [cbn; lia|split; [exact Hdq|cbn; lia]]|exact HF']|]. split.
  - cbn [pivots_hold]. destruct later as [|p' later'].
    + apply Qle_bool_iff, Hg.
    + split.
      * apply Qnot_le_lt. intros H. apply Qle_bool_iff in H. rewrite H in Hg. discriminate.
      * eexists. split; [apply trim_le|exact Hpivots].
  - intros o' Ho'. unfold paid. cbn [own]. destruct (Z.leb_spec o' tau) as [Hle|Hgt].
    + apply paid_integers; [apply Hpos; lia|]. apply Hpay. lia.
    + destruct later as [|p' later']; [cbn in Ho'; lia|]. rewrite last_slice_cons in Ho'.
      specialize (Hpaid o' ltac:(lia)). unfold paid in Hpaid. rewrite Qred_correct in Hpaid.
      rewrite Qplus_assoc. exact Hpaid.
Qed.

(* What is accepted is a ratio to the optimum: Theorem 6 of certified_slices.md. *)
Theorem slices_sound s M theta R rho phases :
  accept s M theta R rho phases = true -> ratio_at_most rho s M phases.
Proof.
  unfold accept. set (p := Qnum theta). set (q := Z.pos (Qden theta)).
  set (c := slot_scale theta s M). intros H.
  apply andb_true_iff in H as [H Hphases]. apply andb_true_iff in H as [H Hrho].
  apply andb_true_iff in H as [H HR]. apply andb_true_iff in H as [H Hq].
  apply andb_true_iff in H as [H Hp]. apply andb_true_iff in H as [Hs HM].
  assert (Hc : M <= c).
  { unfold c, slot_scale. pose proof (multiple_pos (Z.to_nat (M / (s + 1)))). destruct (_ =? _); nia. }
  assert (Hq0 : 0 < q) by (unfold q; lia).
  set (w := round_weight (p * c) ((q - p) * M) M s c) in *.
  assert (Ha : 0 <= p * c) by nia. assert (Hb : 0 <= (q - p) * M) by nia.
  assert (Hab : 0 < p * c + (q - p) * M) by (destruct (Z.eq_dec p 0) as [->|]; nia).
  assert (E1 : w 1 = Phi w 1) by reflexivity. rewrite E1 in Hphases.
  destruct (accept_phases_sound w s M R rho _ (Phi_pos _ _ s M c Ha Hb Hab ltac:(lia) Hc) ltac:(lia)
    phases 0%Q (Phi w 1) _ 0 ltac:(lia) Hphases) as (Hfit & Hpivots & Hpaid).
  apply (phases_ratio (p * c) ((q - p) * M) c s M R rho (Qred (R / inject_Z (p * c * M + (q - p) * M * c))));
    try assumption; try lia.
  - apply Qle_bool_iff, HR.
  - apply Qle_bool_iff, Hrho.
  - apply Qred_correct.
  - intros o Ho. apply Hpaid. lia.
Qed.

(* --- Certificates of slices: FORMAT.md, certified slices --------------------------------- *)

(* Limits and form: what is asked beyond that (no theorem needs it). *)
Definition slices_form (s M : Z) (theta : Q) (phases : list gsa_phase) : bool :=
  (0 <=? s) && (s <? M) && (M <=? 1000000000)
  && (1 <=? Z.of_nat (length phases)) && (Z.of_nat (length phases) <=? 1000)
  && (last_slice phases <=? Z.min (M - s) 200000)
  && forallb (fun p => Qle_bool (distance p) (inject_Z (slice p)) && (0 <? Qnum (distance p))) phases
  && (total (fun p => Qceiling (inject_Z (slice p) / distance p)) phases <=? 1000000)
  && ((Qnum theta =? Z.pos (Qden theta)) || (M / (s + 1) <=? 64)).

Definition check_slices (s M : Z) (theta R rho : Q) (phases : list gsa_phase) : bool :=
  slices_form s M theta phases && accept s M theta R rho phases.

(* What kvopt-verified says of a certificate of slices is true. *)
Theorem check_slices_sound s M theta R rho phases :
  check_slices s M theta R rho phases = true -> ratio_at_most rho s M phases.
Proof.
  unfold check_slices. intros H. apply andb_true_iff in H as [_ H]. apply (slices_sound s M theta R rho), H.
Qed.
