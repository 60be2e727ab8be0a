(* Costs-to-go of all batches, for the rule "dominance" (theorem 9 of release_times.md).

   The batches are all lists of codes (BatchGraph.v) that fit into the memory.  A row has, for a time, what a path costs
   from each batch before the completions of that time until the horizon, or until it ends. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Completions Prices Paths Types Keys Vectors Exhaustive Released BatchGraph
  Batches BatchState.
Import ListNotations.
Open Scope Z_scope.

(* --- All batches (nothing is proved about how they are found) ---------------------------- *)

Definition most_batches : Z := 400000.

(* What may run, (tokens, code), by tokens: for each prompt all rounds of its longest run. *)
Fixpoint rounds_of (W s : Z) (o : nat) (S : KeyMap.t (Z * Z)) : KeyMap.t (Z * Z) :=
  match o with
  | O => S
  | S o' => let j := Z.of_nat o in rounds_of W s o' (KeyMap.add [s + j; s] (s + j, j * W + s) S)
  end.
Definition batch_members (W : Z) (shapes : list request) : list (Z * Z) :=
  map snd (KeyMap.elements (fold_left (fun S q => rounds_of W (prompt q) (Z.to_nat (output q)) S) shapes (KeyMap.empty _))).

(* A batch, the memory that is free, and what may be added: each batch is found once. *)
Definition unfinished : Type := list Z * (Z * list (Z * Z)).
Definition finding : Type := numbers_of_batches * (Z * list unfinished).
Fixpoint with_members (free : Z) (h : list Z) (members : list (Z * Z)) (x : finding) : finding :=
  match members with
  | [] => x
  | (tokens, code) :: rest =>
      let '(N, (n, new)) := x in
      if (free <? tokens) || (most_batches <? n) then x
      else
        let h' := insert_code code h in
        with_members free h rest (KeyMap.add h' n N, (n + 1, (h', (free - tokens, members)) :: new))
  end.
Fixpoint all_batches (fuel : nat) (level : list unfinished) (N : numbers_of_batches) (n : Z) : numbers_of_batches * Z :=
  match fuel, level with
  | S fuel', _ :: _ =>
      let '(N', (n', new)) := fold_left (fun x y => with_members (fst (snd y)) (fst y) (snd (snd y)) x) level (N, (n, [])) in
      all_batches fuel' new N' n'
  | _, _ => (N, n)
  end.

(* Shapes as batches know them, with the prices of a set of duals. *)
Definition shape_kinds (W : Z) (F : steps_map) (shapes : list request) : list kind :=
  map (fun q => Kind (output q * W + prompt q) (prompt q + output q) 0 0 0 0 (output q) (steps_of F q)
    (PositiveMap.empty _)) shapes.

(* Numbers of all batches, and their graph. *)
Definition batches_of (M : Z) (shapes : list request) : option (numbers_of_batches * batch_graph) :=
  let (N, n) := all_batches (Z.to_nat (M + 1)) [([], (M, batch_members (M + 1) shapes))] (KeyMap.add [] 0 (KeyMap.empty _)) 1 in
  if most_batches <? n then None
  else
    match graph_of M (M + 1) 1 1 1 (shape_kinds (M + 1) (KeyMap.empty _) shapes) (tabulate n (fun _ => 1)) (Vector [n; n]) N n with
    | Some G => Some (N, G)
    | None => None
    end.

(* --- Rows -------------------------------------------------------------------------------- *)

(* A path may end at the empty batch, and rounds up to A may be idle. *)
Definition row_before (D A t : Z) (kinds : list kind) (G : batch_graph) (T : batch_table) : batch_table :=
  let costs := Vector (map (fun k => match price k t with Some w => Some (D * t - w) | None => None end) kinds) in
  build beyond (how_many G) (fun below i =>
    let next := at_place [] (nexts G) i in
    if i =? root G then Z.min 0 (least_next T beyond (if t <? A then next else filter (fun b => negb (b =? root G)) next))
    else least_smaller costs below (least_next T beyond next) (at_place [] (smaller G) i)).

(* The row of a time so many rounds before the horizon H; nothing costs less than nothing from there on. *)
Fixpoint row_at (D A H : Z) (kinds : list kind) (G : batch_graph) (rounds : nat) : batch_table :=
  match rounds with
  | O => tabulate (how_many G) (fun _ => 0)
  | S rounds' => row_before D A (H - Z.of_nat rounds) kinds G (row_at D A H kinds G rounds')
  end.

(* The rows of times first, first + 1, ..., before the horizon; those from `last` on are not kept. *)
Fixpoint rows_from (D A H last : Z) (kinds : list kind) (G : batch_graph) (rounds : nat) (done : nat) (T : batch_table)
    (later : list batch_table) : list batch_table :=
  match rounds with
  | O => later
  | S rounds' =>
      let t := H - Z.of_nat (S done) in
      let T' := row_before D A t kinds G T in
      rows_from D A H last kinds G rounds' (S done) T' (if t <? last then T' :: later else [])
  end.

(* --- Proofs ------------------------------------------------------------------------------ *)

Section Costs.
  Context (M D A H : Z) (F : steps_map) (shapes : list request) (N : numbers_of_batches) (n : Z) (G : batch_graph).
  Let W := M + 1.
  Let kinds := shape_kinds W F shapes.
  Context (HD : 1 <= D) (HA : 0 <= A)
    (HG : graph_of M W 1 1 1 (shape_kinds W (KeyMap.empty _) shapes) (tabulate n (fun _ => 1)) (Vector [n; n]) N n = Some G)
    (Hshapes : forall q, In q shapes -> 0 <= prompt q < W /\ 1 <= output q /\ release q = 0)
    (Hsmall : forall q x, In q shapes -> In x (steps_of F q) -> snd x <= D * H).

  (* Runs that go on after time t0. *)
  Context (t0 : Z) (l : list attempt).
  Context (Ht0 : 0 <= t0) (Hin : forall a, In a l -> In (of a) shapes) (Hstart : forall a, In a l -> 0 <= start a)
    (Hfits : forall r, t0 < r -> memory l r <= M).
  Let types := map (fun q => (q, 0)) shapes.

  (* All batches may be there at time 1, so none is missing. *)
  Lemma all_links h i : KeyMap.find h N = Some i -> 0 <= i < n /\ (h = [] \/ i <> root G) /\
    (exists b, KeyMap.find (before W h) N = Some b /\ 0 <= b < n /\ In i (at_place [] (nexts G) b)) /\
    forall m k, nth_error (shape_kinds W (KeyMap.empty _) shapes) m = Some k -> tokens_of W h + size k <= M ->
      exists j, KeyMap.find (insert_code (code k) h) N = Some j /\ i < j < n /\
        In (Z.of_nat m, j) (at_place [] (larger G) i) /\ In (Z.of_nat m, i) (at_place [] (smaller G) j).
  Proof.
    intros Hi. destruct (batch_links _ _ _ _ _ _ _ _ _ _ _ HG h i Hi) as (Hrange & Hnot & (Hsome & Hall) & Hmore & _).
    assert (Hlate : at_place (-1) (lates G) i = 1).
    { pose proof (graph_lates _ _ _ _ _ _ _ _ _ _ _ HG) as ->. exact (at_tabulate (-1) n (fun _ => 1) i Hrange). }
    split; [exact Hrange|]. split; [exact Hnot|]. split.
    - destruct (Hsome ltac:(lia)) as (b & Hb). exists b. split; [exact Hb|]. destruct (Hall b Hb) as (H1 & H2 & _). auto.
    - intros m k Hm Hfit. destruct (Hmore m k Hm Hfit) as (Hex & Hlinks).
      assert (Hlast : last_completion 1 1 k = 1).
      { unfold shape_kinds in Hm. apply nth_error_In in Hm. apply in_map_iff in Hm as (q & <- & _). reflexivity. }
      destruct (Hex ltac:(lia)) as (j & Hj). exists j. split; [exact Hj|]. destruct (Hlinks j Hj) as (H1 & H2 & H3 & _). auto.
  Qed.

  Lemma costs_shapes : map fst types = shapes.
  Proof. unfold types. rewrite map_map. apply map_id. Qed.

  Lemma costs_valid a : In a l -> valid a.
  Proof.
    intros Ha. destruct (Hshapes _ (Hin a Ha)) as (H1 & H2 & H3). unfold valid, valid_request. rewrite H3.
    specialize (Hstart a Ha). lia.
  Qed.

  Lemma costs_before t : before W (batch M l (t + 1)) = remaining M l t.
  Proof.
    apply (before_batch M types l).
    - intros q Hq. rewrite costs_shapes in Hq. destruct (Hshapes q Hq) as (H1 & H2 & _). unfold W in H1. lia.
    - apply costs_valid.
    - intros a Ha. rewrite costs_shapes. apply Hin, Ha.
  Qed.

  (* One after the other completes. *)
  Definition completing_codes (t : Z) (k : list attempt) : list Z := map (coded M t) (filter (fun a => ends a t) k).

  Lemma costs_batch t : batch M l t = sorted (completing_codes t l) (remaining M l t).
  Proof.
    unfold batch, completing_codes.
    rewrite (sorted_permutation _ (map (coded M t) (filter (fun a => ends a t) l ++ filter (fun a => batch_held a t) l))).
    - rewrite map_app. unfold sorted. rewrite fold_right_app. reflexivity.
    - apply Permutation_map, filter_parts; intros a Ha; destruct (costs_valid a Ha) as [[_ Ho] _];
        unfold runs, batch_held, ends, completion; lia.
  Qed.

  Lemma shape_place q : In q shapes -> exists m k0 k, nth_error (shape_kinds W (KeyMap.empty _) shapes) m = Some k0 /\
    nth_error kinds m = Some k /\ code k0 = output q * W + prompt q /\ size k0 = prompt q + output q /\
    run k = output q /\ steps k = steps_of F q.
  Proof.
    intros Hq. apply In_nth_error in Hq as (m & Hm). exists m. unfold kinds, shape_kinds.
    eexists. eexists. split; [apply map_nth_error, Hm|]. split; [apply map_nth_error, Hm|]. cbn [code size run steps]. auto.
  Qed.

  Lemma completing_code t a : In a l -> ends a t = true -> coded M t a = output (of a) * W + prompt (of a).
  Proof. intros Ha E. unfold ends, completion in E. unfold coded. fold W. nia. Qed.

  (* The tokens of some that complete. *)
  Lemma tokens_completing t h : forall k, (forall a, In a k -> In a l) ->
    tokens_of W (sorted (completing_codes t k) h)
      = total (fun a => if ends a t then prompt (of a) + output (of a) else 0) k + tokens_of W h.
  Proof.
    unfold completing_codes. induction k as [|a k IH]; intros Hk; [reflexivity|]. cbn [filter total].
    specialize (IH (fun x Hx => Hk x (or_intror Hx))). destruct (ends a t) eqn:E; [|rewrite IH; lia].
    cbn [map sorted fold_right]. rewrite tokens_insert. unfold sorted in IH. rewrite IH.
    specialize (Hk a (or_introl eq_refl)). rewrite (completing_code t a Hk E).
    destruct (Hshapes _ (Hin a Hk)) as (H1 & _).
    rewrite Z.div_add_l, (Z.div_small (prompt (of a)) W), Z.add_comm with (n := output (of a) * W), Z.mod_add, Z.mod_small by lia.
    lia.
  Qed.

  Lemma tokens_all t : total (fun a => if ends a t then prompt (of a) + output (of a) else 0) l + tokens_of W (remaining M l t) = memory l t.
  Proof.
    replace (tokens_of W (remaining M l t)) with (tokens_held l t).
    - unfold tokens_held, memory. rewrite <- total_add. apply total_ext. intros a Ha. cbv beta.
      destruct (costs_valid a Ha) as [[_ Ho] _]. unfold ends, batch_held, use, completion in *.
      destruct (Z.eqb_spec (start a + output (of a)) t), (Z.ltb_spec (start a) t),
        (Z.ltb_spec t (start a + output (of a))), (Z.leb_spec t (start a + output (of a))); cbn [andb]; lia.
    - symmetry. apply (tokens_remaining M types l).
      + intros q Hq. rewrite costs_shapes in Hq. destruct (Hshapes q Hq) as (H1 & H2 & _). unfold W in H1. lia.
      + apply costs_valid.
      + intros a Ha. rewrite costs_shapes. apply Hin, Ha.
  Qed.

  (* Some of those that complete at t, beside those that go on, fit. *)
  Lemma some_fit t k a : t0 < t -> (exists k', l = k' ++ a :: k) -> ends a t = true ->
    tokens_of W (sorted (completing_codes t k) (remaining M l t)) + (prompt (of a) + output (of a)) <= M.
  Proof.
    intros Ht (k' & El) E. rewrite tokens_completing by (intros x Hx; rewrite El; apply in_or_app; right; right; exact Hx).
    pose proof (tokens_all t) as Hall. specialize (Hfits t Ht). rewrite El in Hall at 1. rewrite total_app in Hall. cbn [total] in Hall. rewrite E in Hall.
    assert (0 <= total (fun a => if ends a t then prompt (of a) + output (of a) else 0) k'); [|lia].
    apply total_nonneg. intros x Hx. destruct (Hshapes (of x)) as (H1 & H2 & _); [apply Hin; rewrite El; apply in_or_app; auto|].
    destruct (ends x t); lia.
  Qed.

  (* Every batch has a number. *)
  Definition numbered_batch (h : list Z) : Prop := exists i, KeyMap.find h N = Some i.

  Lemma numbered_completing t k : t0 < t -> numbered_batch (remaining M l t) -> (exists k', l = k' ++ k) ->
    numbered_batch (sorted (completing_codes t k) (remaining M l t)).
  Proof.
    intros Ht Hrem. induction k as [|a k IH]; intros (k' & El); [exact Hrem|].
    assert (Hk : exists k'', l = k'' ++ k) by (exists (k' ++ [a]); rewrite <- app_assoc; exact El).
    destruct (IH Hk) as (i & Hi). unfold completing_codes. cbn [filter]. fold (completing_codes t k).
    destruct (ends a t) eqn:E; [|exists i; exact Hi]. cbn [map sorted fold_right]. fold (completing_codes t k).
    assert (Ha : In a l) by (rewrite El; apply in_or_app; right; left; reflexivity).
    destruct (shape_place _ (Hin a Ha)) as (m & k0 & k1 & Hm & _ & Hcode & Hsize & _).
    destruct (all_links _ i Hi) as (_ & _ & _ & Hmore).
    destruct (Hmore m k0 Hm) as (j & Hj & _).
    - rewrite Hsize. apply some_fit; [exact Ht|eauto|exact E].
    - exists j. rewrite (completing_code t a Ha E), <- Hcode. exact Hj.
  Qed.

  Lemma all_numbered : forall rounds t, t0 <= t -> (forall a, In a l -> completion a <= t + Z.of_nat rounds) ->
    numbered_batch (remaining M l t) /\ numbered_batch (batch M l (t + 1)).
  Proof.
    induction rounds as [|rounds IH]; intros t Ht Hall.
    - destruct (none_left M D (KeyMap.empty _) l (t + 1)) as (Hb & _ & _ & Hr); [intros a Ha; specialize (Hall a Ha); lia|].
      replace (t + 1 - 1) with t in Hr by lia. rewrite Hb, Hr.
      destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (Hroot & _). split; exists (root G); exact Hroot.
    - assert (Hb : numbered_batch (batch M l (t + 1))).
      { rewrite costs_batch. apply numbered_completing; [lia| |exists []; reflexivity].
        apply (IH (t + 1)); [lia|]. intros a Ha. specialize (Hall a Ha). lia. }
      split; [|exact Hb]. destruct Hb as (i & Hi).
      destruct (all_links _ i Hi) as (_ & _ & (b & Hb & _) & _).
      rewrite costs_before in Hb. exists b. exact Hb.
  Qed.

  Lemma costs_numbered t : t0 <= t -> numbered_batch (remaining M l t) /\ numbered_batch (batch M l (t + 1)).
  Proof.
    intros Ht. destruct (Kvopt.BusyTime.all_complete l) as (T & HT). apply (all_numbered T t Ht).
    intros a Ha. specialize (HT a Ha). lia.
  Qed.

  (* What completions cost from a time on. *)
  Definition price_here (q : request) (t : Z) : option Z := best_by (t - output q) (steps_of F q).
  Definition costs_to_pay (t : Z) : Z :=
    total (fun a => if t <=? completion a then cost_with D (completion a) (price_here (of a) (completion a)) else 0) l.
  Context (Hprice : forall a, In a l -> price_here (of a) (completion a) <> None) (Hbusy : busy_after (Z.max A t0) l).

  Lemma late_costs t : H <= t -> 0 <= costs_to_pay t.
  Proof.
    intros Ht. apply total_nonneg. intros a Ha. destruct (Z.leb_spec t (completion a)) as [Hc|]; [|lia].
    specialize (Hprice a Ha). destruct (price_here _ _) as [w|] eqn:E; [|contradiction]. cbn [cost_with].
    apply best_by_in in E as (x & Hx & <- & _). specialize (Hsmall (of a) x (Hin a Ha) Hx). nia.
  Qed.

  Lemma costs_step t : costs_to_pay t = costs_to_pay (t + 1) +
    total (fun a => if ends a t then cost_with D t (price_here (of a) t) else 0) l.
  Proof.
    unfold costs_to_pay. rewrite <- total_add. apply total_ext. intros a Ha. unfold ends.
    destruct (Z.leb_spec t (completion a)), (Z.leb_spec (t + 1) (completion a)), (Z.eqb_spec (completion a) t) as [E|]; try lia.
    rewrite E. lia.
  Qed.

  (* In a row a batch is no dearer than v. *)
  Definition row_entry (T : batch_table) (h : list Z) (v : Z) : Prop := exists i, KeyMap.find h N = Some i /\ rest_of T i <= v.

  Lemma row_range h i : KeyMap.find h N = Some i -> 0 <= i < how_many G.
  Proof.
    intros Hi. destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (_ & -> & _).
    apply (all_links _ _ Hi).
  Qed.

  Section Row.
  Context (t : Z) (T : batch_table).
  Let T' := row_before D A t kinds G T.
  Let costs := Vector (map (fun k => match price k t with Some w => Some (D * t - w) | None => None end) kinds).

  Lemma row_ends v : 0 <= v -> row_entry T' [] v.
  Proof.
    intros Hv. destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (Hroot & _). exists (root G). split; [exact Hroot|].
    unfold T', row_before, rest_of. edestruct (at_build beyond (how_many G)) as (below & -> & _); [apply (row_range _ _ Hroot)|].
    cbv zeta. rewrite Z.eqb_refl. lia.
  Qed.

  Lemma row_round h v : row_entry T h v -> h <> [] \/ before W h <> [] \/ t < A -> row_entry T' (before W h) v.
  Proof.
    intros (i & Hi & Hv) Hidle. destruct (all_links h i Hi) as (_ & Hnot & (b & Hb & _ & Hnext) & _).
    destruct (graph_root _ _ _ _ _ _ _ _ _ _ _ HG) as (Hroot & _).
    exists b. split; [exact Hb|]. unfold T', row_before, rest_of. fold costs.
    edestruct (at_build beyond (how_many G)) as (below & -> & _); [apply (row_range _ _ Hb)|]. cbv zeta.
    destruct (Z.eqb_spec b (root G)) as [E|E].
    - assert (Hin' : In i (if t <? A then at_place [] (nexts G) b else filter (fun b => negb (b =? root G)) (at_place [] (nexts G) b))).
      { destruct (Z.ltb_spec t A); [exact Hnext|]. apply filter_In. split; [exact Hnext|].
        destruct (Z.eqb_spec i (root G)) as [Ei|]; [exfalso|reflexivity].
        destruct Hidle as [Hh|[Hh|Hh]]; [|clear Hnot|lia].
        - destruct Hnot; contradiction.
        - destruct (all_links _ b Hb) as (_ & Hnot & _). destruct Hnot; contradiction. }
      pose proof (proj2 (least_next_spec T _ beyond) _ Hin') as Hle. rewrite E in *. lia.
    - eapply Z.le_trans; [apply least_smaller_spec|]. eapply Z.le_trans; [apply least_next_spec, Hnext|exact Hv].
  Qed.

  Lemma row_more q h v w : In q shapes -> price_here q t = Some w -> tokens_of W h + (prompt q + output q) <= M ->
    row_entry T' h v -> row_entry T' (insert_code (output q * W + prompt q) h) (v + (D * t - w)).
  Proof.
    intros Hq Hw Hfit (i & Hi & Hv). destruct (shape_place q Hq) as (m & k0 & k & Hm0 & Hm & Hcode & Hsize & Hrun & Hsteps).
    destruct (all_links h i Hi) as (_ & _ & _ & Hmore).
    destruct (Hmore m k0 Hm0 ltac:(lia)) as (j & Hj & Hij & _ & Hsmaller). rewrite Hcode in Hj.
    exists j. split; [exact Hj|]. unfold T', row_before, rest_of. fold costs.
    edestruct (at_build beyond (how_many G)) as (below & -> & Hbelow); [apply (row_range _ _ Hj)|]. cbv zeta.
    destruct (Z.eqb_spec j (root G)) as [E|E].
    - destruct (all_links _ j Hj) as (_ & [Hnil|Hne] & _); [|contradiction].
      apply (f_equal (@length Z)) in Hnil. rewrite insert_length in Hnil. discriminate.
    - assert (Hcost : at_place None costs (Z.of_nat m) = Some (D * t - w)).
      { unfold costs. cbn [at_place]. destruct (Z.leb_spec 0 (Z.of_nat m)); [|lia]. rewrite Nat2Z.id.
        apply nth_error_nth. erewrite map_nth_error by exact Hm. unfold price. rewrite Hrun, Hsteps.
        unfold price_here in Hw. rewrite Hw. reflexivity. }
      eapply Z.le_trans; [apply (proj2 (least_smaller_spec _ _ _ _) _ _ _ Hsmaller Hcost)|].
      unfold rest_of. rewrite Hbelow by (pose proof (row_range _ _ Hi); lia). fold (row_before D A t kinds G T).
      unfold T', rest_of in Hv. change (build beyond (how_many G) _) with (row_before D A t kinds G T). lia.
  Qed.
  End Row.

  Lemma row_completing t T v : t0 < t -> row_entry (row_before D A t kinds G T) (remaining M l t) v ->
    row_entry (row_before D A t kinds G T) (batch M l t)
      (v + total (fun a => if ends a t then cost_with D t (price_here (of a) t) else 0) l).
  Proof.
    intros Ht Hrem. rewrite costs_batch.
    assert (Hpart : forall k, (exists k', l = k' ++ k) -> row_entry (row_before D A t kinds G T)
        (sorted (completing_codes t k) (remaining M l t))
        (v + total (fun a => if ends a t then cost_with D t (price_here (of a) t) else 0) k)).
    { induction k as [|a k IH]; intros (k' & El); [cbn [total]; rewrite Z.add_0_r; exact Hrem|].
      assert (Hk : exists k'', l = k'' ++ k) by (exists (k' ++ [a]); rewrite <- app_assoc; exact El).
      specialize (IH Hk). unfold completing_codes. cbn [filter total]. fold (completing_codes t k).
      destruct (ends a t) eqn:E; [|rewrite Z.add_0_l; exact IH]. cbn [map sorted fold_right]. fold (completing_codes t k).
      assert (Ha : In a l) by (rewrite El; apply in_or_app; right; left; reflexivity).
      assert (Et : completion a = t) by (unfold ends in E; lia).
      rewrite (completing_code t a Ha E). specialize (Hprice a Ha). rewrite Et in Hprice.
      destruct (price_here (of a) t) as [w|] eqn:Ew; [|contradiction]. cbn [cost_with].
      replace (v + (D * t - w + total (fun a => if ends a t then cost_with D t (price_here (of a) t) else 0) k))
        with (v + total (fun a => if ends a t then cost_with D t (price_here (of a) t) else 0) k + (D * t - w)) by lia.
      apply row_more; [apply Hin, Ha|exact Ew| |exact IH]. apply some_fit; [exact Ht|eauto|exact E]. }
    apply Hpart. exists []. reflexivity.
  Qed.

  Lemma row_spec : forall rounds, let t := H - Z.of_nat rounds in t0 <= t ->
    row_entry (row_at D A H kinds G rounds) (remaining M l t) (costs_to_pay (t + 1)) /\
    (t0 < t -> row_entry (row_at D A H kinds G rounds) (batch M l t) (costs_to_pay t)).
  Proof.
    induction rounds as [|rounds IH]; intros t Ht.
    - assert (Hzero : forall h v, numbered_batch h -> 0 <= v -> row_entry (row_at D A H kinds G 0) h v).
      { intros h v (i & Hi) Hv. exists i. split; [exact Hi|]. unfold rest_of. cbn [row_at].
        rewrite at_tabulate by apply (row_range _ _ Hi). exact Hv. }
      split; [|intros Ht']; apply Hzero; try (apply late_costs; unfold t; lia).
      + apply costs_numbered, Ht.
      + replace t with (t - 1 + 1) by lia. apply costs_numbered. lia.
    - replace (Z.of_nat (S rounds)) with (Z.of_nat rounds + 1) in t by lia.
      destruct (IH ltac:(unfold t in Ht; lia)) as [_ Hnext]. specialize (Hnext ltac:(unfold t in Ht; lia)).
      replace (H - Z.of_nat rounds) with (t + 1) in Hnext by (unfold t; lia).
      cbn [row_at]. replace (H - Z.of_nat (S rounds)) with t by (unfold t; lia).
      set (T := row_at D A H kinds G rounds) in *.
      assert (Hrem : row_entry (row_before D A t kinds G T) (remaining M l t) (costs_to_pay (t + 1))).
      { rewrite <- costs_before. destruct (batch M l (t + 1)) as [|e h] eqn:Eb.
        - destruct (Z.ltb_spec t A) as [Hidle|Hidle]; [apply row_round; [exact Hnext|auto]|].
          cbn [before]. apply row_ends. apply total_nonneg. intros a Ha. destruct (Z.leb_spec (t + 1) (completion a)) as [Hc|]; [|lia].
          exfalso. destruct (Hbusy (t + 1)) as (b & Hb & Hrun); [lia|eauto|].
          assert (Hf : In b (filter (fun a => runs a (t + 1)) l)) by (apply filter_In; auto).
          unfold batch in Eb. destruct (filter (fun a => runs a (t + 1)) l) as [|x k]; [destruct Hf|].
          cbn [map sorted fold_right] in Eb. apply (f_equal (@length Z)) in Eb. rewrite insert_length in Eb. discriminate.
        - apply row_round; [exact Hnext|left; discriminate]. }
      split; [exact Hrem|]. intros Ht'. rewrite costs_step. apply row_completing; assumption.
  Qed.
End Costs.

(* What is computed are those rows. *)
Lemma rows_from_spec D A H last kinds G : forall rounds done T later, T = row_at D A H kinds G done ->
  (forall i, (i < length later)%nat -> nth i later (Vector []) = row_at D A H kinds G (done - i)) ->
  (length later <= done)%nat ->
  let rows := rows_from D A H last kinds G rounds done T later in
  forall i, (i < length rows)%nat -> (i <= done + rounds)%nat /\ nth i rows (Vector []) = row_at D A H kinds G (done + rounds - i).
Proof.
  induction rounds as [|rounds IH]; intros done T later HT Hlater Hlen rows i Hi.
  - subst rows. cbn [rows_from] in Hi |- *. rewrite Nat.add_0_r. split; [apply Nat.lt_le_incl, (Nat.lt_le_trans _ _ _ Hi Hlen)|apply Hlater, Hi].
  - subst rows. cbn [rows_from] in *. replace (done + S rounds)%nat with (S done + rounds)%nat by lia.
    refine (IH (S done) _ _ _ _ _ i Hi).
    + cbn [row_at]. rewrite HT. reflexivity.
    + intros j Hj. destruct (_ <? last); [|cbn in Hj; lia]. destruct j as [|j].
      * cbn [nth]. rewrite HT. reflexivity.
      * cbn [nth length] in *. rewrite Hlater by lia. reflexivity.
    + destruct (_ <? last); cbn [length]; [apply le_n_S, Hlen|lia].
Qed.
