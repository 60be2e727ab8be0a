(* The window cover cuts: Lemma 4 of model.md. *)

From Coq Require Import ZArith List Lia Bool.
From Kvopt Require Import Model Sums.
Import ListNotations.
Open Scope Z_scope.

(* The window of a request on level m, d in model.md; s_min is the smallest prompt. *)
Definition excess (M s_min m : Z) (q : request) : Z :=
  prompt q + output q + m * (s_min + output q) - M.

Definition window (M s_min m : Z) (q : request) : Z :=
  let n := excess M s_min m q in
  if 0 <? n then Z.min (output q) (ceil_div n m) else 0.

(* Does the attempt start in (u - d, u], d being the window of its request? *)
Definition in_window (M s_min m u : Z) (a : attempt) : bool :=
  (u - window M s_min m (of a) <? start a) && (start a <=? u).

Lemma first_to_complete (l : list attempt) :
  l <> [] -> exists a, In a l /\ forall b, In b l -> completion a <= completion b.
Proof.
  induction l as [|x l IH]; [congruence|]. intros _. destruct l as [|y l].
  - exists x. split; [simpl; auto|]. intros b [->|[]]. lia.
  - destruct IH as (a & Ha & Hmin); [congruence|].
    destruct (Z.le_gt_cases (completion x) (completion a)) as [H|H].
    + exists x. split; [simpl; auto|]. intros b [->|Hb]; [lia|]. specialize (Hmin b Hb). lia.
    + exists a. split; [simpl in *; auto|]. intros b [->|Hb]; [lia|auto].
Qed.

Lemma last_to_complete (l : list attempt) :
  l <> [] -> exists a, In a l /\ forall b, In b l -> completion b <= completion a.
Proof.
  induction l as [|x l IH]; [congruence|]. intros _. destruct l as [|y l].
  - exists x. split; [simpl; auto|]. intros b [->|[]]. lia.
  - destruct IH as (a & Ha & Hmax); [congruence|].
    destruct (Z.le_gt_cases (completion x) (completion a)) as [H|H].
    + exists a. split; [simpl in *; auto|]. intros b [->|Hb]; [lia|auto].
    + exists x. split; [simpl; auto|]. intros b [->|Hb]; [lia|]. specialize (Hmax b Hb). lia.
Qed.

(* Lemma 4 of model.md.  In every schedule, for every level m >= 1 and every time u, at most
   m requests have their start in (u - d_i, u].  Prompts may differ; s_min is at most
   the smallest of them. *)
Theorem staircase M requests l s_min m u :
  schedule M requests l ->
  (forall q, In q requests -> 0 <= s_min <= prompt q) ->
  1 <= m ->
  Z.of_nat (length (filter (in_window M s_min m u) l)) <= m.
Proof.
  intros (Hof & Hvalid & Hfits) Hmin Hm.
  rewrite Forall_forall in Hvalid.
  set (W := filter (in_window M s_min m u) l).
  assert (HW : forall b, In b W -> In b l /\ valid b /\ 0 <= s_min <= prompt (of b) /\
      u - window M s_min m (of b) < start b <= u).
  { intros b Hb. unfold W in Hb. apply filter_In in Hb as [Hb Hin].
    split; [exact Hb|]. split; [exact (Hvalid b Hb)|]. split.
    - apply Hmin. rewrite <- Hof. apply in_map. exact Hb.
    - unfold in_window in Hin. lia. }
  destruct (Z.le_gt_cases (Z.of_nat (length W)) m) as [H|Hmany]; [exact H|exfalso].
  destruct (first_to_complete W) as (a & Ha & Hfirst).
  { intros E. rewrite E in Hmany. simpl in Hmany. lia. }
  destruct (HW a Ha) as (Hal & [[Hs Ho] Hst] & Hsmin & Hlow & Hhigh).
  (* what window says about a: u - t < n / m and u - t < o *)
  assert (Hwin : m * (u - start a) < excess M s_min m (of a) /\ u - start a < output (of a)).
  { unfold window in Hlow.
    destruct (0 <? excess M s_min m (of a)) eqn:E; [|lia].
    split; [|lia].
    assert (u - start a <= - (- excess M s_min m (of a) / m) - 1) by (unfold ceil_div in *; lia).
    pose proof (Z.mul_div_le (- excess M s_min m (of a)) m ltac:(lia)).
    pose proof (Z.mul_succ_div_gt (- excess M s_min m (of a)) m ltac:(lia)). nia. }
  destruct Hwin as [Hn Hd]. unfold excess in Hn.
  set (C := completion a) in *. set (X := s_min + output (of a) - (u - start a)).
  assert (HC : C = start a + output (of a)) by reflexivity.
  (* the others run in round C, and use at least X *)
  assert (Hother : forall b, In b W -> X <= use b C).
  { intros b Hb. destruct (HW b Hb) as (_ & _ & Hsb & _ & Hbu). specialize (Hfirst b Hb).
    unfold use. replace (start b <? C) with true by lia.
    replace (C <=? completion b) with true by lia. simpl. unfold X. lia. }
  assert (Hself : use a C = prompt (of a) + output (of a)).
  { unfold use. replace (start a <? C) with true by lia.
    replace (C <=? completion a) with true by (fold C; lia). simpl. lia. }
  assert (HXpos : 0 <= X).
  { unfold X. lia. }
  (* together: more than M *)
  destruct (in_split a W Ha) as (l1 & l2 & E).
  assert (Hsum : prompt (of a) + output (of a) + m * X <= total (fun b => use b C) W).
  { rewrite E, total_app. simpl. rewrite Hself.
    assert (X * Z.of_nat (length l1) <= total (fun b => use b C) l1).
    { rewrite <- total_const. apply total_le. intros b Hb. apply Hother.
      rewrite E. apply in_or_app. auto. }
    assert (X * Z.of_nat (length l2) <= total (fun b => use b C) l2).
    { rewrite <- total_const. apply total_le. intros b Hb. apply Hother.
      rewrite E. apply in_or_app. simpl. auto. }
    assert (m <= Z.of_nat (length l1) + Z.of_nat (length l2)).
    { rewrite E, app_length in Hmany. simpl in Hmany. lia. }
    nia. }
  assert (Htotal : total (fun b => use b C) W <= memory l C).
  { unfold W, memory. rewrite total_filter. apply total_le. intros b Hb.
    pose proof (use_nonneg b C (Hvalid b Hb)).
    destruct (in_window M s_min m u b); lia. }
  specialize (Hfits C). unfold X in *. nia.
Qed.
