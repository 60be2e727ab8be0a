(* The rules "blocks" and, at the end, "demand-duals" of FORMAT.md: cheapest paths through profiles
   (demand_duals.md).

   If w are the duals of the demands and p those of the memory in some rounds, D times the sum of
   the completion times is at least the sum of the w of all requests, less M times the sum of the
   p, plus what their starts cost: D (t + o) - w, and p for each token in use in a round.  The
   types are divided into blocks.  Of one block alone, no start costs less than 0 from a time H on;
   before, it goes from profile to profile, and any numbers that fit may start.

   `explore` finds the profiles; nothing is proved about it.  `graph_ok` then checks that
   whatever fits leads from profiles with a number to profiles with a number. *)

From Coq Require Import ZArith List Lia Bool Permutation.
From Kvopt Require Import Model Sums Staircase Prices Area PathCheck Types Keys Vectors Exhaustive Released.
Import ListNotations.
Open Scope Z_scope.

(* Profiles, and how many of each type are left of M, with their numbers. *)
Definition numbers := KeyMap.t Z.

(* An edge: the number of a group, those who start, and that of the profile after the round.  A graph has by number
   profiles, whether none of their edges is missing, and the edges. *)
Definition edge : Type := Z * Z.
Definition graph_node : Type := list Z * (bool * list edge).
Definition no_node : graph_node := ([], (false, [])).

(* --- Finding the profiles (nothing is proved about it) ------------------------------------ *)

Record found_profiles := Found {
  by_profile : numbers;
  by_group : numbers;
  next_profile : Z;
  next_group : Z;
  all_profiles : list (list Z);  (* the last one first *)
  all_groups : list (list Z);
  todo : list (list Z)
}.

Definition meet (ws : list Z) (x : found_profiles) (choice : list Z * list Z) : found_profiles :=
  let (group, used) := choice in
  let p := tl used in
  let x' := match KeyMap.find group (by_group x) with
    | Some _ => x
    | None => Found (by_profile x) (KeyMap.add group (next_group x) (by_group x)) (next_profile x) (next_group x + 1)
        (all_profiles x) (less ws group :: all_groups x) (todo x)
    end in
  let key := mark p in
  match KeyMap.find key (by_profile x') with
  | Some _ => x'
  | None => Found (KeyMap.add key (next_profile x') (by_profile x')) (by_group x') (next_profile x' + 1) (next_group x')
      (p :: all_profiles x') (all_groups x') (p :: todo x')
  end.

Fixpoint explore (M : Z) (shapes : list (list Z)) (ws : list Z) (fuel : nat) (x : found_profiles) : found_profiles :=
  match fuel, todo x with
  | S fuel', p :: todo' =>
      explore M shapes ws fuel' (fold_left (meet ws) (choices M shapes ws p)
        (Found (by_profile x) (by_group x) (next_profile x) (next_group x) (all_profiles x) (all_groups x) todo'))
  | _, _ => x
  end.

Definition max_profiles : Z := 5000000.
Definition max_entries : Z := 100000000.  (* in all profiles together *)
Definition max_values : Z := 200000000.  (* profiles times rounds *)

(* --- The check --------------------------------------------------------------------------- *)

(* Where a choice leads, and the edges of a profile, if none is missing. *)
Definition edge_of (N G : numbers) (choice : list Z * list Z) : option edge :=
  match KeyMap.find (mark (tl (snd choice))) N, KeyMap.find (fst choice) G with
  | Some j, Some g => Some (g, j)
  | _, _ => None
  end.
Definition edges_of (M : Z) (shapes : list (list Z)) (ws : list Z) (N G : numbers) (p : list Z) : bool * list edge :=
  fold_right (fun choice found =>
      match edge_of N G choice with
      | Some e => (fst found, e :: snd found)
      | None => (false, snd found)
      end)
    (true, []) (choices M shapes ws p).

Definition make_graph (M : Z) (shapes : list (list Z)) (ws : list Z) (N G : numbers) (P : vector (list Z)) :
    vector graph_node :=
  map_vector (fun p => (p, edges_of M shapes ws N G p)) P.

(* Every number belongs to its profile or group, and no edge is missing. *)
Definition graph_ok (N : numbers) (E : vector graph_node) : bool :=
  forallb (fun x => let (p, edges) := at_place no_node E (snd x) in
      fst edges && (if Key.eq_dec p (tl (fst x)) then true else false)) (KeyMap.elements N).
Definition groups_ok (ws : list Z) (G : numbers) (groups : vector (list Z)) : bool :=
  forallb (fun x => if Key.eq_dec (at_place [] groups (snd x)) (less ws (fst x)) then true else false)
    (KeyMap.elements G).

Fixpoint dot (xs ys : list Z) : Z :=
  match xs, ys with
  | x :: xs', y :: ys' => x * y + dot xs' ys'
  | _, _ => 0
  end.

(* Edges as they are gone through, in every round. *)
Inductive edges := NoEdge | Edge (group after : Z) (rest : edges).
Definition pack (l : list edge) : edges := fold_right (fun e found => Edge (fst e) (snd e) found) NoEdge l.
Definition edges_in (E : vector graph_node) : vector edges := map_vector (fun x => pack (snd (snd x))) E.

(* The least that groups cost with what follows them. *)
Fixpoint least_edge (costs after : vector Z) (best : Z) (l : edges) : Z :=
  match l with
  | NoEdge => best
  | Edge g j rest =>
      let v := at_place 0 costs g + at_place 0 after j in least_edge costs after (if v <? best then v else best) rest
  end.
Definition least_of (costs after : vector Z) (l : edges) : Z :=
  match l with
  | NoEdge => 0
  | Edge g j rest => least_edge costs after (at_place 0 costs g + at_place 0 after j) rest
  end.

(* What a start of each type at time t costs. *)
Definition start_costs (price : request -> Z -> Z) (kinds : list request) (t : Z) : list Z :=
  map (fun q => price q t) kinds.

(* The costs of the cheapest paths on from all profiles, n rounds before H, at time t. *)
Fixpoint values (price : request -> Z -> Z) (kinds : list request) (edges : vector edges) (groups : vector (list Z))
    (n : nat) (t : Z) : vector Z :=
  match n with
  | O => map_vector (fun _ => 0) edges
  | S n' =>
      let after := values price kinds edges groups n' (t + 1) in
      let starts := start_costs price kinds t in
      let costs := map_vector (fun cs => dot cs starts) groups in
      map_vector (least_of costs after) edges
  end.

Definition max_rounds : Z := 100000.

(* The cost of the cheapest path of a block up to time H. *)
Definition block_value (M : Z) (price : request -> Z -> Z) (kinds : list request) (H : Z) : option Z :=
  let shapes := map shape kinds in
  let ws := map (fun _ => M) kinds in
  if H <=? 0 then Some 0
  else
    let found := explore M shapes ws
      (Z.to_nat (Z.min max_profiles (max_entries / (1 + latest (map output kinds)))))
      (Found (KeyMap.add (mark []) 0 (KeyMap.empty _)) (KeyMap.empty _) 1 0 [[]] [] [[]]) in
    let N := by_profile found in
    let G := by_group found in
    let groups := Vector (rev' (all_groups found)) in
    if next_profile found * H <=? max_values then
      let E := make_graph M shapes ws N G (Vector (rev' (all_profiles found))) in
      match KeyMap.find (mark []) N with
      | Some root =>
          if graph_ok N E && groups_ok ws G groups
          then Some (at_place 0 (values price kinds (edges_in E) groups (Z.to_nat H) 0) root)
          else None
      | None => None
      end
    else None.

(* What a start costs: (round, dual) of the memory, and the duals of the demands. *)
Definition priced_start (D : Z) (on_memory : list (Z * Z)) (w : request -> Z) (q : request) (t : Z) : Z :=
  D * (t + output q) + total (fun x => snd x * use (Attempt q t) (fst x)) on_memory - w q.

(* From this time on no start of these types costs less than 0. *)
Definition last_time (D : Z) (w : request -> Z) (kinds : list request) : Z :=
  latest (map (fun q => ceil_div (w q - D * output q) D) kinds).

Fixpoint sum_options (l : list (option Z)) : option Z :=
  match l with
  | [] => Some 0
  | x :: rest => match x, sum_options rest with Some v, Some s => Some (v + s) | _, _ => None end
  end.

Definition blocks_bound (M D : Z) (on_memory : list (Z * Z)) (blocks : list (list (request * Z)))
    (types : list (request * Z)) : option Z :=
  let kinds := map (map fst) blocks in
  let w := worth_of (concat blocks) in
  let H block := Z.max (latest (map fst on_memory)) (last_time D w block) in
  if (1 <=? M) && (1 <=? D)
    && forallb (fun x => 0 <=? snd x) on_memory
    && forallb (fun x => (release (fst x) =? 0) && (0 <=? snd x)
         && existsb (fun q => same q (fst x)) (concat kinds)) types
    && forallb (fun q => (0 <=? prompt q) && (1 <=? output q) && (release q =? 0)) (concat kinds)
    && distinct (concat kinds)
    && forallb (fun block => H block <=? max_rounds) kinds
  then
    match sum_options (map (fun block => block_value M (priced_start D on_memory w) block (H block)) kinds) with
    | Some v => Some (ceil_div (total (fun x => snd x * w (fst x)) types
        - M * total (fun x => snd x) on_memory + v) D)
    | None => None
    end
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

Definition edge_value (costs after : vector Z) (e : edge) : Z := at_place 0 costs (fst e) + at_place 0 after (snd e).

Lemma least_edge_le costs after l : forall best, least_edge costs after best (pack l) <= best /\
  forall e, In e l -> least_edge costs after best (pack l) <= edge_value costs after e.
Proof.
  induction l as [|a l IH]; intros best; cbn [pack fold_right least_edge]; [split; [lia|intros e []]|]. cbv zeta. fold (pack l).
  set (w := if _ <? best then _ else _).
  assert (Hw : w <= best /\ w <= edge_value costs after a)
    by (unfold w, edge_value; destruct (Z.ltb_spec (at_place 0 costs (fst a) + at_place 0 after (snd a)) best); lia).
  destruct (IH w) as [H1 H2]. split; [lia|]. intros e He. destruct He as [He|He]; [subst e; lia|apply H2, He].
Qed.

Lemma least_of_le costs after l e : In e l -> least_of costs after (pack l) <= edge_value costs after e.
Proof.
  destruct l as [|a l]; [intros []|]. cbn [pack fold_right least_of]. fold (pack l).
  destruct (least_edge_le costs after l (edge_value costs after a)) as [H1 H2].
  intros [<-|He]; [exact H1|apply H2, He].
Qed.

Lemma edges_of_spec M shapes ws N G p : fst (edges_of M shapes ws N G p) = true ->
  forall choice, In choice (choices M shapes ws p) ->
  exists e, edge_of N G choice = Some e /\ In e (snd (edges_of M shapes ws N G p)).
Proof.
  unfold edges_of. induction (choices M shapes ws p) as [|x l IH]; intros Hok choice Hin; [destruct Hin|].
  cbn [fold_right] in *. destruct (edge_of N G x) as [e|] eqn:E; [|discriminate].
  cbn [fst snd] in *. destruct Hin as [<-|Hin].
  - exists e. split; [exact E|left; reflexivity].
  - destruct (IH Hok choice Hin) as (e' & H1 & H2). exists e'. split; [exact H1|right; exact H2].
Qed.

Lemma edge_of_spec N G choice g j : edge_of N G choice = Some (g, j) ->
  KeyMap.find (mark (tl (snd choice))) N = Some j /\ KeyMap.find (fst choice) G = Some g.
Proof.
  unfold edge_of. destruct (KeyMap.find (mark (tl (snd choice))) N); [|discriminate].
  destruct (KeyMap.find (fst choice) G); [|discriminate]. intros H. inversion H. auto.
Qed.

Lemma less_less ws cs : length ws = length cs -> less ws (less ws cs) = cs.
Proof.
  revert cs. induction ws as [|w ws IH]; intros [|c cs] H; try discriminate; [reflexivity|].
  cbn [less]. f_equal; [lia|]. apply IH. simpl in H. lia.
Qed.

Section Paths.
  Context (M : Z) (kinds : list request) (l : list attempt).
  Context (Hdist : distinct kinds = true) (Hzero : at_once kinds)
    (Hkinds : forall q, In q kinds -> valid_request q).
  Context (Hvalid : forall a, In a l -> valid a) (Hfits : fits M l).
  Context (Hin : forall a, In a l -> In (of a) kinds).
  Context (price : request -> Z -> Z) (N G : numbers) (P : vector (list Z)) (groups : vector (list Z)).
  Let shapes := map shape kinds.
  Let ws := map (fun _ : request => M) kinds.
  Let E := make_graph M shapes ws N G P.
  Context (Hok : graph_ok N E = true) (Hgroups : groups_ok ws G groups = true).

  Definition reduced (a : attempt) : Z := price (of a) (start a).

  (* What the starts before time t cost. *)
  Definition cost_before (t : Z) : Z := total (fun a => if start a <? t then reduced a else 0) l.

  Lemma starting_fits t : Forall2 (fun c w => 0 <= c <= w) (C kinds l t) ws.
  Proof.
    unfold C, ws, counts_of.
    assert (H : forall q, 0 <= count q (map of (now_starting l t)) <= M).
    { intros q. split; [apply count_nonneg|].
      eapply Z.le_trans; [|apply (Hfits (t + 1))]. unfold count, now_starting, memory.
      rewrite total_map, total_filter. apply total_le. intros a Ha.
      destruct (Hvalid a Ha) as [[Hs Ho] _]. pose proof (use_nonneg a (t + 1) (Hvalid a Ha)) as Huse.
      destruct (Z.eqb_spec (start a) t) as [Et|]; [|exact Huse].
      unfold use, completion. destruct (Z.ltb_spec (start a) (t + 1)); [|lia].
      destruct (Z.leb_spec (t + 1) (start a + output (of a))); [|lia]. cbn [andb].
      destruct (same q (of a)); lia. }
    generalize kinds as ks. induction ks as [|k ks IH]; cbn [map]; constructor; auto.
  Qed.

  Lemma dot_costs t :
    dot (C kinds l t) (start_costs price kinds t)
    = total (fun a => if start a =? t then reduced a else 0) l.
  Proof.
    assert (Hdot : forall ks cs, dot cs (start_costs price ks t) =
        total (fun x : request * Z => snd x * price (fst x) t) (combine ks cs)).
    { induction ks as [|k ks IH]; intros [|c cs]; cbn [start_costs map dot combine total]; try reflexivity.
      fold (start_costs price ks t). rewrite IH. reflexivity. }
    rewrite Hdot. unfold C.
    rewrite <- (total_expand (fun q => price q t)).
    2:{ intros [q n] Hx. apply in_combine_r in Hx. apply (counts_nonneg _ _ _ Hx). }
    rewrite <- (total_permutation _ _ _
      (some_types kinds l Hdist Hzero Hin (fun a => start a =? t))).
    rewrite total_map, total_filter. apply total_ext. intros a _. unfold reduced.
    destruct (Z.eqb_spec (start a) t) as [->|]; reflexivity.
  Qed.

  (* The profile at time t has a number, and going on from it costs no more than V0 asks. *)
  Definition on_path (V0 : Z) (n : nat) (t : Z) : Prop :=
    exists p i, KeyMap.find (mark p) N = Some i /\ (forall j, nth j p 0 = load l t j) /\
      V0 <= cost_before t + at_place 0 (values price kinds (edges_in E) groups n t) i.

  Lemma number_spec p i : KeyMap.find (mark p) N = Some i ->
    at_place NoEdge (edges_in E) i = pack (snd (edges_of M shapes ws N G p)) /\ fst (edges_of M shapes ws N G p) = true.
  Proof.
    intros H. unfold graph_ok in Hok. rewrite forallb_forall in Hok.
    specialize (Hok _ (find_elements _ _ _ H)). cbn [fst snd] in Hok. rewrite mark_key in Hok. unfold edges_in.
    rewrite (at_map _ no_node) by reflexivity.
    unfold E, make_graph in *. destruct P as [l0]. cbn [map_vector at_place] in *.
    destruct (0 <=? i); [|discriminate].
    destruct (Nat.lt_ge_cases (Z.to_nat i) (length l0)) as [Hlen|Hlen].
    2:{ rewrite nth_overflow in Hok by (rewrite map_length; exact Hlen). discriminate. }
    rewrite (nth_indep _ no_node ((fun p => (p, edges_of M shapes ws N G p)) [])) in * by (rewrite map_length; exact Hlen).
    rewrite (map_nth (fun p => (p, edges_of M shapes ws N G p))) in *.
    apply andb_true_iff in Hok as [Ho Hp].
    destruct (Key.eq_dec _ p) as [Heq|]; [|discriminate]. unfold Key.eq in Heq. rewrite Heq in *. auto.
  Qed.

  Lemma group_spec c g : KeyMap.find c G = Some g -> at_place [] groups g = less ws c.
  Proof.
    intros H. unfold groups_ok in Hgroups. rewrite forallb_forall in Hgroups.
    specialize (Hgroups _ (find_elements _ _ _ H)). cbn [fst snd] in Hgroups.
    destruct (Key.eq_dec _ _) as [Heq|]; [exact Heq|discriminate].
  Qed.

  Lemma on_path_step V0 n t : 0 <= t -> on_path V0 (S n) t -> on_path V0 n (t + 1).
  Proof.
    intros Ht (p & i & Hfind & Hp & Hle).
    destruct (number_spec p i Hfind) as [HE Hedges].
    destruct (choices_in M shapes) with (ws := ws) (cs := C kinds l t) (used := p) as (u & Hu & Hnth).
    - intros s j Hs. apply in_map_iff in Hs as (q & <- & Hq). destruct (Hkinds q Hq) as [Hpr _].
      unfold shape. rewrite nth_count_on. destruct (_ <? _); lia.
    - unfold ws, shapes. rewrite !map_length. reflexivity.
    - apply starting_fits.
    - intros j. rewrite Hp. unfold shapes.
      rewrite (load_step kinds l Hdist Hzero Hvalid Hin). apply (load_fits M l Hvalid Hfits).
    - destruct (edges_of_spec _ _ _ _ _ _ Hedges _ Hu) as ([g j] & Hgj & Hedge).
      apply edge_of_spec in Hgj as [Hj Hg]. cbn [fst snd] in *. pose proof (group_spec _ _ Hg) as Hcs.
      rewrite less_less in Hcs by (unfold ws, C, counts_of; rewrite !map_length; reflexivity).
      exists (tl u), j. split; [exact Hj|]. split.
      + intros k. assert (Hk : nth k (tl u) 0 = nth (S k) u 0) by (destruct u; destruct k; reflexivity).
        rewrite Hk, Hnth, Hp. unfold shapes. rewrite (load_step kinds l Hdist Hzero Hvalid Hin).
        unfold load. apply total_ext. intros a _.
        replace (t + 1 + Z.of_nat (S k)) with (t + 1 + 1 + Z.of_nat k) by lia. reflexivity.
      + eapply Z.le_trans; [exact Hle|]. cbn [values].
        set (after := values price kinds (edges_in E) groups n (t + 1)).
        set (costs := map_vector _ groups).
        rewrite (at_map _ NoEdge), HE by reflexivity.
        pose proof (least_of_le costs after _ _ Hedge) as Hmin. unfold edge_value in Hmin. cbn [fst snd] in Hmin.
        replace (at_place 0 costs g) with (dot (C kinds l t) (start_costs price kinds t)) in Hmin
          by (unfold costs; rewrite (at_map _ []), Hcs by reflexivity; reflexivity).
        rewrite dot_costs in Hmin.
        assert (Hsum : cost_before (t + 1) = cost_before t + total (fun a => if start a =? t then reduced a else 0) l).
        { unfold cost_before. rewrite <- total_add. apply total_ext. intros a _.
          destruct (Z.ltb_spec (start a) (t + 1)), (Z.ltb_spec (start a) t), (Z.eqb_spec (start a) t); lia. }
        rewrite Hsum, <- Z.add_assoc. apply Z.add_le_mono_l. exact Hmin.
  Qed.

  Lemma whole_path root H : KeyMap.find (mark []) N = Some root -> 0 <= H ->
    (forall a, In a l -> H <= start a -> 0 <= reduced a) ->
    at_place 0 (values price kinds (edges_in E) groups (Z.to_nat H) 0) root <= total reduced l.
  Proof.
    intros Hroot HH Hlate. set (V0 := at_place 0 _ root).
    assert (Hall : forall k, (k <= Z.to_nat H)%nat -> on_path V0 (Z.to_nat H - k) (Z.of_nat k)).
    { induction k as [|k IH]; intros Hk.
      - rewrite Nat.sub_0_r. exists [], root. split; [exact Hroot|]. split.
        + intros j. unfold load. rewrite (total_ext _ (fun _ => 0)).
          * rewrite total_const. destruct j; reflexivity.
          * intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (Z.ltb_spec (start a) (Z.of_nat 0)); [lia|reflexivity].
        + assert (E0 : cost_before (Z.of_nat 0) = 0).
          { unfold cost_before. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
            intros a Ha. destruct (Hvalid a Ha) as [_ Hs]. destruct (Z.ltb_spec (start a) (Z.of_nat 0)); [lia|reflexivity]. }
          rewrite E0. unfold V0. cbn [Z.of_nat]. lia.
      - rewrite Nat2Z.inj_succ. apply on_path_step; [lia|].
        replace (S (Z.to_nat H - S k)) with (Z.to_nat H - k)%nat by lia. apply IH. lia. }
    destruct (Hall (Z.to_nat H) (le_n _)) as (p & i & Hfind & _ & Hle).
    rewrite Nat.sub_diag in Hle. cbn [values] in Hle. destruct (number_spec p i Hfind) as [HE Hedges].
    rewrite (at_map _ NoEdge) in Hle by reflexivity.
    assert (cost_before (Z.of_nat (Z.to_nat H)) <= total reduced l); [|lia].
    apply total_le. intros a Ha. destruct (Z.ltb_spec (start a) (Z.of_nat (Z.to_nat H))); [lia|].
    apply Hlate; [exact Ha|lia].
  Qed.
End Paths.

Lemma block_value_below M price kinds H v l :
  block_value M price kinds H = Some v -> 0 <= H ->
  distinct kinds = true -> at_once kinds -> (forall q, In q kinds -> valid_request q) ->
  (forall a, In a l -> valid a) -> fits M l -> (forall a, In a l -> In (of a) kinds) ->
  (forall a, In a l -> H <= start a -> 0 <= price (of a) (start a)) ->
  v <= total (reduced price) l.
Proof.
  unfold block_value. intros Hresult HH Hdist Hzero Hkinds Hvalid Hfits Hin Hlate.
  destruct (Z.leb_spec H 0) as [Hnone|_].
  { inversion Hresult. subst v. apply total_nonneg. intros a Ha. destruct (Hvalid a Ha) as [_ Hs].
    apply Hlate; [exact Ha|]. specialize (Hzero _ (Hin a Ha)). lia. }
  set (found := explore _ _ _ _ _) in Hresult. destruct (_ <=? max_values); [|discriminate].
  destruct (KeyMap.find (mark []) (by_profile found)) as [root|] eqn:Hroot; [|discriminate].
  destruct (graph_ok _ _ && _) eqn:Hgraph; [|discriminate].
  apply andb_true_iff in Hgraph as [Hgraph Hgroups]. inversion Hresult.
  apply (whole_path M kinds l Hdist Hzero Hkinds Hvalid Hfits Hin price _ _ _ _ Hgraph Hgroups root H Hroot HH Hlate).
Qed.

Lemma distinct_app l l' : distinct (l ++ l') = true ->
  distinct l = true /\ distinct l' = true /\ forall q, In q l -> existsb (same q) l' = false.
Proof.
  induction l as [|q l IH]; cbn [app distinct]; intros H; [repeat split; [exact H|intros q []]|].
  apply andb_true_iff in H as [Hq H]. destruct (IH H) as (H1 & H2 & H3).
  rewrite existsb_app in Hq. apply negb_true_iff, orb_false_iff in Hq as [Hq Hq'].
  rewrite Hq, H1. repeat split; [exact H2|]. intros q' [<-|Hq'']; [exact Hq'|apply H3, Hq''].
Qed.

(* Every type is in exactly one block. *)
Lemma one_block kinds q : distinct (concat kinds) = true -> In q (concat kinds) ->
  total (fun block => if existsb (same q) block then 1 else 0) kinds = 1.
Proof.
  assert (Hnone : forall ks, existsb (same q) (concat ks) = false ->
      total (fun block => if existsb (same q) block then 1 else 0) ks = 0).
  { induction ks as [|b ks IH]; intros H; [reflexivity|]. cbn [concat] in H.
    rewrite existsb_app in H. apply orb_false_iff in H as [H1 H2]. cbn [total]. rewrite H1, IH by exact H2.
    reflexivity. }
  induction kinds as [|b kinds IH]; cbn [concat total]; intros Hd Hin; [destruct Hin|].
  destruct (distinct_app _ _ Hd) as (H1 & H2 & H3). apply in_app_or in Hin as [Hin|Hin].
  - rewrite (Hnone kinds (H3 q Hin)).
    assert (E : existsb (same q) b = true) by (apply existsb_exists; exists q; split; [exact Hin|apply same_refl]).
    rewrite E. reflexivity.
  - rewrite (IH H2 Hin). destruct (existsb (same q) b) eqn:E; [|reflexivity]. exfalso.
    apply existsb_exists in E as (q' & Hq' & Es). specialize (H3 q' Hq').
    assert (existsb (same q') (concat kinds) = true); [|congruence].
    apply existsb_exists. exists q. split; [exact Hin|]. unfold same in *. lia.
Qed.

(* The rule "blocks": whatever the duals and the blocks are, what is returned
   is at most the cost of every schedule of these requests. *)
Theorem blocks_sound M D on_memory blocks types result requests l :
  blocks_bound M D on_memory blocks types = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold blocks_bound. set (kinds := map (map fst) blocks). set (w := worth_of (concat blocks)).
  set (H := fun block => Z.max (latest (map fst on_memory)) (last_time D w block)).
  intros Hresult Hperm Hl.
  destruct ((1 <=? M) && _ && _ && _ && _ && _ && _) eqn:Hok; [|discriminate].
  apply andb_true_iff in Hok as [Hok _]. apply andb_true_iff in Hok as [Hok Hdist].
  apply andb_true_iff in Hok as [Hok Hkinds]. apply andb_true_iff in Hok as [Hok Htypes].
  apply andb_true_iff in Hok as [Hok Hmem]. apply andb_true_iff in Hok as [HM HD].
  rewrite forallb_forall in Htypes, Hkinds, Hmem.
  destruct (sum_options _) as [v|] eqn:Hsum; [|discriminate].
  assert (Hcounts : forall x, In x types -> 0 <= snd x).
  { intros y Hy. specialize (Htypes y Hy). lia. }
  assert (Hzero : at_once (concat kinds)).
  { intros q Hq. specialize (Hkinds q Hq). lia. }
  assert (Hrz : at_once requests).
  { apply (at_once_expand types); [|exact Hperm]. intros y Hy. specialize (Htypes y Hy). lia. }
  rewrite (cost_at_once M requests l Hl Hrz). pose proof Hl as (Hof & Hvalid & Hfits).
  rewrite Forall_forall in Hvalid.
  assert (Hin : forall a, In a l -> In (of a) (concat kinds)).
  { intros a Ha. assert (Hq : In (of a) requests) by (rewrite <- Hof; apply in_map, Ha).
    pose proof (Hrz (of a) Hq) as Hrel.
    apply (Permutation_in _ Hperm) in Hq. apply in_expand in Hq as (n & Hq).
    specialize (Htypes _ Hq). cbn [fst] in Htypes. apply andb_true_iff in Htypes as [_ Hex].
    apply existsb_exists in Hex as (q & Hq' & Es).
    apply (same_eq q (of a) (Hzero q Hq') Hrel) in Es. subst q. exact Hq'. }
  set (price := priced_start D on_memory w).
  (* each block for itself *)
  assert (Hblocks : forall ks s, (forall b, In b ks -> In b kinds) ->
      sum_options (map (fun block => block_value M price block (H block)) ks) = Some s ->
      s <= total (fun block => total (fun a => if existsb (same (of a)) block then reduced price a else 0) l) ks).
  { induction ks as [|b ks IH]; intros s Hks Hs; cbn [map sum_options] in Hs.
    - inversion Hs. cbn [total]. lia.
    - destruct (block_value M price b (H b)) as [vb|] eqn:Eb; [|discriminate].
      destruct (sum_options (map (fun block => block_value M price block (H block)) ks)) as [s'|];
        [|discriminate]. injection Hs as Es'. cbn [total].
      specialize (IH s' (fun b' Hb' => Hks b' (or_intror Hb')) eq_refl).
      assert (Hb : In b kinds) by (apply Hks; simpl; auto).
      assert (Hsub : forall q, In q b -> In q (concat kinds)).
      { intros q Hq. apply in_concat. exists b. auto. }
      assert (vb <= total (fun a => if existsb (same (of a)) b then reduced price a else 0) l); [|lia].
      rewrite <- total_filter. apply (block_value_below M price b (H b) vb); try assumption.
      + unfold H. pose proof (latest_nonneg (map fst on_memory)). lia.
      + clear -Hdist Hb. induction kinds as [|k ks IH]; [destruct Hb|].
        cbn [concat] in Hdist. destruct (distinct_app _ _ Hdist) as (H1 & H2 & _).
        destruct Hb as [->|Hb]; [exact H1|apply IH; assumption].
      + intros q Hq. apply Hzero, Hsub, Hq.
      + intros q Hq. specialize (Hkinds q (Hsub q Hq)). split; lia.
      + intros a Ha. apply filter_In in Ha as [Ha _]. apply Hvalid, Ha.
      + intros r. eapply Z.le_trans; [|apply (Hfits r)]. unfold memory. rewrite total_filter.
        apply total_le. intros a Ha. pose proof (use_nonneg a r (Hvalid a Ha)).
        destruct (existsb (same (of a)) b); lia.
      + intros a Ha. apply filter_In in Ha as [Ha Hex]. apply existsb_exists in Hex as (q & Hq & Eq).
        apply same_eq in Eq; [subst q; exact Hq|apply Hzero, Hin, Ha|apply Hzero, Hsub, Hq].
      + intros a Ha Hlate. apply filter_In in Ha as [Ha Hex].
        apply existsb_exists in Hex as (q & Hq & Eq).
        apply same_eq in Eq; [|apply Hzero, Hin, Ha|apply Hzero, Hsub, Hq]. subst q.
        assert (Hlast : ceil_div (w (of a) - D * output (of a)) D <= H b).
        { unfold H, last_time. eapply Z.le_trans; [|apply Z.le_max_r]. apply latest_ge, in_map_iff.
          exists (of a). auto. }
        unfold ceil_div in Hlast.
        pose proof (Z.mul_div_le (- (w (of a) - D * output (of a))) D ltac:(lia)) as Hdiv.
        assert (D * - (- (w (of a) - D * output (of a)) / D) <= D * start a)
          by (apply Z.mul_le_mono_nonneg_l; lia).
        assert (Huse : 0 <= total (fun x => snd x * use (Attempt (of a) (start a)) (fst x)) on_memory).
        { apply total_nonneg. intros x Hx. specialize (Hmem x Hx).
          apply Z.mul_nonneg_nonneg; [lia|]. apply use_nonneg. apply (Hvalid a Ha). }
        change (price (of a) (start a)) with (D * (start a + output (of a))
          + total (fun x => snd x * use (Attempt (of a) (start a)) (fst x)) on_memory - w (of a)).
        lia. }
  pose proof (Hblocks kinds v (fun b Hb => Hb) Hsum) as Hpaths.
  rewrite (total_swap (fun block a => if existsb (same (of a)) block then reduced price a else 0)) in Hpaths.
  rewrite (total_ext _ (reduced price)) in Hpaths.
  2:{ intros a Ha. pose proof (one_block kinds (of a) Hdist (Hin a Ha)) as Hone.
      transitivity (total (fun b => reduced price a * if existsb (same (of a)) b then 1 else 0) kinds).
      - apply total_ext. intros b _. destruct (existsb (same (of a)) b); lia.
      - rewrite total_scale, Hone. lia. }
  (* what all starts cost *)
  assert (Hall : total (reduced price) l + total (fun x => snd x * w (fst x)) types
      <= D * completions l + M * total (fun x => snd x) on_memory).
  { rewrite <- (total_expand w types Hcounts), <- (total_permutation w _ _ Hperm), <- Hof, total_map.
    unfold completions. rewrite <- total_add, <- total_scale.
    assert (Hrows : total (fun a => total (fun x => snd x * use a (fst x)) on_memory) l
        <= M * total (fun x => snd x) on_memory).
    { rewrite (total_swap (fun a x => snd x * use a (fst x))), <- total_scale. apply total_le.
      intros x Hx. specialize (Hmem x Hx). rewrite total_scale.
      rewrite (Z.mul_comm M). apply Z.mul_le_mono_nonneg_l; [lia|apply (Hfits (fst x))]. }
    assert (E : total (fun a => reduced price a + w (of a)) l =
        total (fun a => D * completion a) l
        + total (fun a => total (fun x => snd x * use a (fst x)) on_memory) l).
    { rewrite <- total_add. apply total_ext. intros [q t] _. unfold reduced, price, priced_start, completion.
      cbn [of start]. lia. }
    rewrite E. lia. }
  inversion Hresult. unfold ceil_div.
  set (B := total (fun x => snd x * w (fst x)) types - M * total (fun x => snd x) on_memory + v).
  assert (- completions l <= - B / D); [|lia]. apply Z.div_le_lower_bound; [lia|]. unfold B. lia.
Qed.

(* --- One block, and releases ------------------------------------------------------------- *)

(* The rule "demand-duals": theorem 6 of release_times.md.  The duals are of each prompt, output
   and release.  A start at time t gets the largest dual of those that are released by then. *)

(* What stands for the cost of what is impossible. *)
Definition lost : Z := 10 ^ 80.

Definition released_start (D : Z) (S : steps_map) (q : request) (t : Z) : Z :=
  match best_by t (steps_of S q) with Some w => D * (t + output q) - w | None => lost end.

Definition last_released (D : Z) (S : steps_map) (kinds : list request) : Z :=
  latest (flat_map (fun q => map (fun x => ceil_div (snd x - D * output q) D) (steps_of S q)) kinds).

Definition released_bound (M D : Z) (duals types : list (request * Z)) : option Z :=
  let kinds := map fst (shapes_of types) in
  let S := price_steps duals in
  let H := Z.max (latest (map (fun x => release (fst x)) types)) (last_released D S kinds) in
  if (1 <=? M) && (1 <=? D)
    && forallb (fun x => (0 <=? prompt (fst x)) && (1 <=? output (fst x)) && (0 <=? snd x)) types
    && of_types types duals && distinct kinds && (H <=? max_rounds)
  then
    match block_value M (released_start D S) kinds H with
    | Some v => Some (ceil_div (duals_value types duals + v) D - total (fun x => snd x * release (fst x)) types)
    | None => None
    end
  else None.

(* --- Proofs ------------------------------------------------------------------------------ *)

(* The rule "demand-duals": whatever the duals are, what is returned is at most the cost of
   every schedule of these requests. *)
Theorem released_sound M D duals types result requests l :
  released_bound M D duals types = Some result ->
  Permutation requests (expand types) -> schedule M requests l -> result <= cost l.
Proof.
  unfold released_bound. set (kinds := map fst (shapes_of types)). set (S := price_steps duals).
  set (H := Z.max _ (last_released D S kinds)). intros Hresult Hperm Hl.
  destruct ((1 <=? M) && _ && _ && _ && _ && _) eqn:Hok; [|discriminate].
  apply andb_true_iff in Hok as [Hok _]. apply andb_true_iff in Hok as [Hok Hdist].
  apply andb_true_iff in Hok as [Hok Hduals]. apply andb_true_iff in Hok as [Hok Htypes].
  apply andb_true_iff in Hok as [HM HD]. rewrite forallb_forall in Htypes.
  assert (Hcounts : forall x, In x types -> 0 <= snd x) by (intros x Hx; specialize (Htypes x Hx); lia).
  destruct (shapes_in types Hcounts) as (Hzero & Hshape & Hin). fold kinds in Hzero, Hshape, Hin.
  destruct (block_value _ _ _ _) as [v|] eqn:Hv; [|discriminate]. inversion Hresult. subst result. clear Hresult.
  destruct Hl as (Hof & Hvalid & Hfits). rewrite Forall_forall in Hvalid. subst requests.
  (* each gets its own dual at least *)
  set (gets := fun a => match best_by (start a) (steps_of S (of a)) with Some y => y | None => 0 end).
  assert (Hgets : forall a w, In a l -> In (of a, w) duals ->
      best_by (start a) (steps_of S (of a)) = Some (gets a) /\ w <= gets a).
  { intros a w Ha Hw. destruct (Hvalid a Ha) as [_ Hs]. apply price_steps_spec in Hw. fold S in Hw.
    destruct (best_by_ge (start a) _ _ _ Hw ltac:(lia)) as (y & Hy & Hle). unfold gets. rewrite Hy. auto. }
  assert (Hprice : forall a, In a l -> reduced (released_start D S) (early a) = D * completion a - gets a).
  { intros a Ha. assert (Hq : In (of a) (expand types)) by (apply (Permutation_in _ Hperm), in_map, Ha).
    apply in_expand in Hq as (n & Hq). destruct (has_dual types duals (of a) n Hduals Hq) as (w & Hw).
    destruct (Hgets a w Ha Hw) as [E _]. unfold reduced, released_start, early, completion. cbn [of start at_zero output].
    change (steps_of S (at_zero (of a))) with (steps_of S (of a)). rewrite E. reflexivity. }
  assert (Hpaths : v <= total (reduced (released_start D S)) (map early l)).
  { assert (HH : 0 <= H) by (unfold H; pose proof (latest_nonneg (map (fun x => release (fst x)) types)); lia).
    apply (block_value_below M (released_start D S) kinds H v); try assumption.
    - intros q Hq. destruct (Hshape q Hq) as (y & Hy & ->). specialize (Htypes y Hy). split; cbn [at_zero prompt output]; lia.
    - intros a Ha. apply in_map_iff in Ha as (b & <- & Hb). destruct (Hvalid b Hb) as [Hq Hs].
      split; [exact Hq|]. cbn [early of start at_zero release]. lia.
    - intros r. unfold memory. rewrite total_map. apply Hfits.
    - intros a Ha. apply in_map_iff in Ha as (b & <- & Hb). apply Hin, (Permutation_in _ Hperm), in_map, Hb.
    - intros a Ha Hlate. apply in_map_iff in Ha as (b & <- & Hb). fold (reduced (released_start D S) (early b)).
      rewrite (Hprice b Hb). cbn [early start] in Hlate.
      assert (Hq : In (of b) (expand types)) by (apply (Permutation_in _ Hperm), in_map, Hb).
      pose proof Hq as Hq'. apply in_expand in Hq' as (n & Hq'). destruct (has_dual types duals (of b) n Hduals Hq') as (w & Hw).
      destruct (Hgets b w Hb Hw) as [E _]. apply best_by_in in E as (x & Hx & Ex & _).
      assert (Hlast : ceil_div (gets b - D * output (of b)) D <= H).
      { unfold H, last_released. eapply Z.le_trans; [|apply Z.le_max_r]. apply latest_ge, in_flat_map.
        exists (at_zero (of b)). split; [apply Hin, Hq|]. apply in_map_iff. exists x. rewrite Ex. auto. }
      unfold ceil_div in Hlast.
      pose proof (Z.mul_div_le (- (gets b - D * output (of b))) D ltac:(lia)) as Hdiv.
      assert (D * - (- (gets b - D * output (of b)) / D) <= D * start b) by (apply Z.mul_le_mono_nonneg_l; lia).
      unfold completion. lia. }
  rewrite total_map in Hpaths.
  assert (Hvalue : duals_value types duals <= total gets l).
  { pose proof (Permutation_map_inv of l (Permutation_sym Hperm)) as (k & Hk & Hkl).
    rewrite (total_permutation _ _ _ Hkl). apply duals_below; [exact Hduals|symmetry; exact Hk|exact Hcounts|].
    intros a w Ha Hw. apply (Hgets a w); [|exact Hw]. apply (Permutation_in _ (Permutation_sym Hkl) Ha). }
  assert (Hall : total (fun a => reduced (released_start D S) (early a)) l + total gets l = D * completions l).
  { unfold completions. rewrite <- total_add, <- total_scale. apply total_ext. intros a Ha. rewrite (Hprice a Ha). lia. }
  rewrite cost_completions, (total_permutation _ _ _ Hperm), total_expand by exact Hcounts.
  unfold ceil_div. assert (- completions l <= - (duals_value types duals + v) / D); [|lia].
  apply Z.div_le_lower_bound; lia.
Qed.
