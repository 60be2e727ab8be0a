(* Spacing rules: Theorem 4 of pipeline.md, and Lemmas 1, 2, 4 and Theorem 3 of
   sharper_bounds.md.  A slice of tau rounds fits alone: 1 <= tau and s + tau <= M. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool.
From Kvopt Require Import Model Sums Pipeline.
Import ListNotations.
Open Scope Z_scope.

(* U = vol (tau) / (d M). *)
Definition utilisation (s tau : Z) (d : Q) (M : Z) : Q :=
  (inject_Z (vol s tau) / (d * inject_Z M))%Q.

(* k is the largest number of slots whose peak fits. *)
Definition most_slots (s tau M k : Z) : Prop :=
  1 <= k /\ peak s tau k <= M /\ forall k', 1 <= k' -> peak s tau k' <= M -> k' <= k.

(* The distance of SPS2, k being the most slots: as SPS, but with k = 1 it is
   min (tau, 2 s + 2 tau - M). *)
Definition sps2 (s tau M k : Z) : Q :=
  if 2 <=? k then sps tau k else inject_Z (Z.min tau (2 * s + 2 * tau - M)).

(* d is the smallest distance that fits: tight spacing. *)
Definition tight (s tau M : Z) (d : Q) : Prop :=
  (0 < d)%Q /\ F s tau d <= M /\ forall d', (0 < d')%Q -> F s tau d' <= M -> (d <= d')%Q.

(* --- Fractions --------------------------------------------------------------------------- *)

Lemma inject_pos z : 0 < z -> (0 < inject_Z z)%Q.
Proof. intros H. change 0%Q with (inject_Z 0). rewrite <- Zlt_Qlt. exact H. Qed.

Lemma fraction_lt a b c d : 0 < b -> 0 < d -> a * d < c * b ->
  (inject_Z a / inject_Z b < inject_Z c / inject_Z d)%Q.
Proof.
  intros Hb Hd H. apply Qlt_shift_div_r; [apply inject_pos, Hb|].
  assert (inject_Z c / inject_Z d * inject_Z b == inject_Z (c * b) / inject_Z d)%Q as ->.
  { rewrite inject_Z_mult. unfold Qdiv. ring. }
  apply Qlt_shift_div_l; [apply inject_pos, Hd|].
  rewrite <- inject_Z_mult, <- Zlt_Qlt. exact H.
Qed.

Lemma fraction_le a b c d : 0 < b -> 0 < d -> a * d <= c * b ->
  (inject_Z a / inject_Z b <= inject_Z c / inject_Z d)%Q.
Proof.
  intros Hb Hd H. apply Qle_shift_div_r; [apply inject_pos, Hb|].
  assert (inject_Z c / inject_Z d * inject_Z b == inject_Z (c * b) / inject_Z d)%Q as ->.
  { rewrite inject_Z_mult. unfold Qdiv. ring. }
  apply Qle_shift_div_l; [apply inject_pos, Hd|].
  rewrite <- inject_Z_mult, <- Zle_Qle. exact H.
Qed.

Lemma inject_nonzero z : 0 < z -> ~ (inject_Z z == 0)%Q.
Proof. intros H E. pose proof (inject_pos z H). lra. Qed.

Lemma utilisation_sps s tau M k : 0 < tau -> 0 < k -> 0 < M ->
  (utilisation s tau (sps tau k) M == inject_Z (k * vol s tau) / inject_Z (tau * M))%Q.
Proof.
  intros Ht Hk HM. unfold utilisation, sps. rewrite !inject_Z_mult.
  field. repeat split; apply inject_nonzero; assumption.
Qed.

Lemma utilisation_integer s tau M z :
  (utilisation s tau (inject_Z z) M == inject_Z (vol s tau) / inject_Z (z * M))%Q.
Proof. unfold utilisation. rewrite inject_Z_mult. reflexivity. Qed.

Lemma utilisation_antitone s tau M d d' : 0 <= vol s tau -> 0 < M -> (0 < d)%Q -> (d <= d')%Q ->
  (utilisation s tau d' M <= utilisation s tau d M)%Q.
Proof.
  intros Hv HM Hd Hle. unfold utilisation. pose proof (inject_pos M HM) as HMQ.
  assert (HvQ : (0 <= inject_Z (vol s tau))%Q).
  { change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. exact Hv. }
  assert (Hd' : (0 < d')%Q) by lra.
  assert (H1 : (0 < d * inject_Z M)%Q) by (apply Qmult_lt_0_compat; assumption).
  assert (H2 : (0 < d' * inject_Z M)%Q) by (apply Qmult_lt_0_compat; assumption).
  apply Qle_shift_div_r; [exact H2|].
  assert (inject_Z (vol s tau) / (d * inject_Z M) * (d' * inject_Z M) ==
    inject_Z (vol s tau) * d' / d)%Q as -> by (field; split; lra).
  apply Qle_shift_div_l; [exact Hd|].
  rewrite !(Qmult_comm (inject_Z (vol s tau))). apply Qmult_le_compat_r; assumption.
Qed.

Lemma vol_nonneg s tau : 0 <= s -> 0 <= tau -> 0 <= vol s tau.
Proof. intros. pose proof (vol_double s tau). nia. Qed.

(* --- The most slots ---------------------------------------------------------------------- *)

Lemma peak_one s tau : 0 < tau -> peak s tau 1 = s + tau.
Proof.
  intros H. rewrite peak_closed_form, Z.gcd_1_r by lia.
  replace (1 * tau + tau + 1 - 1) with (tau * 2) by lia. rewrite Z.div_mul by lia. lia.
Qed.

Lemma peak_double s tau k : 0 < tau -> 0 < k ->
  2 * peak s tau k = 2 * (k * s) + k * tau + tau + k - Z.gcd tau k.
Proof.
  intros Ht Hk. rewrite peak_closed_form by assumption. pose proof (floor_sum tau k Ht Hk) as H.
  set (S := sum_below (Z.to_nat k) (fun j => Z.of_nat j * tau / k)) in *.
  replace (k * tau + tau + k - Z.gcd tau k) with ((k * tau - S) * 2) by lia.
  rewrite Z.div_mul by lia. lia.
Qed.

Lemma peak_at_least s tau k : 0 <= s -> 0 < tau -> 1 <= k -> k <= peak s tau k.
Proof.
  intros Hs Ht Hk. replace k with (1 + Z.of_nat (Z.to_nat (k - 1))) by lia.
  generalize (Z.to_nat (k - 1)). intros n. induction n as [|n IH].
  - simpl. rewrite peak_one; lia.
  - pose proof (peak_increases s tau (1 + Z.of_nat n) (1 + Z.of_nat (S n)) Hs Ht). lia.
Qed.

(* There is a largest number of slots. *)
Theorem most_slots_exists s tau M :
  0 <= s -> 1 <= tau -> s + tau <= M -> exists k, most_slots s tau M k.
Proof.
  intros Hs Ht HM.
  assert (H : forall n, exists k, 1 <= k /\ peak s tau k <= M /\
      forall k', 1 <= k' <= Z.of_nat n -> peak s tau k' <= M -> k' <= k).
  { induction n as [|n (k & H1 & H2 & H3)].
    - exists 1. rewrite peak_one by lia. repeat split; lia.
    - destruct (Z.le_gt_cases (peak s tau (Z.of_nat (S n))) M) as [E|E].
      + exists (Z.max k (Z.of_nat (S n))). repeat split; [lia| |lia].
        destruct (Z.max_spec k (Z.of_nat (S n))) as [[_ ->]|[_ ->]]; assumption.
      + exists k. repeat split; try assumption. intros k' Hk' Hp.
        destruct (Z.eq_dec k' (Z.of_nat (S n))) as [->|]; [lia|]. apply H3; [lia|exact Hp]. }
  destruct (H (Z.to_nat M)) as (k & H1 & H2 & H3).
  exists k. repeat split; try assumption. intros k' Hk' Hp. apply H3; [|exact Hp].
  pose proof (peak_at_least s tau k' Hs). lia.
Qed.

(* Theorem 4 of pipeline.md. *)
Theorem sps_utilisation s tau M k :
  0 <= s -> 1 <= tau -> s + tau <= M -> most_slots s tau M k ->
  (inject_Z k / inject_Z (k + 2) < utilisation s tau (sps tau k) M)%Q.
Proof.
  intros Hs Ht HM (Hk & _ & Hmost). rewrite utilisation_sps by lia.
  assert (Hnext : M < peak s tau (k + 1)).
  { apply Z.nle_gt. intros H. specialize (Hmost (k + 1)). lia. }
  pose proof (peak_double s tau (k + 1)). pose proof (vol_double s tau).
  pose proof (Z.gcd_nonneg tau (k + 1)).
  apply fraction_lt; nia.
Qed.

(* Theorem 3 of sharper_bounds.md, SPS: more than a third of the memory is used. *)
Theorem sps_third s tau M k :
  0 <= s -> 1 <= tau -> s + tau <= M -> most_slots s tau M k ->
  (1 # 3 < utilisation s tau (sps tau k) M)%Q.
Proof.
  intros Hs Ht HM Hk. eapply Qle_lt_trans; [|apply sps_utilisation; eassumption].
  destruct Hk as [Hk _]. change (1 # 3)%Q with (inject_Z 1 / inject_Z 3)%Q.
  apply fraction_le; lia.
Qed.

(* --- SPS2 -------------------------------------------------------------------------------- *)

Lemma start_at_integer z j : start_at (inject_Z z) j = Z.of_nat j * z.
Proof.
  unfold start_at. rewrite <- inject_Z_mult. apply Qfloor_Z.
Qed.

Lemma terms_eq tau d n :
  (0 < d)%Q -> (forall j, (j < n)%nat <-> start_at d j < tau) -> terms tau d = n.
Proof.
  intros Hd H.
  assert (H' : forall j, (j < terms tau d)%nat <-> (j < n)%nat).
  { intros j. rewrite H. apply terms_spec, Hd. }
  pose proof (H' n). pose proof (H' (terms tau d)). lia.
Qed.

Lemma F_two s tau z : 0 < z -> z <= tau -> tau <= 2 * z ->
  F s tau (inject_Z z) = s + tau + if z <? tau then s + tau - z else 0.
Proof.
  intros Hz Hle Htwo. unfold F.
  rewrite (terms_eq tau (inject_Z z) (if z <? tau then 2 else 1)).
  - destruct (z <? tau) eqn:E; cbn [sum_below]; rewrite !start_at_integer; lia.
  - apply inject_pos, Hz.
  - intros j. rewrite start_at_integer. destruct (z <? tau) eqn:E; nia.
Qed.

(* With one slot only, two slots do not fit. *)
Lemma one_slot s tau M : 1 <= tau -> most_slots s tau M 1 -> tau < 2 * (2 * s + 2 * tau - M).
Proof.
  intros Ht (_ & _ & Hmost).
  assert (Hnext : M < peak s tau 2).
  { apply Z.nle_gt. intros H. specialize (Hmost 2). lia. }
  pose proof (peak_double s tau 2 ltac:(lia) ltac:(lia)) as H.
  assert (Hg : Z.gcd tau 2 = if tau mod 2 =? 0 then 2 else 1).
  { rewrite Z.gcd_comm, <- Z.gcd_mod, Z.gcd_comm by lia.
    pose proof (Z.mod_pos_bound tau 2 ltac:(lia)).
    assert (tau mod 2 = 0 \/ tau mod 2 = 1) as [-> | ->] by lia; reflexivity. }
  pose proof (Z.div_mod tau 2 ltac:(lia)). pose proof (Z.mod_pos_bound tau 2 ltac:(lia)).
  destruct (tau mod 2 =? 0) eqn:E; lia.
Qed.

(* Lemma 2 of sharper_bounds.md: SPS2 fits, is more than tau / 2 with one slot, and at most
   the distance of SPS. *)
Theorem sps2_fits s tau M k :
  0 <= s -> 1 <= tau -> s + tau <= M -> most_slots s tau M k ->
  (0 < sps2 s tau M k)%Q /\ F s tau (sps2 s tau M k) <= M /\
  (sps2 s tau M k <= sps tau k)%Q /\
  (k = 1 -> exists z, sps2 s tau M k = inject_Z z /\ tau < 2 * z).
Proof.
  intros Hs Ht HM Hmost. pose proof Hmost as (Hk & Hpeak & _). unfold sps2.
  destruct (2 <=? k) eqn:E.
  - repeat split.
    + apply sps_pos; lia.
    + rewrite sps_peak by lia. exact Hpeak.
    + apply Qle_refl.
    + lia.
  - replace k with 1 in * by lia. pose proof (one_slot s tau M Ht Hmost).
    set (z := Z.min tau (2 * s + 2 * tau - M)).
    assert (Hz : tau < 2 * z) by lia. repeat split.
    + apply inject_pos. lia.
    + rewrite F_two by lia. destruct (z <? tau) eqn:E'; lia.
    + unfold sps. change (inject_Z 1) with 1%Q. unfold Qdiv. change (/ 1)%Q with 1%Q.
      rewrite Qmult_1_r, <- Zle_Qle. lia.
    + intros _. exists z. split; [reflexivity|exact Hz].
Qed.

(* Theorem 3 of sharper_bounds.md, SPS2: more than half of the memory is used. *)
Theorem sps2_half s tau M k :
  0 <= s -> 1 <= tau -> s + tau <= M -> most_slots s tau M k ->
  (1 # 2 < utilisation s tau (sps2 s tau M k) M)%Q.
Proof.
  intros Hs Ht HM Hmost. pose proof Hmost as (Hk & _). unfold sps2.
  change (1 # 2)%Q with (inject_Z 1 / inject_Z 2)%Q.
  destruct (2 <=? k) eqn:E.
  - eapply Qle_lt_trans; [|apply sps_utilisation; eassumption]. apply fraction_le; lia.
  - replace k with 1 in * by lia. pose proof (one_slot s tau M Ht Hmost).
    rewrite utilisation_integer. pose proof (vol_double s tau).
    apply fraction_lt; [lia|nia|].
    destruct (Z.min_spec tau (2 * s + 2 * tau - M)) as [[Hc ->]|[Hc ->]]; [nia|].
    set (x := M - 2 * s - tau). replace M with (2 * s + tau + x) by lia.
    assert (0 <= x) by lia. nia.
Qed.

(* --- Tight spacing ----------------------------------------------------------------------- *)

Lemma sum_below_blocks n m f :
  sum_below (n * m) f = sum_below n (fun j => sum_below m (fun i => f (j * m + i)%nat)).
Proof.
  induction n as [|n IH]; [reflexivity|]. cbn [sum_below]. rewrite <- IH.
  replace (S n * m)%nat with (n * m + m)%nat by lia. apply sum_below_split.
Qed.

Lemma vol_as_sum s n : vol s (Z.of_nat n) = sum_below n (fun x => s + Z.of_nat n - Z.of_nat x).
Proof.
  pose proof (vol_double s (Z.of_nat n)). pose proof (sum_below_id n).
  rewrite (sum_below_ext _ _ (fun x => (s + Z.of_nat n) + -1 * Z.of_nat x)) by (intros; lia).
  rewrite sum_below_add, sum_below_const, sum_below_scale. nia.
Qed.

(* Lemma 1 (b) of sharper_bounds.md: d F (d) >= vol (tau).  Instead of an integral: with
   d = p / q, spread both sides over the points y / q, y = 0, 1, ..., q tau - 1. *)
Theorem area_below_peak s tau d :
  0 <= s -> 0 <= tau -> (0 < d)%Q -> (inject_Z (vol s tau) <= d * inject_Z (F s tau d))%Q.
Proof.
  intros Hs Ht Hd. destruct d as [p q].
  assert (Hp : 0 < p) by (unfold Qlt in Hd; simpl in Hd; lia).
  set (T := terms tau (p # q)). set (pn := Z.to_nat p). set (qn := Pos.to_nat q).
  set (f := fun x : Z => if x <? tau then s + tau - x else 0).
  set (h := fun y : nat => f (Z.of_nat y / Z.pos q)).
  assert (Hf : forall x y, x <= y -> f y <= f x).
  { intros x y Hxy. unfold f. destruct (x <? tau) eqn:E1, (y <? tau) eqn:E2; lia. }
  assert (Hf0 : forall x, 0 <= f x).
  { intros x. unfold f. destruct (x <? tau) eqn:E1; lia. }
  assert (Hstart : forall j, start_at (p # q) j = Z.of_nat (j * pn) / Z.pos q).
  { intros j. unfold start_at, Qfloor, Qmult, inject_Z. cbn [Qnum Qden].
    f_equal. unfold pn. lia. }
  (* q vol (tau) is the sum over the points *)
  assert (Hleft : sum_below (Z.to_nat tau * qn) h = Z.pos q * vol s tau).
  { rewrite sum_below_blocks. replace tau with (Z.of_nat (Z.to_nat tau)) at 2 by lia.
    rewrite vol_as_sum, <- sum_below_scale. apply sum_below_ext. intros x Hx.
    rewrite (sum_below_ext _ _ (fun _ => f (Z.of_nat x))).
    - rewrite sum_below_const. unfold f. replace (Z.of_nat x <? tau) with true by lia.
      unfold qn. rewrite positive_nat_Z. replace (Z.of_nat (Z.to_nat tau)) with tau by lia. ring.
    - intros i Hi. unfold h. f_equal. unfold qn in *.
      replace (Z.of_nat (x * Pos.to_nat q + i)) with (Z.of_nat i + Z.of_nat x * Z.pos q) by lia.
      rewrite Z.div_add, Z.div_small by lia. lia. }
  (* p F (d) is at least it *)
  assert (Hright : sum_below (T * pn) h <= p * F s tau (p # q)).
  { rewrite sum_below_blocks, F_terms, <- sum_below_scale by exact Hd.
    apply sum_below_le. intros j _. unfold term. rewrite Hstart.
    change (if _ <? tau then _ else 0) with (f (Z.of_nat (j * pn) / Z.pos q)).
    replace (p * f (Z.of_nat (j * pn) / Z.pos q))
      with (f (Z.of_nat (j * pn) / Z.pos q) * Z.of_nat pn) by (unfold pn; lia).
    rewrite <- sum_below_const. apply sum_below_le. intros i _. apply Hf.
    apply Z.div_le_mono; lia. }
  assert (Hlong : (Z.to_nat tau * qn <= T * pn)%nat).
  { assert (H : ~ (T < T)%nat) by lia. unfold T at 2 in H.
    rewrite (terms_spec tau (p # q) T Hd), Hstart in H.
    assert (tau <= Z.of_nat (T * pn) / Z.pos q) by lia.
    assert (Z.pos q * tau <= Z.pos q * (Z.of_nat (T * pn) / Z.pos q)) by nia.
    pose proof (Z.mul_div_le (Z.of_nat (T * pn)) (Z.pos q) ltac:(lia)). unfold qn. nia. }
  assert (Hmore : sum_below (Z.to_nat tau * qn) h <= sum_below (T * pn) h).
  { replace (T * pn)%nat with (Z.to_nat tau * qn + (T * pn - Z.to_nat tau * qn))%nat by lia.
    rewrite sum_below_split.
    assert (0 <= sum_below (T * pn - Z.to_nat tau * qn)
        (fun j => h (Z.to_nat tau * qn + j)%nat)); [|lia].
    apply sum_below_nonneg. intros. apply Hf0. }
  unfold Qle, Qmult, inject_Z. cbn [Qnum Qden]. lia.
Qed.

Lemma least_of_list (P : Q -> Prop) (candidates : list Q) :
  (forall x, {P x} + {~ P x}) -> (exists x, In x candidates /\ P x) ->
  exists x, In x candidates /\ P x /\ forall y, In y candidates -> P y -> (x <= y)%Q.
Proof.
  intros Hdec. induction candidates as [|c rest IH]; intros (x & Hx & HPx); [destruct Hx|].
  assert (Hcase : (exists y, In y rest /\ P y) \/ ~ (exists y, In y rest /\ P y)).
  { clear -Hdec. induction rest as [|y rest IH]; [right; intros (z & [] & _)|].
    destruct (Hdec y) as [Hy|Hy]; [left; exists y; simpl; auto|].
    destruct IH as [(z & Hz & HP)|IH]; [left; exists z; simpl; auto|].
    right. intros (z & [->|Hz] & HP); [auto|]. apply IH. exists z. auto. }
  destruct Hcase as [Hrest|Hnone].
  - destruct (IH Hrest) as (y & Hy & HPy & Hleast).
    destruct (Hdec c) as [Hc|Hc].
    + destruct (Qlt_le_dec c y) as [Hlt|Hle].
      * exists c. split; [simpl; auto|]. split; [exact Hc|]. intros z [->|Hz] HPz; [apply Qle_refl|].
        specialize (Hleast z Hz HPz). lra.
      * exists y. split; [simpl; auto|]. split; [exact HPy|]. intros z [->|Hz] HPz; [exact Hle|auto].
    + exists y. split; [simpl; auto|]. split; [exact HPy|].
      intros z [->|Hz] HPz; [contradiction|auto].
  - destruct Hx as [->|Hx]; [|exfalso; apply Hnone; exists x; auto].
    exists x. split; [simpl; auto|]. split; [exact HPx|].
    intros z [->|Hz] HPz; [apply Qle_refl|]. exfalso. apply Hnone. exists z. auto.
Qed.

(* Below a distance that fits there is a fraction with a small denominator that fits. *)
Lemma breakpoint s tau M d :
  0 <= s -> 1 <= tau -> (0 < d)%Q -> F s tau d <= M ->
  exists a j, 1 <= a <= tau /\ 1 <= j <= M /\
    (inject_Z a / inject_Z j <= d)%Q /\ F s tau (inject_Z a / inject_Z j)%Q <= M.
Proof.
  intros Hs Ht Hd HF. set (T := terms tau d).
  assert (HT : (0 < T)%nat) by (apply terms_spec; [exact Hd|rewrite start_at_0; lia]).
  assert (HTM : Z.of_nat T <= M).
  { apply Z.le_trans with (F s tau d); [|exact HF]. unfold F. fold T.
    rewrite <- (Z.mul_1_l (Z.of_nat T)), <- sum_below_const. apply sum_below_le.
    intros j Hj. apply terms_spec in Hj; [lia|exact Hd]. }
  assert (Hat : forall j, (inject_Z (start_at d j) <= inject_Z (Z.of_nat j) * d)%Q)
    by (intros j; apply Qfloor_le).
  assert (HTd : (inject_Z tau <= inject_Z (Z.of_nat T) * d)%Q).
  { apply le_floor. fold (start_at d T). apply Z.nlt_ge. intros H.
    apply terms_spec in H; [unfold T in H; lia|exact Hd]. }
  (* the largest of tau / T and floor (j d) / j, j < n *)
  assert (Hbest : forall n, (n <= T)%nat -> exists a j,
      1 <= a <= tau /\ 1 <= j <= Z.of_nat T /\ (inject_Z a / inject_Z j <= d)%Q /\
      (inject_Z tau <= inject_Z (Z.of_nat T) * (inject_Z a / inject_Z j))%Q /\
      forall i, (i < n)%nat ->
        (inject_Z (start_at d i) <= inject_Z (Z.of_nat i) * (inject_Z a / inject_Z j))%Q).
  { induction n as [|n IH]; intros Hn.
    - exists tau, (Z.of_nat T). repeat split; try lia.
      + apply Qle_shift_div_r; [apply inject_pos; lia|]. rewrite Qmult_comm. exact HTd.
      + rewrite Qmult_div_r by (apply inject_nonzero; lia). apply Qle_refl.
    - destruct (IH ltac:(lia)) as (a & j & Ha & Hj & Hle & Hlong & Hall).
      destruct (Qlt_le_dec (inject_Z (Z.of_nat n) * (inject_Z a / inject_Z j))
        (inject_Z (start_at d n))) as [Hlt|Hok].
      + assert (Hn0 : (0 < n)%nat).
        { destruct n; [|lia]. rewrite start_at_0 in Hlt.
          change (inject_Z (Z.of_nat 0)) with 0%Q in Hlt. change (inject_Z 0) with 0%Q in Hlt.
          rewrite Qmult_0_l in Hlt. lra. }
        assert (Hbelow : start_at d n < tau) by (apply terms_spec; [exact Hd|unfold T in Hn; lia]).
        assert (Hnq : (0 < inject_Z (Z.of_nat n))%Q) by (apply inject_pos; lia).
        assert (Hup : (inject_Z a / inject_Z j <= inject_Z (start_at d n) / inject_Z (Z.of_nat n))%Q).
        { apply Qle_shift_div_l; [exact Hnq|]. rewrite Qmult_comm. lra. }
        assert (Hpos : (0 < inject_Z a / inject_Z j)%Q).
        { apply Qlt_shift_div_l; [apply inject_pos; lia|]. rewrite Qmult_0_l. apply inject_pos. lia. }
        assert (H1 : 1 <= start_at d n).
        { assert (0 < start_at d n); [|lia]. rewrite Zlt_Qlt. eapply Qlt_trans; [|exact Hlt].
          apply Qmult_lt_0_compat; assumption. }
        exists (start_at d n), (Z.of_nat n). repeat split; try lia.
        * apply Qle_shift_div_r; [exact Hnq|]. rewrite Qmult_comm. apply Hat.
        * eapply Qle_trans; [exact Hlong|]. rewrite !(Qmult_comm (inject_Z (Z.of_nat T))).
          apply Qmult_le_compat_r; [exact Hup|apply nat_nonneg].
        * intros i Hi. destruct (Nat.eq_dec i n) as [->|Hne].
          -- rewrite Qmult_div_r by lra. apply Qle_refl.
          -- eapply Qle_trans; [apply Hall; lia|]. rewrite !(Qmult_comm (inject_Z (Z.of_nat i))).
             apply Qmult_le_compat_r; [exact Hup|apply nat_nonneg].
      + exists a, j. repeat split; try lia; auto. intros i Hi.
        destruct (Nat.eq_dec i n) as [->|Hne]; [exact Hok|apply Hall; lia]. }
  destruct (Hbest T (le_n T)) as (a & j & Ha & Hj & Hle & Hlong & Hall).
  exists a, j. repeat split; try lia; [exact Hle|].
  set (d' := (inject_Z a / inject_Z j)%Q) in *.
  assert (Hpos : (0 < d')%Q).
  { apply Qlt_shift_div_l; [apply inject_pos; lia|]. rewrite Qmult_0_l. apply inject_pos. lia. }
  assert (Hterms : terms tau d' = T).
  { apply terms_eq; [exact Hpos|]. intros i. split; intros Hi.
    - eapply Z.le_lt_trans; [apply (start_at_mono d' d), Hle|].
      apply terms_spec; [exact Hd|exact Hi].
    - destruct (Nat.lt_ge_cases i T) as [|Hge]; [assumption|exfalso].
      assert (tau <= start_at d' T) by (apply le_floor, Hlong).
      pose proof (start_at_le d' T i ltac:(lra) Hge). lia. }
  apply Z.le_trans with (F s tau d); [|exact HF]. unfold F. rewrite Hterms. fold T.
  apply sum_below_le. intros i Hi.
  assert (start_at d i <= start_at d' i) by (apply le_floor, Hall, Hi). lia.
Qed.

(* Lemma 1 (c) of sharper_bounds.md: there is a smallest distance that fits, a fraction a / j
   with 1 <= a <= tau and 1 <= j <= tau M / vol (tau). *)
Theorem tight_exists s tau M :
  0 <= s -> 1 <= tau -> s + tau <= M ->
  exists a j, 1 <= a <= tau /\ 1 <= j /\ j * vol s tau <= tau * M /\
    tight s tau M (inject_Z a / inject_Z j)%Q.
Proof.
  intros Hs Ht HM.
  set (candidates := flat_map (fun a => map (fun j =>
    (inject_Z (Z.of_nat a) / inject_Z (Z.of_nat j))%Q) (seq 1 (Z.to_nat M))) (seq 1 (Z.to_nat tau))).
  assert (Hin : forall x, In x candidates <-> exists a j, 1 <= a <= tau /\ 1 <= j <= M /\
      x = (inject_Z a / inject_Z j)%Q).
  { intros x. unfold candidates. rewrite in_flat_map. split.
    - intros (a & Ha & Hx). apply in_map_iff in Hx as (j & <- & Hj).
      apply in_seq in Ha. apply in_seq in Hj. exists (Z.of_nat a), (Z.of_nat j).
      repeat split; lia.
    - intros (a & j & Ha & Hj & ->). exists (Z.to_nat a). split; [apply in_seq; lia|].
      apply in_map_iff. exists (Z.to_nat j). split; [|apply in_seq; lia].
      rewrite !Z2Nat.id by lia. reflexivity. }
  destruct (least_of_list (fun x => F s tau x <= M) candidates) as (x & Hx & HFx & Hleast).
  - intros y. apply Z_le_dec.
  - exists (inject_Z tau / inject_Z 1)%Q. split.
    + apply Hin. exists tau, 1. repeat split; lia.
    + change (F s tau (sps tau 1) <= M). rewrite sps_peak, peak_one by lia. exact HM.
  - apply Hin in Hx as (a & j & Ha & Hj & ->).
    assert (Hpos : (0 < inject_Z a / inject_Z j)%Q).
    { apply Qlt_shift_div_l; [apply inject_pos; lia|]. rewrite Qmult_0_l. apply inject_pos. lia. }
    exists a, j. split; [exact Ha|]. split; [lia|]. split.
    + pose proof (area_below_peak s tau _ Hs ltac:(lia) Hpos) as H.
      assert (HQ : (inject_Z (j * vol s tau) <= inject_Z (tau * M))%Q); [|rewrite Zle_Qle; exact HQ].
      rewrite !inject_Z_mult.
      assert (Hjq : (0 < inject_Z j)%Q) by (apply inject_pos; lia).
      apply Qle_trans with (inject_Z j * (inject_Z a / inject_Z j * inject_Z M))%Q.
      * rewrite !(Qmult_comm (inject_Z j)). apply Qmult_le_compat_r; [|lra].
        eapply Qle_trans; [exact H|]. rewrite !(Qmult_comm (inject_Z a / inject_Z j)).
        apply Qmult_le_compat_r; [rewrite <- Zle_Qle; exact HFx|lra].
      * assert (inject_Z j * (inject_Z a / inject_Z j * inject_Z M) == inject_Z (a * M))%Q as ->
          by (rewrite inject_Z_mult; field; lra).
        rewrite <- inject_Z_mult, <- Zle_Qle. nia.
    + split; [exact Hpos|]. split; [exact HFx|]. intros d' Hd' HFd'.
      destruct (breakpoint s tau M d' Hs Ht Hd' HFd') as (a' & j' & Ha' & Hj' & Hle & HF').
      eapply Qle_trans; [|exact Hle]. apply Hleast; [|exact HF'].
      apply Hin. exists a', j'. auto.
Qed.

(* Theorem 3 of sharper_bounds.md, tight spacing: more than half of the memory is used. *)
Theorem tight_half s tau M d :
  0 <= s -> 1 <= tau -> s + tau <= M -> tight s tau M d -> (1 # 2 < utilisation s tau d M)%Q.
Proof.
  intros Hs Ht HM (Hd & _ & Hleast).
  destruct (most_slots_exists s tau M Hs Ht HM) as (k & Hk).
  eapply Qlt_le_trans; [apply (sps2_half s tau M k); assumption|].
  destruct (sps2_fits s tau M k Hs Ht HM Hk) as (Hpos & HF & _).
  apply utilisation_antitone; try assumption; try lia.
  - apply vol_nonneg; lia.
  - apply Hleast; assumption.
Qed.

(* --- Neither number can be larger -------------------------------------------------------- *)

(* Theorem 3 of sharper_bounds.md, 1/2 is sharp: for s = 0 and tau = M tight spacing has
   U = (M + 1) / (2 M). *)
Theorem half_is_sharp M d :
  1 <= M -> tight 0 M M d -> (utilisation 0 M d M == inject_Z (M + 1) / inject_Z (2 * M))%Q.
Proof.
  intros HM (Hd & HF & Hleast).
  assert (H1 : (d <= inject_Z M)%Q).
  { apply Hleast; [apply inject_pos; lia|]. rewrite F_two by lia.
    replace (M <? M) with false by lia. lia. }
  assert (H2 : (inject_Z M <= d)%Q).
  { assert (E : (inject_Z (Z.of_nat 1) * d == d)%Q) by (change (inject_Z (Z.of_nat 1)) with 1%Q; ring).
    rewrite <- E. apply le_floor. fold (start_at d 1). apply Z.nlt_ge. intros H.
    pose proof (proj2 (terms_spec M d 1 Hd) H) as HT.
    rewrite (F_sum 0 M d (terms M d)) in HF by auto.
    replace (terms M d) with (2 + (terms M d - 2))%nat in HF by lia.
    rewrite sum_below_split in HF. cbn [sum_below] in HF. unfold term in HF at 1 2.
    rewrite start_at_0 in HF. replace (0 <? M) with true in HF by lia.
    replace (start_at d 1 <? M) with true in HF by lia.
    assert (0 <= sum_below (terms M d - 2) (fun j => term 0 M d (2 + j)));
      [apply sum_below_nonneg; intros; apply term_nonneg; lia|lia]. }
  assert (E : (d == inject_Z M)%Q) by lra.
  unfold utilisation. rewrite E, <- inject_Z_mult.
  assert (Hv : vol 0 M * 2 = M * (M + 1)) by (pose proof (vol_double 0 M); lia).
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; lia).
  assert (HvQ : (inject_Z (vol 0 M) == inject_Z M * inject_Z (M + 1) / 2)%Q).
  { assert (inject_Z (vol 0 M) * 2 == inject_Z M * inject_Z (M + 1))%Q; [|].
    - change 2%Q with (inject_Z 2). rewrite <- !inject_Z_mult, Hv. reflexivity.
    - rewrite <- H. field. }
  rewrite HvQ, !inject_Z_mult. change (inject_Z 2) with 2%Q. field. lra.
Qed.

(* Theorem 3 of sharper_bounds.md, 1/3 is sharp: for s = 0, tau = 2 h + 1 and M = 3 h + 1
   SPS has one slot and U = (tau + 1) / (3 tau - 1), which tends to 1/3. *)
Theorem third_is_sharp h :
  0 <= h ->
  let tau := 2 * h + 1 in
  let M := 3 * h + 1 in
  most_slots 0 tau M 1 /\
  (utilisation 0 tau (sps tau 1) M == inject_Z (tau + 1) / inject_Z (3 * tau - 1))%Q.
Proof.
  intros Hh tau M.
  assert (Htwo : peak 0 tau 2 = M + 1).
  { pose proof (peak_double 0 tau 2 ltac:(lia) ltac:(lia)) as H.
    assert (Z.gcd tau 2 = 1); [|lia].
    unfold tau. rewrite Z.gcd_comm, Z.add_comm, Z.mul_comm, Z.gcd_add_mult_diag_r. reflexivity. }
  split.
  - repeat split; [lia|rewrite peak_one; lia|]. intros k' Hk' Hp.
    destruct (Z.le_gt_cases k' 1) as [|H]; [assumption|exfalso].
    assert (peak 0 tau 2 <= peak 0 tau k'); [|lia].
    destruct (Z.eq_dec k' 2) as [->|]; [lia|].
    apply Z.lt_le_incl, peak_increases; lia.
  - rewrite utilisation_sps by lia. pose proof (vol_double 0 tau) as Hv.
    replace (1 * vol 0 tau) with (tau * (h + 1)) by nia.
    replace (tau + 1) with ((h + 1) * 2) by lia. replace (3 * tau - 1) with (M * 2) by lia.
    rewrite !inject_Z_mult. field.
    repeat split; try apply inject_nonzero; try lia.
Qed.

(* --- The distances do not decrease with the slice ---------------------------------------- *)

Lemma peak_mono_tau s tau tau' k :
  0 < tau -> tau <= tau' -> 0 < k -> peak s tau k <= peak s tau' k.
Proof.
  intros Ht Hle Hk. unfold peak. apply Z.add_le_mono_l. apply sum_below_le. intros j _.
  unfold ceil_div. apply Z.opp_le_mono. rewrite !Z.opp_involutive. apply Z.div_le_mono; nia.
Qed.

Lemma most_slots_antitone s tau tau' M k k' :
  0 <= s -> 1 <= tau -> tau <= tau' -> most_slots s tau M k -> most_slots s tau' M k' -> k' <= k.
Proof.
  intros Hs Ht Hle (_ & _ & Hmost) (Hk' & Hpeak & _). apply Hmost; [exact Hk'|].
  eapply Z.le_trans; [apply (peak_mono_tau s tau tau'); lia|exact Hpeak].
Qed.

(* Lemma 4 of sharper_bounds.md, for each of the three rules. *)
Theorem sps_monotone s tau tau' M k k' :
  0 <= s -> 1 <= tau -> tau <= tau' -> most_slots s tau M k -> most_slots s tau' M k' ->
  (sps tau k <= sps tau' k')%Q.
Proof.
  intros Hs Ht Hle Hk Hk'. pose proof (most_slots_antitone s tau tau' M k k' Hs Ht Hle Hk Hk').
  destruct Hk as [Hk _], Hk' as [Hk' _]. apply fraction_le; nia.
Qed.

Theorem sps2_monotone s tau tau' M k k' :
  0 <= s -> 1 <= tau -> tau <= tau' -> s + tau' <= M ->
  most_slots s tau M k -> most_slots s tau' M k' ->
  (sps2 s tau M k <= sps2 s tau' M k')%Q.
Proof.
  intros Hs Ht Hle HM Hk Hk'.
  pose proof (most_slots_antitone s tau tau' M k k' Hs Ht Hle Hk Hk').
  pose proof (sps_monotone s tau tau' M k k' Hs Ht Hle Hk Hk') as Hsps.
  pose proof (proj1 Hk) as Hk1. pose proof (proj1 Hk') as Hk1'. unfold sps2.
  destruct (2 <=? k) eqn:E, (2 <=? k') eqn:E'; try lia.
  - exact Hsps.
  - replace k' with 1 in * by lia. pose proof (one_slot s tau' M ltac:(lia) Hk').
    unfold sps. apply Qle_shift_div_r; [apply inject_pos; lia|].
    rewrite <- inject_Z_mult, <- Zle_Qle.
    set (z := Z.min tau' (2 * s + 2 * tau' - M)).
    assert (tau <= z * 2) by lia. assert (z * 2 <= z * k) by (apply Z.mul_le_mono_nonneg_l; lia). lia.
  - rewrite <- Zle_Qle. lia.
Qed.

Theorem tight_monotone s tau tau' M d d' :
  0 <= s -> tau <= tau' -> tight s tau M d -> tight s tau' M d' -> (d <= d')%Q.
Proof.
  intros Hs Hle (_ & _ & Hleast) (Hd' & HF' & _). apply Hleast; [exact Hd'|].
  eapply Z.le_trans; [apply (F_monotone s tau tau'); assumption|exact HF'].
Qed.

(* Theorem 5 of pipeline.md with Lemma 4 of sharper_bounds.md: with any of the three rules
   attempts with slices that do not decrease fit without drains. *)
Definition rule (s M : Z) (d : Z -> Q) : Prop :=
  (exists k, (forall t, 1 <= t -> s + t <= M -> most_slots s t M (k t)) /\
     (forall t, d t = sps t (k t))) \/
  (exists k, (forall t, 1 <= t -> s + t <= M -> most_slots s t M (k t)) /\
     (forall t, d t = sps2 s t M (k t))) \/
  (forall t, 1 <= t -> s + t <= M -> tight s t M (d t)).

Theorem no_drain_rules M s (x : nat -> Q) (tau : nat -> Z) (d : Z -> Q) (a : nat -> attempt) n :
  0 <= s -> rule s M d ->
  (forall i, 1 <= tau i /\ s + tau i <= M) ->
  (forall i, tau i <= tau (S i)) ->
  (forall i, x i + d (tau i) <= x (S i))%Q ->
  (forall i, start (a i) = Qfloor (x i)) ->
  (forall i, prompt (of (a i)) <= s) ->
  (forall i, output (of (a i)) <= tau i) ->
  fits M (map a (seq 0 n)).
Proof.
  intros Hs Hrule. apply no_drain; [exact Hs| |].
  - intros t Ht HM. destruct Hrule as [(k & Hk & Hd)|[(k & Hk & Hd)|Hd]].
    + rewrite Hd. destruct (Hk t Ht HM) as (H1 & H2 & _). split; [apply sps_pos; lia|].
      rewrite sps_peak by lia. exact H2.
    + rewrite Hd. destruct (sps2_fits s t M (k t) Hs Ht HM (Hk t Ht HM)) as (H1 & H2 & _). auto.
    + destruct (Hd t Ht HM) as (H1 & H2 & _). auto.
  - intros t t' Ht Hle HM. destruct Hrule as [(k & Hk & Hd)|[(k & Hk & Hd)|Hd]].
    + rewrite !Hd. apply (sps_monotone s t t' M); auto; apply Hk; lia.
    + rewrite !Hd. apply sps2_monotone; auto; apply Hk; lia.
    + apply (tight_monotone s t t' M); auto; apply Hd; lia.
Qed.
