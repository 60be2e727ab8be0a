(* The staggered pipeline: Theorem 1, Corollary 2, Corollary 3 and Theorem 5 of pipeline.md. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Znumtheory.
From Kvopt Require Import Model Sums.
Import ListNotations.
Open Scope Z_scope.

(* The start of attempt j at distance d, floor (j d). *)
Definition start_at (d : Q) (j : nat) : Z := Qfloor (inject_Z (Z.of_nat j) * d)%Q.

(* The first n attempts of a pipeline: slices of tau rounds, prompt s, distance d. *)
Definition pipeline (s tau : Z) (d : Q) (n : nat) : list attempt :=
  map (fun j => Attempt (Request s tau) (start_at d j)) (seq 0 n).

(* The number of j >= 0 with j d < tau. *)
Definition terms (tau : Z) (d : Q) : nat := Z.to_nat (Qceiling (inject_Z tau / d)%Q).

(* F (d), the sum over j >= 0 with j d < tau of s + tau - floor (j d). *)
Definition F (s tau : Z) (d : Q) : Z :=
  sum_below (terms tau d) (fun j => s + tau - start_at d j).

(* peak (k) = k s + sum over i = 1..k of ceil (i tau / k). *)
Definition peak (s tau k : Z) : Z :=
  k * s + sum_below (Z.to_nat k) (fun j => ceil_div ((Z.of_nat j + 1) * tau) k).

(* The distance of SPS with k slots, tau / k. *)
Definition sps (tau k : Z) : Q := (inject_Z tau / inject_Z k)%Q.

(* --- Floors ------------------------------------------------------------------------------ *)

Lemma le_floor z x : z <= Qfloor x <-> (inject_Z z <= x)%Q.
Proof.
  split; intros H.
  - apply Qle_trans with (inject_Z (Qfloor x)); [rewrite <- Zle_Qle; exact H|apply Qfloor_le].
  - rewrite <- (Qfloor_Z z). apply Qfloor_resp_le, H.
Qed.

Lemma floor_lt z x : Qfloor x < z <-> (x < inject_Z z)%Q.
Proof.
  split; intros H.
  - apply Qnot_le_lt. rewrite <- le_floor. lia.
  - apply Z.nle_gt. rewrite le_floor. apply Qlt_not_le, H.
Qed.

Lemma floor_add x y : Qfloor x + Qfloor y <= Qfloor (x + y)%Q.
Proof.
  apply le_floor. rewrite inject_Z_plus. pose proof (Qfloor_le x). pose proof (Qfloor_le y). lra.
Qed.

Lemma floor_div a b : 0 < b -> Qfloor (inject_Z a / inject_Z b)%Q = a / b.
Proof.
  intros Hb. destruct b as [|p|p]; try lia.
  cbv [Qfloor Qdiv Qmult Qinv inject_Z Qnum Qden]. f_equal; lia.
Qed.

Lemma nat_nonneg j : (0 <= inject_Z (Z.of_nat j))%Q.
Proof. change 0%Q with (inject_Z 0). rewrite <- Zle_Qle. lia. Qed.

Lemma start_at_0 d : start_at d 0 = 0.
Proof.
  unfold start_at. transitivity (Qfloor 0%Q); [|reflexivity].
  apply Qfloor_comp. simpl. ring.
Qed.

Lemma start_at_add d i j : start_at d i + start_at d j <= start_at d (i + j).
Proof.
  unfold start_at. eapply Z.le_trans; [apply floor_add|]. apply Qfloor_resp_le.
  rewrite Nat2Z.inj_add, inject_Z_plus. lra.
Qed.

Lemma start_at_nonneg d j : (0 <= d)%Q -> 0 <= start_at d j.
Proof.
  intros H. apply le_floor. apply Qmult_le_0_compat; [apply nat_nonneg|exact H].
Qed.

Lemma start_at_le d i j : (0 <= d)%Q -> (i <= j)%nat -> start_at d i <= start_at d j.
Proof.
  intros Hd Hij. replace j with (i + (j - i))%nat by lia.
  pose proof (start_at_add d i (j - i)). pose proof (start_at_nonneg d (j - i) Hd). lia.
Qed.

Lemma start_at_mono d d' j : (d <= d')%Q -> start_at d j <= start_at d' j.
Proof.
  intros H. apply Qfloor_resp_le. rewrite !(Qmult_comm (inject_Z (Z.of_nat j))).
  apply Qmult_le_compat_r; [exact H|apply nat_nonneg].
Qed.

(* --- The terms of F ---------------------------------------------------------------------- *)

(* As tau is an integer, j d < tau says the same as floor (j d) < tau. *)
Lemma terms_spec tau d j : (0 < d)%Q -> (j < terms tau d)%nat <-> start_at d j < tau.
Proof.
  intros Hd. unfold start_at. rewrite floor_lt. unfold terms.
  assert (Hlt : Z.of_nat j < Qceiling (inject_Z tau / d)%Q <->
      (inject_Z (Z.of_nat j) * d < inject_Z tau)%Q).
  { unfold Qceiling.
    assert (Z.of_nat j < - Qfloor (- (inject_Z tau / d))%Q <->
        Qfloor (- (inject_Z tau / d))%Q < - Z.of_nat j) as -> by lia.
    rewrite floor_lt, inject_Z_opp. split; intros H.
    - apply Qnot_le_lt. intros H'.
      assert (inject_Z tau / d <= inject_Z (Z.of_nat j))%Q by (apply Qle_shift_div_r; assumption).
      lra.
    - assert (inject_Z (Z.of_nat j) < inject_Z tau / d)%Q by (apply Qlt_shift_div_l; assumption).
      lra. }
  rewrite <- Hlt. lia.
Qed.

(* The term of j, and 0 where there is none. *)
Definition term (s tau : Z) (d : Q) (j : nat) : Z :=
  if start_at d j <? tau then s + tau - start_at d j else 0.

Lemma term_nonneg s tau d j : 0 <= s -> 0 <= term s tau d j.
Proof. intros. unfold term. destruct (start_at d j <? tau) eqn:E; lia. Qed.

Lemma term_end s tau d j : (0 < d)%Q -> (terms tau d <= j)%nat -> term s tau d j = 0.
Proof.
  intros Hd Hj. unfold term. destruct (start_at d j <? tau) eqn:E; [|reflexivity].
  apply Z.ltb_lt in E. apply terms_spec in E; [lia|exact Hd].
Qed.

Lemma F_terms s tau d : (0 < d)%Q -> F s tau d = sum_below (terms tau d) (term s tau d).
Proof.
  intros Hd. apply sum_below_ext. intros j Hj. unfold term.
  apply terms_spec in Hj; [|exact Hd]. replace (start_at d j <? tau) with true by lia. reflexivity.
Qed.

Lemma F_sum s tau d n : (0 < d)%Q -> (terms tau d <= n)%nat ->
  F s tau d = sum_below n (term s tau d).
Proof.
  intros Hd Hn. rewrite F_terms by exact Hd. symmetry. apply sum_below_more; [exact Hn|].
  intros j Hj. apply term_end; assumption.
Qed.

(* --- The oldest attempt that runs -------------------------------------------------------- *)

Lemma memory_map (a : nat -> attempt) n r :
  memory (map a (seq 0 n)) r = sum_below n (fun j => use (a j) r).
Proof. unfold memory. rewrite total_map, total_seq. reflexivity. Qed.

Lemma first_running (a : nat -> attempt) r n :
  (forall j, (j < n)%nat -> use (a j) r = 0) \/
  (exists i, (i < n)%nat /\ use (a i) r <> 0 /\ forall j, (j < i)%nat -> use (a j) r = 0).
Proof.
  induction n as [|n [IH|(i & Hi & H)]].
  - left. lia.
  - destruct (Z.eq_dec (use (a n) r) 0) as [E|E].
    + left. intros j Hj. destruct (Nat.eq_dec j n) as [->|]; [exact E|]. apply IH. lia.
    + right. exists n. auto.
  - right. exists i. split; [lia|exact H].
Qed.

(* The heart of Theorems 1 and 5 of pipeline.md: let i be the first attempt that runs in round r, for no
   more than tau rounds, and let every later attempt i + j start at least floor (j d)
   later.  Then at most F (d) tokens are in use. *)
Lemma oldest s tau d (a : nat -> attempt) n i r :
  0 <= s -> (0 < d)%Q ->
  (forall j, prompt (of (a j)) <= s) ->
  (forall j, (j < i)%nat -> use (a j) r = 0) ->
  r <= start (a i) + tau ->
  (forall j, start (a i) + start_at d j <= start (a (i + j)%nat)) ->
  memory (map a (seq 0 n)) r <= F s tau d.
Proof.
  intros Hs Hd Hprompt Hbefore Hr Hlater. rewrite memory_map, F_terms by exact Hd.
  apply sum_below_shift with (i := i).
  - intros j Hj. rewrite Hbefore by exact Hj. lia.
  - intros j. specialize (Hlater j). specialize (Hprompt (i + j)%nat).
    pose proof (term_nonneg s tau d j Hs). unfold use.
    destruct (start (a (i + j)%nat) <? r) eqn:E1; simpl; [|assumption].
    destruct (r <=? completion (a (i + j)%nat)) eqn:E2; [|assumption].
    unfold term. replace (start_at d j <? tau) with true by lia. lia.
  - intros j. apply term_nonneg, Hs.
  - intros j Hj. apply term_end; assumption.
Qed.

Lemma F_nonneg s tau d : 0 <= s -> (0 < d)%Q -> 0 <= F s tau d.
Proof.
  intros Hs Hd. rewrite F_terms by exact Hd. apply sum_below_nonneg.
  intros. apply term_nonneg, Hs.
Qed.

(* Theorem 1 of pipeline.md, first half, for fractions d: the memory is at most F (d). *)
Theorem pipeline_peak s tau d n r :
  0 <= s -> (0 < d)%Q -> memory (pipeline s tau d n) r <= F s tau d.
Proof.
  intros Hs Hd. unfold pipeline.
  set (a := fun j => Attempt (Request s tau) (start_at d j)).
  destruct (first_running a r n) as [H|(i & Hi & Hruns & Hbefore)].
  - rewrite memory_map, (sum_below_ext _ _ (fun _ => 0)) by exact H.
    rewrite sum_below_const. pose proof (F_nonneg s tau d Hs Hd). lia.
  - apply oldest with (i := i); auto.
    + intros j. simpl. lia.
    + unfold use in Hruns. destruct (start (a i) <? r); simpl in Hruns; [|lia].
      destruct (r <=? completion (a i)) eqn:E; [|lia]. unfold completion in E.
      simpl in *. lia.
    + intros j. simpl. apply start_at_add.
Qed.

(* Theorem 1 of pipeline.md, second half: it is F (d) in round tau if there are at least as
   many attempts as terms. *)
Theorem pipeline_peak_attained s tau d n :
  0 <= tau -> (0 < d)%Q -> (terms tau d <= n)%nat -> memory (pipeline s tau d n) tau = F s tau d.
Proof.
  intros Htau Hd Hn. unfold pipeline. rewrite memory_map, (F_sum s tau d n Hd Hn).
  apply sum_below_ext. intros j _. unfold use, term, completion. cbn [start of output prompt].
  assert (0 <= start_at d j) by (apply start_at_nonneg; lra).
  replace (tau <=? start_at d j + tau) with true by lia. rewrite andb_true_r.
  destruct (start_at d j <? tau); lia.
Qed.

(* Theorem 5 of pipeline.md.  Attempts 0, 1, ... have slices tau_0 <= tau_1 <= ... and start
   at floor (x_i), where x_{i+1} >= x_i + d(tau_i); at each distance d(t) slices of t
   rounds fit, and d does not decrease.  Then all fit, however many there are.  An
   attempt may run for less than its slice, and with a prompt below s. *)
Theorem no_drain M s (x : nat -> Q) (tau : nat -> Z) (d : Z -> Q) (a : nat -> attempt) n :
  0 <= s ->
  (forall t, 1 <= t -> s + t <= M -> (0 < d t)%Q /\ F s t (d t) <= M) ->
  (forall t t', 1 <= t -> t <= t' -> s + t' <= M -> (d t <= d t')%Q) ->
  (forall i, 1 <= tau i /\ s + tau i <= M) ->
  (forall i, tau i <= tau (S i)) ->
  (forall i, x i + d (tau i) <= x (S i))%Q ->
  (forall i, start (a i) = Qfloor (x i)) ->
  (forall i, prompt (of (a i)) <= s) ->
  (forall i, output (of (a i)) <= tau i) ->
  fits M (map a (seq 0 n)).
Proof.
  intros Hs Hd Hdmono Hrange Htau Hx Hstart Hprompt Houtput r.
  assert (HM : 0 <= M) by (destruct (Hrange 0%nat); lia).
  destruct (first_running a r n) as [H|(i & Hi & Hruns & Hbefore)].
  { rewrite memory_map, (sum_below_ext _ _ (fun _ => 0)) by exact H.
    rewrite sum_below_const. lia. }
  destruct (Hrange i) as [Hi1 Hi2]. destruct (Hd (tau i) Hi1 Hi2) as [Hpos HF].
  apply Z.le_trans with (F s (tau i) (d (tau i))); [|exact HF].
  apply oldest with (i := i); auto.
  - unfold use in Hruns. destruct (start (a i) <? r); simpl in Hruns; [|lia].
    destruct (r <=? completion (a i)) eqn:E; [|lia]. unfold completion in E.
    specialize (Houtput i). lia.
  - intros j. rewrite !Hstart. unfold start_at.
    eapply Z.le_trans; [apply floor_add|]. apply Qfloor_resp_le.
    assert (Hslices : forall j, tau i <= tau (i + j)%nat).
    { clear j. induction j as [|j IHj]; [rewrite Nat.add_0_r; lia|].
      rewrite Nat.add_succ_r. specialize (Htau (i + j)%nat). lia. }
    induction j as [|j IHj].
    + rewrite Nat.add_0_r. change (inject_Z (Z.of_nat 0)) with 0%Q. lra.
    + rewrite Nat.add_succ_r. specialize (Hx (i + j)%nat). specialize (Hslices j).
      destruct (Hrange (i + j)%nat) as [_ Hfit].
      pose proof (Hdmono (tau i) (tau (i + j)%nat) Hi1 Hslices Hfit).
      replace (Z.of_nat (S j)) with (Z.of_nat j + 1) by lia. rewrite inject_Z_plus.
      assert (((inject_Z (Z.of_nat j) + inject_Z 1) * d (tau i) ==
        inject_Z (Z.of_nat j) * d (tau i) + d (tau i))%Q) as -> by (unfold inject_Z at 2; ring).
      lra.
Qed.

(* --- SPS: the distance tau / k ----------------------------------------------------------- *)

Lemma sps_pos tau k : 0 < tau -> 0 < k -> (0 < sps tau k)%Q.
Proof.
  intros Ht Hk. unfold sps. apply Qlt_shift_div_l.
  - change 0%Q with (inject_Z 0). rewrite <- Zlt_Qlt. exact Hk.
  - rewrite Qmult_0_l. change 0%Q with (inject_Z 0). rewrite <- Zlt_Qlt. exact Ht.
Qed.

Lemma sps_start tau k j : 0 < k -> start_at (sps tau k) j = Z.of_nat j * tau / k.
Proof.
  intros Hk. unfold start_at, sps. rewrite <- floor_div by exact Hk.
  apply Qfloor_comp. rewrite inject_Z_mult. unfold Qdiv. ring.
Qed.

Lemma sps_terms tau k : 0 < tau -> 0 < k -> terms tau (sps tau k) = Z.to_nat k.
Proof.
  intros Ht Hk.
  assert (H : forall j, (j < terms tau (sps tau k))%nat <-> (j < Z.to_nat k)%nat).
  { intros j. rewrite terms_spec by (apply sps_pos; assumption). rewrite sps_start by exact Hk.
    split; intros H.
    - destruct (Z.le_gt_cases k (Z.of_nat j)); [|lia].
      assert (tau <= Z.of_nat j * tau / k); [|lia]. apply Z.div_le_lower_bound; nia.
    - apply Z.div_lt_upper_bound; nia. }
  pose proof (H (terms tau (sps tau k))). pose proof (H (Z.to_nat k)). lia.
Qed.

(* Corollary 2 of pipeline.md: at distance tau / k, F is peak (k). *)
Theorem sps_peak s tau k : 0 < tau -> 0 < k -> F s tau (sps tau k) = peak s tau k.
Proof.
  intros Ht Hk. unfold F, peak. rewrite sps_terms by assumption.
  rewrite <- (sum_below_rev _ (fun j => ceil_div _ _)).
  replace (k * s) with (s * Z.of_nat (Z.to_nat k)) by lia.
  rewrite <- sum_below_const, <- sum_below_add. apply sum_below_ext. intros j Hj.
  rewrite sps_start by exact Hk. unfold ceil_div.
  replace (- ((Z.of_nat (Z.to_nat k - 1 - j) + 1) * tau))
    with (Z.of_nat j * tau + (- tau) * k) by nia.
  rewrite Z.div_add by lia. lia.
Qed.

(* So this is the peak memory of SPS with k slots and at least k attempts. *)
Theorem sps_memory s tau k n :
  0 <= s -> 0 < tau -> 0 < k -> k <= Z.of_nat n ->
  (forall r, memory (pipeline s tau (sps tau k) n) r <= peak s tau k) /\
  memory (pipeline s tau (sps tau k) n) tau = peak s tau k.
Proof.
  intros Hs Ht Hk Hn. rewrite <- sps_peak by assumption. split.
  - intros r. apply pipeline_peak; [exact Hs|]. apply sps_pos; assumption.
  - apply pipeline_peak_attained; [lia|apply sps_pos; assumption|].
    rewrite sps_terms by assumption. lia.
Qed.

(* --- The closed form --------------------------------------------------------------------- *)

Lemma count_multiples b g : 0 < b ->
  sum_below (g * Z.to_nat b) (fun j => if Z.of_nat j mod b =? 0 then 1 else 0) = Z.of_nat g.
Proof.
  intros Hb. induction g as [|g IH]; [reflexivity|].
  replace (S g * Z.to_nat b)%nat with (g * Z.to_nat b + Z.to_nat b)%nat by lia.
  rewrite sum_below_split, IH.
  replace (Z.to_nat b) with (1 + (Z.to_nat b - 1))%nat at 1 by lia.
  rewrite sum_below_split.
  rewrite (sum_below_ext (Z.to_nat b - 1) _ (fun _ => 0)).
  - rewrite sum_below_const. cbn [sum_below].
    replace (Z.of_nat (g * Z.to_nat b + 0)) with (Z.of_nat g * b) by nia.
    rewrite Z.mod_mul by lia. simpl. lia.
  - intros j Hj.
    replace (Z.of_nat (g * Z.to_nat b + (1 + j))) with (Z.of_nat j + 1 + Z.of_nat g * b) by nia.
    rewrite Z.mod_add, Z.mod_small by lia.
    replace (Z.of_nat j + 1 =? 0) with false by lia. reflexivity.
Qed.

Lemma count_divisible tau k : 0 < tau -> 0 < k ->
  sum_below (Z.to_nat k) (fun j => if (Z.of_nat j * tau) mod k =? 0 then 1 else 0) = Z.gcd tau k.
Proof.
  intros Ht Hk. set (g := Z.gcd tau k).
  assert (Hg : 0 < g).
  { pose proof (Z.gcd_nonneg tau k). assert (g <> 0); [|lia].
    intros E. apply Z.gcd_eq_0_l in E. lia. }
  destruct (Z.gcd_divide_l tau k) as [t Etau]. destruct (Z.gcd_divide_r tau k) as [b Ek].
  fold g in Etau, Ek.
  assert (Hb : 0 < b) by nia.
  assert (Hcoprime : rel_prime b t).
  { apply Zgcd_1_rel_prime.
    assert (g = g * Z.gcd b t); [|pose proof (Z.gcd_nonneg b t); nia].
    rewrite <- Z.gcd_mul_mono_l_nonneg by lia.
    rewrite (Z.mul_comm g b), (Z.mul_comm g t), <- Ek, <- Etau, Z.gcd_comm. reflexivity. }
  replace (Z.to_nat k) with (Z.to_nat g * Z.to_nat b)%nat by nia.
  rewrite (sum_below_ext _ _ (fun j => if Z.of_nat j mod b =? 0 then 1 else 0)).
  - rewrite count_multiples by exact Hb. lia.
  - intros j _.
    assert (Hiff : (Z.of_nat j * tau) mod k = 0 <-> Z.of_nat j mod b = 0).
    { rewrite !Z.mod_divide by lia. split; intros H.
      - apply Gauss with t; [|exact Hcoprime].
        destruct H as [c Hc]. exists c. rewrite Etau, Ek in Hc. nia.
      - destruct H as [c Hc]. exists (c * t). rewrite Etau, Ek, Hc. ring. }
    destruct ((Z.of_nat j * tau) mod k =? 0) eqn:E1, (Z.of_nat j mod b =? 0) eqn:E2; lia.
Qed.

Lemma floor_sum tau k : 0 < tau -> 0 < k ->
  2 * sum_below (Z.to_nat k) (fun j => Z.of_nat j * tau / k) = k * tau - tau - k + Z.gcd tau k.
Proof.
  intros Ht Hk. pose proof (sps_peak 0 tau k Ht Hk) as H. unfold F, peak in H.
  rewrite sps_terms in H by assumption.
  rewrite (sum_below_ext _ _ (fun j => tau + -1 * (Z.of_nat j * tau / k))) in H
    by (intros; rewrite sps_start by exact Hk; lia).
  rewrite sum_below_add, sum_below_const, sum_below_scale in H.
  (* rounding up instead of down adds 1 unless k divides *)
  assert (Hceil : forall z, ceil_div z k = z / k + (1 - if z mod k =? 0 then 1 else 0)).
  { intros z. unfold ceil_div. destruct (z mod k =? 0) eqn:E.
    - rewrite Z.div_opp_l_z by lia. lia.
    - rewrite Z.div_opp_l_nz by lia. lia. }
  set (c := fun j : nat => ceil_div (Z.of_nat j * tau) k).
  assert (Hshift : sum_below (Z.to_nat k) (fun j => ceil_div ((Z.of_nat j + 1) * tau) k) =
      sum_below (Z.to_nat k) c + tau).
  { assert (E : sum_below (1 + Z.to_nat k) c = sum_below (Z.to_nat k + 1) c)
      by (f_equal; lia).
    rewrite !sum_below_split in E. cbn [sum_below] in E.
    assert (c 0%nat = 0) by reflexivity.
    assert (c (Z.to_nat k + 0)%nat = tau).
    { unfold c, ceil_div. replace (- (Z.of_nat (Z.to_nat k + 0) * tau)) with (- tau * k) by nia.
      rewrite Z.div_mul by lia. lia. }
    rewrite (sum_below_ext _ _ (fun j => c (1 + j)%nat)); [lia|].
    intros j _. unfold c. do 2 f_equal. lia. }
  rewrite Hshift in H. unfold c in H.
  rewrite (sum_below_ext (Z.to_nat k) (fun j => ceil_div (Z.of_nat j * tau) k)
    (fun j => Z.of_nat j * tau / k +
       (1 + -1 * if (Z.of_nat j * tau) mod k =? 0 then 1 else 0))) in H
    by (intros; rewrite Hceil; lia).
  rewrite !sum_below_add, sum_below_scale, count_divisible, sum_below_const in H by assumption.
  lia.
Qed.

(* Corollary 2 of pipeline.md, closed form. *)
Theorem peak_closed_form s tau k : 0 < tau -> 0 < k ->
  peak s tau k = k * s + (k * tau + tau + k - Z.gcd tau k) / 2.
Proof.
  intros Ht Hk. rewrite <- sps_peak by assumption. unfold F. rewrite sps_terms by assumption.
  rewrite (sum_below_ext _ _ (fun j => (s + tau) + -1 * (Z.of_nat j * tau / k)))
    by (intros; rewrite sps_start by exact Hk; lia).
  rewrite sum_below_add, sum_below_const, sum_below_scale.
  pose proof (floor_sum tau k Ht Hk).
  set (S := sum_below (Z.to_nat k) (fun j => Z.of_nat j * tau / k)) in *.
  replace (k * tau + tau + k - Z.gcd tau k) with ((k * tau - S) * 2) by lia.
  rewrite Z.div_mul by lia. lia.
Qed.

(* --- Monotonicity ------------------------------------------------------------------------ *)

(* F does not increase with d: Lemma 1 (a) of sharper_bounds.md. *)
Theorem F_antitone s tau d d' :
  0 <= s -> (0 < d)%Q -> (d <= d')%Q -> F s tau d' <= F s tau d.
Proof.
  intros Hs Hd Hle. assert (Hd' : (0 < d')%Q) by lra.
  set (n := Nat.max (terms tau d) (terms tau d')).
  rewrite (F_sum s tau d n), (F_sum s tau d' n) by (try assumption; lia).
  apply sum_below_le. intros j _. pose proof (start_at_mono d d' j Hle). unfold term.
  destruct (start_at d' j <? tau) eqn:E.
  - replace (start_at d j <? tau) with true by lia. lia.
  - destruct (start_at d j <? tau) eqn:E'; lia.
Qed.

(* F does not decrease with tau: used after Theorem 5 of pipeline.md. *)
Theorem F_monotone s tau tau' d :
  0 <= s -> (0 < d)%Q -> tau <= tau' -> F s tau d <= F s tau' d.
Proof.
  intros Hs Hd Hle. set (n := Nat.max (terms tau d) (terms tau' d)).
  rewrite (F_sum s tau d n), (F_sum s tau' d n) by (try assumption; lia).
  apply sum_below_le. intros j _. unfold term.
  destruct (start_at d j <? tau) eqn:E, (start_at d j <? tau') eqn:E'; lia.
Qed.

(* Corollary 3 of pipeline.md: peak (k) increases with k. *)
Theorem peak_increases s tau k k' :
  0 <= s -> 0 < tau -> 0 < k -> k < k' -> peak s tau k < peak s tau k'.
Proof.
  intros Hs Ht Hk Hkk'. rewrite <- !sps_peak by lia. unfold F. rewrite !sps_terms by lia.
  replace (Z.to_nat k') with (Z.to_nat k + Z.to_nat (k' - k))%nat by lia.
  rewrite sum_below_split.
  assert (sum_below (Z.to_nat k) (fun j => s + tau - start_at (sps tau k) j) <=
      sum_below (Z.to_nat k) (fun j => s + tau - start_at (sps tau k') j)).
  { apply sum_below_le. intros j _. rewrite !sps_start by lia.
    assert (Z.of_nat j * tau / k' <= Z.of_nat j * tau / k); [|lia].
    apply Z.div_le_compat_l; lia. }
  assert (1 * Z.of_nat (Z.to_nat (k' - k)) <= sum_below (Z.to_nat (k' - k))
      (fun j => s + tau - start_at (sps tau k') (Z.to_nat k + j))); [|lia].
  rewrite <- sum_below_const. apply sum_below_le. intros j Hj. rewrite sps_start by lia.
  assert (Z.of_nat (Z.to_nat k + j) * tau / k' < tau); [|lia].
  apply Z.div_lt_upper_bound; nia.
Qed.
