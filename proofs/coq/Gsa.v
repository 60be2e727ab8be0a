(* GSA with given slices: the policy as it runs, that its runs are schedules, and what they cost.
   Lemmas 2, 4 and 5 of certified_slices.md; what comes of them is in Slices.v. *)

From Coq Require Import ZArith QArith Qround Lqa List Lia Bool Permutation.
From Kvopt Require Import Model Sums Pipeline Spacing Area BusyTime.
Import ListNotations.
Open Scope Z_scope.

(* --- The policy -------------------------------------------------------------------------- *)

(* A phase: every unfinished request gets one attempt of at most `slice` rounds; the attempts
   start `distance` rounds apart. *)
Record gsa_phase := Phase { slice : Z; distance : Q }.

(* The attempts of a phase that begins at time B: number j starts at B + floor (j d). *)
Fixpoint placed (B : Z) (d : Q) (j : nat) (requests : list request) : list attempt :=
  match requests with
  | [] => []
  | x :: rest => Attempt x (B + start_at d j) :: placed B d (S j) rest
  end.

(* Whether an output is within the slice: the attempt completes, otherwise it is killed after
   its slice. *)
Definition short (tau : Z) (x : request) : bool := output x <=? tau.
Definition long (tau : Z) (x : request) : bool := tau <? output x.

(* GSA from phase number p on, which begins at time B, for the requests that are unfinished
   then: the attempts that complete, and those that are killed.  In each phase the requests
   are taken in some order, any; the next phase begins when the last slice is over. *)
Fixpoint gsa (order : nat -> list request -> list request) (p : nat) (phases : list gsa_phase)
    (B : Z) (unfinished : list request) : list attempt * list kill :=
  match phases, unfinished with
  | Phase tau d :: later, _ :: _ =>
      let ordered := order p unfinished in
      let attempts := placed B d 0 ordered in
      let (completed, killed) :=
        gsa order (S p) later (B + start_at d (length ordered - 1) + tau)
          (filter (long tau) ordered) in
      (filter (fun a => short tau (of a)) attempts ++ completed,
       map (fun a => Kill a tau) (filter (fun a => long tau (of a)) attempts) ++ killed)
  | _, _ => ([], [])
  end.

(* The last slice, the longest output that is served. *)
Definition last_slice (phases : list gsa_phase) : Z := last (map slice phases) 0.

(* What is claimed for phases: for all requests with the prompt s, released at time 0, that the
   last slice is long enough for, and in whatever order they are taken, GSA's run is a schedule
   of them, and costs at most R times any other, with whatever kills. *)
Definition ratio_at_most (R : Q) (s M : Z) (phases : list gsa_phase) : Prop :=
  forall order requests completed killed l l_killed,
  (forall p l, Permutation l (order p l)) ->
  (forall x, In x requests ->
    prompt x = s /\ release x = 0 /\ 1 <= output x <= last_slice phases) ->
  gsa order 0 phases 0 requests = (completed, killed) ->
  schedule_with_kills M requests l l_killed ->
  Permutation requests (map of completed) /\
  schedule_with_kills M (map of completed) completed killed /\
  (inject_Z (cost completed) <= R * inject_Z (cost l))%Q.

(* --- It is a schedule -------------------------------------------------------------------- *)

(* A slice lasts at least one round, and its pipeline fits. *)
Definition fitting (s M : Z) (p : gsa_phase) : Prop :=
  1 <= slice p /\ (0 < distance p)%Q /\ F s (slice p) (distance p) <= M.

(* What the attempts of a phase use, those that complete and those that are killed. *)
Definition phase_use (tau : Z) (attempts : list attempt) (r : Z) : Z :=
  memory (filter (fun a => short tau (of a)) attempts) r
  + total (fun k => use_until k r)
      (map (fun a => Kill a tau) (filter (fun a => long tau (of a)) attempts)).

(* No more than those of a pipeline of full slices. *)
Lemma phase_use_le s tau d B requests : forall j r,
  0 <= s -> (forall x, In x requests -> prompt x = s) ->
  phase_use tau (placed B d j requests) r <=
  memory (map (fun i => Attempt (Request s tau) (start_at d i)) (seq j (length requests))) (r - B).
Proof.
  induction requests as [|x rest IH]; intros j r Hs Hprompt; cbn [placed length seq map].
  { unfold phase_use, memory. simpl. lia. }
  specialize (IH (S j) r Hs (fun y Hy => Hprompt y (or_intror Hy))).
  pose proof (Hprompt x (or_introl eq_refl)) as Hx.
  unfold phase_use in *. cbn [filter of]. unfold memory in *. unfold short, long in *.
  destruct (Z.leb_spec (output x) tau) as [H|H].
  - replace (tau <? output x) with false by lia. cbn [total].
    assert (use (Attempt x (B + start_at d j)) r <= use (Attempt (Request s tau) (start_at d j)) (r - B)); [|lia].
    unfold use, completion. cbn [start of output prompt]. rewrite Hx.
    destruct (Z.ltb_spec (B + start_at d j) r), (Z.leb_spec r (B + start_at d j + output x)),
      (Z.ltb_spec (start_at d j) (r - B)), (Z.leb_spec (r - B) (start_at d j + tau)); cbn [andb]; lia.
  - replace (tau <? output x) with true by lia. cbn [map total].
    assert (use_until (Kill (Attempt x (B + start_at d j)) tau) r
      <= use (Attempt (Request s tau) (start_at d j)) (r - B)); [|lia].
    unfold use_until, use, completion. cbn [victim after start of output prompt]. rewrite Hx.
    destruct (Z.leb_spec r (B + start_at d j + tau)),
      (Z.ltb_spec (B + start_at d j) r), (Z.leb_spec r (B + start_at d j + output x)),
      (Z.ltb_spec (start_at d j) (r - B)), (Z.leb_spec (r - B) (start_at d j + tau)); cbn [andb]; lia.
Qed.

Lemma placed_in a B d requests : forall j, In a (placed B d j requests) ->
  In (of a) requests /\ exists i, (j <= i < j + length requests)%nat /\ start a = B + start_at d i.
Proof.
  induction requests as [|x rest IH]; intros j H; cbn [placed] in H; [destruct H|].
  destruct H as [<-|H].
  - split; [simpl; auto|]. exists j. cbn [length start]. split; [lia|reflexivity].
  - destruct (IH (S j) H) as [Hof (i & Hi & Hstart)]. split; [simpl; auto|].
    exists i. cbn [length]. split; [lia|exact Hstart].
Qed.

(* Nothing of a phase runs before it begins or after it ends. *)
Lemma phase_use_outside tau d B requests r : (0 < d)%Q ->
  r <= B \/ B + start_at d (length requests - 1) + tau < r ->
  phase_use tau (placed B d 0 requests) r = 0.
Proof.
  intros Hd Hr. unfold phase_use, memory. rewrite total_map.
  rewrite (total_ext _ (fun _ => 0)), (total_ext (fun x => use_until _ r) (fun _ => 0)).
  - rewrite !total_const. lia.
  - intros a Ha. apply filter_In in Ha as [Ha Hlong]. unfold long in Hlong.
    destruct (placed_in a B d requests 0 Ha) as [_ (i & Hi & Hstart)].
    pose proof (start_at_le d i (length requests - 1) ltac:(lra) ltac:(lia)).
    pose proof (start_at_nonneg d i ltac:(lra)).
    unfold use_until, use. cbn [victim after]. rewrite Hstart.
    destruct (Z.leb_spec r (B + start_at d i + tau)); [|reflexivity].
    destruct (Z.ltb_spec (B + start_at d i) r); cbn [andb]; lia.
  - intros a Ha. apply filter_In in Ha as [Ha Hshort]. unfold short in Hshort.
    destruct (placed_in a B d requests 0 Ha) as [_ (i & Hi & Hstart)].
    pose proof (start_at_le d i (length requests - 1) ltac:(lra) ltac:(lia)).
    pose proof (start_at_nonneg d i ltac:(lra)).
    unfold use, completion. rewrite Hstart.
    destruct (Z.ltb_spec (B + start_at d i) r), (Z.leb_spec r (B + start_at d i + output (of a)));
      cbn [andb]; lia.
Qed.

Lemma placed_of B d requests : forall j, map of (placed B d j requests) = requests.
Proof. induction requests as [|x rest IH]; intros j; cbn [placed map of]; [|rewrite IH]; reflexivity. Qed.

Lemma filter_map_of (f : request -> bool) l :
  map of (filter (fun a => f (of a)) l) = filter f (map of l).
Proof. induction l as [|a l IH]; cbn [filter map]; [reflexivity|]. destruct (f (of a)); cbn [map]; rewrite IH; reflexivity. Qed.

Lemma short_long tau requests :
  Permutation requests (filter (short tau) requests ++ filter (long tau) requests).
Proof.
  induction requests as [|x rest IH]; cbn [filter app]; [constructor|].
  unfold short at 1, long at 1. destruct (Z.leb_spec (output x) tau).
  - replace (tau <? output x) with false by lia. cbn [app]. constructor. exact IH.
  - replace (tau <? output x) with true by lia. apply Permutation_cons_app, IH.
Qed.

(* The requests that GSA serves. *)
Definition served (s longest : Z) (x : request) : Prop :=
  prompt x = s /\ release x = 0 /\ 1 <= output x <= longest.

Lemma last_slice_cons p p' later : last_slice (p :: p' :: later) = last_slice (p' :: later).
Proof. reflexivity. Qed.

Lemma long_served s tau d later requests :
  (forall x, In x requests -> served s (last_slice (Phase tau d :: later)) x) ->
  forall x, In x (filter (long tau) requests) -> served s (last_slice later) x.
Proof.
  intros H x Hx. apply filter_In in Hx as [Hx Hlong]. unfold long in Hlong.
  specialize (H x Hx). destruct later as [|p' later].
  - unfold served, last_slice in *. cbn [map last slice] in H. lia.
  - rewrite last_slice_cons in H. exact H.
Qed.

Lemma gsa_schedule s M order : 0 <= s -> 0 <= M ->
  (forall p l, Permutation l (order p l)) ->
  forall phases p B unfinished completed killed,
  Forall (fitting s M) phases -> 0 <= B ->
  (forall x, In x unfinished -> served s (last_slice phases) x) ->
  gsa order p phases B unfinished = (completed, killed) ->
  Permutation unfinished (map of completed) /\
  Forall valid completed /\
  Forall (valid_kill unfinished) killed /\
  forall r, let used := memory completed r + total (fun k => use_until k r) killed in
    used <= M /\ (r <= B -> used = 0).
Proof.
  intros Hs HM Horder. induction phases as [|[tau d] later IH];
    intros p B unfinished completed killed Hfit HB Hserved H.
  { destruct unfinished as [|x rest].
    - cbn in H. inversion H. subst. cbn [map]. split; [apply perm_nil|].
      repeat split; [constructor|constructor|unfold memory; simpl; lia..].
    - destruct (Hserved x (or_introl eq_refl)) as (_ & _ & Ho). cbn in Ho. lia. }
  destruct unfinished as [|x0 rest].
  { cbn in H. inversion H. subst. cbn [map]. split; [apply perm_nil|].
      repeat split; [constructor|constructor|unfold memory; simpl; lia..]. }
  set (unfinished := x0 :: rest) in *. cbn [gsa] in H. unfold unfinished in H at 1.
  set (ordered := order p unfinished) in *.
  pose proof (Horder p unfinished) as Hp. fold ordered in Hp.
  set (B' := B + start_at d (length ordered - 1) + tau) in *.
  destruct (gsa order (S p) later B' (filter (long tau) ordered)) as [c k] eqn:Hrun.
  inversion H as [[Hc Hk]]. clear H.
  inversion Hfit as [|? ? (Ht & Hd & HF) Hlater]. subst. cbn [slice distance] in *.
  assert (Hin : forall x, In x ordered -> In x unfinished).
  { intros x. apply Permutation_in, Permutation_sym, Hp. }
  assert (Hordered : forall x, In x ordered -> served s (last_slice (Phase tau d :: later)) x) by auto.
  assert (HB' : 0 <= B').
  { unfold B'. pose proof (start_at_nonneg d (length ordered - 1) ltac:(lra)). lia. }
  destruct (IH (S p) B' _ c k Hlater HB' (long_served _ _ _ _ _ Hordered) Hrun)
    as (Hperm & Hvalid & Hkills & Hmem).
  assert (Hplaced : forall a, In a (placed B d 0 ordered) -> In (of a) ordered /\ valid a).
  { intros a Ha. destruct (placed_in a B d ordered 0 Ha) as [Hof (i & _ & Hstart)].
    split; [exact Hof|]. destruct (Hordered _ Hof) as (H1 & H2 & H3).
    pose proof (start_at_nonneg d i ltac:(lra)). unfold valid, valid_request. lia. }
  split; [|split; [|split]].
  - rewrite map_app, (filter_map_of (short tau)), placed_of.
    apply (Permutation_trans Hp), (Permutation_trans (short_long tau ordered)).
    apply Permutation_app_head, Hperm.
  - apply Forall_app. split; [|exact Hvalid]. apply Forall_forall. intros a Ha.
    apply filter_In in Ha as [Ha _]. apply Hplaced, Ha.
  - apply Forall_app. split.
    + apply Forall_forall. intros y Hy. apply in_map_iff in Hy as (a & <- & Ha).
      apply filter_In in Ha as [Ha Hlong]. unfold long in Hlong.
      destruct (Hplaced a Ha) as [Hof Hv]. unfold valid_kill. cbn [victim after].
      split; [apply Hin, Hof|]. split; [exact Hv|lia].
    + eapply Forall_impl; [|exact Hkills]. intros y (H1 & H2). split; [|exact H2].
      apply filter_In in H1 as [H1 _]. apply Hin, H1.
  - intros r. rewrite memory_app, total_app. specialize (Hmem r). cbv zeta in Hmem.
    destruct Hmem as [Hmem1 Hmem0].
    assert (Hphase : phase_use tau (placed B d 0 ordered) r <= M).
    { eapply Z.le_trans; [apply (phase_use_le s); [exact Hs|]|].
      - intros x Hx. apply Hordered, Hx.
      - eapply Z.le_trans; [|exact HF]. apply (pipeline_peak s tau d (length ordered)); assumption. }
    pose proof (phase_use_outside tau d B ordered r Hd) as Hout. unfold phase_use in *. fold B' in Hout.
    set (u1 := memory (filter _ _) r) in *. set (u2 := total _ (map _ _)) in *. cbv zeta.
    split.
    + destruct (Z.le_gt_cases r B'); [|rewrite Z.add_shuffle1, Hout by lia; lia].
      specialize (Hmem0 ltac:(lia)). lia.
    + intros Hr. assert (r <= B') by (unfold B'; pose proof (start_at_nonneg d (length ordered - 1) ltac:(lra)); lia).
      specialize (Hmem0 ltac:(lia)). specialize (Hout (or_introl Hr)). lia.
Qed.

(* --- What it costs ----------------------------------------------------------------------- *)

(* e (o) of Lemma 4: what a request costs by itself. *)
Fixpoint own (phases : list gsa_phase) (o : Z) : Q :=
  match phases with
  | [] => 0
  | Phase tau d :: later =>
      if o <=? tau then inject_Z o - (1 # 2) * d else inject_Z tau - d + own later o
  end.

(* Phi (o), in units, is the weight of the first o rounds; the sum of min (Phi (o), Phi (o')) over
   all ordered pairs, 2 A. *)
Definition ordered_pairs (Phi : Z -> Z) (requests : list request) : Z :=
  total (fun x => total (fun y => Z.min (Phi (output x)) (Phi (output y))) requests) requests.

Definition size (requests : list request) : Z := Z.of_nat (length requests).

Lemma ordered_pairs_permutation Phi l l' :
  Permutation l l' -> ordered_pairs Phi l = ordered_pairs Phi l'.
Proof.
  intros H. unfold ordered_pairs. rewrite (total_permutation _ _ _ H). apply total_ext.
  intros x _. apply total_permutation, H.
Qed.

Lemma total_sub {A : Type} (f g : A -> Z) l :
  total (fun x => f x - g x) l = total f l - total g l.
Proof. induction l as [|x l IH]; cbn [total]; lia. Qed.

(* Lemma 2, one phase of it: a pair that is not of two requests beyond the slice has at least
   the weight phi. *)
Lemma pairs_of_phase Phi phi tau requests :
  (forall x, In x requests -> phi <= Phi (output x)) ->
  phi * (size requests * size requests
      - size (filter (long tau) requests) * size (filter (long tau) requests))
    + ordered_pairs Phi (filter (long tau) requests) <= ordered_pairs Phi requests.
Proof.
  intros Hphi. set (later := filter (long tau) requests).
  assert (E : forall z l, z * (size l * size l) = total (fun _ => total (fun _ => z) l) l).
  { intros z l. rewrite !total_const. unfold size. ring. }
  assert (Hlater : ordered_pairs Phi later - phi * (size later * size later) =
      total (fun x => total (fun y =>
        if long tau x && long tau y then Z.min (Phi (output x)) (Phi (output y)) - phi else 0)
        requests) requests).
  { rewrite E. unfold ordered_pairs.
    replace (total (fun x => total (fun y => Z.min (Phi (output x)) (Phi (output y))) later) later
      - total (fun _ => total (fun _ => phi) later) later)
      with (total (fun x => total (fun y => Z.min (Phi (output x)) (Phi (output y)) - phi) later) later).
    - unfold later at 2. rewrite total_filter. apply total_ext. intros x _. unfold later.
      rewrite total_filter. destruct (long tau x); cbn [andb].
      + reflexivity.
      + rewrite total_const. lia.
    - rewrite <- total_sub. apply total_ext. intros x _. apply total_sub. }
  enough (phi * (size requests * size requests)
      + (ordered_pairs Phi later - phi * (size later * size later)) <= ordered_pairs Phi requests) by lia.
  rewrite Hlater, E, <- total_add. unfold ordered_pairs. apply total_le. intros x Hx.
  rewrite <- total_add. apply total_le. intros y Hy.
  pose proof (Hphi x Hx). pose proof (Hphi y Hy). destruct (_ && _); lia.
Qed.

Lemma size_cons x l : (inject_Z (size (x :: l)) == 1 + inject_Z (size l))%Q.
Proof. unfold size. cbn [length]. rewrite Nat2Z.inj_succ, <- Z.add_1_l, inject_Z_plus. reflexivity. Qed.

(* Lemma 4, one phase of it: what completes in it.  Twice everything. *)
Lemma phase_cost tau d B requests : (0 < d)%Q -> forall j,
  let n := inject_Z (size requests) in
  let n' := inject_Z (size (filter (long tau) requests)) in
  (2 * inject_Z (completions (filter (fun a => short tau (of a)) (placed B d j requests)))
   <= 2 * inject_Z B * (n - n') + d * ((n - n') * (2 * inject_Z (Z.of_nat j) + n + n' - 1))
      + 2 * totalQ (fun x => inject_Z (output x)) (filter (short tau) requests))%Q.
Proof.
  intros Hd. induction requests as [|x rest IH]; intros j n n'.
  { subst n n'. cbn. change (inject_Z 0) with 0%Q. lra. }
  specialize (IH (S j)). cbv zeta in IH. subst n n'. cbn [placed filter of].
  rewrite size_cons. change (long tau x) with (tau <? output x).
  change (short tau x) with (output x <=? tau).
  replace (inject_Z (Z.of_nat (S j))) with (1 + inject_Z (Z.of_nat j))%Q in IH
    by (rewrite Nat2Z.inj_succ, <- Z.add_1_l, inject_Z_plus; reflexivity).
  set (m := inject_Z (size rest)) in *.
  assert (Hm' : (0 <= inject_Z (size (filter (long tau) rest)))%Q) by apply nat_nonneg.
  pose proof (size_cons x (filter (long tau) rest)) as Hcons.
  set (m' := inject_Z (size (filter (long tau) rest))) in *.
  set (C := completions _) in *. set (O := totalQ _ (filter _ rest)) in *.
  set (J := inject_Z (Z.of_nat j)) in *.
  destruct (Z.leb_spec (output x) tau) as [H|H].
  - replace (tau <? output x) with false by lia. cbn [totalQ]. fold O m'.
    unfold completions. cbn [total]. fold (completions (filter (fun a => short tau (of a))
      (placed B d (S j) rest))). fold C. unfold completion. cbn [start of output].
    rewrite !inject_Z_plus.
    assert (Hfloor : (inject_Z (start_at d j) <= J * d)%Q) by apply Qfloor_le.
    assert (Hdm : (0 <= d * m')%Q) by (apply Qmult_le_0_compat; lra).
    set (f := inject_Z (start_at d j)) in *. lra.
  - replace (tau <? output x) with true by lia. rewrite Hcons. fold O C. lra.
Qed.

Lemma own_of_phase tau d later requests :
  (totalQ (fun x => own (Phase tau d :: later) (output x)) requests ==
   totalQ (fun x => inject_Z (output x)) (filter (short tau) requests)
   - (1 # 2) * d * (inject_Z (size requests) - inject_Z (size (filter (long tau) requests)))
   + (inject_Z tau - d) * inject_Z (size (filter (long tau) requests))
   + totalQ (fun x => own later (output x)) (filter (long tau) requests))%Q.
Proof.
  induction requests as [|x rest IH]; [cbn; change (inject_Z 0) with 0%Q; lra|].
  cbn [totalQ]. rewrite IH. clear IH. rewrite size_cons. cbn [filter own]. unfold short, long.
  destruct (Z.leb_spec (output x) tau) as [H|H].
  - replace (tau <? output x) with false by lia. cbn [totalQ]. lra.
  - replace (tau <? output x) with true by lia. cbn [totalQ]. rewrite size_cons. lra.
Qed.

(* --- Pivots ------------------------------------------------------------------------------ *)

(* Lemma 5: g is the pivot of the first of these phases, phi the least weight of a request in it,
   and R is a factor per unit of Phi.  A pivot may be rounded down. *)
Fixpoint pivots_hold (R : Q) (Phi : Z -> Z) (phi : Z) (g : Q) (phases : list gsa_phase) : Prop :=
  match phases with
  | [] => True
  | [Phase _ d] => (d <= g)%Q
  | Phase tau d :: later =>
      (d < g)%Q /\ exists g',
      (g' <= R * (inject_Z (Phi (tau + 1)%Z) - inject_Z phi) + d - d * d / (g - d))%Q /\
      pivots_hold R Phi (Phi (tau + 1)) g' later
  end.

(* One step of Lemma 5. *)
Lemma pivot_step (d g g' r n n' : Q) :
  (d < g)%Q -> (g' <= r + d - d * d / (g - d))%Q ->
  (d * (n * n + 2 * n * n' - n' * n') + g' * (n' * n') <= g * (n * n) + r * (n' * n'))%Q.
Proof.
  intros Hg Hg'. set (p := (g - d)%Q) in *. assert (Hp : (0 < p)%Q) by (unfold p; lra).
  assert (Hsq : forall z : Q, (0 <= z * z)%Q).
  { intros z. destruct (Qlt_le_dec z 0); nra. }
  assert (H1 : (g' * (n' * n') <= (r + d - d * d / p) * (n' * n'))%Q)
    by (apply Qmult_le_compat_r; [exact Hg'|apply Hsq]).
  assert (H2 : (0 <= (p * n - d * n') * (p * n - d * n') / p)%Q).
  { apply Qle_shift_div_l; [exact Hp|]. rewrite Qmult_0_l. apply Hsq. }
  assert (E : ((p * n - d * n') * (p * n - d * n') / p ==
      p * (n * n) - 2 * d * n * n' + d * d / p * (n' * n'))%Q) by (field; lra).
  rewrite E in H2. unfold p in H2 at 1.
  assert (E2 : ((r + d - d * d / p) * (n' * n') == r * (n' * n') + d * (n' * n') - d * d / p * (n' * n'))%Q) by ring.
  rewrite E2 in H1. set (z := (d * d / p * (n' * n'))%Q) in *. nra.
Qed.

(* Lemmas 2, 4 and 5 together, for the phases from one on. *)
Lemma gsa_cost s M order R Phi : 0 <= s -> (0 <= R)%Q ->
  (forall p l, Permutation l (order p l)) ->
  (forall o o', 1 <= o -> o <= o' -> Phi o <= Phi o') ->
  forall phases p B phi g unfinished completed killed,
  Forall (fitting s M) phases ->
  pivots_hold R Phi phi g phases ->
  (forall x, In x unfinished -> served s (last_slice phases) x /\ phi <= Phi (output x)) ->
  gsa order p phases B unfinished = (completed, killed) ->
  let n := inject_Z (size unfinished) in
  (2 * inject_Z (completions completed) <=
   2 * inject_Z B * n + 2 * totalQ (fun x => own phases (output x)) unfinished
   + (g - R * inject_Z phi) * (n * n) + R * inject_Z (ordered_pairs Phi unfinished))%Q.
Proof.
  intros Hs HR Horder Hmono. induction phases as [|[tau d] later IH];
    intros p B phi g unfinished completed killed Hfit Hpivots Hserved H n.
  { destruct unfinished as [|x rest].
    - cbn in H. inversion H. subst. subst n. cbn. change (inject_Z 0) with 0%Q. lra.
    - destruct (Hserved x (or_introl eq_refl)) as ((_ & _ & Ho) & _). cbn in Ho. lia. }
  destruct unfinished as [|x0 rest].
  { cbn in H. inversion H. subst. subst n. cbn. change (inject_Z 0) with 0%Q. lra. }
  subst n. set (unfinished := x0 :: rest) in *. cbn [gsa] in H. unfold unfinished in H at 1.
  set (ordered := order p unfinished) in *.
  pose proof (Horder p unfinished) as Hp. fold ordered in Hp.
  assert (Hcount : size unfinished = size ordered).
  { unfold size. rewrite (Permutation_length Hp). reflexivity. }
  rewrite Hcount, (totalQ_permutation _ _ _ Hp), (ordered_pairs_permutation Phi _ _ Hp).
  assert (Hne : (1 <= length ordered)%nat).
  { rewrite <- (Permutation_length Hp). unfold unfinished. cbn [length]. lia. }
  assert (Hin : forall x, In x ordered -> In x unfinished).
  { intros x. apply Permutation_in, Permutation_sym, Hp. }
  assert (Hordered : forall x, In x ordered ->
    served s (last_slice (Phase tau d :: later)) x /\ phi <= Phi (output x)) by auto.
  clearbody ordered. clear Hserved Hin Hcount Hp unfinished.
  set (B' := B + start_at d (length ordered - 1) + tau) in *.
  destruct (gsa order (S p) later B' (filter (long tau) ordered)) as [c k] eqn:Hrun.
  inversion H as [[Hc Hk]]. clear H Hc Hk completed killed.
  inversion Hfit as [|? ? (Ht & Hd & HF) Hlater]. subst. cbn [slice distance] in *.
  unfold completions. rewrite total_app. fold (completions (filter (fun a => short tau (of a)) (placed B d 0 ordered))).
  fold (completions c). rewrite inject_Z_plus.
  pose proof (phase_cost tau d B ordered Hd 0) as Hphase. cbv zeta in Hphase.
  change (inject_Z (Z.of_nat 0)) with 0%Q in Hphase.
  rewrite own_of_phase.
  pose proof (pairs_of_phase Phi phi tau ordered (fun x Hx => proj2 (Hordered x Hx))) as Hpairs.
  assert (Hserved : forall x, In x (filter (long tau) ordered) -> served s (last_slice later) x).
  { apply (long_served s tau d). intros x Hx. apply Hordered, Hx. }
  (* the next phase begins by then *)
  assert (HB : (inject_Z B' <= inject_Z B + (inject_Z (size ordered) - 1) * d + inject_Z tau)%Q).
  { unfold B'. rewrite !inject_Z_plus.
    assert (inject_Z (start_at d (length ordered - 1)) <= (inject_Z (size ordered) - 1) * d)%Q; [|lra].
    eapply Qle_trans; [apply Qfloor_le|].
    replace (Z.of_nat (length ordered - 1)) with (size ordered + - (1)) by (unfold size; lia).
    rewrite inject_Z_plus. change (inject_Z (- (1))) with (-1)%Q. lra. }
  assert (HpairsQ : (inject_Z phi * (inject_Z (size ordered) * inject_Z (size ordered)
      - inject_Z (size (filter (long tau) ordered)) * inject_Z (size (filter (long tau) ordered)))
    + inject_Z (ordered_pairs Phi (filter (long tau) ordered)) <= inject_Z (ordered_pairs Phi ordered))%Q).
  { rewrite Zle_Qle in Hpairs. unfold Z.sub in Hpairs.
    rewrite inject_Z_plus, inject_Z_mult, inject_Z_plus, inject_Z_opp, !inject_Z_mult in Hpairs. lra. }
  assert (Hn' : (0 <= inject_Z (size (filter (long tau) ordered)))%Q) by apply nat_nonneg.
  set (n := inject_Z (size ordered)) in *.
  set (n' := inject_Z (size (filter (long tau) ordered))) in *.
  set (T := inject_Z (ordered_pairs Phi ordered)) in *.
  set (T' := inject_Z (ordered_pairs Phi (filter (long tau) ordered))) in *.
  set (own' := totalQ (fun x => own later (output x)) (filter (long tau) ordered)) in *.
  set (C1 := inject_Z (completions (filter _ _))) in *. set (C2 := inject_Z (completions c)) in *.
  set (O := totalQ (fun x => inject_Z (output x)) (filter (short tau) ordered)) in *.
  assert (HTR : (R * (inject_Z phi * (n * n - n' * n') + T') <= R * T)%Q).
  { rewrite !(Qmult_comm R). apply Qmult_le_compat_r; assumption. }
  assert (HBn : (inject_Z B' * n' <= (inject_Z B + (n - 1) * d + inject_Z tau) * n')%Q)
    by (apply Qmult_le_compat_r; assumption).
  (* all that is left is the quadratic form *)
  assert (Hleft : exists rest', (2 * C2 <= 2 * inject_Z B' * n' + 2 * own' + rest')%Q /\
      (d * (n * n + 2 * n * n' - n' * n') + rest'
       <= g * (n * n) - R * inject_Z phi * (n' * n') + R * T')%Q).
  { destruct later as [|p' later'].
    - (* the last phase: nothing is left over *)
      assert (Hnil : filter (long tau) ordered = []).
      { destruct (filter (long tau) ordered) as [|y ys] eqn:E; [reflexivity|].
        destruct (Hserved y (or_introl eq_refl)) as (_ & _ & Ho). cbn in Ho. lia. }
      rewrite Hnil in Hrun. cbn in Hrun. inversion Hrun. subst c k. exists 0%Q.
      assert (E1 : (C2 == 0)%Q) by reflexivity. assert (E2 : (n' == 0)%Q) by (unfold n'; rewrite Hnil; reflexivity).
      assert (E3 : (own' == 0)%Q) by (unfold own'; rewrite Hnil; reflexivity). assert (E4 : (T' == 0)%Q) by (unfold T'; rewrite Hnil; reflexivity).
      cbn [pivots_hold] in Hpivots. rewrite E1, E2, E3, E4. split; [lra|].
      assert (0 <= n)%Q by apply nat_nonneg.
      assert (0 <= (g - d) * (n * n))%Q; [|nra].
      apply Qmult_le_0_compat; [lra|]. apply Qmult_le_0_compat; assumption.
    - destruct Hpivots as (Hg & g' & Hg' & Hpivots').
      specialize (IH (S p) B' (Phi (tau + 1)) g' (filter (long tau) ordered) c k Hlater Hpivots').
      cbv zeta in IH. fold n' own' C2 T' in IH.
      exists ((g' - R * inject_Z (Phi (tau + 1)%Z)) * (n' * n') + R * T')%Q. split.
      + assert (H' : (2 * C2 <= 2 * inject_Z B' * n' + 2 * own'
          + (g' - R * inject_Z (Phi (tau + 1)%Z)) * (n' * n') + R * T')%Q); [|lra].
        apply IH; [|exact Hrun]. intros x Hx. split; [apply Hserved, Hx|].
        apply filter_In in Hx as [_ Hx]. unfold long in Hx. apply Hmono; lia.
      + pose proof (pivot_step d g g' _ n n' Hg Hg') as Hstep. lra. }
  destruct Hleft as (rest' & Hrest1 & Hrest2).
  set (b := inject_Z B) in *. set (b' := inject_Z B') in *. set (t := inject_Z tau) in *.
  set (ph := inject_Z phi) in *. clearbody n n' T T' own' C1 C2 O b b' t ph.
  clear -Hphase HTR HBn Hrest1 Hrest2. lra.
Qed.
