(* No idle rounds: Lemma 1 of model.md.  The bound from paths: Theorem 5 of aggregate_state.md, with the
   lemmas before it, for any prices. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Completions Area.
Import ListNotations.
Open Scope Z_scope.

(* --- No idle rounds ---------------------------------------------------------------------- *)

(* A schedule is busy after A if something runs in every later round up to the last completion. *)
Definition busy_after (A : Z) (l : list attempt) : Prop :=
  forall r, A + 1 <= r -> (exists a, In a l /\ r <= completion a) ->
  exists a, In a l /\ runs a r = true.
Definition busy_schedule : list attempt -> Prop := busy_after 0.

(* Start everything from time r on one round earlier. *)
Definition earlier (r : Z) (a : attempt) : attempt :=
  Attempt (of a) (if r <=? start a then start a - 1 else start a).

Lemma earlier_schedule M requests l r A :
  schedule M requests l -> (forall q, In q requests -> release q <= A) -> A + 1 <= r ->
  (forall a, In a l -> runs a r = false) -> schedule M requests (map (earlier r) l).
Proof.
  intros (Hof & Hvalid & Hfits) Hlate Hr Hidle. rewrite Forall_forall in Hvalid. repeat split.
  - rewrite map_map. exact Hof.
  - apply Forall_forall. intros a' Ha. apply in_map_iff in Ha as (a & <- & Ha).
    destruct (Hvalid a Ha) as [Hq Hs]. split; [exact Hq|]. simpl.
    specialize (Hlate (of a) ltac:(rewrite <- Hof; apply in_map, Ha)).
    destruct (r <=? start a) eqn:E; lia.
  - intros x. unfold memory. rewrite total_map.
    assert (H : total (fun a => use (earlier r a) x) l <= memory l (if x <? r then x else x + 1)).
    { apply total_le. intros a Ha. specialize (Hidle a Ha). destruct (Hvalid a Ha) as [[Hs Ho] Hp].
      unfold runs in Hidle. unfold use, earlier, completion in *. cbn [of start].
      destruct (r <=? start a) eqn:E1, (x <? r) eqn:E2;
      repeat match goal with
        | |- context [?u <? ?v] => destruct (Z.ltb_spec u v)
        | |- context [?u <=? ?v] => destruct (Z.leb_spec u v)
        end; simpl; lia. }
    eapply Z.le_trans; [exact H|apply Hfits].
Qed.

Lemma idle_round_exists A (l : list attempt) T : 0 <= A ->
  (forall a, In a l -> completion a <= Z.of_nat T) ->
  busy_after A l \/
  exists r, A + 1 <= r /\ (exists a, In a l /\ r <= completion a) /\
    forall a, In a l -> runs a r = false.
Proof.
  intros HA HT.
  assert (H : forall n, (forall r, A + 1 <= r <= Z.of_nat n -> exists a, In a l /\ runs a r = true) \/
      (exists r, A + 1 <= r <= Z.of_nat n /\ forall a, In a l -> runs a r = false)).
  { induction n as [|n [IH|(r & Hr & H)]]; [left; lia| |right; exists r; split; [lia|exact H]].
    destruct (some_run l (Z.of_nat (S n))) as [H|H]; [left|].
    - intros r Hr. destruct (Z.eq_dec r (Z.of_nat (S n))) as [->|]; [exact H|apply IH; lia].
    - destruct (Z.le_gt_cases (A + 1) (Z.of_nat (S n))); [right; exists (Z.of_nat (S n)); split; [lia|exact H]|left; lia]. }
  (* the last round that something reaches *)
  assert (Hlast : l = [] \/ exists b, In b l /\ forall a, In a l -> completion a <= completion b).
  { destruct l as [|x k]; [left; reflexivity|right; apply last_to_complete; discriminate]. }
  destruct Hlast as [->|(b & Hb & Hlast)]; [left; intros r _ (a & [] & _)|].
  destruct (H (Z.to_nat (completion b))) as [Hbusy|(r & Hr & Hidle)].
  - left. intros r Hr (a & Ha & Hra). apply Hbusy. specialize (Hlast a Ha). lia.
  - right. exists r. split; [lia|]. split; [exists b; split; [exact Hb|lia]|exact Hidle].
Qed.

(* Lemma 2 of release_times.md: some schedule that costs no more has no idle round after the last
   release; a schedule with such a round is not optimal. *)
Theorem no_idle_after A M requests l :
  schedule M requests l -> 0 <= A -> (forall q, In q requests -> release q <= A) ->
  exists l', schedule M requests l' /\ busy_after A l' /\ completions l' <= completions l /\
    (~ busy_after A l -> completions l' < completions l).
Proof.
  intros Hl HA Hlate. pose proof (cost_nonneg M requests l Hl) as Hc.
  remember (Z.to_nat (completions l)) as n eqn:En. revert l Hl Hc En.
  induction n as [n IH] using lt_wf_ind. intros l Hl Hc En.
  assert (HT : exists T, forall a, In a l -> completion a <= Z.of_nat T).
  { clear. induction l as [|x l (T & IH)]; [exists O; intros a []|].
    exists (Nat.max T (Z.to_nat (completion x))). intros a [->|Ha]; [lia|]. specialize (IH a Ha). lia. }
  destruct HT as (T & HT).
  destruct (idle_round_exists A l T HA HT) as [Hbusy|(r & Hr & (b & Hb & Hrb) & Hidle)].
  - exists l. repeat split; try apply Hl; auto; [lia|]. intros H. contradiction.
  - pose proof (earlier_schedule M requests l r A Hl Hlate Hr Hidle) as Hl'.
    assert (Hless : completions (map (earlier r) l) < completions l).
    { unfold completions. rewrite total_map. destruct (in_split b l Hb) as (l1 & l2 & ->).
      rewrite !total_app. cbn [total].
      assert (Hle : forall k, total (fun a => completion (earlier r a)) k <= total completion k).
      { intros k. apply total_le. intros a _. unfold completion, earlier. cbn [of start].
        destruct (r <=? start a); lia. }
      assert (completion (earlier r b) < completion b).
      { specialize (Hidle b Hb). unfold runs in Hidle. unfold completion, earlier in *.
        cbn [of start]. destruct (r <=? start b) eqn:E; lia. }
      pose proof (Hle l1). pose proof (Hle l2). lia. }
    pose proof (cost_nonneg M requests _ Hl') as Hc'.
    destruct (IH (Z.to_nat (completions (map (earlier r) l))) ltac:(lia) _ Hl' Hc' eq_refl)
      as (l' & H1 & H2 & H3 & _).
    exists l'. repeat split; try apply H1; auto; lia.
Qed.

(* Lemma 1 of model.md: the same if everything is released at 0. *)
Theorem no_idle_round M requests l :
  schedule M requests l -> at_once requests ->
  exists l', schedule M requests l' /\ busy_schedule l' /\ completions l' <= completions l /\
    (~ busy_schedule l -> completions l' < completions l).
Proof.
  intros Hl Hzero. apply (no_idle_after 0 M requests l Hl); [lia|]. intros q Hq. rewrite (Hzero q Hq). lia.
Qed.

(* Second part of Lemma 1 of model.md: without idle rounds nothing completes after L. *)
Theorem busy_makespan M requests l a :
  schedule M requests l -> busy_schedule l -> In a l -> completion a <= total output requests.
Proof.
  intros (Hof & Hvalid & _) Hbusy Ha. rewrite Forall_forall in Hvalid.
  destruct (last_to_complete l) as (b & Hb & Hmax); [intros ->; destruct Ha|].
  specialize (Hmax a Ha) as Hab.
  set (T := Z.to_nat (completion b)).
  assert (HT : Z.of_nat T = completion b).
  { unfold T. destruct (Hvalid b Hb) as [[_ H1] H2]. unfold completion. lia. }
  assert (H : 1 * Z.of_nat T <= sum_below T
      (fun j => total (fun c => if (start c <? Z.of_nat j + 1) && (Z.of_nat j + 1 <=? completion c)
        then 1 else 0) l)).
  { rewrite <- sum_below_const. apply sum_below_le. intros j Hj.
    destruct (Hbusy (Z.of_nat j + 1)) as (c & Hc & Hrun); [lia|exists b; split; [exact Hb|lia]|].
    destruct (in_split c l Hc) as (l1 & l2 & ->). rewrite total_app. cbn [total].
    unfold runs in Hrun. rewrite Hrun.
    assert (Hpos : forall k, 0 <= total (fun c => if (start c <? Z.of_nat j + 1)
        && (Z.of_nat j + 1 <=? completion c) then 1 else 0) k).
    { intros k. apply total_nonneg. intros x _.
      destruct (start x <? Z.of_nat j + 1), (Z.of_nat j + 1 <=? completion x); simpl; lia. }
    pose proof (Hpos l1). pose proof (Hpos l2). lia. }
  assert (E : sum_below T (fun j => total (fun c => if (start c <? Z.of_nat j + 1)
      && (Z.of_nat j + 1 <=? completion c) then 1 else 0) l) = total output requests).
  { rewrite <- Hof, total_map. clear H Hof Hbusy Ha Hb Hab.
    induction l as [|c l IH]; cbn [total].
    - rewrite sum_below_const. lia.
    - rewrite sum_below_add, IH.
      + rewrite (rounds_of_attempt (fun _ => 1) c T).
        * rewrite sum_below_const. destruct (Hvalid c (or_introl eq_refl)) as [[_ Ho] _]. lia.
        * apply Hvalid. simpl. auto.
        * rewrite HT. apply Hmax. simpl. auto.
      + intros x Hx. apply Hvalid. simpl. auto.
      + intros x Hx. apply Hmax. simpl. auto. }
  lia.
Qed.

(* Lemma 2 of model.md.  If a schedule costs at most UB, and every schedule of the other
   requests costs at least LB, then a request completes by UB - LB; without idle rounds
   also by L. *)
Theorem completes_by M l1 a l2 LB UB :
  schedule M (map of (l1 ++ a :: l2)) (l1 ++ a :: l2) ->
  completions (l1 ++ a :: l2) <= UB ->
  (forall l, schedule M (map of (l1 ++ l2)) l -> LB <= completions l) ->
  completion a <= UB - LB /\
  (busy_schedule (l1 ++ a :: l2) -> completion a <= total output (map of (l1 ++ a :: l2))).
Proof.
  intros Hl Hcost Hothers. pose proof Hl as (_ & Hvalid & Hfits).
  apply Forall_app in Hvalid as [H1 H2]. inversion H2 as [|? ? Ha H3]. subst.
  split.
  - assert (Hrest : schedule M (map of (l1 ++ l2)) (l1 ++ l2)).
    { repeat split; [apply Forall_app; auto|]. intros r. specialize (Hfits r).
      unfold memory in *. rewrite total_app in *. cbn [total] in Hfits.
      pose proof (use_nonneg a r Ha). lia. }
    specialize (Hothers _ Hrest). unfold completions in *. rewrite total_app in *. cbn [total] in Hcost. lia.
  - intros Hbusy. apply (busy_makespan M _ _ a Hl Hbusy). apply in_or_app. simpl. auto.
Qed.

(* --- Prices and paths -------------------------------------------------------------------- *)

(* The least sum of the squares of K integers of sum W:  with W = a K + r, 0 <= r < K,
   (K - r) a^2 + r (a + 1)^2. *)
Definition least_squares (K W : Z) : Z :=
  (K - W mod K) * (W / K) ^ 2 + W mod K * (W / K + 1) ^ 2.

Section Paths.
  (* The memory, the requests, the smallest prompt. *)
  Context (M : Z) (requests : list request) (s_min : Z).
  (* The scale and the horizon; the prices of starts, of worth, of staircases (level, time,
     price), and of moments.  Nothing is asked of them here; see `prices_ok`. *)
  Context (D H : Z) (sigma : Z -> Z -> Z) (w : request -> Z)
    (stairs : list (Z * Z * Z)) (kappa : Z -> Z).

  Definition prices_ok : Prop :=
    0 <= D /\ 1 <= H /\
    (forall s t, H <= t -> sigma s t = 0) /\
    (forall q, In q requests -> w q <= D * (H + output q)) /\
    (forall m u p, In (m, u, p) stairs -> 1 <= m /\ u < H /\ 0 <= p) /\
    (forall t, 0 <= kappa t) /\
    (forall t, H <= t -> kappa t = 0).

  (* rest (t), the sum of kappa (x) over t <= x < H. *)
  Definition rest (t : Z) : Z :=
    sum_below (Z.to_nat (H - t)) (fun i => kappa (t + Z.of_nat i)).

  (* What events cost. *)
  Definition completion_cost (q : request) (t : Z) : Z :=
    D * t - w q - sigma (prompt q) (t - output q)
    + total (fun x => snd x *
        if in_window M s_min (fst (fst x)) (snd (fst x)) (Attempt q (t - output q)) then 1 else 0)
        stairs
    + (prompt q + output q) ^ 2 * rest t.
  Definition start_cost (s t : Z) : Z := sigma s t - s ^ 2 * rest (t + 1).
  Definition round_cost (t K W : Z) : Z := - (2 * W + K) * rest (t + 1).

  (* R, how many can run together. *)
  Definition most_running : Z := Z.min (Z.of_nat (length requests)) (M / (s_min + 1)).

  (* Paths.  `path Completing t K W c`: a path may be at time t in state (K, W), while
     completions happen or after them, and has cost c so far; `path Starting t K W c`: it is
     among the starts of time t. *)
  Inductive phase := Completing | Starting.

  Inductive path : phase -> Z -> Z -> Z -> Z -> Prop :=
    | at_first : path Completing 0 0 0 0
    | completes t K W c q :
        path Completing t K W c -> In q requests -> output q <= t ->
        (1 <= K - 1 /\ (K - 1) * (s_min + 1) <= W - (prompt q + output q)
         \/ K - 1 = 0 /\ W - (prompt q + output q) = 0) ->
        path Completing t (K - 1) (W - (prompt q + output q)) (c + completion_cost q t)
    | enough t K W c :
        path Completing t K W c -> t < H -> path Starting t K W (c + kappa t * least_squares K W)
    | starts t K W c q :
        path Starting t K W c -> In q requests ->
        path Starting t (K + 1) (W + prompt q) (c + start_cost (prompt q) t)
    | round t K W c :
        path Starting t K W c -> 1 <= K <= most_running -> W + K <= M ->
        path Completing (t + 1) K (W + K) (c + round_cost t K W).

  (* No path is cheaper than V: one may end when all has completed, and ends at time H, where
     what still runs costs `late` each. *)
  Definition late_ok (late : Z) : Prop :=
    late <= 0 /\
    forall q t, In q requests -> H < t -> 0 <= t - output q <= H -> late <= completion_cost q t.

  Definition cheapest_path (late V : Z) : Prop :=
    (forall t c, 1 <= t <= H -> path Completing t 0 0 c -> V <= c) /\
    (forall K W c, path Completing H K W c -> V <= c + K * late).

  (* --- Proofs ---------------------------------------------------------------------------- *)

  Lemma rest_step t : rest t = (if t <? H then kappa t else 0) + rest (t + 1).
  Proof.
    unfold rest. destruct (Z.ltb_spec t H) as [Hlt|Hge].
    - replace (Z.to_nat (H - t)) with (1 + Z.to_nat (H - (t + 1)))%nat by lia.
      rewrite sum_below_split. cbn [sum_below]. rewrite Z.add_0_l. f_equal.
      + f_equal. lia.
      + apply sum_below_ext. intros i _. f_equal. lia.
    - replace (Z.to_nat (H - t)) with O by lia. replace (Z.to_nat (H - (t + 1))) with O by lia.
      reflexivity.
  Qed.

  Lemma rest_late t : H <= t -> rest t = 0.
  Proof. intros Ht. unfold rest. replace (Z.to_nat (H - t)) with O by lia. reflexivity. Qed.

  Context (Hprices : prices_ok).
  Context (l : list attempt) (Hl : schedule M requests l) (Hbusy : busy_schedule l).
  Context (Hmin : forall q, In q requests -> 0 <= s_min <= prompt q).

  Lemma l_valid a : In a l -> valid a.
  Proof. destruct Hl as (_ & Hv & _). rewrite Forall_forall in Hv. apply Hv. Qed.

  Lemma l_request a : In a l -> In (of a) requests.
  Proof. destruct Hl as (<- & _). apply in_map. Qed.

  (* Tokens of an attempt at time t; who runs after the completions of time t; who runs
     in the round from t to t + 1. *)
  Definition tokens (t : Z) (a : attempt) : Z := prompt (of a) + t - start a.
  Definition staying (t : Z) (a : attempt) : bool := (start a <? t) && (t <? completion a).
  Definition going (t : Z) (a : attempt) : bool := (start a <=? t) && (t <? completion a).

  Definition number (keep : attempt -> bool) : Z := total (fun a => if keep a then 1 else 0) l.
  Definition held (keep : attempt -> bool) (t : Z) : Z :=
    total (fun a => if keep a then tokens t a else 0) l.

  Definition cost_of_start (a : attempt) : Z := start_cost (prompt (of a)) (start a).
  Definition cost_of_completion (a : attempt) : Z := completion_cost (of a) (completion a).

  (* What the events up to the completions of time n cost. *)
  Definition so_far (n : nat) : Z :=
    total (fun a => if completion a <=? Z.of_nat n then cost_of_completion a else 0) l
    + total (fun a => if start a <? Z.of_nat n then cost_of_start a else 0) l
    + sum_below n (fun j =>
        kappa (Z.of_nat j) *
          least_squares (number (staying (Z.of_nat j))) (held (staying (Z.of_nat j)) (Z.of_nat j))
        + round_cost (Z.of_nat j) (number (going (Z.of_nat j)))
            (held (going (Z.of_nat j)) (Z.of_nat j))).

  Lemma path_starts t K W c (S : list attempt) :
    path Starting t K W c -> (forall a, In a S -> In (of a) requests /\ start a = t) ->
    path Starting t (K + Z.of_nat (length S)) (W + total (fun a => prompt (of a)) S)
      (c + total cost_of_start S).
  Proof.
    intros Hpath. induction S as [|a S IH]; intros HS.
    - cbn [length total]. rewrite !Z.add_0_r. exact Hpath.
    - destruct (HS a (or_introl eq_refl)) as [Ha Ht].
      specialize (IH (fun b Hb => HS b (or_intror Hb))).
      pose proof (starts _ _ _ _ (of a) IH Ha) as Hnew.
      cbn [length total]. unfold cost_of_start at 1. rewrite Ht.
      replace (K + Z.of_nat (Datatypes.S (length S))) with (K + Z.of_nat (length S) + 1) by lia.
      replace (W + (prompt (of a) + total (fun a => prompt (of a)) S))
        with (W + total (fun a => prompt (of a)) S + prompt (of a)) by lia.
      replace (c + (start_cost (prompt (of a)) t + total cost_of_start S))
        with (c + total cost_of_start S + start_cost (prompt (of a)) t) by lia.
      exact Hnew.
  Qed.

  Lemma path_completions t c (F G : list attempt) :
    (forall a, In a F -> In (of a) requests /\ completion a = t /\ output (of a) <= t) ->
    (forall a, In a (F ++ G) -> s_min + 1 <= tokens t a) ->
    path Completing t (Z.of_nat (length F) + Z.of_nat (length G))
      (total (tokens t) F + total (tokens t) G) c ->
    path Completing t (Z.of_nat (length G)) (total (tokens t) G) (c + total cost_of_completion F).
  Proof.
    revert c. induction F as [|a F IH]; intros c HF Htokens Hpath.
    - cbn [length total] in *. rewrite Z.add_0_r. exact Hpath.
    - destruct (HF a (or_introl eq_refl)) as (Ha & Ht & Ho). cbn [total].
      replace (c + (cost_of_completion a + total cost_of_completion F))
        with (c + cost_of_completion a + total cost_of_completion F) by lia.
      apply IH.
      + intros b Hb. apply HF. simpl. auto.
      + intros b Hb. apply Htokens. simpl. auto.
      + assert (Htok : tokens t a = prompt (of a) + output (of a)).
        { unfold tokens, completion in *. lia. }
        cbn [length total] in Hpath.
        assert (Hleft : (s_min + 1) * (Z.of_nat (length F) + Z.of_nat (length G))
            <= total (tokens t) F + total (tokens t) G).
        { rewrite Z.mul_add_distr_l, <- !total_const.
          apply Z.add_le_mono; apply total_le; intros b Hb; apply Htokens; simpl;
            right; apply in_or_app; auto. }
        pose proof (completes t _ _ c (of a) Hpath Ha Ho) as Hnew.
        rewrite Htok in Hnew.
        replace (Z.of_nat (Datatypes.S (length F)) + Z.of_nat (length G) - 1)
          with (Z.of_nat (length F) + Z.of_nat (length G)) in Hnew by lia.
        replace (prompt (of a) + output (of a) + total (tokens t) F + total (tokens t) G
            - (prompt (of a) + output (of a)))
          with (total (tokens t) F + total (tokens t) G) in Hnew by lia.
        unfold cost_of_completion. rewrite Ht. apply Hnew.
        destruct (Z.eq_dec (Z.of_nat (length F) + Z.of_nat (length G)) 0) as [E|E].
        * right. split; [exact E|]. destruct F; [|cbn [length] in E; lia]. destruct G; [|cbn [length] in E; lia].
          reflexivity.
        * left. split; lia.
  Qed.

  Lemma number_length keep : number keep = Z.of_nat (length (filter keep l)).
  Proof.
    unfold number. rewrite <- (total_filter keep (fun _ => 1)), total_const. lia.
  Qed.

  Lemma held_filter keep t : held keep t = total (tokens t) (filter keep l).
  Proof. unfold held. rewrite total_filter. reflexivity. Qed.

  (* The schedule is a path, as long as something still runs and up to the horizon: Lemma 1
     of aggregate_state.md. *)
  Lemma schedule_is_path n :
    Z.of_nat n <= H -> (n = O \/ exists a, In a l /\ Z.of_nat n <= completion a) ->
    path Completing (Z.of_nat n) (number (staying (Z.of_nat n)))
      (held (staying (Z.of_nat n)) (Z.of_nat n)) (so_far n).
  Proof.
    induction n as [|n IH]; intros Hn Hmore.
    - (* time 0 *)
      assert (Hnone : forall a, In a l -> staying 0 a = false).
      { intros a Ha. destruct (l_valid a Ha) as [_ Hp]. unfold staying.
        destruct (Z.ltb_spec (start a) 0); [lia|reflexivity]. }
      assert (E1 : number (staying 0) = 0).
      { unfold number. rewrite (total_ext _ (fun _ => 0)).
        - rewrite total_const. lia.
        - intros a Ha. rewrite Hnone by exact Ha. reflexivity. }
      assert (E2 : held (staying 0) 0 = 0).
      { unfold held. rewrite (total_ext _ (fun _ => 0)).
        - rewrite total_const. lia.
        - intros a Ha. rewrite Hnone by exact Ha. reflexivity. }
      assert (E3 : so_far 0 = 0).
      { unfold so_far. cbn [sum_below].
        assert (Ec : total (fun a => if completion a <=? Z.of_nat 0
            then cost_of_completion a else 0) l = total (fun _ => 0) l).
        { apply total_ext. intros a Ha. destruct (l_valid a Ha) as [[_ Ho] Hp].
          destruct (Z.leb_spec (completion a) (Z.of_nat 0)); [unfold completion in *; lia|reflexivity]. }
        assert (Es : total (fun a => if start a <? Z.of_nat 0
            then cost_of_start a else 0) l = total (fun _ => 0) l).
        { apply total_ext. intros a Ha. destruct (l_valid a Ha) as [_ Hp].
          destruct (Z.ltb_spec (start a) (Z.of_nat 0)); [lia|reflexivity]. }
        rewrite Ec, Es, total_const. lia. }
      simpl (Z.of_nat 0). rewrite E1, E2, E3. constructor.
    - set (t := Z.of_nat n) in *. assert (Et : Z.of_nat (S n) = t + 1) by (unfold t; lia).
      rewrite Et in *.
      destruct Hmore as [Hmore|(last & Hlast & Hreach)]; [discriminate|].
      specialize (IH ltac:(lia)).
      assert (Hprev : n = O \/ exists a, In a l /\ t <= completion a).
      { right. exists last. split; [exact Hlast|lia]. }
      specialize (IH Hprev). clear Hprev.
      (* the price of the state, the starts of time t *)
      apply enough in IH; [|lia].
      set (S := filter (fun a => start a =? t) l).
      apply (path_starts t _ _ _ S) in IH.
      2:{ intros a Ha. unfold S in Ha. apply filter_In in Ha as [Ha E]. split; [apply l_request, Ha|lia]. }
      assert (EK : number (staying t) + Z.of_nat (length S) = number (going t)).
      { unfold S. rewrite <- (number_length (fun a => start a =? t)). unfold number.
        rewrite <- total_add. apply total_ext. intros a Ha. destruct (l_valid a Ha) as [[_ Ho] _].
        unfold staying, going, completion.
        destruct (Z.ltb_spec (start a) t), (Z.ltb_spec t (start a + output (of a))),
          (Z.eqb_spec (start a) t), (Z.leb_spec (start a) t); simpl; lia. }
      assert (EW : held (staying t) t + total (fun a => prompt (of a)) S = held (going t) t).
      { unfold S, held. rewrite total_filter, <- total_add. apply total_ext. intros a Ha.
        destruct (l_valid a Ha) as [[_ Ho] _]. unfold staying, going, completion, tokens.
        destruct (Z.ltb_spec (start a) t), (Z.ltb_spec t (start a + output (of a))),
          (Z.eqb_spec (start a) t), (Z.leb_spec (start a) t); simpl; lia. }
      rewrite EK, EW in IH.
      (* the round from t to t + 1 *)
      set (R := filter (going t) l).
      assert (Hruns : forall a, In a l -> going t a = runs a (t + 1)).
      { intros a Ha. unfold going, runs.
        destruct (Z.leb_spec (start a) t), (Z.ltb_spec t (completion a)),
          (Z.ltb_spec (start a) (t + 1)), (Z.leb_spec (t + 1) (completion a));
          try reflexivity; exfalso; lia. }
      assert (Hmem : held (going t) t + number (going t) = memory l (t + 1)).
      { unfold held, number, memory. rewrite <- total_add. apply total_ext. intros a Ha.
        rewrite Hruns by exact Ha. unfold use. fold (runs a (t + 1)). unfold tokens.
        destruct (runs a (t + 1)); lia. }
      assert (HRtok : forall a, In a R -> s_min + 1 <= tokens (t + 1) a).
      { intros a Ha. unfold R in Ha. apply filter_In in Ha as [Ha Hg]. unfold going in Hg.
        pose proof (Hmin _ (l_request a Ha)). unfold tokens. lia. }
      assert (Hmem' : memory l (t + 1) = total (tokens (t + 1)) R).
      { rewrite <- Hmem. unfold held, number, R. rewrite total_filter, <- total_add.
        apply total_ext. intros a _. unfold tokens. destruct (going t a); lia. }
      assert (HfitsM : memory l (t + 1) <= M) by apply Hl.
      apply round in IH.
      2:{ split.
          - destruct (Hbusy (t + 1)) as (a & Ha & Hr); [lia|exists last; auto|].
            rewrite <- Hruns in Hr by exact Ha. rewrite number_length. fold R.
            assert (HaR : In a R) by (apply filter_In; auto). destruct R; [destruct HaR|]. simpl. lia.
          - rewrite number_length. fold R. unfold most_running. apply Z.min_glb.
            + destruct Hl as (Hof & _). rewrite <- Hof, map_length. unfold R.
              pose proof (filter_length_le (going t) l). lia.
            + destruct (Nat.eq_dec (length R) 0) as [E0|E0].
              * rewrite E0. assert (HM0 : 0 <= memory l (t + 1)) by (apply memory_nonneg, Hl).
                pose proof (Hmin _ (l_request last Hlast)). apply Z.div_pos; lia.
              * pose proof (Hmin _ (l_request last Hlast)).
                apply Z.div_le_lower_bound; [lia|].
                assert ((s_min + 1) * Z.of_nat (length R) <= total (tokens (t + 1)) R); [|lia].
                rewrite <- total_const. apply total_le. exact HRtok. }
      2:{ lia. }
      (* the completions of time t + 1 *)
      rewrite Hmem, Hmem', number_length in IH. fold R in IH.
      set (F := filter (fun a => completion a =? t + 1) R).
      set (G := filter (fun a => negb (completion a =? t + 1)) R).
      assert (Hlen : Z.of_nat (length R) = Z.of_nat (length F) + Z.of_nat (length G)).
      { unfold F, G. generalize R. intros k. induction k as [|a k IHk]; [reflexivity|]. simpl.
        destruct (completion a =? t + 1); simpl length; lia. }
      assert (Htot : total (tokens (t + 1)) R = total (tokens (t + 1)) F + total (tokens (t + 1)) G).
      { unfold F, G. rewrite !total_filter, <- total_add. apply total_ext. intros a _.
        destruct (completion a =? t + 1); simpl; lia. }
      rewrite Hlen, Htot in IH. apply path_completions in IH.
      2:{ intros a Ha. unfold F, R in Ha. apply filter_In in Ha as [Ha E].
          apply filter_In in Ha as [Ha _]. destruct (l_valid a Ha) as [_ Hp].
          repeat split; [apply l_request, Ha|lia|unfold completion in *; lia]. }
      2:{ intros a Ha. apply HRtok. apply in_app_or in Ha.
          destruct Ha as [Ha|Ha]; [unfold F in Ha|unfold G in Ha]; apply filter_In in Ha; apply Ha. }
      (* what is left is the state at time t + 1 *)
      assert (EG : G = filter (staying (t + 1)) l).
      { unfold G, R. clear. induction l as [|a k IHk]; [reflexivity|]. simpl.
        unfold going at 1, staying at 1.
        destruct (Z.leb_spec (start a) t), (Z.ltb_spec t (completion a)),
          (Z.ltb_spec (start a) (t + 1)), (Z.ltb_spec (t + 1) (completion a)); simpl; try lia;
        destruct (Z.eqb_spec (completion a) (t + 1)); simpl; try lia;
        first [exact IHk | f_equal; exact IHk]. }
      assert (EN : number (going t) = Z.of_nat (length F) + number (staying (t + 1))).
      { rewrite (number_length (going t)), (number_length (staying (t + 1))), <- EG. exact Hlen. }
      rewrite EG, <- number_length, <- held_filter in IH.
      match goal with Hp : path _ _ _ _ ?c |- path _ _ _ _ ?c' => replace c' with c; [exact Hp|] end.
      (* the costs *)
      unfold so_far. cbn [sum_below]. rewrite Et. fold t.
      assert (EF : total cost_of_completion F =
          total (fun a => if completion a =? t + 1 then cost_of_completion a else 0) l).
      { unfold F, R. rewrite !total_filter. apply total_ext. intros a Ha.
        destruct (l_valid a Ha) as [[_ Ho] _]. unfold going.
        destruct (Z.eqb_spec (completion a) (t + 1)) as [E|E].
        - replace (start a <=? t) with true by (unfold completion in E; lia).
          replace (t <? completion a) with true by lia. reflexivity.
        - destruct (_ && _); reflexivity. }
      assert (EC : total (fun a => if completion a <=? t + 1 then cost_of_completion a else 0) l =
          total (fun a => if completion a <=? t then cost_of_completion a else 0) l
          + total cost_of_completion F).
      { rewrite EF, <- total_add. apply total_ext. intros a _.
        destruct (Z.leb_spec (completion a) (t + 1)), (Z.leb_spec (completion a) t),
          (Z.eqb_spec (completion a) (t + 1)); lia. }
      assert (ES : total (fun a => if start a <? t + 1 then cost_of_start a else 0) l =
          total (fun a => if start a <? t then cost_of_start a else 0) l + total cost_of_start S).
      { unfold S. rewrite total_filter, <- total_add. apply total_ext. intros a _.
        destruct (Z.ltb_spec (start a) (t + 1)), (Z.ltb_spec (start a) t),
          (Z.eqb_spec (start a) t); lia. }
      rewrite EC, ES, EN. lia.
  Qed.

  (* --- The price identity: Lemma 3 of aggregate_state.md ------------------------------------------- *)

  (* K integers of sum W have at least this sum of squares. *)
  Lemma least_squares_least (k : list attempt) (f : attempt -> Z) :
    least_squares (Z.of_nat (length k)) (total f k) <= total (fun a => f a ^ 2) k.
  Proof.
    destruct (Nat.eq_dec (length k) 0) as [E|E].
    { destruct k; [|discriminate]. unfold least_squares. simpl. lia. }
    unfold least_squares. set (K := Z.of_nat (length k)). assert (0 < K) by lia.
    set (W := total f k). set (a := W / K). set (r := W mod K).
    assert (EW : W = K * a + r) by (apply Z.div_mod; lia).
    assert (Hsum : (2 * a + 1) * W - (a * (a + 1)) * K <= total (fun x => f x ^ 2) k).
    { unfold W, K. rewrite <- total_scale, <- total_const.
      assert (total (fun x => (2 * a + 1) * f x) k
        <= total (fun x => f x ^ 2 + a * (a + 1)) k).
      { apply total_le. intros x _. 
        assert (0 <= (f x - a) * (f x - a - 1)); [|nia].
        destruct (Z.le_gt_cases (f x) a); nia. }
      rewrite total_add in H1. lia. }
    nia.
  Qed.

  Lemma interval_sum (f : Z -> Z) (lo len : nat) N : (lo + len <= N)%nat ->
    sum_below N (fun j => if (Z.of_nat lo <=? Z.of_nat j) && (Z.of_nat j <? Z.of_nat (lo + len))
      then f (Z.of_nat j) else 0)
    = sum_below len (fun i => f (Z.of_nat lo + Z.of_nat i)).
  Proof.
    intros HN. replace N with (lo + (len + (N - lo - len)))%nat by lia.
    rewrite !sum_below_split.
    assert (E1 : sum_below lo (fun j => if (Z.of_nat lo <=? Z.of_nat j)
        && (Z.of_nat j <? Z.of_nat (lo + len)) then f (Z.of_nat j) else 0) = 0).
    { rewrite (sum_below_ext lo _ (fun _ => 0)); [rewrite sum_below_const; lia|].
      intros j Hj. destruct (Z.leb_spec (Z.of_nat lo) (Z.of_nat j)); [lia|reflexivity]. }
    assert (E2 : sum_below (N - lo - len) (fun j => if (Z.of_nat lo <=? Z.of_nat (lo + (len + j)))
        && (Z.of_nat (lo + (len + j)) <? Z.of_nat (lo + len))
        then f (Z.of_nat (lo + (len + j))) else 0) = 0).
    { rewrite (sum_below_ext (N - lo - len) _ (fun _ => 0)); [rewrite sum_below_const; lia|].
      intros j Hj. destruct (Z.ltb_spec (Z.of_nat (lo + (len + j))) (Z.of_nat (lo + len))); [lia|].
      rewrite andb_false_r. reflexivity. }
    rewrite E1, E2, Z.add_0_l, Z.add_0_r. apply sum_below_ext. intros j Hj.
    destruct (Z.leb_spec (Z.of_nat lo) (Z.of_nat (lo + j))); [|lia].
    destruct (Z.ltb_spec (Z.of_nat (lo + j)) (Z.of_nat (lo + len))); [|lia].
    simpl. f_equal. lia.
  Qed.

  (* What happens to s^2, (s + 1)^2, ... of one attempt. *)
  Lemma squares (s p : Z) (o : nat) :
    (forall t, H <= t -> kappa t = 0) ->
    (s + Z.of_nat (S o)) ^ 2 * rest (p + Z.of_nat (S o)) - s ^ 2 * rest (p + 1)
    - sum_below (S o) (fun j => (2 * (s + Z.of_nat j) + 1) * rest (p + Z.of_nat j + 1))
    = - sum_below o (fun j => kappa (p + 1 + Z.of_nat j) * (s + 1 + Z.of_nat j) ^ 2).
  Proof.
    intros Hkappa. induction o as [|o IH].
    - cbn [sum_below]. replace (p + Z.of_nat 1) with (p + 1) by lia.
      replace (p + Z.of_nat 0 + 1) with (p + 1) by lia.
      replace (Z.of_nat 1) with 1 by lia. replace (Z.of_nat 0) with 0 by lia. ring.
    - cbn [sum_below] in *.
      assert (Hstep : rest (p + Z.of_nat (S o)) =
          kappa (p + 1 + Z.of_nat o) + rest (p + Z.of_nat (S (S o)))).
      { rewrite rest_step. replace (p + Z.of_nat (S o)) with (p + 1 + Z.of_nat o) by lia.
        replace (p + Z.of_nat (S (S o))) with (p + 1 + Z.of_nat o + 1) by lia.
        destruct (Z.ltb_spec (p + 1 + Z.of_nat o) H); [reflexivity|]. rewrite Hkappa by lia. lia. }
      replace (p + Z.of_nat (S o) + 1) with (p + Z.of_nat (S (S o))) by lia.
      rewrite Hstep in IH.
      set (r := rest (p + Z.of_nat (S (S o)))) in *.
      set (kap := kappa (p + 1 + Z.of_nat o)) in *.
      set (A := sum_below o (fun j => (2 * (s + Z.of_nat j) + 1) * rest (p + Z.of_nat j + 1))) in *.
      set (B := sum_below o (fun j => kappa (p + 1 + Z.of_nat j) * (s + 1 + Z.of_nat j) ^ 2)) in *.
      replace (Z.of_nat (S (S o))) with (Z.of_nat o + 2) by lia.
      replace (Z.of_nat (S o)) with (Z.of_nat o + 1) in * by lia.
      set (x := rest (p + Z.of_nat o + 1)) in *. nia.
  Qed.

  (* All events together, n being at least the makespan and the horizon. *)
  Lemma price_identity n :
    H <= Z.of_nat n -> (forall a, In a l -> completion a <= Z.of_nat n) ->
    so_far n + total w requests - total (fun x => fst (fst x) * snd x) stairs <= D * completions l.
  Proof.
    intros HnH Hdone.
    destruct Hprices as (HD & HH & Hsigma & Hw & Hstairs & Hk0 & Hk).
    set (Q := fun t => total (fun a => if staying t a then tokens t a ^ 2 else 0) l).
    set (windows := fun a => total (fun x => snd x *
      if in_window M s_min (fst (fst x)) (snd (fst x)) a then 1 else 0) stairs).
    (* moments *)
    assert (Hmoment : sum_below n (fun j => kappa (Z.of_nat j) *
          least_squares (number (staying (Z.of_nat j))) (held (staying (Z.of_nat j)) (Z.of_nat j)))
        <= sum_below n (fun j => kappa (Z.of_nat j) * Q (Z.of_nat j))).
    { apply sum_below_le. intros j _. apply Z.mul_le_mono_nonneg_l; [apply Hk0|].
      rewrite number_length, held_filter. unfold Q.
      rewrite <- (total_filter (staying (Z.of_nat j)) (fun a => tokens (Z.of_nat j) a ^ 2)).
      apply least_squares_least. }
    (* staircases *)
    assert (Hstair : total windows l <= total (fun x => fst (fst x) * snd x) stairs).
    { unfold windows. rewrite (total_swap (fun a x => snd x *
        if in_window M s_min (fst (fst x)) (snd (fst x)) a then 1 else 0)).
      apply total_le. intros [[m u] p] Hx. cbn [fst snd].
      destruct (Hstairs m u p Hx) as (Hm & _ & Hp).
      rewrite total_scale, <- (total_filter (in_window M s_min m u) (fun _ => 1)), total_const.
      rewrite Z.mul_1_l, (Z.mul_comm m). apply Z.mul_le_mono_nonneg_l; [exact Hp|].
      apply (staircase M requests); auto. }
    (* rounds, attempt by attempt *)
    assert (Hround : sum_below n (fun j => round_cost (Z.of_nat j) (number (going (Z.of_nat j)))
          (held (going (Z.of_nat j)) (Z.of_nat j)))
        = total (fun a => - sum_below (Z.to_nat (output (of a)))
            (fun j => (2 * (prompt (of a) + Z.of_nat j) + 1) * rest (start a + Z.of_nat j + 1))) l).
    { transitivity (sum_below n (fun j => total (fun a => if going (Z.of_nat j) a
          then - (2 * tokens (Z.of_nat j) a + 1) * rest (Z.of_nat j + 1) else 0) l)).
      - apply sum_below_ext. intros j _. unfold round_cost, held, number.
        rewrite Z.mul_opp_l, Z.mul_comm, <- Z.mul_opp_l, Z.mul_comm.
        rewrite <- (total_scale 2), <- total_add.
        rewrite (Z.mul_comm (total _ l)), <- total_scale. apply total_ext. intros a _.
        destruct (going (Z.of_nat j) a); ring.
      - assert (Hswap : forall (f : attempt -> nat -> Z) k m,
          sum_below m (fun j => total (fun a => f a j) k) = total (fun a => sum_below m (f a)) k).
        { intros f k m. induction m as [|m IHm]; cbn [sum_below].
          - rewrite total_const. lia.
          - rewrite total_add, IHm. reflexivity. }
        rewrite (Hswap (fun a j => if going (Z.of_nat j) a
          then - (2 * tokens (Z.of_nat j) a + 1) * rest (Z.of_nat j + 1) else 0)).
        apply total_ext. intros a Ha. destruct (l_valid a Ha) as [[Hs Ho] Hp].
        pose proof (Hdone a Ha) as Hd. unfold completion in Hd.
        rewrite <- (Z.mul_1_l (sum_below (Z.to_nat (output (of a))) _)), <- Z.mul_opp_l.
        rewrite <- sum_below_scale.
        pose proof (interval_sum (fun t => - (2 * tokens t a + 1) * rest (t + 1))
          (Z.to_nat (start a)) (Z.to_nat (output (of a))) n ltac:(lia)) as E.
        rewrite Nat2Z.inj_add, !Z2Nat.id in E by lia.
        transitivity (sum_below (Z.to_nat (output (of a)))
          (fun i => - (2 * tokens (start a + Z.of_nat i) a + 1) * rest (start a + Z.of_nat i + 1))).
        + rewrite <- E. apply sum_below_ext. intros j _. unfold going, completion. reflexivity.
        + apply sum_below_ext. intros j _. unfold tokens.
          replace (prompt (of a) + (start a + Z.of_nat j) - start a) with (prompt (of a) + Z.of_nat j)
            by lia. ring. }
    (* the moments, attempt by attempt *)
    assert (HQ : sum_below n (fun j => kappa (Z.of_nat j) * Q (Z.of_nat j)) =
        total (fun a => sum_below (Z.to_nat (output (of a)) - 1) (fun j =>
          kappa (start a + 1 + Z.of_nat j) * (prompt (of a) + 1 + Z.of_nat j) ^ 2)) l).
    { transitivity (sum_below n (fun j => total (fun a => if staying (Z.of_nat j) a
          then kappa (Z.of_nat j) * tokens (Z.of_nat j) a ^ 2 else 0) l)).
      - apply sum_below_ext. intros j _. unfold Q. rewrite <- total_scale. apply total_ext.
        intros a _. destruct (staying (Z.of_nat j) a); ring.
      - assert (Hswap : forall (f : attempt -> nat -> Z) k m,
          sum_below m (fun j => total (fun a => f a j) k) = total (fun a => sum_below m (f a)) k).
        { intros f k m. induction m as [|m IHm]; cbn [sum_below].
          - rewrite total_const. lia.
          - rewrite total_add, IHm. reflexivity. }
        rewrite (Hswap (fun a j => if staying (Z.of_nat j) a
          then kappa (Z.of_nat j) * tokens (Z.of_nat j) a ^ 2 else 0)).
        apply total_ext. intros a Ha. destruct (l_valid a Ha) as [[Hs Ho] Hp].
        pose proof (Hdone a Ha) as Hd. unfold completion in Hd.
        pose proof (interval_sum (fun t => kappa t * tokens t a ^ 2)
          (Z.to_nat (start a + 1)) (Z.to_nat (output (of a)) - 1) n ltac:(lia)) as E.
        replace (Z.of_nat (Z.to_nat (start a + 1) + (Z.to_nat (output (of a)) - 1)))
          with (completion a) in E by (unfold completion; lia).
        rewrite Z2Nat.id in E by lia.
        transitivity (sum_below (Z.to_nat (output (of a)) - 1) (fun i =>
          kappa (start a + 1 + Z.of_nat i) * tokens (start a + 1 + Z.of_nat i) a ^ 2)).
        + rewrite <- E. apply sum_below_ext. intros j _. unfold staying.
          destruct (Z.ltb_spec (start a) (Z.of_nat j)), (Z.leb_spec (start a + 1) (Z.of_nat j));
            try lia; reflexivity.
        + apply sum_below_ext. intros j _. unfold tokens. do 2 f_equal. lia. }
    (* one attempt *)
    assert (Hone : forall a, In a l ->
        cost_of_completion a + cost_of_start a
        - sum_below (Z.to_nat (output (of a)))
            (fun j => (2 * (prompt (of a) + Z.of_nat j) + 1) * rest (start a + Z.of_nat j + 1))
        = D * completion a - w (of a) + windows a
          - sum_below (Z.to_nat (output (of a)) - 1) (fun j =>
              kappa (start a + 1 + Z.of_nat j) * (prompt (of a) + 1 + Z.of_nat j) ^ 2)).
    { intros a Ha. destruct (l_valid a Ha) as [[Hs Ho] Hp].
      pose proof (squares (prompt (of a)) (start a) (Z.to_nat (output (of a)) - 1) Hk) as E.
      replace (S (Z.to_nat (output (of a)) - 1)) with (Z.to_nat (output (of a))) in E by lia.
      rewrite Z2Nat.id in E by lia.
      unfold cost_of_completion, completion_cost, cost_of_start, start_cost, windows, completion.
      replace (start a + output (of a) - output (of a)) with (start a) by lia.
      replace (Attempt (of a) (start a)) with a by (destruct a; reflexivity).
      lia. }
    unfold so_far. rewrite sum_below_add, Hround.
    rewrite (total_ext (fun a => if completion a <=? Z.of_nat n then cost_of_completion a else 0)
      cost_of_completion).
    2:{ intros a Ha. specialize (Hdone a Ha).
        destruct (Z.leb_spec (completion a) (Z.of_nat n)); [reflexivity|lia]. }
    rewrite (total_ext (fun a => if start a <? Z.of_nat n then cost_of_start a else 0) cost_of_start).
    2:{ intros a Ha. specialize (Hdone a Ha). destruct (l_valid a Ha) as [[_ Ho] _].
        unfold completion in Hdone. destruct (Z.ltb_spec (start a) (Z.of_nat n)); [reflexivity|lia]. }
    assert (Hall : total cost_of_completion l + total cost_of_start l
        + total (fun a => - sum_below (Z.to_nat (output (of a)))
            (fun j => (2 * (prompt (of a) + Z.of_nat j) + 1) * rest (start a + Z.of_nat j + 1))) l
        = D * completions l - total w requests + total windows l
          - sum_below n (fun j => kappa (Z.of_nat j) * Q (Z.of_nat j))).
    { rewrite HQ. destruct Hl as (Hof & _). rewrite <- Hof, total_map. unfold completions.
      rewrite <- !total_add, <- total_scale.
      assert (Hopp : forall (f : attempt -> Z) k, - total f k = total (fun a => - f a) k).
      { intros f k. induction k; simpl; lia. }
      unfold Z.sub. rewrite !Hopp, <- !total_add. apply total_ext. intros a Ha.
      specialize (Hone a Ha). lia. }
    lia.
  Qed.

  (* Theorem 5 of aggregate_state.md for this busy schedule. *)
  Lemma path_bound_busy late V :
    late_ok late -> cheapest_path late V -> l <> [] ->
    V + total w requests - total (fun x => fst (fst x) * snd x) stairs <= D * completions l.
  Proof.
    intros (Hlate0 & Hlate) (Hend & HendH) Hne.
    destruct Hprices as (HD & HH & Hsigma & Hw & Hstairs & Hk0 & Hk).
    (* the makespan *)
    destruct (last_to_complete l Hne) as (b & Hb & Hmax). destruct (l_valid b Hb) as [[_ Hob] Hpb].
    set (T := Z.to_nat (completion b)).
    assert (HT : Z.of_nat T = completion b) by (unfold T, completion; lia).
    assert (HT1 : 1 <= Z.of_nat T) by (rewrite HT; unfold completion; lia).
    destruct (Z.le_gt_cases (completion b) H) as [Hshort|Hlong].
    - (* the path ends at the makespan *)
      pose proof (schedule_is_path T ltac:(lia)) as Hpath.
      specialize (Hpath ltac:(right; exists b; split; [exact Hb|lia])).
      assert (Hnone : forall t a, Z.of_nat T <= t -> In a l -> staying t a = false).
      { intros t a Ht Ha. specialize (Hmax a Ha). unfold staying.
        destruct (Z.ltb_spec t (completion a)); [lia|]. apply andb_false_r. }
      assert (Hgone : forall t a, Z.of_nat T <= t -> In a l -> going t a = false).
      { intros t a Ht Ha. specialize (Hmax a Ha). unfold going.
        destruct (Z.ltb_spec t (completion a)); [lia|]. apply andb_false_r. }
      assert (Hzero : forall (keep : attempt -> bool) t, (forall a, In a l -> keep a = false) ->
          number keep = 0 /\ held keep t = 0).
      { intros keep t Hkeep. unfold number, held. split.
        - rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
          intros a Ha. rewrite Hkeep by exact Ha. reflexivity.
        - rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
          intros a Ha. rewrite Hkeep by exact Ha. reflexivity. }
      destruct (Hzero (staying (Z.of_nat T)) (Z.of_nat T)) as [E1 E2].
      { intros a. apply Hnone. lia. }
      rewrite E1, E2 in Hpath.
      specialize (Hend (Z.of_nat T) (so_far T) ltac:(lia) Hpath).
      assert (Hsame : so_far (Z.to_nat H) = so_far T).
      { unfold so_far. f_equal; [f_equal|].
        - apply total_ext. intros a Ha. specialize (Hmax a Ha).
          destruct (Z.leb_spec (completion a) (Z.of_nat (Z.to_nat H))),
            (Z.leb_spec (completion a) (Z.of_nat T)); lia.
        - apply total_ext. intros a Ha. specialize (Hmax a Ha).
          destruct (l_valid a Ha) as [[_ Ho] _]. unfold completion in Hmax at 1.
          destruct (Z.ltb_spec (start a) (Z.of_nat (Z.to_nat H))),
            (Z.ltb_spec (start a) (Z.of_nat T)); lia.
        - apply sum_below_more; [lia|]. intros j Hj.
          destruct (Hzero (staying (Z.of_nat j)) (Z.of_nat j)) as [-> ->].
          { intros a. apply Hnone. lia. }
          destruct (Hzero (going (Z.of_nat j)) (Z.of_nat j)) as [-> ->].
          { intros a. apply Hgone. lia. }
          unfold least_squares, round_cost. simpl. lia. }
      pose proof (price_identity (Z.to_nat H) ltac:(lia)) as Hid.
      rewrite Hsame in Hid. specialize (Hid ltac:(intros a Ha; specialize (Hmax a Ha); lia)). lia.
    - (* the path ends at the horizon *)
      set (h := Z.to_nat H). assert (Hh : Z.of_nat h = H) by (unfold h; lia).
      pose proof (schedule_is_path h ltac:(lia)) as Hpath.
      specialize (Hpath ltac:(right; exists b; split; [exact Hb|lia])).
      rewrite Hh in Hpath. specialize (HendH _ _ _ Hpath).
      assert (Hmore : so_far h + number (staying H) * late <= so_far T).
      { assert (Hrounds : forall j : nat, (h <= j)%nat ->
            kappa (Z.of_nat j) * least_squares (number (staying (Z.of_nat j)))
              (held (staying (Z.of_nat j)) (Z.of_nat j))
            + round_cost (Z.of_nat j) (number (going (Z.of_nat j)))
                (held (going (Z.of_nat j)) (Z.of_nat j)) = 0).
        { intros j Hj. unfold round_cost. rewrite Hk, rest_late by lia. ring. }
        unfold so_far. rewrite (sum_below_more h T) by (try exact Hrounds; lia).
        assert (Hstart : total (fun a => if start a <? Z.of_nat T then cost_of_start a else 0) l =
            total (fun a => if start a <? Z.of_nat h then cost_of_start a else 0) l).
        { apply total_ext. intros a Ha.
          destruct (Z.ltb_spec (start a) (Z.of_nat T)), (Z.ltb_spec (start a) (Z.of_nat h)); try lia;
          unfold cost_of_start, start_cost; rewrite Hsigma, rest_late by lia; ring. }
        rewrite Hstart.
        assert (Hcomp : total (fun a => if completion a <=? Z.of_nat h then cost_of_completion a else 0) l
            + number (staying H) * late
            <= total (fun a => if completion a <=? Z.of_nat T then cost_of_completion a else 0) l); [|lia].
        unfold number. rewrite Z.mul_comm, <- total_scale, <- total_add. apply total_le.
        intros a Ha. specialize (Hmax a Ha). destruct (l_valid a Ha) as [[_ Ho] Hp].
        destruct (Z.leb_spec (completion a) (Z.of_nat T)); [|lia].
        unfold staying. destruct (Z.leb_spec (completion a) (Z.of_nat h)).
        - destruct (Z.ltb_spec H (completion a)); [lia|]. rewrite andb_false_r. lia.
        - destruct (Z.ltb_spec H (completion a)); [|lia]. rewrite andb_true_r.
          destruct (Z.ltb_spec (start a) H).
          + specialize (Hlate (of a) (completion a) (l_request a Ha) ltac:(lia)).
            unfold cost_of_completion. specialize (Hlate ltac:(unfold completion; lia)). lia.
          + (* it starts after the horizon *)
            unfold cost_of_completion, completion_cost.
            rewrite Hsigma by (unfold completion; lia). rewrite rest_late by lia.
            replace (completion a - output (of a)) with (start a) by (unfold completion; lia).
            assert (Hwin : total (fun x => snd x * if in_window M s_min (fst (fst x)) (snd (fst x))
                (Attempt (of a) (start a)) then 1 else 0) stairs = 0).
            { rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
              intros [[m u] p] Hx. cbn [fst snd]. destruct (Hstairs m u p Hx) as (_ & Hu & _).
              unfold in_window. cbn [start]. destruct (Z.leb_spec (start a) u); [lia|].
              rewrite andb_false_r. lia. }
            rewrite Hwin. specialize (Hw _ (l_request a Ha)).
            assert (D * (H + output (of a)) <= D * completion a)
              by (apply Z.mul_le_mono_nonneg_l; unfold completion; lia). lia. }
      pose proof (price_identity T ltac:(lia)) as Hid.
      specialize (Hid ltac:(intros a Ha; specialize (Hmax a Ha); lia)). lia.
  Qed.
End Paths.

(* Theorem 5 of aggregate_state.md.  For any prices, if no path costs less than V, then for every
   schedule  D cost >= V + sum of n_k w [k] - sum of m q [m, u], so the cost is at least that
   over D, rounded up. *)
Theorem path_bound M requests s_min D H sigma w stairs kappa late V l :
  1 <= D ->
  prices_ok requests D H sigma w stairs kappa ->
  (forall q, In q requests -> 0 <= s_min <= prompt q) ->
  late_ok M requests s_min D H sigma w stairs kappa late ->
  cheapest_path M requests s_min D H sigma w stairs kappa late V ->
  requests <> [] -> at_once requests -> schedule M requests l ->
  ceil_div (V + total w requests - total (fun x => fst (fst x) * snd x) stairs) D <= completions l.
Proof.
  intros HD Hprices Hmin Hlate Hcheap Hne Hzero Hl.
  destruct (no_idle_round M requests l Hl Hzero) as (l' & Hl' & Hbusy & Hcost & _).
  assert (Hne' : l' <> []).
  { intros ->. destruct Hl' as (Hof & _). simpl in Hof. congruence. }
  pose proof (path_bound_busy M requests s_min D H sigma w stairs kappa Hprices l' Hl' Hbusy Hmin
    late V Hlate Hcheap Hne') as Hbound.
  set (B := V + total w requests - total (fun x => fst (fst x) * snd x) stairs) in *.
  unfold ceil_div. assert (- completions l <= - B / D); [|lia].
  apply Z.div_le_lower_bound; [lia|].
  assert (D * completions l' <= D * completions l) by (apply Z.mul_le_mono_nonneg_l; lia). lia.
Qed.
