(* SVF for any prompts: Theorem 1 of mixed_prompts.md. *)

From Coq Require Import ZArith QArith Qround Qminmax Lqa List Lia Bool Permutation Sorted.
From Kvopt Require Import Model Sums Completions Area Pipeline Spacing BusyTime Staggered InTurn.
Import ListNotations.
Open Scope Z_scope.

(* An SVF schedule: the requests are listed by area, smallest first, those of equal area in any
   order; each starts at the earliest time, not before the start of its predecessor, at which it
   fits for its whole run beside those before it. *)
Definition svf (M : Z) (requests : list request) (l : list attempt) : Prop :=
  map of l = requests /\ in_order area requests /\ in_turn M [] l.

(* What Theorem 1 asks for: every peak is at most a M. *)
Definition peaks_at_most (a : Q) (M : Z) (requests : list request) : Prop :=
  forall q, In q requests -> valid_request q /\ (inject_Z (request_peak q) <= a * inject_Z M)%Q.

(* P, in units of 1 / M. *)
Definition smaller_areas (requests : list request) : Z :=
  pairs (fun q q' => Z.min (area q) (area q')) requests.

(* --- Proofs ------------------------------------------------------------------------------ *)

(* There is one, and only one, if every request fits alone. *)
Theorem svf_exists M requests :
  0 <= M -> (forall q, In q requests -> valid_request q /\ request_peak q <= M) ->
  at_once requests -> in_order area requests ->
  svf M requests (start_in_turn M [] requests) /\
  forall l, svf M requests l -> l = start_in_turn M [] requests.
Proof.
  intros HM Hreq Hrel Hsorted.
  destruct (start_in_turn_spec M requests []) as (H1 & _ & H3); auto.
  - intros r. unfold memory. cbn. exact HM.
  - cbn. lia.
  - split; [repeat split; assumption|]. intros l (E & _ & Hl).
    apply (in_turn_unique M l _ []); [congruence|exact Hl|exact H3].
Qed.

(* Of sums over what comes before in a list, a sum over its pairs. *)
Lemma sum_before {A : Type} (f g : A -> Z) l :
  (forall l1 x l2, l = l1 ++ x :: l2 -> f x <= total g l1) ->
  total f l <= pairs (fun x _ => g x) l.
Proof.
  induction l as [|y l IH] using rev_ind; intros H; [cbn; lia|].
  rewrite total_app, pairs_snoc. cbn [total]. change (total (fun x => g x) l) with (total g l).
  specialize (H l y [] eq_refl) as Hy.
  assert (total f l <= pairs (fun x _ => g x) l); [|lia].
  apply IH. intros l1 x l2 E. apply (H l1 x (l2 ++ [y])). rewrite E, <- app_assoc. reflexivity.
Qed.

Lemma pairs_scale {A : Type} c (f : A -> A -> Z) l : pairs (fun x y => c * f x y) l = c * pairs f l.
Proof. induction l as [|x l IH]; cbn [pairs]; [lia|]. rewrite IH, total_scale. lia. Qed.

Lemma pairs_ext {A : Type} (f h : A -> A -> Z) l : (forall x y, f x y = h x y) -> pairs f l = pairs h l.
Proof.
  intros H. induction l as [|x l IH]; cbn [pairs]; [reflexivity|]. rewrite IH. f_equal.
  apply total_ext. intros y _. apply H.
Qed.

Lemma pairs_add {A : Type} (f h : A -> A -> Z) l :
  pairs (fun x y => f x y + h x y) l = pairs f l + pairs h l.
Proof. induction l as [|x l IH]; cbn [pairs]; [reflexivity|]. rewrite IH, total_add. ring. Qed.

Lemma pairs_filter {A : Type} (f : A -> A -> Z) keep l :
  pairs f (filter keep l) = pairs (fun x y => if keep x && keep y then f x y else 0) l.
Proof.
  induction l as [|x l IH]; cbn [pairs filter]; [reflexivity|].
  destruct (keep x); cbn [pairs andb]; rewrite IH; [|rewrite total_const; lia].
  rewrite total_filter. reflexivity.
Qed.

Lemma pairs_in_order requests : in_order area requests ->
  pairs (fun q _ => area q) requests = smaller_areas requests.
Proof.
  unfold smaller_areas. induction 1 as [|q rest _ IH Hq]; cbn [pairs]; [reflexivity|]. rewrite IH. f_equal.
  rewrite Forall_forall in Hq. apply total_ext. intros q' Hq'. specialize (Hq q' Hq'). lia.
Qed.

(* While a waits, those before it use more than M - H, where H is no less than any peak; they have
   no more than twice their areas for it. *)
Lemma waiting M H l1 a l2 :
  0 <= M -> in_turn M [] (l1 ++ a :: l2) -> Forall valid (l1 ++ a :: l2) ->
  at_once (map of (l1 ++ a :: l2)) ->
  (forall b, In b (l1 ++ a :: l2) -> request_peak (of b) <= H) ->
  (M - H) * start a <= total (fun b => 2 * area (of b)) l1.
Proof.
  intros HM Hturn Hv Hrel HH. set (T := Z.to_nat (start a)).
  assert (Ha : 0 <= start a).
  { apply (in_turn_starts M _ [] Hturn). apply in_or_app. simpl. auto. }
  assert (Hv1 : forall b, In b l1 -> valid b).
  { intros b Hb. rewrite Forall_forall in Hv. apply Hv, in_or_app. auto. }
  transitivity (sum_below T (fun j => running_peaks l1 (Z.of_nat j))).
  - replace (start a) with (Z.of_nat T) by (unfold T; lia). rewrite <- sum_below_const.
    apply sum_below_le. intros t Ht.
    destruct (blocked M l1 a l2 (Z.of_nat t)) as (k1 & j & k2 & E & _ & _ & Hm); auto; [unfold T in Ht; lia|].
    assert (Hj : request_peak (of j) <= H).
    { apply HH. replace (l1 ++ a :: l2) with ((l1 ++ [a]) ++ l2) by (rewrite <- app_assoc; reflexivity).
      rewrite E. apply in_or_app. left. apply in_or_app. simpl. auto. }
    assert (running_peaks k1 (Z.of_nat t) <= running_peaks l1 (Z.of_nat t)); [|lia].
    (* l1 goes on beyond k1 *)
    assert (Hk : exists k, l1 = k1 ++ k).
    { destruct (exists_last (l := j :: k2)) as (k & z & Ek); [discriminate|].
      rewrite Ek, app_assoc in E. apply app_inj_tail in E as [E _]. exists k. exact E. }
    destruct Hk as (k & ->). unfold running_peaks. rewrite total_app.
    enough (0 <= total (fun b => if runs b (Z.of_nat t + 1) then request_peak (of b) else 0) k) by lia.
    apply total_nonneg. intros b Hb.
    pose proof (request_peak_pos _ (proj1 (Hv1 b (in_or_app _ _ _ (or_intror Hb))))).
    destruct (runs _ _); lia.
  - rewrite running_swap. apply total_le. intros b Hb. specialize (Hv1 b Hb). destruct Hv1 as [Hq Hs].
    pose proof (peak_output _ Hq). pose proof (request_peak_pos _ Hq).
    pose proof (rounds_run_le b (request_peak (of b)) T (conj Hq Hs) ltac:(lia)). lia.
Qed.

(* The first half of Theorem 1 of mixed_prompts.md, in integers: (M - H) (cost - L) <= 2 M P. *)
Lemma svf_starts M H requests l :
  0 <= M -> svf M requests l -> at_once requests ->
  (forall q, In q requests -> valid_request q /\ request_peak q <= H) ->
  (M - H) * (completions l - total output requests) <= 2 * smaller_areas requests.
Proof.
  intros HM (Hof & Hsorted & Hturn) Hrel Hreq.
  assert (Hreq' : forall a, In a l -> valid_request (of a) /\ request_peak (of a) <= H).
  { intros a Ha. apply Hreq. rewrite <- Hof. apply in_map, Ha. }
  assert (Hv : Forall valid l).
  { destruct (in_turn_schedule M l HM) as (_ & Hv & _); auto.
    - intros a Ha. apply Hreq', Ha.
    - rewrite Hof. exact Hrel. }
  assert (E : completions l - total output requests = total start l).
  { rewrite <- Hof, total_map. unfold completions, completion. rewrite total_add. lia. }
  rewrite E, <- total_scale, <- (pairs_in_order requests Hsorted), <- Hof, pairs_map.
  rewrite <- pairs_scale. cbv beta.
  apply (sum_before (fun a => (M - H) * start a) (fun a => 2 * area (of a))).
  intros l1 a l2 El. subst l. apply (waiting M H l1 a l2); auto.
  - rewrite Hof. exact Hrel.
  - intros b Hb. apply Hreq', Hb.
Qed.

(* SVF costs at most (2 / (1 - a)) P + L. *)
Theorem svf_cost M a requests l :
  0 < M -> (0 <= a < 1)%Q -> peaks_at_most a M requests -> at_once requests -> svf M requests l ->
  schedule M requests l /\
  (inject_Z (cost l) <=
   2 / (1 - a) * (inject_Z (smaller_areas requests) / inject_Z M) + inject_Z (total output requests))%Q.
Proof.
  intros HM Ha Hreq Hrel Hsvf. pose proof Hsvf as (Hof & _ & Hturn).
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (Hl : schedule M requests l).
  { rewrite <- Hof. apply in_turn_schedule; auto; [lia| |].
    - intros b Hb. apply Hreq. rewrite <- Hof. apply in_map, Hb.
    - rewrite Hof. exact Hrel. }
  split; [exact Hl|]. rewrite (cost_at_once M requests l Hl Hrel).
  pose proof (svf_starts M (Qfloor (a * inject_Z M)) requests l ltac:(lia) Hsvf Hrel) as H.
  assert (Hpeaks : forall q, In q requests -> valid_request q /\ request_peak q <= Qfloor (a * inject_Z M)).
  { intros q Hq. destruct (Hreq q Hq) as [H1 H2]. split; [exact H1|]. apply le_floor, H2. }
  specialize (H Hpeaks).
  assert (H0 : 0 <= completions l - total output requests).
  { pose proof (output_bound M requests l Hl). lia. }
  set (x := completions l - total output requests) in *.
  replace (completions l) with (x + total output requests) by (unfold x; lia).
  rewrite inject_Z_plus. apply Qplus_le_compat; [|apply Qle_refl].
  pose proof (Qfloor_le (a * inject_Z M)) as Hfloor. set (F := Qfloor _) in *.
  rewrite Zle_Qle in H, H0. unfold Z.sub in H. rewrite !inject_Z_mult, inject_Z_plus, inject_Z_opp in H.
  change (inject_Z 2) with 2%Q in H. change (inject_Z 0) with 0%Q in H0.
  set (X := inject_Z x) in *. set (P := inject_Z (smaller_areas requests)) in *.
  set (m := inject_Z M) in *. set (f := inject_Z F) in *.
  assert (E : (2 / (1 - a) * (P / m) == 2 * P / ((1 - a) * m))%Q) by (field; split; lra).
  rewrite E. apply Qle_shift_div_l; [apply Qmult_lt_0_compat; lra|].
  assert (0 <= X * (a * m - f))%Q by (apply Qmult_le_0_compat; lra). lra.
Qed.

(* Theorem 1 of mixed_prompts.md, against any schedule of the same requests, in whatever order
   they are listed there, with whatever kills. *)
Theorem svf_ratio M a requests l other best killed :
  0 < M -> (0 <= a < 1)%Q -> peaks_at_most a M requests -> at_once requests -> svf M requests l ->
  Permutation requests other -> schedule_with_kills M other best killed ->
  (inject_Z (cost l) <= Qmax (2 / (1 - a)) (1 + 4 / (3 * (1 - a))) * inject_Z (cost best))%Q.
Proof.
  intros HM Ha Hreq Hrel Hsvf Hperm Hbest. apply no_kills in Hbest.
  destruct (svf_cost M a requests l HM Ha Hreq Hrel Hsvf) as [_ Hcost].
  assert (Hrel' : at_once other).
  { intros q Hq. apply Hrel. apply (Permutation_in _ (Permutation_sym Hperm)), Hq. }
  rewrite (cost_at_once M other best Hbest Hrel').
  pose proof (opt_third M other best HM Hbest) as Hbound. pose proof (output_bound M other best Hbest) as HL.
  pose proof (cost_nonneg M other best Hbest) as H0.
  rewrite <- (total_permutation output _ _ Hperm) in HL, Hbound.
  rewrite <- (total_permutation area _ _ Hperm) in Hbound.
  rewrite <- (pairs_permutation (fun q q' => Z.min (area q) (area q')) _ _
    (fun q q' => Z.min_comm (area q) (area q')) Hperm) in Hbound.
  fold (smaller_areas requests) in Hbound.
  assert (HV : 0 <= total area requests).
  { apply total_nonneg. intros q Hq. apply Z.lt_le_incl, area_pos, Hreq, Hq. }
  assert (HL0 : 0 <= total output requests).
  { apply total_nonneg. intros q Hq. destruct (Hreq q Hq) as [[_ Ho] _]. lia. }
  assert (HMq : (0 < inject_Z M)%Q) by (apply inject_pos; exact HM).
  assert (HP : (inject_Z (smaller_areas requests) / inject_Z M <=
      inject_Z (2 * smaller_areas requests + total area requests) / inject_Z (2 * M))%Q).
  { apply fraction_le; nia. }
  rewrite Zle_Qle in HL, HL0, H0. change (inject_Z 0) with 0%Q in HL0, H0.
  set (A := (inject_Z (2 * _ + _) / _)%Q) in *. set (P := (inject_Z (smaller_areas requests) / _)%Q) in *.
  set (L := inject_Z (total output requests)) in *. set (opt := inject_Z (completions best)) in *.
  set (c := (2 / (1 - a))%Q) in *.
  assert (Hc : (0 <= c)%Q) by (apply Qle_shift_div_l; lra).
  assert (Hc' : (2 * c / 3 + 1 == 1 + 4 / (3 * (1 - a)))%Q) by (unfold c; field; lra).
  assert (HcP : (c * P <= c * A)%Q).
  { rewrite !(Qmult_comm c). apply Qmult_le_compat_r; assumption. }
  destruct (closing c 1 A L opt (inject_Z (cost l))) as [H|H]; try assumption; try lra.
  - eapply Qle_trans; [exact H|]. apply Qmult_le_compat_r; [apply Q.le_max_l|exact H0].
  - eapply Qle_trans; [exact H|]. rewrite Hc'. apply Qmult_le_compat_r; [apply Q.le_max_r|exact H0].
Qed.
