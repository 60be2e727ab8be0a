(* The rule "dominance" of FORMAT.md: theorem 9 of release_times.md, for any duals.

   The search through time of StartSearch.v leaves out spots from which, by costs-to-go (BatchCosts.v), no schedule goes on
   that costs little enough. *)

From Coq Require Import ZArith List Lia Bool Permutation FMapPositive.
From Kvopt Require Import Model Sums Staircase Completions Prices Paths Types Keys Vectors Exhaustive Released BatchGraph
  Batches BatchState BatchCosts StartSearch.
Import ListNotations.
Open Scope Z_scope.

(* --- The instance ------------------------------------------------------------------------ *)

(* Shapes by prompt, of one prompt the longest first. *)
Definition longer_first (q q' : request) : bool :=
  (prompt q <? prompt q') || ((prompt q =? prompt q') && (output q' <=? output q)).
Fixpoint insert_shape (q : request) (l : list request) : list request :=
  match l with
  | [] => [q]
  | q' :: rest => if longer_first q q' then q :: l else q' :: insert_shape q rest
  end.
Definition longest_first (l : list request) : list request := fold_right insert_shape [] l.

Fixpoint orderly_shapes (last longest : Z) (l : list request) : bool :=
  match l with
  | [] => true
  | q :: rest => (negb (prompt q =? last) || (output q <=? longest)) && orderly_shapes (prompt q) (output q) rest
  end.

(* Each request with its duals, of which there is a column for each set. *)
Fixpoint items_of (types : list (request * Z)) (columns : list (list Z)) : list item :=
  match types with
  | [] => []
  | x :: rest => repeat (Item (fst x) (Vector (map (hd 0) columns))) (Z.to_nat (snd x)) ++ items_of rest (map (@tl Z) columns)
  end.
Definition queue_for (items : list item) (q : request) : list item := filter (fun x => same q (who x)) items.

Fixpoint rising_items (Q : list item) : bool :=
  match Q with
  | x :: (y :: _) as rest => (release (who x) <=? release (who y)) && rising_items rest
  | _ => true
  end.

(* --- Bounds ------------------------------------------------------------------------------ *)

(* A set of duals: its place among all, the time from which on it is used, and the costs-to-go from its first row on. *)
Record dual_set := DualSet { place : Z; from : Z; first_row : Z; rows : vector (option batch_table) }.

Fixpoint dual_sets (D A H W : Z) (shapes : list request) (G : batch_graph) (place : Z) (sets : list (Z * list (request * Z))) :
    list dual_set :=
  match sets with
  | [] => []
  | (begin, duals) :: rest =>
      let last := match rest with _ :: (next, _) :: _ => next | _ => H + 1 end in
      let first := Z.max 1 begin in
      let kinds := shape_kinds W (price_steps duals) shapes in
      let all := rows_from D A H last kinds G (Z.to_nat (H - first)) 0 (row_at D A H kinds G 0) [] in
      DualSet place begin first (Vector (map Some all)) :: dual_sets D A H W shapes G (place + 1) rest
  end.

(* What the sets that are used at a time say of batches, by the places of their duals: the last two that have begun. *)
Definition outlook : Type := Z * (Z * list (Z * option batch_table)).
Definition outlook_at (H : Z) (sets : list dual_set) (t : Z) : outlook :=
  let begun := filter (fun s => from s <=? t) sets in
  (t, (H, map (fun s => (place s, at_place None (rows s) (t - first_row s))) (firstn 2 (rev begun)))).

Definition all_worth (j : Z) (Q : list item) : Z := total (fun x => at_place 0 (worths x) j) Q.
Definition all_outputs (shapes : list request) (Qs : list (list item)) : Z :=
  total (fun y => output (fst y) * Z.of_nat (length (snd y))) (combine shapes Qs).

Definition affordable (M D outputs low : Z) (N : numbers_of_batches) (shapes : list request) (view : outlook) (x : spot) : bool :=
  let '(t, (H, sets)) := view in
  let number := match KeyMap.find (fold_right insert_code [] (map (fun a => coded M t (fst a)) (active x))) N with
    | Some i => i
    | None => -1
    end in
  let completed := begun x + outputs - all_outputs shapes (queues x) - total (fun a => completion (fst a)) (active x) in
  forallb (fun s =>
    match (if H <=? t then Some 0 else option_map (fun row => rest_of row number) (snd s)) with
    | None => true
    | Some v =>
        D * completed + total (fun a => at_place 0 (snd a) (fst s)) (active x) + total (all_worth (fst s)) (queues x) + v
          <=? D * (low - 1)
    end) sets.

Definition max_costs : Z := 2 ^ 60.

(* `latency`, if the search shows that no schedule costs less, with no more nodes than `limit`. *)
Definition dominance_bound (M D H : Z) (sets : list (Z * list (request * Z))) (types : list (request * Z)) (latency limit : Z) :
    option Z :=
  let shapes := longest_first (map fst (shapes_of types)) in
  let A := latest (map (fun x => release (fst x)) types) in
  let low := latency + total (fun x => snd x * release (fst x)) types in
  let outputs := total (fun x => snd x * output (fst x)) types in
  let items := items_of types (map (fun s => map snd (snd s)) sets) in
  let Qs := map (queue_for items) shapes in
  if (1 <=? M) && (1 <=? D) && (1 <=? total (fun x => snd x) types) && (A <=? H)
    && ((H + 1) * M * D * (H + 1) <=? max_costs)
    && forallb (fun x => (0 <=? release (fst x)) && (0 <=? snd x) && existsb (same (at_zero (fst x))) shapes) types
    && forallb (fun q => (0 <=? prompt q) && (prompt q <=? M) && (1 <=? output q) && (release q =? 0)) shapes
    && distinct shapes && orderly_shapes (-1) 0 shapes && forallb rising_items Qs
    && forallb (fun s => of_types types (snd s) && forallb (fun x => snd x <=? D * H) (snd s)) sets
  then
    match batches_of M shapes with
    | None => None
    | Some (N, G) =>
        let found := dual_sets D A H (M + 1) shapes G 0 sets in
        if nothing_cheaper M A outputs low limit shapes (outlook_at H found) (affordable M D outputs low N shapes)
             (Z.to_nat (A + outputs + 2)) 0 [Spot 0 Qs [] []] 0
        then Some latency else None
    end
  else None.

(* --- Proofs: requests with their duals --------------------------------------------------- *)

Lemma of_types_cons x types d : of_types (x :: types) d = true -> exists w d', d = (fst x, w) :: d' /\ of_types types d' = true.
Proof.
  unfold of_types. destruct d as [|[q w] d]; cbn [length combine forallb Nat.eqb fst snd]; [discriminate|]. intros H.
  apply andb_true_iff in H as [Hlen H]. apply andb_true_iff in H as [Hq H]. exists w, d. split; [|rewrite Hlen, H; reflexivity].
  f_equal. f_equal. unfold same in Hq. destruct x as [[s o a] n], q as [s' o' a']. cbn [fst prompt output release] in *. f_equal; lia.
Qed.

Lemma items_spec : forall types ds it, (forall d, In d ds -> of_types types d = true) ->
  In it (items_of types (map (map snd) ds)) -> (exists n, In (who it, n) types) /\
  forall m d, nth_error ds m = Some d -> In (who it, at_place 0 (worths it) (Z.of_nat m)) d.
Proof.
  induction types as [|x types IH]; intros ds it Hds Hit; [destruct Hit|]. cbn [items_of] in Hit. apply in_app_or in Hit as [Hit|Hit].
  - apply repeat_spec in Hit as ->. cbn [who worths]. split; [exists (snd x); left; destruct x; reflexivity|].
    intros m d Hm. destruct (of_types_cons x types d (Hds d (nth_error_In _ _ Hm))) as (w & d' & -> & _). left. f_equal.
    cbn [at_place]. destruct (Z.leb_spec 0 (Z.of_nat m)); [|lia]. rewrite Nat2Z.id. symmetry. apply nth_error_nth.
    rewrite map_map. erewrite map_nth_error by exact Hm. reflexivity.
  - assert (E : map (@tl Z) (map (map snd) ds) = map (map snd) (map (@tl (request * Z)) ds)).
    { rewrite !map_map. apply map_ext. intros [|y d]; reflexivity. }
    rewrite E in Hit. apply IH in Hit as ((n & Hn) & Hw).
    + split; [exists n; right; exact Hn|]. intros m d Hm. destruct (of_types_cons x types d (Hds d (nth_error_In _ _ Hm))) as (w & d' & -> & _).
      right. apply Hw. erewrite map_nth_error by exact Hm. reflexivity.
    + intros d Hd. apply in_map_iff in Hd as (d0 & <- & Hd). destruct (of_types_cons x types d0 (Hds d0 Hd)) as (w & d' & -> & H). exact H.
Qed.

Lemma items_who : forall types columns, map who (items_of types columns) = expand types.
Proof.
  induction types as [|x types IH]; intros columns; [reflexivity|]. cbn [items_of]. rewrite map_app, IH.
  unfold expand. cbn [flat_map]. f_equal. induction (Z.to_nat (snd x)) as [|n IHn]; [reflexivity|]. cbn [repeat map who]. rewrite IHn. reflexivity.
Qed.

Lemma rising_items_spec Q : rising_items Q = true -> rising_queues Q.
Proof.
  induction Q as [|x Q IH]; intros H; [exact I|]. destruct Q as [|y Q]; [split; [intros z []|exact I]|].
  cbn [rising_items] in H. apply andb_true_iff in H as [H1 H2]. specialize (IH H2). split; [|exact IH].
  intros z [<-|Hz]; [lia|]. destruct IH as [IH _]. specialize (IH z Hz). lia.
Qed.

Lemma orderly_spec : forall l last longest, orderly_shapes last longest l = true -> orderly last longest l.
Proof.
  induction l as [|q l IH]; intros last longest H; [exact I|]. cbn [orderly_shapes] in H. apply andb_true_iff in H as [H1 H2].
  split; [|apply IH, H2]. intros E. destruct (Z.eqb_spec (prompt q) last); [|contradiction]. cbn [negb orb] in H1. lia.
Qed.

Lemma steps_only : forall duals q x, In x (steps_of (price_steps duals) q) -> exists y, In y duals /\ snd x = snd y.
Proof.
  induction duals as [|y duals IH]; intros q x Hx; [destruct Hx|]. cbn [price_steps fold_right] in Hx. fold (price_steps duals) in Hx.
  unfold steps_of at 1 in Hx. rewrite KeyFacts.add_o in Hx. destruct (KeyFacts.eq_dec _ _) as [E|E].
  - destruct Hx as [<-|Hx]; [exists y; split; [left; reflexivity|reflexivity]|].
    destruct (IH _ _ Hx) as (z & Hz & Ez). exists z. split; [right; exact Hz|exact Ez].
  - destruct (IH q x Hx) as (z & Hz & Ez). exists z. split; [right; exact Hz|exact Ez].
Qed.

(* --- Proofs: the starts of a schedule, by shapes ----------------------------------------- *)

Lemma one_shape (g : request -> Z) p q0 : release p = 0 -> forall shapes, distinct shapes = true -> at_once shapes -> In q0 shapes -> same q0 p = true ->
  total (fun q => if same q p then g q else 0) shapes = g q0.
Proof.
  intros Hp shapes Hdist Hzero Hin Hsame. assert (Hnone : forall l, (forall q, In q l -> same q p = false) ->
      total (fun q => if same q p then g q else 0) l = 0).
  { induction l as [|q l IH]; intros H; [reflexivity|]. cbn [total]. rewrite (H q (or_introl eq_refl)), IH; [reflexivity|].
    intros q' Hq'. apply H. right. exact Hq'. }
  induction shapes as [|q shapes IH]; [destruct Hin|]. cbn [distinct total] in *. apply andb_true_iff in Hdist as [Hq Hdist].
  apply negb_true_iff in Hq. assert (Hz : at_once shapes) by (intros q' H; apply Hzero; right; exact H).
  assert (E0 : q0 = p) by (apply same_eq; [apply Hzero, Hin|exact Hp|exact Hsame]). subst p.
  destruct Hin as [->|Hin].
  - rewrite same_refl, Hnone; [lia|]. intros q' Hq'. destruct (same q' q0) eqn:E; [|reflexivity]. exfalso.
    apply same_eq in E; [|apply Hz, Hq'|exact Hp]. subst q'. assert (existsb (same q0) shapes = true); [|congruence].
    apply existsb_exists. exists q0. split; [exact Hq'|apply same_refl].
  - rewrite IH by assumption. destruct (same q q0) eqn:E; [|lia]. exfalso. assert (existsb (same q) shapes = true); [|congruence].
    apply existsb_exists. exists q0. split; assumption.
Qed.

Definition starts_of_shapes (k : list attempt) (shapes : list request) : list (list Z) :=
  map (fun q => map start (filter (fun a => same q (of a)) k)) shapes.

Lemma future_all (f : attempt -> Z) shapes k : distinct shapes = true -> at_once shapes ->
  (forall a, In a k -> In (at_zero (of a)) shapes /\ f (Attempt (at_zero (of a)) (start a)) = f a) ->
  total f (future shapes (starts_of_shapes k shapes)) = total f k.
Proof.
  intros Hdist Hzero Hk.
  assert (E : total f (future shapes (starts_of_shapes k shapes))
      = total (fun q => total (fun a => if same q (of a) then f (Attempt q (start a)) else 0) k) shapes).
  { clear. unfold starts_of_shapes. induction shapes as [|q shapes IH]; [reflexivity|]. cbn [map future total].
    rewrite total_app, IH, map_map, total_map, total_filter. reflexivity. }
  rewrite E, total_swap. apply total_ext. intros a Ha. destruct (Hk a Ha) as [H1 H2]. rewrite <- H2.
  apply (one_shape (fun q => f (Attempt q (start a))) (at_zero (of a)) (at_zero (of a)) eq_refl shapes Hdist Hzero H1). apply same_refl.
Qed.

Lemma first_served shapes : forall items k, map who items = map of k -> (forall a, In a k -> valid a) ->
  Forall2 (starts_served 0) (map (queue_for items) shapes) (starts_of_shapes k shapes).
Proof.
  intros items k E Hvalid. unfold starts_of_shapes. induction shapes as [|q shapes IH]; [constructor|]. cbn [map]. constructor; [|exact IH].
  clear IH. revert k E Hvalid. unfold queue_for. induction items as [|x items IH]; intros [|a k] E Hvalid; cbn [map] in E; try discriminate.
  - split; constructor.
  - injection E as E1 E2. destruct (IH k E2 (fun b Hb => Hvalid b (or_intror Hb))) as [H1 H2]. cbn [filter]. rewrite E1.
    destruct (Hvalid a (or_introl eq_refl)) as [_ Hs]. destruct (same q (of a)); [|split; assumption].
    cbn [map]. split; constructor; auto; [rewrite E1|]; lia.
Qed.

(* --- Proofs: costs-to-go ----------------------------------------------------------------- *)

Lemma dual_sets_spec D A H W shapes G : forall sets pl s, In s (dual_sets D A H W shapes G pl sets) ->
  exists m begin d, nth_error sets m = Some (begin, d) /\ place s = pl + Z.of_nat m /\
    forall t T, at_place None (rows s) (t - first_row s) = Some T ->
      exists rounds, t = H - Z.of_nat rounds /\ T = row_at D A H (shape_kinds W (price_steps d) shapes) G rounds.
Proof.
  induction sets as [|[begin d] sets IH]; intros pl s Hs; [destruct Hs|]. cbn [dual_sets] in Hs. destruct Hs as [<-|Hs].
  - exists O, begin, d. cbn [nth_error place rows first_row]. split; [reflexivity|]. split; [lia|]. intros t T HT.
    set (first := Z.max 1 begin) in *. set (kinds := shape_kinds W (price_steps d) shapes) in *.
    set (all := rows_from _ _ _ _ _ _ _ _ _ _) in *. cbn [at_place] in HT. destruct (Z.leb_spec 0 (t - first)) as [Ht|]; [|discriminate].
    set (i := Z.to_nat (t - first)) in *.
    assert (Hi : (i < length all)%nat).
    { destruct (Nat.lt_ge_cases i (length all)) as [|Hge]; [assumption|]. rewrite nth_overflow in HT by (rewrite map_length; exact Hge). discriminate. }
    pose proof (rows_from_spec D A H _ kinds G (Z.to_nat (H - first)) 0 (row_at D A H kinds G 0) [] eq_refl
      ltac:(intros j Hj; cbn in Hj; lia) ltac:(cbn; lia) i Hi) as [Hle Hrow].
    assert (HT' : Some (nth i all (Vector [])) = Some T).
    { rewrite <- HT, <- (map_nth Some). apply nth_indep. rewrite map_length. exact Hi. }
    assert (ET : T = row_at D A H kinds G (0 + Z.to_nat (H - first) - i)) by (inversion HT'; exact Hrow). exists (0 + Z.to_nat (H - first) - i)%nat. split; [|exact ET].
    destruct (Z.le_gt_cases first H); [unfold i in *; lia|]. exfalso.
    assert (E0 : all = []) by (unfold all; replace (Z.to_nat (H - first)) with O by lia; reflexivity).
    rewrite E0 in Hi. cbn [length] in Hi. lia.
  - destruct (IH _ _ Hs) as (m & begin' & d' & H1 & H2 & H3). exists (S m), begin', d'. cbn [nth_error]. split; [exact H1|]. split; [lia|exact H3].
Qed.

Section Hope.
  Context (M D A H outputs low : Z) (shapes : list request) (items : list item) (sets : list (Z * list (request * Z)))
    (N : numbers_of_batches) (n : Z) (G : batch_graph).
  Let specs := map (fun q => (q, queue_for items q)) shapes.
  Let ds := map (@snd Z (list (request * Z))) sets.
  Definition good_item (x : item) : Prop := release (who x) <= A /\
    forall m d, nth_error ds m = Some d -> In (who x, at_place 0 (worths x) (Z.of_nat m)) d.
  Context (HD : 1 <= D) (HA : 0 <= A)
    (HG : graph_of M (M + 1) 1 1 1 (shape_kinds (M + 1) (KeyMap.empty _) shapes) (tabulate n (fun _ => 1)) (Vector [n; n]) N n = Some G)
    (Hshapes : forall q, In q shapes -> 0 <= prompt q < M + 1 /\ 1 <= output q /\ release q = 0)
    (Hsmall : forall d x, In d ds -> In x d -> snd x <= D * H).

  Lemma specs_shapes : map fst specs = shapes.
  Proof. unfold specs. rewrite map_map. apply map_id. Qed.

  Section One.
  Context (m : nat) (d : list (request * Z)) (Hd : nth_error ds m = Some d).
  Let F := price_steps d.
  Let j := Z.of_nat m.
  Context (t : Z) (x : spot) (ss : list (list Z)) (Ht : 1 <= t) (Hspot : right_spot specs good_item t x)
    (Hgo : may_follow M t shapes x ss) (Hbusy : busy_after (Z.max A t) (still x ++ future shapes ss)).
  Let l := map early (still x) ++ future shapes ss.

  Lemma worth_price y p : good_item y -> release (who y) <= p ->
    exists w, best_by p (steps_of F (at_zero (who y))) = Some w /\ at_place 0 (worths y) j <= w.
  Proof.
    intros (_ & Hy) Hp. specialize (Hy m d Hd). apply price_steps_spec in Hy. fold F j in Hy.
    apply (best_by_ge p _ _ _ Hy Hp).
  Qed.

  Lemma active_run y : In y (active x) -> right_run specs good_item t y.
  Proof. destruct Hspot as (_ & Ha & _). apply Ha. Qed.

  Lemma hope_in a : In a l -> In (of a) shapes /\ 0 <= start a.
  Proof.
    intros Ha. apply in_app_or in Ha as [Ha|Ha].
    - unfold still in Ha. rewrite map_map in Ha. apply in_map_iff in Ha as (y & <- & Hy). destruct (active_run y Hy) as (H1 & H2 & _).
      rewrite specs_shapes in H1. cbn [early of start]. split; [exact H1|lia].
    - pose proof (in_future a shapes ss Ha) as (H1 & s & Hs & Hp). split; [exact H1|].
      destruct Hgo as (Hserved & _). assert (Hge : Forall (Forall (fun p => t <= p)) ss).
      { clear -Hserved. induction Hserved as [|Q s Qs ss [_ H] _ IH]; constructor; assumption. }
      rewrite Forall_forall in Hge. specialize (Hge s Hs). rewrite Forall_forall in Hge. specialize (Hge _ Hp). lia.
  Qed.

  Lemma hope_future a : In a (future shapes ss) -> t <= start a.
  Proof.
    intros Ha. pose proof (in_future a shapes ss Ha) as (_ & s & Hs & Hp). destruct Hgo as (Hserved & _).
    assert (Hge : Forall (Forall (fun p => t <= p)) ss).
    { clear -Hserved. induction Hserved as [|Q s Qs ss [_ H] _ IH]; constructor; assumption. }
    rewrite Forall_forall in Hge. specialize (Hge s Hs). rewrite Forall_forall in Hge. apply (Hge _ Hp).
  Qed.

  (* What completions cost, unless there is no price. *)
  Definition pays (a : attempt) : Z := cost_with D (completion a) (price_here F (of a) (completion a)).

  Lemma future_pays : forall sps Qs ks, map fst sps = ks -> (forall q, In q ks -> 1 <= output q) -> Forall2 (right_queue good_item t) sps Qs ->
    forall sts, Forall2 (starts_served t) Qs sts ->
    total pays (future ks sts) + total (all_worth j) Qs <= D * (total start (future ks sts) + all_outputs ks Qs) /\
    forall a, In a (future ks sts) -> price_here F (of a) (completion a) <> None.
  Proof.
    intros sps Qs ks <- Hks HQs. induction HQs as [|sp Q sps Qs (Hright & _) HQs IH]; intros sts Hs; inversion Hs as [|? s ? sts' [Hrel _] Hs']; subst.
    - split; [unfold all_outputs; cbn; lia|intros a []].
    - destruct (IH (fun q Hq => Hks q (or_intror Hq)) sts' Hs') as [H1 H2]. cbn [map future]. unfold all_outputs in *. cbn [combine total fst snd].
      rewrite !total_app.
      assert (Hone : total pays (map (Attempt (fst sp)) s) + all_worth j Q <= D * (total start (map (Attempt (fst sp)) s) + output (fst sp) * Z.of_nat (length Q)) /\
          forall a, In a (map (Attempt (fst sp)) s) -> price_here F (of a) (completion a) <> None).
      { clear -Hrel Hright Hd HD. induction Hrel as [|y p Q s Hy Hs IH]; [split; [cbn; lia|intros a []]|].
        destruct IH as [IH1 IH2]; [intros z Hz; apply Hright; right; exact Hz|].
        destruct (Hright y (or_introl eq_refl)) as (Hq & _ & Hg). destruct (worth_price y p Hg Hy) as (w & Hw & Hle). rewrite Hq in Hw.
        assert (E : price_here F (fst sp) (p + output (fst sp)) = Some w).
        { unfold price_here. replace (p + output (fst sp) - output (fst sp)) with p by lia. exact Hw. }
        unfold all_worth in *. cbn [map total length start]. split.
        - unfold pays at 1. unfold completion. cbn [of start]. rewrite E. cbn [cost_with]. lia.
        - intros a [<-|Ha]; [|apply IH2, Ha]. unfold completion. cbn [of start]. rewrite E. discriminate. }
      destruct Hone as [H3 H4]. split; [lia|]. intros a Ha. apply in_app_or in Ha as [Ha|Ha]; [apply H4, Ha|apply H2, Ha].
  Qed.

  Lemma active_pays : forall k, (forall y, In y k -> right_run specs good_item t y) ->
    total pays (map early (map fst k)) + total (fun y => at_place 0 (snd y) j) k <= D * total (fun y => completion (fst y)) k /\
    forall a, In a (map early (map fst k)) -> price_here F (of a) (completion a) <> None.
  Proof.
    induction k as [|y k IH]; intros Hk; [split; [cbn; lia|intros a []]|]. destruct (IH (fun z Hz => Hk z (or_intror Hz))) as [H1 H2].
    destruct (Hk y (or_introl eq_refl)) as (_ & Hr & _ & Hg).
    destruct (worth_price (Item (of (fst y)) (snd y)) (start (fst y)) Hg ltac:(cbn [who]; lia)) as (w & Hw & Hle). cbn [who worths] in *.
    assert (E : price_here F (of (early (fst y))) (completion (early (fst y))) = Some w).
    { unfold price_here, completion. cbn [early of start at_zero output].
      replace (start (fst y) + output (of (fst y)) - output (of (fst y))) with (start (fst y)) by lia. exact Hw. }
    cbn [map total]. split.
    - unfold pays at 1. rewrite E. cbn [cost_with]. change (completion (early (fst y))) with (completion (fst y)). lia.
    - intros a [<-|Ha]; [rewrite E; discriminate|apply H2, Ha].
  Qed.

  Lemma hope_pays : costs_to_pay D F l (t + 1) + total (fun y => at_place 0 (snd y) j) (active x) + total (all_worth j) (queues x)
      <= D * (total (fun y => completion (fst y)) (active x) + total start (future shapes ss) + all_outputs shapes (queues x)) /\
    forall a, In a l -> price_here F (of a) (completion a) <> None.
  Proof.
    destruct Hspot as (HQ & Ha & _). destruct Hgo as (Hserved & _).
    destruct (future_pays specs (queues x) shapes specs_shapes (fun q Hq => proj1 (proj2 (Hshapes q Hq))) HQ ss Hserved) as [H1 H2].
    destruct (active_pays (active x) Ha) as [H3 H4]. split.
    - replace (costs_to_pay D F l (t + 1)) with (total pays l); [unfold l; rewrite total_app; fold (still x) in H3; lia|].
      unfold costs_to_pay. apply total_ext. intros a Hin. fold (pays a). replace (t + 1 <=? completion a) with true; [reflexivity|].
      apply in_app_or in Hin as [Hin|Hin].
      + unfold still in Hin. rewrite map_map in Hin. apply in_map_iff in Hin as (y & <- & Hy). destruct (active_run y Hy) as (_ & _ & Hc & _).
        change (completion (early (fst y))) with (completion (fst y)). lia.
      + destruct (hope_in a) as [Hq _]; [apply in_or_app; right; exact Hin|]. destruct (Hshapes _ Hq) as (_ & Ho & _).
        pose proof (hope_future a Hin). unfold completion. lia.
    - intros a Hin. apply in_app_or in Hin as [Hin|Hin]; [apply H4, Hin|apply H2, Hin].
  Qed.

  Lemma hope_busy : busy_after (Z.max A t) l.
  Proof.
    intros r Hr (a & Ha & Hra). destruct (Hbusy r Hr) as (b & Hb & Hrun).
    - apply in_app_or in Ha as [Ha|Ha]; [|exists a; split; [apply in_or_app; right; exact Ha|exact Hra]].
      apply in_map_iff in Ha as (b & <- & Hb). exists b. split; [apply in_or_app; left; exact Hb|exact Hra].
    - apply in_app_or in Hb as [Hb|Hb]; [|exists b; split; [apply in_or_app; right; exact Hb|exact Hrun]].
      exists (early b). split; [apply in_or_app; left; apply in_map, Hb|exact Hrun].
  Qed.

  Lemma hope_batch : remaining M l t = fold_right insert_code [] (map (fun a => coded M t (fst a)) (active x)).
  Proof.
    unfold remaining, l. rewrite filter_app, map_app. unfold sorted. rewrite fold_right_app.
    replace (filter (fun a => batch_held a t) (future shapes ss)) with (@nil attempt).
    - cbn [map fold_right]. f_equal. unfold still. pose proof active_run as Hrun. revert Hrun. generalize (active x) as k. clear.
      induction k as [|y k IH]; intros Hrun; [reflexivity|]. cbn [map filter]. destruct (Hrun y (or_introl eq_refl)) as (_ & _ & Hc & _).
      replace (batch_held (early (fst y)) t) with true.
      + cbn [map]. f_equal. apply IH. intros z Hz. apply Hrun. right. exact Hz.
      + unfold batch_held. change (completion (early (fst y))) with (completion (fst y)). cbn [early start]. lia.
    - pose proof hope_future as Hf. revert Hf. generalize (future shapes ss) as k. clear. induction k as [|a k IH]; intros Hf; [reflexivity|].
      cbn [filter]. specialize (Hf a (or_introl eq_refl)) as Ha. unfold batch_held at 1. replace (start a <? t) with false by lia. cbn [andb].
      apply IH. intros b Hb. apply Hf. right. exact Hb.
  Qed.

  Lemma hope_row rounds : t = H - Z.of_nat rounds ->
    let number := match KeyMap.find (fold_right insert_code [] (map (fun a => coded M t (fst a)) (active x))) N with Some i => i | None => -1 end in
    rest_of (row_at D A H (shape_kinds (M + 1) F shapes) G rounds) number <= costs_to_pay D F l (t + 1).
  Proof.
    intros Et number.
    destruct (row_spec M D A H F shapes N n G HD HG Hshapes) with (t0 := t) (l := l) (rounds := rounds) as [(i & Hi & Hle) _].
    - intros q y _ Hy. destruct (steps_only d q y Hy) as (z & Hz & ->). apply (Hsmall d z (nth_error_In _ _ Hd) Hz).
    - lia.
    - intros a Ha. apply hope_in, Ha.
    - intros a Ha. apply hope_in, Ha.
    - intros r Hr. unfold l. rewrite memory_app. destruct Hgo as (_ & Hfits). specialize (Hfits r Hr).
      replace (memory (map early (still x)) r) with (memory (still x) r); [exact Hfits|]. unfold memory. rewrite total_map. reflexivity.
    - apply hope_pays.
    - apply hope_busy.
    - lia.
    - rewrite <- Et in Hi, Hle. rewrite hope_batch in Hi. unfold number. rewrite Hi. exact Hle.
  Qed.

  Lemma hope_late : H <= t -> 0 <= costs_to_pay D F l (t + 1).
  Proof.
    intros Hlate. refine (late_costs M D A H F shapes HD _ t l _ _ (t + 1) _).
    - intros q y _ Hy. destruct (steps_only d q y Hy) as (z & Hz & ->). apply (Hsmall d z (nth_error_In _ _ Hd) Hz).
    - intros a Ha. apply hope_in, Ha.
    - apply hope_pays.
    - lia.
  Qed.
  End One.

  Lemma hope t x ss : 1 <= t -> right_spot specs good_item t x -> may_follow M t shapes x ss -> busy_after (Z.max A t) (still x ++ future shapes ss) ->
    whole_cost shapes x ss + outputs < low ->
    affordable M D outputs low N shapes (outlook_at H (dual_sets D A H (M + 1) shapes G 0 sets) t) x = true.
  Proof.
    intros Ht Hspot Hgo Hbusy Hcost. unfold affordable, outlook_at. cbv beta zeta. apply forallb_forall. intros s Hs.
    apply in_map_iff in Hs as (one & <- & Hone). cbn [fst snd].
    assert (Hset : In one (dual_sets D A H (M + 1) shapes G 0 sets)).
    { assert (Hrev : In one (rev (filter (fun s => from s <=? t) (dual_sets D A H (M + 1) shapes G 0 sets)))).
      { rewrite <- (firstn_skipn 2). apply in_or_app. left. exact Hone. }
      apply in_rev, filter_In in Hrev as [Hrev _]. exact Hrev. }
    destruct (dual_sets_spec _ _ _ _ _ _ _ _ _ Hset) as (m & begin & d & Hm & Hplace & Hrows).
    assert (Hd : nth_error ds m = Some d) by (unfold ds; erewrite map_nth_error by exact Hm; reflexivity).
    rewrite Hplace, Z.add_0_l. destruct (hope_pays m d Hd t x ss Ht Hspot Hgo) as [Hpays _]. unfold whole_cost in Hcost.
    assert (Hv : forall v, v <= costs_to_pay D (price_steps d) (map early (still x) ++ future shapes ss) (t + 1) ->
      D * (begun x + outputs - all_outputs shapes (queues x) - total (fun a => completion (fst a)) (active x))
        + total (fun a => at_place 0 (snd a) (Z.of_nat m)) (active x) + total (all_worth (Z.of_nat m)) (queues x) + v <=? D * (low - 1) = true).
    { intros v Hv. apply Z.leb_le. assert (D * (begun x + total start (future shapes ss) + outputs) <= D * (low - 1)) by (apply Z.mul_le_mono_nonneg_l; lia). lia. }
    destruct (Z.leb_spec H t) as [Hlate|Hsoon].
    - apply Hv, (hope_late m d Hd t x ss Ht Hspot Hgo Hlate).
    - destruct (at_place None (rows one) (t - first_row one)) as [T|] eqn:ET; cbn [option_map]; [|reflexivity].
      destruct (Hrows t T ET) as (rounds & Et & ->). apply Hv, (hope_row m d Hd t x ss Ht Hspot Hgo Hbusy rounds Et).
  Qed.
End Hope.

(* The rule "dominance" of FORMAT.md: whatever the duals are, if the checker returns a number, then every
   schedule of these requests costs at least that. *)
Theorem dominance_sound M D H sets types low limit result requests l :
  dominance_bound M D H sets types low limit = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold dominance_bound. set (shapes := longest_first _). set (A := latest _). set (late := total (fun x => snd x * release (fst x)) types).
  set (outputs := total (fun x => snd x * output (fst x)) types). set (items := items_of _ _). set (Qs := map (queue_for items) shapes).
  intros Hresult Hperm (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid.
  destruct ((1 <=? M) && _ && _ && _ && _ && _ && _ && _ && _ && _ && _) eqn:E; [|discriminate].
  apply andb_true_iff in E as [E Hsets]. apply andb_true_iff in E as [E Hrise]. apply andb_true_iff in E as [E Hord].
  apply andb_true_iff in E as [E Hdist]. apply andb_true_iff in E as [E Hshapes]. apply andb_true_iff in E as [E Htypes].
  apply andb_true_iff in E as [E _]. apply andb_true_iff in E as [E HAH]. apply andb_true_iff in E as [E Hsome]. apply andb_true_iff in E as [HM HD].
  rewrite forallb_forall in Hsets, Hrise, Hshapes, Htypes.
  assert (Hq : forall q, In q shapes -> 0 <= prompt q < M + 1 /\ 1 <= output q /\ release q = 0) by (intros q Hq; specialize (Hshapes q Hq); lia).
  assert (Hzero : at_once shapes) by (intros q Hin; apply Hq, Hin).
  assert (Hcounts : forall x, In x types -> 0 <= snd x) by (intros x Hx; specialize (Htypes x Hx); lia).
  assert (Hshape : forall q, In q (expand types) -> In (at_zero q) shapes /\ 0 <= release q <= A).
  { intros q Hin. apply in_expand in Hin as (c & Hin). specialize (Htypes _ Hin). cbn [fst snd] in Htypes. apply andb_true_iff in Htypes as [Hr Hex].
    split.
    - apply existsb_exists in Hex as (q' & Hq' & Es). apply same_eq in Es; [|reflexivity|apply Hzero, Hq']. rewrite Es. exact Hq'.
    - split; [lia|]. apply latest_ge, in_map_iff. exists (q, c). split; [reflexivity|exact Hin]. }
  destruct (batches_of M shapes) as [[N G]|] eqn:EG; [|discriminate].
  destruct (nothing_cheaper _ _ _ _ _ _ _ _ _ _ _ _) eqn:Hnone; [|discriminate]. inversion Hresult. subst result.
  unfold batches_of in EG. destruct (all_batches _ _ _ _) as [N0 n]. destruct (most_batches <? n); [discriminate|].
  destruct (graph_of _ _ _ _ _ _ _ _ _ _) as [G0|] eqn:HG; [|discriminate]. inversion EG. subst N0 G0.
  set (specs := map (fun q => (q, queue_for items q)) shapes). set (good := good_item A sets).
  assert (Especs : map fst specs = shapes) by apply specs_shapes.
  assert (Hgood : forall x, In x items -> good x /\ 0 <= release (who x)).
  { intros x Hx. unfold items in Hx. rewrite <- (map_map snd (map snd)) in Hx. apply items_spec in Hx as ((c & Hc) & Hw).
    - assert (Hin : In (who x, c) types) by exact Hc. specialize (Htypes _ Hin). cbn [fst snd] in Htypes.
      split; [|lia]. split; [apply latest_ge, in_map_iff; exists (who x, c); auto|exact Hw].
    - intros d Hd. apply in_map_iff in Hd as (s & <- & Hs). specialize (Hsets s Hs). apply andb_true_iff in Hsets as [Hsets _]. exact Hsets. }
  assert (HA : 0 <= A) by apply latest_nonneg.
  (* the schedule, in the order of the types *)
  rewrite <- Hof in Hperm. destruct (Permutation_map_inv _ _ (Permutation_sym Hperm)) as (k & Ek & Hk).
  assert (Hkvalid : forall a, In a k -> valid a) by (intros a Ha; apply Hvalid, (Permutation_in _ (Permutation_sym Hk) Ha)).
  assert (Hkshape : forall a, In a k -> In (at_zero (of a)) shapes).
  { intros a Ha. apply (proj1 (Hshape (of a) ltac:(rewrite Ek; apply in_map, Ha))). }
  set (ss := starts_of_shapes k shapes).
  assert (Hmemory : forall r, memory (future shapes ss) r = memory l r).
  { intros r. unfold memory. rewrite (total_permutation _ _ _ Hk). apply future_all; auto. }
  assert (Hstarts : total start (future shapes ss) = total start l).
  { rewrite (total_permutation _ _ _ Hk). apply future_all; auto. }
  assert (Hcost : cost l = total start l + outputs - late).
  { rewrite cost_completions. unfold completions, completion. rewrite total_add. f_equal; [f_equal|].
    - rewrite <- (total_map output of), (total_permutation _ _ _ Hperm), total_expand by exact Hcounts. reflexivity.
    - rewrite (total_permutation _ _ _ Hperm), total_expand by exact Hcounts. reflexivity. }
  assert (Hbound : low + late <= whole_cost shapes (Spot 0 Qs [] []) ss + outputs); [|unfold whole_cost in Hbound; cbn [begun] in Hbound; lia].
  pose proof (nothing_cheaper_sound M A specs good) as Hsound. rewrite Especs in Hsound.
  refine (Hsound _ HA _ _ outputs (low + late) limit _ _ _ _ _ 0 _ 0 _ Hnone _ (Spot 0 Qs [] []) ss _ _); clear Hsound; try lia.
  - intros q Hin. destruct (Hq q Hin) as ([H1 _] & H2 & H3). auto.
  - intros x (H1 & _). exact H1.
  - apply orderly_spec, Hord.
  - intros t x ss' Ht Hx Hgo Hbusy Hless. apply (hope M D A H outputs (low + late) shapes items sets N n G) with (ss := ss'); auto; try lia.
    intros d y Hd Hy. apply in_map_iff in Hd as (s & <- & Hs). specialize (Hsets s Hs). apply andb_true_iff in Hsets as [_ Hsets].
    rewrite forallb_forall in Hsets. specialize (Hsets y Hy). lia.
  - intros x [<-|[]]. split.
    + split; [|split; [intros y []|intros j; destruct j; reflexivity]]. cbn [queues]. unfold specs, Qs.
      assert (Hright : forall q, In q shapes -> right_queue good 0 (q, queue_for items q) (queue_for items q)).
      { intros q Hin. split; [|split; [apply rising_items_spec, Hrise, in_map, Hin|reflexivity]].
        intros y Hy. unfold queue_for in Hy. apply filter_In in Hy as [Hy Es]. destruct (Hgood y Hy) as [Hg Hr].
        split; [|split; assumption]. cbn [fst]. apply same_eq; [reflexivity|apply Hzero, Hin|]. clear -Es.
        unfold same in *. cbn [at_zero prompt output]. destruct q as [s o a], (who y) as [s' o' a']. cbn [prompt output] in *. lia. }
      clear -Hright. induction shapes as [|q rest IH]; [constructor|]. cbn [map]. constructor; [apply Hright; left; reflexivity|].
      apply IH. intros q' Hq'. apply Hright. right. exact Hq'.
    + (* somebody has yet to start *)
      destruct (finished (Spot 0 Qs [] [])) eqn:Ef; [exfalso|reflexivity]. unfold finished in Ef. cbn [queues] in Ef. rewrite forallb_forall in Ef.
      destruct items as [|x items'] eqn:Eitems.
      * assert (Hn : expand types = []) by (rewrite <- (items_who types (map (fun s => map snd (snd s)) sets)); fold items; rewrite Eitems; reflexivity).
        assert (total (fun x => snd x) types = 0); [|lia]. rewrite (total_ext _ (fun x => snd x * 1)) by (intros; lia).
        rewrite <- (total_expand (fun _ => 1) types Hcounts), Hn. reflexivity.
      * assert (Hx : In (who x) (expand types)) by (rewrite <- (items_who types (map (fun s => map snd (snd s)) sets)); fold items; rewrite Eitems; left; reflexivity).
        specialize (Ef (queue_for (x :: items') (at_zero (who x)))). unfold Qs in Ef.
        specialize (Ef ltac:(apply in_map_iff; exists (at_zero (who x)); split; [reflexivity|apply Hshape, Hx])).
        unfold queue_for in Ef. cbn [filter] in Ef. replace (same (at_zero (who x)) (who x)) with true in Ef; [discriminate|].
        unfold same. cbn [at_zero prompt output]. lia.
  - left. reflexivity.
  - split.
    + cbn [queues]. apply first_served; [|exact Hkvalid]. unfold items. rewrite items_who. exact Ek.
    + intros r Hr. cbn [still active map]. rewrite Hmemory. change (memory [] r) with 0. apply Hfits.
Qed.
